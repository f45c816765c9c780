from __future__ import annotations

import errno

import pytest

from wattline.base.os_words import told


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOENT, "No such file or directory", "/x"), "/x: No such file or directory"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (OSError("in its own words"), "in its own words"),
    ],
)
def test_it_has_no_number(error, words):
    assert told(error) == words


def test_a_port_in_use_says_what_to_do():
    error = OSError(errno.EADDRINUSE, "[Errno 98] … Try --mode regular@8090")
    assert told(error).startswith("the port is in use: ")
    assert "--mode" not in told(error)
    error = OSError(
        errno.EADDRINUSE, "HTTP(S) proxy failed to listen on [::1]:8088 with [Errno 98] …"
    )
    assert told(error).startswith("the port of [::1]:8088 is in use: stop what listens there")
