"""What a condition looked at: the value that the call, its windows, its caller or its providers have there."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Final, NamedTuple

from wattline.base.amounts import units
from wattline.base.secret_look import looks_secret, names_secret
from wattline.engine.near import quoted
from wattline.engine.view import View
from wattline.rules.compiled.facts import Condition, Fares
from wattline.rules.compiled.window import Scope
from wattline.rules.conditions.allowance import BalanceIs, FilledOver
from wattline.rules.conditions.call import FlagIs, HeaderIs, Tagged, TextIs, TokensWithin
from wattline.rules.conditions.configuration import Fixed, ModelKnown
from wattline.rules.conditions.health import HealthIs
from wattline.rules.conditions.moment import DAYS, HourWithin, WeekdayIs
from wattline.wire.call import Call

REDACTED: Final = "(like a credential: not shown)"
NOT_KNOWN: Final = "not known"


class Seen(NamedTuple):
    """`name`: which header, window, provider or target; empty where there is but one of them."""

    name: str
    value: str


def seen_by(condition: Condition, call: Call, view: View, now: float, wall: float) -> Seen:
    """What it looked at, in words. Never raises."""
    match condition:
        case HeaderIs():
            return Seen(
                condition.name, header_shown(condition.name, call.headers.get(condition.name))
            )
        case FilledOver():
            name = condition.window.name
            if condition.window.scope is Scope.PRINCIPAL:
                name = f"{name} of {call.principal.id}"
            return Seen(name, f"{condition.fill(call, view, now):.0%} full")
        case HealthIs():
            return Seen(str(condition.subject), _faring(view.fares(condition.subject, now)))
        case BalanceIs():
            left = view.balance(call.principal.id)
            return Seen("", "without limit" if left is None else units(left))
        case HourWithin():
            moment = _moment(wall, condition.zone)
            return Seen("", NOT_KNOWN if moment is None else f"{moment.hour} ({condition.zone})")
        case WeekdayIs():
            moment = _moment(wall, condition.zone)
            shown = NOT_KNOWN if moment is None else f"{DAYS[moment.weekday()]} ({condition.zone})"
            return Seen("", shown)
    return Seen("", _of_call(condition, call, view, now, wall))


def _of_call(condition: Condition, call: Call, view: View, now: float, wall: float) -> str:
    match condition:
        case TextIs():
            text = condition.read(call)
            return NOT_KNOWN if text is None else quoted(str(text))
        case FlagIs():
            return _word(condition.read(call))
        case Fixed():
            return _word(condition.test(call, view, now, wall) is condition.wanted)
        case Tagged():
            return ", ".join(quoted(tag) for tag in sorted(call.tags)) or "not set"
        case TokensWithin():
            return f"about {call.tokens}{' (counted)' if call.counted else ' (by length)'}"
        case ModelKnown():
            return quoted(call.model)
    return ""


def header_shown(name: str, value: str | None) -> str:
    """A header's value, but for what looks like a credential."""
    if value is None:
        return "not sent"
    return REDACTED if names_secret(name) or looks_secret(value) else quoted(value)


def _faring(found: Fares) -> str:
    parts = [found.state, f"{found.calls} attempts"]
    if found.calls:
        parts += [f"score {found.score:.2f}", f"{found.errors:.0%} failed"]
    if found.first_ms is not None:
        parts.append(f"first output after {found.first_ms:.0f} ms")
    return ", ".join(parts)


def _moment(wall: float, zone: tzinfo) -> datetime | None:
    try:
        return datetime.fromtimestamp(wall, UTC).astimezone(zone)
    except (OverflowError, OSError, ValueError):
        return None


def _word(flag: bool) -> str:  # noqa: FBT001  (the value is the subject)
    return "true" if flag else "false"
