"""Providers from their shapes: URLs and keys drawn from the environment, windows shared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from wattline.base.origin import AuthStyle, Credential, Origin
from wattline.rules.addresses import BadUrl, is_loopback, is_own, read_url
from wattline.rules.compiled.provider import FROM_CACHE, Provider, ProviderModel, Timeouts
from wattline.rules.compiled.window import Over, Scope, Window
from wattline.rules.environment import settable, written
from wattline.rules.key_text import BAD, is_header_text, is_quoted
from wattline.rules.problems import unknown
from wattline.rules.references import Filled, Reference, fill
from wattline.rules.report import Report
from wattline.rules.shapes.model import TimeoutsShape
from wattline.rules.shapes.provider import Access, ProviderShape
from wattline.rules.shapes.window import WindowShape
from wattline.rules.tree import Path

_STYLES: Mapping[str, AuthStyle] = MappingProxyType(
    {"anthropic": AuthStyle.X_API_KEY, "gemini": AuthStyle.X_GOOG_API_KEY}
)
"""Headers for keys, where a dialect has its own."""
NOWHERE = Origin("https", "not-set.invalid", 443)
"""Stands in for a base URL that can't be known (RFC 2606 reserves the name)."""
RPM_SECONDS = 60.0
NO_KEY = "No API key for"


@dataclass(frozen=True, slots=True)
class Source:
    """What providers are compiled from, beside their own shapes."""

    report: Report
    env: Mapping[str, str]
    own: tuple[str, int]
    windows: Mapping[str, WindowShape]
    window_names: frozenset[str]
    timeouts: Timeouts
    """Of providers that say nothing of their own."""


@dataclass(frozen=True, slots=True)
class _Reached:
    """Where a provider is, as far as its variables are set; `missing` says what is not."""

    origin: Origin = NOWHERE
    base_path: str = ""
    auth: AuthStyle = AuthStyle.NONE
    secrets: tuple[tuple[int, str], ...] = field(default=(), repr=False)
    """Each with its place in the list, from 1 on; 0 where there is no list."""
    missing: tuple[str, ...] = ()
    keyless: bool = False
    """A key is all that is missing."""


def compile_providers(shapes: Mapping[str, ProviderShape], source: Source) -> dict[str, Provider]:
    """All providers in the order of the file. Mistakes go to the report."""
    found = {name: _provider(name, shape, source) for name, shape in shapes.items()}
    return _share_windows(found, shapes)


def compile_window(name: str, shape: WindowShape) -> Window:
    """A window from its shape."""
    scope, over = Scope(shape.scope), Over(shape.over)
    return Window(name, shape.per, shape.calls, shape.tokens, scope, over, declared=name)


def compile_timeouts(shape: TimeoutsShape | None, base: Timeouts) -> Timeouts:
    """`base` with what the shape says."""
    return replace(base, **shape.model_dump(exclude_none=True)) if shape is not None else base


def _provider(name: str, shape: ProviderShape, source: Source) -> Provider:
    if name == FROM_CACHE:
        text = f"{name!r} stands for kept answers in the ledger: use another name"
        source.report.wrong(("providers", name), text, key=True)
    reached = _reach(name, shape, source)
    headers, unset = _headers(name, shape, source)
    unavailable = _unavailable(name, shape, reached, unset, source.env)
    provider = Provider(
        name=name,
        dialect=shape.dialect,
        origin=reached.origin,
        base_path=reached.base_path,
        auth=reached.auth,
        credential=None,
        windows=_windows(name, shape, source),
        timeouts=compile_timeouts(shape.timeouts, source.timeouts),
        models=_models(name, shape, source.report),
        headers=headers,
        defaults=dict(shape.defaults or {}),
        unavailable=unavailable,
        demo=shape.demo,
        retries=shape.retries,
        rate=shape.rate,
        responses=shape.responses,
        adapt=frozenset(shape.adapt or ()),
        inline_images=shape.inline_images,
        needs_key=reached.keyless and unset is None and unavailable == "; ".join(reached.missing),
        spread=shape.choose == "spread",
    )
    keyed = tuple(_with_key(provider, key, secret) for key, secret in reached.secrets)
    if not keyed:
        return provider
    if len(keyed) == 1:
        return keyed[0]
    secrets = tuple(secret for _, secret in reached.secrets)
    keyed = tuple(replace(one, secrets=secrets) for one in keyed)
    return replace(keyed[0], keys=keyed)


def _with_key(provider: Provider, key: int, secret: str) -> Provider:
    """The provider with one of its keys: an account of its own, that has its own windows."""
    credential = Credential(provider.origin, provider.auth, secret)
    windows = provider.windows
    if key > 1:
        windows = tuple(replace(window, name=f"{window.name} key {key}") for window in windows)
    return replace(provider, credential=credential, key=key, windows=windows)


def _unavailable(
    name: str, shape: ProviderShape, reached: _Reached, unset: str | None, env: Mapping[str, str]
) -> str | None:
    if not shape.enabled:
        return f"{name} is switched off (enabled: false)"
    for variable, wanted in (shape.require or {}).items():
        if env.get(variable, "").strip() != wanted:
            return f"{name} is switched off: {variable} must be {wanted!r}"
    if reached.missing:
        return "; ".join(reached.missing)
    if unset is not None:
        return unset
    return None


def _reach(name: str, shape: ProviderShape, source: Source) -> _Reached:
    """The first way in whose variables are all set; else what the ways are missing."""
    path = ("providers", name)
    if shape.either is None:
        assert shape.url is not None  # noqa: S101  (the shape demands it)
        only = Access.model_construct(url=shape.url, key=shape.key, auth=shape.auth)
        return _attempt(name, only, source, path, shape.dialect)
    ways = [
        _attempt(name, way, source, (*path, "either", index), shape.dialect)
        for index, way in enumerate(shape.either)
    ]
    for way in ways:
        if not way.missing:
            return way
    texts = tuple(dict.fromkeys(text for way in ways for text in way.missing))
    best = next((way for way in ways if way.keyless), None)
    best = best or next((way for way in ways if way.origin != NOWHERE), ways[0])
    return replace(best, missing=texts)


def _attempt(name: str, way: Access, source: Source, path: Path, dialect: str) -> _Reached:
    missing: list[str] = []
    secrets: tuple[tuple[int, str], ...] = ()
    if way.key is not None:
        secrets, lacking = _secrets(name, way.key, source, path)
        missing += lacking if not secrets else []
    filled = fill(way.url, source.env, slashes=True)
    missing += [f"No base URL for {name}: {variables} is not set" for variables in filled.missing]
    origin, base_path = _base(name, filled, source, (*path, "url"))
    style = AuthStyle(way.auth) if way.auth else _STYLES.get(dialect, AuthStyle.BEARER)
    if way.key is None:
        style = AuthStyle.NONE
    if secrets and origin.scheme == "http" and not is_loopback(origin.host):
        source.report.doubtful(
            (*path, "url"), f"the key of {name} would travel unencrypted: use https"
        )
    keyless = way.key is not None and not secrets and len(missing) == 1 and origin != NOWHERE
    return _Reached(origin, base_path, style, secrets, tuple(missing), keyless)


def _secrets(
    name: str, keys: Sequence[Reference], source: Source, path: Path
) -> tuple[tuple[tuple[int, str], ...], list[str]]:
    """The keys that are set, each once, with their places; and what is wrong with the others, as one reason where
    there is only one.
    """
    found: dict[str, int] = {}
    unset: list[str] = []
    bad: list[str] = []
    for place, reference in enumerate(keys, 1):
        secret = reference.read(source.env)
        names = settable(reference.names, source.env, source.own)
        if secret is None:
            unset.append(names)
        elif not is_header_text(secret):
            bad.append(f"{NO_KEY} {name}: {_holder(reference, source)} {BAD}")
        elif secret in found:
            text = f"key {place} of {name} is the same as key {found[secret]}: it counts once"
            source.report.doubtful((*path, "key"), text)
        else:
            found[secret] = place
            if is_quoted(secret):
                text = f"{_holder(reference, source)} has quotes around it: they are sent as a part of the key"
                source.report.doubtful((*path, "key"), text)
    if bad and found:
        for text in bad:
            source.report.doubtful((*path, "key"), text)
    if unset:
        bad.insert(0, f"{NO_KEY} {name}: {' or '.join(unset)} is not set")
    several = len(keys) > 1
    return tuple((place if several else 0, secret) for secret, place in found.items()), bad[:1]


def _holder(reference: Reference, source: Source) -> str:
    """The variable that a reference's value comes from, as a person wrote it."""
    drawn = (name for name in reference.names if source.env.get(name, "").strip())
    return written(next(drawn, reference.names[0]), source.env)


def _base(name: str, filled: Filled, source: Source, path: Path) -> tuple[Origin, str]:
    if filled.text is None:
        return NOWHERE, ""
    try:
        origin, base_path = read_url(filled.text)
    except BadUrl as error:
        source.report.wrong(path, f"{error}{_drawn(filled, source)}")
        return NOWHERE, ""
    if is_own(origin.host, origin.port, *source.own):
        source.report.wrong(
            path,
            f"own listener: {name} would send calls back to this sidecar, which listens on "
            f"port {origin.port}{_drawn(filled, source)}",
        )
    return origin, base_path


def _drawn(filled: Filled, source: Source) -> str:
    names = ", ".join(written(name, source.env) for name in filled.names)
    return f" (from {names})" if names else ""


def _headers(
    name: str, shape: ProviderShape, source: Source
) -> tuple[tuple[tuple[str, str], ...], str | None]:
    """Headers with their texts, and why the provider can't be used without one."""
    headers: list[tuple[str, str]] = []
    unset = None
    for header, template in (shape.headers or {}).items():
        filled = fill(template, source.env)
        if filled.text is None:
            unset = f"No {header} for {name}: {filled.missing[0]} is not set"
        elif not filled.text.isascii() or not filled.text.isprintable():
            unset = f"No {header} for {name}: it holds characters that no header has"
        elif filled.text.strip():
            headers.append((header, filled.text.strip()))
    return tuple(headers), unset


def _models(name: str, shape: ProviderShape, report: Report) -> tuple[ProviderModel, ...]:
    seen: set[str] = set()
    for index, model in enumerate(shape.models):
        if model.id in seen:
            report.wrong(
                ("providers", name, "models", index, "id"), f"{model.id!r} is listed twice"
            )
        seen.add(model.id)
    return tuple(ProviderModel(model.id, model.tier, model.context) for model in shape.models)


def _windows(name: str, shape: ProviderShape, source: Source) -> tuple[Window, ...]:
    windows = [Window(name, RPM_SECONDS, calls=shape.rpm)] if shape.rpm is not None else []
    if shape.window is None:
        return tuple(windows)
    path = ("providers", name, "window")
    if shape.window not in source.window_names:
        source.report.wrong(path, unknown("window", shape.window, source.window_names))
    elif (shared := source.windows.get(shape.window)) is not None:
        if shared.scope != "provider":
            text = (
                f"window {shape.window!r} has scope {shared.scope}: a provider needs scope provider"
            )
            source.report.wrong(path, text)
        windows.append(compile_window(shape.window, shared))
    return tuple(windows)


def _share_windows(
    providers: dict[str, Provider], shapes: Mapping[str, ProviderShape]
) -> dict[str, Provider]:
    """One upstream has one `rpm`, however many providers lead to it: the lowest, under the first's
    name, so that it is never asked more often than it allows.
    """
    groups: dict[tuple[Origin, str, str | None], list[Provider]] = {}
    for name, provider in providers.items():
        if shapes[name].rpm is not None and provider.origin != NOWHERE:
            for one in provider.each:
                secret = one.credential.secret if one.credential is not None else None
                groups.setdefault((one.origin, one.base_path, secret), []).append(one)
    windows: dict[tuple[str, int], Window] = {}
    for members in groups.values():
        calls = min(shapes[one.name].rpm or 0 for one in members)
        window = Window(members[0].account, RPM_SECONDS, calls=calls)
        windows |= {(one.name, one.key): window for one in members}
    return {name: _sharing(provider, windows) for name, provider in providers.items()}


def _sharing(provider: Provider, windows: Mapping[tuple[str, int], Window]) -> Provider:
    """The provider with the window of its `rpm` in place of its own, and so with each of its keys."""
    keys = tuple(_sharing(one, windows) for one in provider.keys)
    window = windows.get((provider.name, provider.key))
    if window is None:
        return provider
    return replace(provider, windows=(window, *provider.windows[1:]), keys=keys)
