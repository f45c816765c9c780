"""What a parameter of a query must be, in words of our own. A value is never repeated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from types import MappingProxyType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from fastapi import Request
from fastapi.routing import APIRoute

from wattline.base.errors import ClientFault
from wattline.rules.problems import nearest
from wattline.web.asking import WORDS
from wattline.web.assistant.asked import USER_ID
from wattline.web.gateway.audit import BEFORE
from wattline.web.models.gemini import PAGE_PATTERN

_LONGEST_NAME: Final = 100
_TAKEN: Final[Mapping[str, str]] = MappingProxyType(
    {
        USER_ID: "must begin with a letter or digit and have letters, digits and ._@- only, at most 64 of them",
        BEFORE: "must be milliseconds since 1970 UTC, or the next of an answer",
        PAGE_PATTERN: "must be the nextPageToken of an answer",
        WORDS: "must have letters, digits, spaces and _.:/@+()- only, 1 to 100 of them",
    }
)
"""What fits the patterns of the pages' parameters."""


def unfit(problems: Sequence[Mapping[str, Any]], request: Request) -> ClientFault:
    """400 for the first of the framework's problems."""
    first = problems[0] if problems else {}
    place = [str(part) for part in first.get("loc", ())]
    name = ".".join(place[1:])[:_LONGEST_NAME] or "request"
    text = _reason(first, _field(request, name))
    return ClientFault(f"{name}: {text}", code="invalid_parameter", param=name)


def _field(request: Request, name: str) -> Any:
    """How the page declares the parameter; None where it can't be told."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute):
        return None
    known = (*route.dependant.query_params, *route.dependant.path_params)
    return next((one.field_info for one in known if one.alias == name), None)


def _reason(problem: Mapping[str, Any], field: Any) -> str:
    if problem.get("type") == "missing":
        return "is missing."
    if words := _words(field):
        meant = nearest(str(problem.get("input", "")), words)
        return f"must be {_or(words)}." + (f" Did you mean {meant}?" if meant else "")
    bounds = _bounds(field)
    if (taken := _TAKEN.get(bounds.get("pattern", ""))) is not None:
        return f"{taken}."
    if any(kind is int for kind, _ in _kinds(field)):
        return f"must be a whole number{_range(bounds, 'ge', 'le')}."
    if "max_length" in bounds:
        return f"must have{_range(bounds, 'min_length', 'max_length', ' ')} characters."
    return "can't be used."


def _bounds(field: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    of_kinds = (one for _, more in _kinds(field) for one in more)
    for one in (*getattr(field, "metadata", ()), *of_kinds):
        for name in ("ge", "le", "min_length", "max_length", "pattern"):
            if (value := getattr(one, name, None)) is not None:
                found[name] = value
    return found


def _kinds(field: Any) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Each type of a union with its constraints."""
    annotation = getattr(field, "annotation", None)
    union = get_origin(annotation) in {Union, UnionType}
    for kind in get_args(annotation) if union else (annotation,):
        told = [one for said in getattr(kind, "__metadata__", ()) for one in said.metadata]
        yield (kind.__origin__ if told else kind), tuple(told)


def _words(field: Any) -> list[str]:
    for kind, _ in _kinds(field):
        named = getattr(kind, "__value__", kind)  # of `type Name = ...`
        if isinstance(named, type) and issubclass(named, Enum):
            return [str(one.value) for one in named]
        if get_origin(named) is Literal:
            return [str(one) for one in get_args(named)]
    return []


def _or(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def _range(bounds: Mapping[str, Any], least: str, most: str, lead: str = " from ") -> str:
    low, high = bounds.get(least), bounds.get(most)
    if low is not None and high is not None:
        return f"{lead}{low} to {high}"
    if low is not None:
        return f" of at least {low}"
    return f" of at most {high}" if high is not None else ""
