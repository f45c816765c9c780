"""The benchmark's own parts: a wrong measurement must fail and not flatter."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import json
import signal
import subprocess
import sys
import time
from itertools import count, pairwise
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from wattline.base.clock import SystemClock
from wattline.base.errors import ClientFault
from wattline.base.ids import hash_secret
from wattline.rules.schema import RulesShape
from wattline.store.sqlite import SqliteLedger

ROOT = Path(__file__).resolve().parents[2]
FOLDER = str(ROOT / "scripts" / "bench.d")
sys.path.insert(0, FOLDER)
calls = importlib.import_module("calls")
checks = importlib.import_module("checks")
figures = importlib.import_module("figures")
gateways = importlib.import_module("gateways")
goals = importlib.import_module("goals")
http1 = importlib.import_module("http1")
load = importlib.import_module("load")
main = importlib.import_module("main")
mock = importlib.import_module("mock")
process = importlib.import_module("process")
report = importlib.import_module("report")
rulesfile = importlib.import_module("rulesfile")
samples = importlib.import_module("samples")
shapes = importlib.import_module("shapes")
streams = importlib.import_module("streams")
tags = importlib.import_module("tags")
translation = importlib.import_module("translation")
keyed = importlib.import_module("keyed")
keycheck = importlib.import_module("keycheck")
deciding = importlib.import_module("deciding")
replaying = importlib.import_module("replaying")
sys.path.remove(FOLDER)


# --- sums


def test_percentile_is_the_nearest_rank():
    hundred = list(range(1, 101))

    assert figures.percentile(hundred, 0.5) == 50
    assert figures.percentile(hundred, 0.99) == 99
    assert figures.percentile(hundred, 0.07) == 7
    assert figures.percentile([3], 0.01) == 3


@given(st.lists(st.integers(), min_size=1), st.floats(0.01, 1))
def test_percentile_has_its_share_at_or_below_it(values, share):
    ordered = sorted(values)

    found = figures.percentile(ordered, share)

    assert sum(v <= found for v in ordered) >= share * len(ordered) - 1e-6
    assert sum(v < found for v in ordered) < share * len(ordered)


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1], 0), ([1], 1.1)])
def test_percentile_refuses_what_has_none(values, share):
    with pytest.raises(ValueError, match=r"no values|share is"):
        figures.percentile(values, share)


def test_ratios_pair_rounds_and_skip_zeros():
    assert figures.ratios([1, 2, 3], [2, 0, 6]) == [0.5, 0.5]
    with pytest.raises(ValueError, match="shorter"):
        figures.ratios([1, 2], [1])


# --- self-checks


@pytest.mark.parametrize("in_flight", [14.5, 16, 17.5])
def test_in_flight_near_the_connections_is_good(in_flight):
    checks.check_in_flight(in_flight, 16)


@pytest.mark.parametrize("in_flight", [1.3, 14.3, 17.7, 0])
def test_in_flight_away_from_the_connections_fails(in_flight):
    with pytest.raises(checks.CheckFailed, match="requests/s x mean latency"):
        checks.check_in_flight(in_flight, 16)


def test_counts_must_match_unless_the_gateway_retries():
    assert checks.check_counts("calls", sent=10, served=10, retries=False) == 0
    assert checks.check_counts("calls", sent=10, served=12, retries=True) == 2
    with pytest.raises(checks.CheckFailed, match="should not retry"):
        checks.check_counts("calls", sent=10, served=11, retries=False)
    for retries in (True, False):
        with pytest.raises(checks.CheckFailed, match="did not come from it"):
            checks.check_counts("calls", sent=10, served=9, retries=retries)


def test_cpu_of_an_ended_thread_is_missed():
    checks.check_cpu(1.0, 1.04)
    with pytest.raises(checks.CheckFailed, match="a thread ended"):
        checks.check_cpu(1.0, 1.3)


def test_failures_keep_the_first_reasons():
    failures = checks.Failures()
    failures.check()
    for number in range(20):
        failures.add(f"reason {number}")

    with pytest.raises(checks.CheckFailed, match=r"20 calls failed.*\n  reason 0\n"):
        failures.check()
    assert len(failures.reasons) == 5


# --- what the kernel says


def test_schedstat_is_its_first_number():
    assert process.parse_schedstat("123456789 42 7\n") == 123456789


@pytest.mark.parametrize("text", ["", "1 2", "a b c", "1 2 3 4", "-1 2 3", "\u0661 2 3"])
def test_schedstat_refuses_garbage(text):
    with pytest.raises(ValueError, match="schedstat is"):
        process.parse_schedstat(text)


def test_stat_takes_times_behind_any_name():
    tick = process._TICK
    rest = "S 1 2 3 4 5 6 7 8 9 10 300 200 0 0"

    assert process.parse_stat(f"17 (a) b (c)) {rest}") == 500 / tick
    with pytest.raises(ValueError, match="stat is"):
        process.parse_stat("17 (cut) S 1 2")


def test_rss_is_in_bytes():
    assert process.parse_rss("Name:\tx\nVmRSS:\t  2048 kB\n") == 2048 * 1024
    with pytest.raises(ValueError, match="VmRSS"):
        process.parse_rss("Name:\tx\n")


def test_cpu_counts_new_threads_and_the_difference_of_old_ones():
    before = process.Cpu({1: 1_000_000_000, 2: 5}, 1.0)
    after = process.Cpu({1: 1_500_000_000, 3: 250_000_000}, 1.8)

    assert after.since(before) == pytest.approx((0.75, 0.8))


def test_cpu_of_this_process_is_read(tmp_path):
    reading = process.read_cpu(int(Path("/proc/self").resolve().name))

    assert sum(reading.threads.values()) > 0
    assert reading.process > 0
    with pytest.raises(OSError, match="No such file"):
        process.read_cpu(1, tmp_path)


# --- HTTP/1.1


WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\ntrailer: 1\r\n\r\n"
)
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def bodies(reader, pieces):
    """The bodies of the messages in `pieces`."""
    found, parts = [], []
    for piece in pieces:
        for part in reader.feed(piece):
            parts.append(part.payload)
            if part.last:
                found.append(b"".join(parts))
                parts = []
    return found


@given(st.lists(st.integers(0, len(WHOLE + CHUNKED + EMPTY + WHOLE))))
def test_messages_are_the_same_however_they_are_cut(cuts):
    data = WHOLE + CHUNKED + EMPTY + WHOLE
    edges = [0, *sorted(set(cuts)), len(data)]
    pieces = [data[a:b] for a, b in pairwise(edges) if a != b]

    assert bodies(http1.Reader(answers=True), pieces) == [b"hello", b"hello", b"", b"hello"]


def test_a_request_without_a_length_is_empty_and_an_answer_runs_on():
    data = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"

    assert bodies(http1.Reader(answers=False), [data, data]) == [b"", b""]
    assert bodies(http1.Reader(answers=True), [b"HTTP/1.1 200 OK\r\nx: y\r\n\r\n", b"on"]) == []


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n",
        b"x" * 70_000,
    ],
)
def test_garbage_is_broken(data):
    with pytest.raises(http1.Broken):
        bodies(http1.Reader(answers=True), [data])


# --- calls against the mock, and against gateways that lie


class Liar(asyncio.Protocol):
    """A gateway that answers each whole request with `answer(its tag's number)`; None: never."""

    def __init__(self, answer):
        self.answer = answer
        self.reader = http1.Reader(answers=False)
        self.body = b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        for part in self.reader.feed(data):
            self.body += part.payload
            if part.last:
                order = tags.read_order(self.body)
                self.body = b""
                answer = self.answer(int(order[1]))
                if answer is None:
                    self.transport.close()
                else:
                    self.transport.write(answer)


def ok(body: bytes, status: int = 200) -> bytes:
    return b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body)


class Serving:
    """`async with Serving(make_protocol) as port`."""

    def __init__(self, make):
        self.make = make

    async def __aenter__(self):
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(self.make, "127.0.0.1", 0)
        return self.server.sockets[0].getsockname()[1]

    async def __aexit__(self, *_):
        self.server.close()
        if sys.version_info >= (3, 13):
            self.server.close_clients()
        await self.server.wait_closed()


def plain_load(port, *, connections=4, seconds=0.05, contains=b"", request=None):
    return load.PlainLoad(
        port,
        request or calls.plain(port),
        connections=connections,
        seconds=seconds,
        numbers=count(1),
        contains=contains,
    )


def stream_load(port, *, number=6, events=5, gap=0.01, contains=b"", client=None):
    return streams.StreamLoad(
        port,
        calls.translated(port, client, "bench-model", events=events, gap=gap)
        if client
        else calls.stream(port, events=events, gap=gap),
        streams=number,
        events=events,
        gap=gap,
        spread=0.02,
        numbers=count(1),
        contains=contains,
        client=client or "openai",
    )


@pytest.mark.parametrize("make", [calls.plain, calls.long])
async def test_plain_calls_and_the_mock_agree(make):
    upstream = mock.Upstream()
    async with Serving(lambda: mock.Connection(upstream)) as port:
        plain = plain_load(port, request=make(port))
        await plain.warm()
        result = await plain.run()
        plain.close()

    result.failures.check()
    assert upstream.counts.calls == result.answers + 4
    assert len(result.latencies) == result.answers >= 4
    checks.check_in_flight(result.in_flight, 4)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (lambda number: ok(tags.TAG % (number + 1)), "does not carry its request's id"),
        (lambda _: ok(b"{}"), "does not carry its request's id"),
        (lambda number: ok(tags.TAG % number, status=503), "status line 'http/1.1 503"),
        (lambda _: None, "closed before the answer was complete"),
        (lambda _: b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", "no HTTP/1.1"),
        (lambda number: ok(tags.TAG % number), 'lacks "energy"'),
        (lambda number: ok(tags.TAG % number + b'"energy"') * 2, "without a call"),
    ],
    ids=["wrong id", "no id", "status", "closed", "garbage", "not metered", "twice"],
)
async def test_wrong_answers_fail_the_run(answer, sentence):
    async with Serving(lambda: Liar(answer)) as port:
        plain = plain_load(port, contains=b'"energy"')
        with pytest.raises(checks.CheckFailed, match=sentence):
            await plain.warm()
        plain.close()


async def test_a_call_that_is_never_answered_fails_the_run(monkeypatch):
    monkeypatch.setattr(load, "PATIENCE", 0.05)
    async with Serving(
        lambda: Liar(lambda number: b"" if number == 3 else ok(tags.TAG % number))
    ) as p:
        plain = plain_load(p)
        with pytest.raises(checks.CheckFailed, match=r"1 calls failed.*\n.*no complete answer"):
            await plain.warm()
        plain.close()


def test_a_connection_that_goes_silent_shows_in_flight():
    busy = load.PlainResult(
        connections=2, answers=10, span=1.0, latencies=[0.1] * 10, failures=checks.Failures()
    )

    with pytest.raises(checks.CheckFailed):
        checks.check_in_flight(busy.in_flight, 2)


async def test_streams_and_the_mock_agree():
    upstream = mock.Upstream()
    async with Serving(lambda: mock.Connection(upstream)) as port:
        paced = stream_load(port)
        await paced.warm()
        paced.start()
        result = await paced.finish()
        paced.close()

    result.failures.check()
    assert (result.ended, result.events) == (6, 30)
    assert (upstream.counts.ended, upstream.counts.events) == (6, 30)
    assert len(result.first) == 6
    assert len(result.delays) == 30
    assert all(0 <= delay < 5 for delay in result.delays)


@pytest.mark.parametrize("dialect", shapes.PROVIDERS)
async def test_the_mock_streams_in_every_dialect_that_it_is_asked_in(dialect, monkeypatch):
    """Read as a client of the same dialect reads it: each event in order, and the end."""
    if dialect == "gemini":  # Google ends its lines in another way than we do
        shape = dataclasses.replace(shapes.CLIENTS[dialect], boundary=b"\r\n\r\n")
        monkeypatch.setattr(streams, "CLIENTS", {dialect: shape})
    upstream = mock.Upstream()
    async with Serving(lambda: mock.Connection(upstream)) as port:
        paced = stream_load(port, client=dialect)
        await paced.warm()
        paced.start()
        result = await paced.finish()
        paced.close()

    result.failures.check()
    assert (result.ended, result.events) == (6, 30)


def test_each_pair_is_translated_event_by_event():
    for client, provider in (shapes.NATIVE, *shapes.PAIRS):
        assert translation.per_event(client, provider, events=50) > 0
    with pytest.raises(ValueError, match="not translated"):
        translation.per_event("nobody", "openai")


def test_who_calls_is_found_and_counted():
    """The check that is measured lets in whom it should, and refuses the others."""
    desk = keycheck.Desk()
    for head in (desk.by_key[7], desk.by_token[7]):
        caller = desk.caller(head)
        assert (caller.id, caller.tier) == ("usr_7", "bench")
        desk.counted(caller)
    assert desk.windows.size > 0
    with pytest.raises(ClientFault):
        desk.caller(keycheck.Head("Bearer " + "f" * 32))
    with pytest.raises(ClientFault):
        keycheck.Desk("keys").caller(desk.by_token[7])
    assert set(keycheck.measured(calls=5)) == {
        "key_us", "key_window_us", "token_us", "token_window_us",
    }  # fmt: skip


async def test_the_key_of_the_benchmark_has_every_bound(tmp_path):
    await keyed.make(tmp_path, calls.MODEL)
    ledger = await SqliteLedger.open_at(tmp_path / "ledger.sqlite", SystemClock())
    (key,) = ledger.accounts.all_keys()
    await ledger.close()
    assert (key.tier, key.models) == ("bench", (calls.MODEL,))
    assert None not in (key.expires, key.budgets.hour, key.budgets.day, key.budgets.month)
    assert key.hash == hash_secret(keyed.SECRET)


def test_decisions_are_measured_with_few_and_with_many_rules(monkeypatch):
    monkeypatch.setattr(deciding, "DECISIONS", 5)
    figures = deciding.measured()
    assert set(figures) == {"rules_10_us", "rules_1000_us"}
    assert all(figure > 0 for figure in figures.values())
    book = deciding.load("rules: [{name: none, try: model}]\n", env={})
    with pytest.raises(ValueError, match="goes nowhere"):
        deciding.per_decision(book)


def test_a_backtest_is_measured_on_a_ledger_of_its_own(tmp_path):
    assert replaying.measured(calls=50, rounds=1)["million_s"] > 0
    ledger = tmp_path / "ledger.sqlite"
    replaying.made(ledger, 20)
    with pytest.raises(ValueError, match="0 changed"):
        replaying.per_million(ledger, replaying.book_of(changed=False))


def test_a_translation_that_holds_events_back_gives_no_figure(monkeypatch):
    class Slow:
        def feed(self, _):
            return []

    monkeypatch.setattr(translation, "reader", lambda *_: Slow())
    with pytest.raises(ValueError, match="5 events were not answered at once"):
        translation.per_event("openai", "anthropic", events=5)


async def test_endless_streams_end_when_released():
    upstream = mock.Upstream()
    async with Serving(lambda: mock.Connection(upstream)) as port:
        open_ones = stream_load(port, events=0, gap=0.05)
        await open_ones.warm()
        open_ones.start()
        await open_ones.all_open()
        assert len(upstream.endless) == 6
        upstream.release()
        result = await open_ones.finish()
        open_ones.close()

    result.failures.check()
    assert result.ended == 6
    assert result.events == upstream.counts.events


def sse(*events: bytes) -> bytes:
    body = b"".join(b"data: %b\n\n" % event for event in events)
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def streamed(events):
    """A Liar's answer: whole for the six warm-up calls, `events(number)` for the streams."""
    return lambda n: ok(tags.TAG % n + b'"energy"') if n <= 6 else events(n)


@pytest.mark.parametrize(
    ("events", "sentence"),
    [
        (lambda n: sse(tags.EVENT % (n, 0, 1), tags.EVENT % (n, 2, 1)), "where 1 was due"),
        (lambda n: sse(tags.EVENT % (n, 0, 1), tags.EVENT % (n, 0, 1)), "where 1 was due"),
        (lambda n: sse(tags.EVENT % (n + 1, 0, 1)), "came in the stream of"),
        (lambda n: sse(tags.EVENT % (n, 0, 1), b"[DONE]"), "after 1 of 2 events"),
        (lambda n: sse(*(tags.EVENT % (n, p, 1) for p in (0, 1))), "without its end marker"),
        (
            lambda n: sse(*(tags.EVENT % (n, p, 1) for p in (0, 1)), b"[DONE]"),
            'ended without "energy"',
        ),
        (lambda _: ok(b"no", status=500), "status line"),
        (lambda _: None, "closed before"),
    ],
    ids=["gap", "twice", "crossed", "short", "cut", "not metered", "status", "closed"],
)
async def test_wrong_streams_fail_the_run(events, sentence):
    async with Serving(lambda: Liar(streamed(events))) as port:
        paced = stream_load(port, events=2, contains=b'"energy"')
        await paced.warm()
        paced.start()
        result = await paced.finish()
        paced.close()

    assert result.failures.count == 6
    with pytest.raises(checks.CheckFailed, match=sentence):
        result.failures.check()


# --- the long prompt, the rules files, the report


def test_requests_have_the_sizes_that_are_promised():
    assert 400 <= calls.plain(8088).body_bytes <= 460
    assert 95_000 <= calls.long(8088).body_bytes <= 105_000
    body = calls.long(8088).tagged(7).split(b"\r\n\r\n", 1)[1]
    assert len(body) == calls.long(8088).body_bytes
    assert len(json.loads(body)["messages"]) == 200


@pytest.mark.parametrize("rules", [10, 1000])
def test_rules_files_fit_the_shape_of_rules_yaml(rules):
    shape = RulesShape.model_validate(yaml.safe_load(rulesfile.rules_text(9999, rules)))

    assert len(shape.rules) == rules
    models = [rule.when.model[0] for rule in shape.rules[:-1]]
    globs = sum("*" in model for model in models)
    assert abs(globs - len(models) / 2) <= 1
    assert len(set(models)) == len(models)


def measured(own: float, stock: float = 1.0) -> samples.Samples:
    """Samples in which `wattline` has `own` for every figure of every goal."""
    found = samples.Samples()
    for goal in goals.goals():
        own_ones = ("wattline", "wattline-1000", "wattline-keys")
        for gateway, value in (("stock", stock), *((name, own) for name in own_ones)):
            rounds = found.scenarios.setdefault(goal.scenario, {}).setdefault(gateway, [{}])
            rounds[0][goal.figure] = value
    return found


def test_goals_pass_miss_or_were_not_measured():
    good = {g.title: g.verdict(measured(0.4)) for g in goals.goals()}
    bad = {g.title: g.verdict(measured(1000.0)) for g in goals.goals()}

    assert good["CPU per plain call, of stock"] == ("PASS", 0.4)
    assert good["requests/s at 16, of stock"] == ("MISS", 0.4)
    assert bad["requests/s at 16, of stock"] == ("PASS", 1000.0)
    assert bad["memory when idle"] == ("MISS", 1000.0)
    assert {g.verdict(samples.Samples()) for g in goals.goals()} == {("not measured", None)}


def test_a_goal_is_the_median_of_same_round_ratios():
    found = samples.Samples()
    for own, stock in ((1.0, 2.0), (30.0, 100.0), (5.0, 5.0)):
        found.add(samples.plain_name(16), "wattline", {"cpu_us": own})
        found.add(samples.plain_name(16), "stock", {"cpu_us": stock})

    assert next(iter(goals.goals())).value(found) == 0.5


def test_added_time_is_beyond_direct_calls_of_the_same_round():
    found = samples.Samples()
    for direct, own in ((1.0, 3.0), (2.0, 7.0)):
        found.add("streams", "direct", {"first_ms": direct})
        found.add("streams", "stock", {"first_ms": own})
    found.derive_added()

    assert found.values("streams", "stock", "added_first_ms") == [2.0, 5.0]
    assert found.values("streams", "direct", "added_first_ms") == []


def test_a_translation_counts_beyond_the_native_way_of_the_same_round():
    found = samples.Samples()
    native = samples.pair_name(*shapes.NATIVE)
    name = samples.pair_name(*shapes.PAIRS[0])
    for passed, crossed in ((100.0, 103.0), (200.0, 207.0)):
        found.add(native, "wattline", {"cpu_us": passed})
        found.add(name, "wattline", {"cpu_us": crossed})
    found.derive_translation(native)

    assert found.values(name, "wattline", "over_native_us") == [3.0, 7.0]


def test_report_shows_figures_goals_and_a_busy_load_generator():
    found = measured(0.4)
    found.add("slow", "wattline", {"core": 0.5, "bench_core": 0.97})

    text = report.text(found)

    assert "PASS" in text
    assert "MISS" in text
    assert "warning: slow, wattline: mock and load generator kept their core 97% busy" in text
    whole = json.loads(report.document(found, {"mode": "quick"}, "calls failed"))
    assert whole["self_checks"] == "calls failed"
    assert len(whole["goals"]) == len(list(goals.goals()))


def test_order_rotates():
    assert main.rotated("abc", 0) == ["a", "b", "c"]
    assert main.rotated("abc", 4) == ["b", "c", "a"]
    assert main.rotated([], 1) == []


def test_unknown_gateways_are_named(capsys):
    assert main.main(["--only", "direct,nginx"]) == 2
    assert "'nginx'; there are direct, stock" in capsys.readouterr().err


async def test_a_gateway_that_does_not_start_is_named_with_its_log(tmp_path):
    lines = "import sys; print('no such option'); sys.exit(3)"
    recipe = gateways.Recipe("broken", lambda _: [sys.executable, "-c", lines])
    gateway = gateways.start(recipe, 9, tmp_path / "broken", main.cores()[0])

    with pytest.raises(gateways.NotReady, match=r"(?s)exit code 3.*\| no such option"):
        await gateway.ready()
    gateway.terminate()
    gateway.reap()


def test_a_gateway_that_ignores_its_end_is_forced(tmp_path, monkeypatch):
    monkeypatch.setattr(gateways, "STOP_SECONDS", 0.2)
    lines = "import signal,time; signal.signal(15, signal.SIG_IGN); print('up', flush=1); time.sleep(60)"
    recipe = gateways.Recipe("stubborn", lambda _: [sys.executable, "-c", lines])
    gateway = gateways.start(recipe, 9, tmp_path / "stubborn", main.cores()[0])
    until = time.monotonic() + 20
    while "up" not in gateway.log_end() and time.monotonic() < until:
        time.sleep(0.01)

    gateway.terminate()
    gateway.reap()

    with pytest.raises(OSError, match="No such"):
        gateway.rss()


def heed_interrupts():
    """Workers that run tests side by side ignore Ctrl-C, and so would what they start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_what_it_started(number):
    run = subprocess.Popen(
        [ROOT / "scripts" / "bench", "--only", "direct,stock"],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,  # noqa: PLW1509  (no thread runs here)
    )
    with run:
        said = [run.stderr.readline()]  # gateways are ready, the load has begun
        started = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
        run.send_signal(number)
        said += run.stderr.readlines()

    assert len(started) == 2, said
    assert run.returncode == 130, said
    assert [pid for pid in started if Path("/proc", pid).exists()] == []


@pytest.mark.slow
def test_quick_run_with_direct_calls_only(tmp_path):
    report_file = tmp_path / "bench.json"

    done = subprocess.run(
        [ROOT / "scripts" / "bench", "--quick", "--only", "direct", "--json", report_file],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "plain calls, 64 connections" in done.stdout
    whole = json.loads(report_file.read_text())
    assert whole["self_checks"] == "passed"
    rounds = whole["scenarios"][samples.stream_name(64)]["direct"]
    assert [r["events"] for r in rounds] == [64 * main.QUICK.stream_events] * 2
