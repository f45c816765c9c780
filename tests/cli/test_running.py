"""Finding a running sidecar among marks that are old, cut or foreign."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_server
from threading import Thread

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wattline.cli.running import (
    MARK,
    MAX_MARK,
    NoAnswer,
    Running,
    ask_health,
    find_running,
    read_mark,
)

HEALTH = {"status": "healthy", "uptime": 1.5, "version": "0.1.0"}

type Serve = Callable[[bytes], int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts an HTTP server that answers every GET with a body; gives its port."""
    servers: list[tuple[ThreadingHTTPServer, Thread]] = []

    def start(body: bytes) -> int:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        servers.append((server, thread))
        return server.server_port

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def mark(state: Path, **changes: object) -> None:
    content = {"pid": os.getpid(), "host": "127.0.0.1", "port": 8088, "version": "0.1.0"}
    (state / MARK).write_text(json.dumps(content | changes))


def test_a_mark_is_read(tmp_path: Path) -> None:
    mark(tmp_path, host="0.0.0.0")

    running = read_mark(tmp_path)

    assert running == Running(os.getpid(), "0.0.0.0", 8088, "0.1.0")
    assert running.reachable_host == "127.0.0.1"


def test_what_the_sidecar_has_is_read(tmp_path: Path) -> None:
    mark(
        tmp_path,
        rules="/etc/rules.yaml",
        rules_version="abc",
        providers={"a": None, "b": "No API key", "c": 7, "d": []},
        callers=["alice", 7],
    )

    running = read_mark(tmp_path)

    assert running is not None
    assert (running.rules, running.rules_version) == (Path("/etc/rules.yaml"), "abc")
    assert running.providers == {"a": None, "b": "No API key"}
    assert running.callers == {"alice"}


@pytest.mark.parametrize("value", [None, 7, "x\0y", [], {}, True, [[]], {"a": {}}])
def test_nonsense_about_what_it_has_is_left_out(tmp_path: Path, value: object) -> None:
    mark(tmp_path, rules=value, rules_version=value, providers=value, callers=value)

    running = read_mark(tmp_path)

    assert running is not None
    assert (running.rules, running.providers, running.callers) == (None, {}, frozenset())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"7",
        b"\xff\xfe",
        b"[" * 4000,
        b'{"pid":1,"host":"h"}',
        b'{"pid":1,"host":"h","port":"8088"}',
        b'{"pid":1,"host":"h","port":true}',
        b'{"pid":1,"host":"h","port":0}',
        b'{"pid":1,"host":"h","port":65536}',
        b'{"pid":-1,"host":"h","port":1}',
        b'{"pid":null,"host":"h","port":1}',
        b'{"pid":1,"host":7,"port":1}',
        b'{"pid":1,"host":"' + b"h" * MAX_MARK + b'","port":1}',
    ],
)
def test_nonsense_marks_are_no_marks(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MARK).write_bytes(content)

    assert read_mark(tmp_path) is None


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200))
def test_any_bytes_are_read_without_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MARK).write_bytes(content)

    assert read_mark(tmp_path) is None


def test_no_folder_and_a_folder_as_mark(tmp_path: Path) -> None:
    (tmp_path / MARK).mkdir()

    assert read_mark(tmp_path) is None
    assert read_mark(tmp_path / "none") is None


def test_a_sidecar_that_answers_is_found(
    tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proxy variables of the environment play no part."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    mark(tmp_path, port=serve(json.dumps(HEALTH).encode()))

    running = find_running(tmp_path)

    assert running is not None
    assert ask_health(running.reachable_host, running.port) == HEALTH


def test_a_sidecar_that_died_is_not_found(tmp_path: Path) -> None:
    with closing(create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    mark(tmp_path, port=port)

    assert find_running(tmp_path) is None
    with pytest.raises(NoAnswer, match="nothing listens there"):
        ask_health("127.0.0.1", port)


@pytest.mark.parametrize(
    "body", [b"", b"hello", b"[]", b'{"status": "ok"}', b'{"version": 1}', b"[" * 70_000]
)
def test_another_program_on_the_port_is_not_taken_for_wattline(
    tmp_path: Path, serve: Serve, body: bytes
) -> None:
    port = serve(body)
    mark(tmp_path, port=port)

    assert find_running(tmp_path) is None
    with pytest.raises(NoAnswer, match="not wattline"):
        ask_health("127.0.0.1", port)


def test_something_that_never_answers_ends_in_time(tmp_path: Path) -> None:
    with closing(create_server(("127.0.0.1", 0))) as silent:
        mark(tmp_path, port=silent.getsockname()[1])

        assert find_running(tmp_path, timeout=0.2) is None


def test_something_that_is_not_http() -> None:
    with closing(create_server(("127.0.0.1", 0))) as listener:

        def speak() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"SSH-2.0-OpenSSH\r\n\r\n")

        thread = Thread(target=speak)
        thread.start()
        with pytest.raises(NoAnswer):
            ask_health("127.0.0.1", listener.getsockname()[1])
        thread.join()
