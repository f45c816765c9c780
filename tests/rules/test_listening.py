from __future__ import annotations

import pytest

from wattline.rules.compiled.entrance import Listen
from wattline.rules.listening import ListenWatch

FILE = Listen("127.0.0.1", 8088)


def test_each_change_is_told_once_and_a_change_back_not_at_all():
    watch = ListenWatch(FILE)
    assert watch.changed(FILE) is None
    assert "then 127.0.0.1:9000" in str(watch.changed(Listen(FILE.host, 9000)))
    assert watch.changed(Listen(FILE.host, 9000)) is None
    assert "then 127.0.0.1:9001" in str(watch.changed(Listen(FILE.host, 9001)))
    assert watch.changed(FILE) is None
    assert "then 127.0.0.1:9001" in str(watch.changed(Listen(FILE.host, 9001)))


@pytest.mark.parametrize(
    ("watch", "written", "part"),
    [
        (ListenWatch(FILE, port=0), Listen("127.0.0.1", 9000), "has no effect"),
        (ListenWatch(FILE, port=0), Listen("::1", 9000), "then [::1]:0"),
        (ListenWatch(FILE, host="::1"), Listen("127.0.0.2", 8088), "has no effect"),
        (ListenWatch(FILE, host="::1"), Listen("127.0.0.2", 9), "then [::1]:9"),
        (ListenWatch(FILE, host="::1", port=7), Listen("127.0.0.2", 9), "has no effect"),
        (ListenWatch(FILE, fixed=True), Listen("127.0.0.2", 9), "has no effect"),
    ],
)
def test_what_overrules_the_file_decides_what_a_change_means(watch, written, part):
    assert part in str(watch.changed(written))
    assert watch.changed(written) is None
