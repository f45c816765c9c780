"""Visitors are known while their request is under way."""

from __future__ import annotations

import gc

from wattline.service.entrance.visitor import Visitor, Visits
from wattline.wire.call import Principal


def test_a_visitor_is_found_until_its_request_is_over():
    visits = Visits()
    visitor = Visitor("req_1", "127.0.0.1", Principal("ann", "gold"))
    visits.announce(visitor)
    assert visits.find("req_1") is visitor
    assert visits.find("req_2") is None
    del visitor
    gc.collect()
    assert visits.find("req_1") is None
    assert len(visits) == 0
