"""A rules.yaml for what was seen: hosts to read, their providers and models, windows to think of."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from wattline.base.origin import Origin
from wattline.rules.addresses import BadUrl, is_own, read_host, read_url
from wattline.rules.compiled.entrance import Listen, Tunnel
from wattline.rules.compiled.provider import FROM_CACHE
from wattline.service.watching.census import OTHERS, Census, Host, Seen

_SHOWN: Final = 8
_NAME: Final = re.compile(r"[A-Za-z0-9@][A-Za-z0-9@._:+/-]{0,127}")
_NOT_A_NAME: Final = re.compile(r"[^a-z0-9]+")
_NOT_A_VARIABLE: Final = re.compile(r"[^A-Z0-9]+")
_WORDS: Final = frozenset({"null", "true", "false"})
_PORTS: Final = MappingProxyType({"http": 80, "https": 443})
_PATHS: Final = MappingProxyType({"gemini": "/v1beta", "ollama": ""})
"""Of base URLs by dialect; `/v1` for the others."""


class Known(NamedTuple):
    """A provider by its host: its name, the path of its base URL, its key's variable, its dialect."""

    name: str
    path: str
    key: str
    dialect: str = "openai"


KNOWN: Final[Mapping[str, Known]] = MappingProxyType(
    {
        "api.openai.com": Known("openai", "/v1", "OPENAI_API_KEY"),
        "api.anthropic.com": Known("anthropic", "/v1", "ANTHROPIC_API_KEY", "anthropic"),
        "generativelanguage.googleapis.com": Known("gemini", "/v1beta", "GEMINI_API_KEY", "gemini"),
        "api.groq.com": Known("groq", "/openai/v1", "GROQ_API_KEY"),
        "openrouter.ai": Known("openrouter", "/api/v1", "OPENROUTER_API_KEY"),
        "api.deepseek.com": Known("deepseek", "/v1", "DEEPSEEK_API_KEY"),
        "api.x.ai": Known("xai", "/v1", "XAI_API_KEY"),
        "api.mistral.ai": Known("mistral", "/v1", "MISTRAL_API_KEY"),
        "api.perplexity.ai": Known("perplexity", "", "PERPLEXITY_API_KEY"),
        "api.cerebras.ai": Known("cerebras", "/v1", "CEREBRAS_API_KEY"),
        "integrate.api.nvidia.com": Known("nvidia", "/v1", "NVIDIA_API_KEY"),
    }
)
"""Hosts that are read unless others are named."""
EVERYWHERE: Final = Tunnel("any")
_LIMITS: Final = (
    "{head_bytes: 1048576, head_seconds: 86400, body_seconds: 86400, json_bytes: 1073741824, "
    "upload_bytes: 17179869184, pending_bytes: 4294967296, json_depth: 256, inflate_ratio: 10000, "
    "connections_per_address: 1000000, deadline: 86400}"
)
"""As wide as limits can be: whoever watches refuses nothing."""


def observing(hosts: tuple[str, ...] = tuple(KNOWN)) -> str:
    """The rules while nothing is changed: every call goes to the host that its client named, and where we fail, too."""
    listed = "".join(f"  - {{host: {json.dumps(host)}, on_error: pass}}\n" for host in hosts)
    return (
        f"version: 1\nintercept:\n{listed}limits: {_LIMITS}\nledger: {{down: allow}}\n"
        "rules:\n  - {name: observed, when: {forward: true}, pass: true}\n"
    )


def proposal(census: Census) -> str:
    """The text of a rules.yaml; `check` accepts it, whatever clients named their models and themselves."""
    return "\n".join(_lines(census)) + "\n"


def _lines(census: Census) -> Iterator[str]:
    found = {name: host for name, host in census.hosts.items() if name != OTHERS}
    found = dict(sorted(found.items(), key=lambda pair: -pair[1].all.calls))
    hosts = {name: host for name, host in found.items() if _origin(name, host) is not None}
    names = dict(zip(hosts, _provider_names(hosts), strict=True))
    yield f"# Proposed by `wattline watch`: {_plural(census.calls, 'call')} in {census.seconds:.0f} s."
    yield "# Nothing was changed while it watched. Try it with `wattline check THIS-FILE`."
    yield "version: 1"
    yield from _listen(hosts)
    yield from (
        f"# no host that an entry can have: {_comment(name)}" for name in found if name not in hosts
    )
    yield from _intercept(hosts)
    yield from _tunnels(census)
    if hosts:
        yield ""
        yield "providers:"
        for name, host in hosts.items():
            yield from _provider(name, host, names[name])
        models = list(_models(hosts, names))
        if any(not line.lstrip().startswith("#") for line in models):
            yield ""
            yield "models:"
        yield from models
    yield ""
    yield "rules:"
    yield "  # As before: calls to a provider's own host go there with their client's key. Without this rule"
    yield "  # they take the operator's key, and may fail over."
    yield "  - {name: as-before, when: {forward: true}, pass: true}"
    if hosts:
        yield "  # Calls to the sidecar's own address."
        yield "  - {name: by-model, try: model}"


def _intercept(hosts: Mapping[str, Host]) -> Iterator[str]:
    if not hosts:
        yield "# No call to a model provider was seen."
        yield "intercept: []"
        return
    yield "intercept:"
    for name, host in hosts.items():
        yield f"  - {json.dumps(name)} # {_seen(host.all)}{_unread(host)}"


def _listen(hosts: Mapping[str, Host]) -> Iterator[str]:
    """Another port than the usual one where a provider has that on this machine."""
    origins = [found for name, host in hosts.items() if (found := _origin(name, host)) is not None]
    usual = Listen()
    ports = range(usual.port, usual.port + len(origins) + 1)
    port = next(p for p in ports if not any(is_own(o.host, o.port, usual.host, p) for o in origins))
    if port != usual.port:
        yield f"listen: {{port: {port}}} # {usual.port} is a provider's"


def _origin(name: str, host: Host) -> Origin | None:
    """Where most calls to the host went; None for what is no host."""
    ((scheme, port), _), *_ = host.origins.most_common(1) or [(("https", 443), 0)]
    try:
        found = read_host(name)
        return read_url(f"{scheme}://{f'[{found}]' if ':' in found else found}:{port}")[0]
    except BadUrl:
        return None


def _url(origin: Origin, path: str) -> str:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    port = "" if origin.port == _PORTS[origin.scheme] else f":{origin.port}"
    return f"{origin.scheme}://{host}{port}{path}"


def _variable(provider: str) -> str:
    """The name of a provider's key."""
    return f"{_NOT_A_VARIABLE.sub('_', provider.upper())}_API_KEY"


def _tunnels(census: Census) -> Iterator[str]:
    if not census.tunnels:
        return
    yield ""
    yield "# Not read, only carried:"
    found = sorted(census.tunnels.items(), key=lambda pair: -(pair[1].up + pair[1].down))
    for name, seen in found[:_SHOWN]:
        many = _plural(seen.connections, "connection")
        yield f"#   {_comment(name)}: {many}, {seen.up:,} bytes up, {seen.down:,} down"
    if len(found) > _SHOWN:
        yield f"#   and {_plural(len(found) - _SHOWN, 'host')} more"
    yield "tunnel: {policy: public}"


def _provider(name: str, host: Host, provider: str) -> Iterator[str]:
    known = KNOWN.get(name)
    dialect = known.dialect if known is not None else _dialect(host)
    key = known.key if known is not None else _variable(provider)
    path = known.path if known is not None else _PATHS.get(dialect, "/v1")
    origin = _origin(name, host)
    assert origin is not None  # noqa: S101  (hosts without one are left out)
    yield f"  {provider}:"
    yield f"    url: {json.dumps(_url(origin, path))}"
    yield f"    key: ${{{key}}}"
    yield f"    dialect: {dialect}"
    yield f"    # {_most('clients', host.clients)}"
    yield f"    # {_most('operations', host.operations)}"
    if set(host.dialects) - {dialect}:
        yield f"    # {_most('dialects', host.dialects)}"
    yield f"    # busiest minute: {_plural(host.calls.most, 'call')}, {host.tokens.most:,} tokens"
    yield f"    # rpm: {max(2 * host.calls.most, 1)} # a window of twice that"


def _models(hosts: Mapping[str, Host], names: Mapping[str, str]) -> Iterator[str]:
    taken: set[str] = set()
    for name, host in hosts.items():
        for model, seen in sorted(host.models.items(), key=lambda pair: -pair[1].calls):
            if model == OTHERS:
                yield f"  # more models at {_comment(name)}: {_seen(seen)}"
            elif not _NAME.fullmatch(model):
                yield f"  # no name that an entry can have: {_comment(ascii(model))}: {_seen(seen)}"
            elif model in taken:
                yield f"  # {model} at {names[name]} too: {_seen(seen)}; call {names[name]}/{model}"
            else:
                taken.add(model)
                written = json.dumps(model)
                entry = f"{{provider: {names[name]}, name: {written}}}"
                yield f"  {written}: {entry} # {_seen(seen)}"


def _provider_names(hosts: Mapping[str, Host]) -> Iterator[str]:
    taken = {FROM_CACHE}
    for host in hosts:
        known = KNOWN.get(host)
        base = name = known.name if known is not None else _provider_name(host)
        number = 1
        while name in taken:
            number += 1
            name = f"{base}-{number}"
        taken.add(name)
        yield name


def _provider_name(host: str) -> str:
    """A host's name as text that begins with a letter, so that YAML reads neither it nor its variable as something else."""
    name = _NOT_A_NAME.sub("-", host.lower()).strip("-")[:40].rstrip("-")
    return name if name[:1].isalpha() and name not in _WORDS else f"host-{name}".rstrip("-")


def _dialect(host: Host) -> str:
    (dialect, _), *_ = host.dialects.most_common(1) or [("openai", 0)]
    return dialect if dialect in {"openai", "anthropic", "gemini", "ollama"} else "openai"


def _seen(seen: Seen) -> str:
    share = f"{seen.streams / seen.calls:.0%} streams" if seen.calls else "no streams"
    parts = [_plural(seen.calls, "call"), share]
    parts += [f"{seen.prompt:,} + {seen.completion:,} tokens"]
    parts += [f"{seen.cached:,} from caches"] if seen.cached else []
    parts += [f"{seen.failed} without an answer"] if seen.failed else []
    return ", ".join(parts)


def _unread(host: Host) -> str:
    """What went on although it could not be read."""
    return f", and {_plural(host.unread, 'request')} passed on unread" if host.unread else ""


def _most(title: str, counts: Counter[str]) -> str:
    found = [f"{_comment(name)} ({count})" for name, count in counts.most_common(_SHOWN)]
    more = len(counts) - len(found)
    return f"{title}: {', '.join(found)}{f' and {more} more' if more > 0 else ''}"


def _comment(text: str) -> str:
    """On one line, and nothing that a terminal or YAML would take for more."""
    return ascii(text)[1:-1]


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
