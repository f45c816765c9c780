"""A test of rules: facts of a request, what stood in its way, and the plan that is expected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from wattline.dialects.table import find, normalise
from wattline.engine.decide import decide
from wattline.engine.health import Health
from wattline.engine.past_call import Features, Left
from wattline.engine.plan import Plan
from wattline.engine.rest import Resting
from wattline.engine.then import ThenView
from wattline.engine.windows import Windows
from wattline.rules.book import Book
from wattline.rules.conditions import MICRO
from wattline.wire.call import Call, Operation, Principal

REQUEST: Final = frozenset(
    {"model", "path", "method", "host", "dialect", "operation", "stream", "tools", "images", "tokens",
     "max_output", "tags", "headers", "user", "principal", "tier", "forward", "provider", "own_keys", "at"}
)  # fmt: skip
STATE: Final = frozenset({"left_out", "fill", "balance", "health", "draw", "kept", "without_keys"})
EXPECT: Final = ("rule", "first", "targets", "skipped", "denied", "passed", "panic", "unknown")
"""What can be expected, in the order in which it is told."""
_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "stream": (bool,), "tools": (bool,), "images": (bool,), "forward": (bool,), "tokens": (int,),
    "max_output": (int,), "tags": (list,), "own_keys": (list,), "headers": (dict,), "left_out": (dict,),
    "fill": (dict,), "health": (dict,), "without_keys": (list,), "balance": (int, float), "draw": (int, float),
    "at": (str, datetime),
}  # fmt: skip
NOON: Final = datetime(2026, 1, 7, 12, tzinfo=UTC)
"""When calls are made that say no time: a Wednesday."""


class BadCase(ValueError):
    """A case that can't be understood. The message says where."""


@dataclass(frozen=True, slots=True)
class Case:
    """One case as it was written."""

    name: str
    request: Mapping[str, Any]
    state: Mapping[str, Any] = field(default_factory=dict)
    expect: Mapping[str, Any] = field(default_factory=dict)

    @property
    def without(self) -> frozenset[str]:
        """Providers without a key; all others have theirs."""
        return frozenset(map(str, self.state.get("without_keys", ())))


def read_case(value: Any, place: str) -> Case:
    """Raises BadCase."""
    if not isinstance(value, dict):
        raise BadCase(f"{place}: a case is a mapping with `request` and `expect`")
    _check(value, {"name", "request", "state", "expect"}, place)
    parts = {}
    for part, known in (("request", REQUEST), ("state", STATE), ("expect", frozenset(EXPECT))):
        found = value.get(part) or {}
        if not isinstance(found, dict):
            raise BadCase(f"{place}.{part}: it must be a mapping")
        _check(found, known, f"{place}.{part}")
        for name, said in found.items():
            kinds = _KINDS.get(name) if part != "expect" else None
            if kinds is not None and (
                not isinstance(said, kinds) or (isinstance(said, bool) and bool not in kinds)
            ):
                raise BadCase(f"{place}.{part}.{name}: it can't be {said!r:.60}")
        parts[part] = found
    if not isinstance(parts["request"].get("model"), str):
        raise BadCase(f"{place}.request.model: a text is needed")
    return Case(str(value.get("name") or place), **parts)


def _check(value: Mapping[Any, Any], known: frozenset[str] | set[str], place: str) -> None:
    for name in value:
        if name not in known:
            raise BadCase(f"{place}: unknown key {name!r:.60}. Known: {', '.join(sorted(known))}")


def call_of(case: Case, book: Book) -> Call:
    """The call that is asked about. Raises BadCase."""
    said = case.request
    forward = bool(said.get("forward", False))
    host = str(said.get("host", "127.0.0.1"))
    method, path = str(said.get("method", "POST")), str(said.get("path", "/v1/chat/completions"))
    route = find(method, host if forward else "", normalise(path) or path, forward=forward)
    dialect = said.get("dialect") or (route.dialect if route is not None else None)
    operation = said.get("operation") or (route.operation.value if route is not None else None)
    if dialect is None or operation not in set(Operation):
        raise BadCase(
            f"{case.name}: {method} {path} is no model call; say `dialect` and `operation`"
        )
    principal = str(said.get("principal", "local"))
    tier = said.get("tier", book.auth.tiers.get(principal))
    owned = frozenset(
        (name, book.providers[name].origin)
        for name in said.get("own_keys", ())
        if name in book.providers
    )
    return Call(
        id="case",
        dialect=str(dialect),
        operation=Operation(operation),
        method=method,
        host=host,
        path=path,
        model=said["model"],
        stream=said.get("stream", False),
        principal=Principal(principal, tier, providers=owned),
        headers={str(k).lower(): str(v) for k, v in said.get("headers", {}).items()},
        tokens=said.get("tokens", 0),
        max_output=said.get("max_output"),
        tools=said.get("tools", False),
        images=said.get("images", False),
        user=said.get("user"),
        tags=frozenset(map(str, said.get("tags", ()))),
        forward=forward,
        provider=said.get("provider"),
        conversation="?" if "kept" in case.state else None,
    )


def plan_of(case: Case, book: Book) -> Plan:
    """What the rules say. Raises BadCase."""
    call = call_of(case, book)
    view = ThenView(Windows(), Resting(), Health(book.health))
    kept = case.state.get("kept")
    view.look(_facts(case), [kept] if isinstance(kept, str) else [], exact=True)
    wall = _moment(case).timestamp()
    return decide(call, book, view, 0.0, wall, float(case.state.get("draw", 0.0)))


def _facts(case: Case) -> Features:
    state = case.state
    left = {str(name): Left(str(code), 60.0) for name, code in state.get("left_out", {}).items()}
    limited = ("window_full", "resting")
    balance = state.get("balance")
    return Features(
        skipped=[
            [name, one.code, one.wait, int(one.code in limited)] for name, one in left.items()
        ],
        fill=state.get("fill"),
        balance=None if balance is None else {"micro": round(balance * MICRO)},
        health=_health(state.get("health", {}), case.name),
        kept=None if "kept" not in state else state["kept"] is not None,
    )


def _health(
    said: Mapping[str, Any], place: str
) -> dict[str, tuple[str, int, float, float, float | None]] | None:
    """`groq: resting`, or all figures: state, attempts, score, share of errors, milliseconds."""
    found: dict[str, tuple[str, int, float, float, float | None]] = {}
    for name, value in said.items():
        match value:
            case str():
                found[name] = (value, 0, 1.0, 0.0, None)
            case [
                str() as state,
                int() as calls,
                float() | int() as score,
                float() | int() as errors,
                first,
            ]:
                found[name] = (state, calls, score, errors, first)
            case _:
                raise BadCase(f"{place}: health of {name!r:.60}: write healthy, resting or out")
    return found or None


def _moment(case: Case) -> datetime:
    said = case.request.get("at")
    if said is None:
        return NOON
    try:
        found = said if isinstance(said, datetime) else datetime.fromisoformat(said)
    except ValueError:
        raise BadCase(
            f"{case.name}: at {said!r:.60} is no time: write 2026-01-07T12:00:00Z"
        ) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def outcome(plan: Plan) -> dict[str, Any]:
    """A plan in the words of `expect`."""
    names = list(dict.fromkeys(map(str, plan.targets)))
    return {
        "rule": plan.rule,
        "first": names[0] if names else None,
        "targets": names,
        "skipped": {skip.target: skip.code for skip in plan.skipped},
        "denied": None if plan.deny is None else plan.deny.status,
        "passed": plan.passed,
        "panic": plan.panic,
        "unknown": plan.unknown,
    }


def differences(case: Case, found: Mapping[str, Any]) -> Iterator[str]:
    """A line for each thing that is otherwise than expected."""
    for name in EXPECT:
        if name in case.expect and case.expect[name] != found[name]:
            yield f"{name}: expected {_word(case.expect[name])}, found {_word(found[name])}"


def _word(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} ({code})" for name, code in value.items()) or "none"
    return "none" if value is None else str(value)
