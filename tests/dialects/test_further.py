"""The tables of dialects agree with each other and with the names in rules.yaml."""

from __future__ import annotations

from typing import get_args

from wattline.dialects.codecs import client_codec, provider_names
from wattline.dialects.spoken import spoken_dialects
from wattline.dialects.table import own_routes
from wattline.rules.shapes.provider import DialectName
from wattline.wire.call import Operation


def test_what_rules_can_name_is_what_there_is():
    assert set(get_args(DialectName)) == set(provider_names())


def test_a_path_leads_to_a_dialect_that_is_spoken_and_a_codec():
    spoken = spoken_dialects()
    for path, route in own_routes():
        assert route.dialect in spoken, path
        if route.operation is Operation.CHAT:
            assert client_codec(route.dialect, route.operation) is not None, path
