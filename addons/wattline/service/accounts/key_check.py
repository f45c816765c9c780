"""Whether a provider knows a key: its own list of models is asked for with it, at its own origin."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from wattline.base.errors import UpstreamFault
from wattline.base.origin import Credential
from wattline.rules.compiled.provider import Provider
from wattline.service.catalog.inquiry import Refused, ask, inquire
from wattline.service.catalog.reported import PATHS, BadList, Reported
from wattline.upstream.base import Broken, Upstream

MAX_MODELS: Final = 1_000
_UNKNOWN: Final = frozenset({400, 401})
"""What providers answer to a key that they don't know: https://ai.google.dev/gemini-api/docs/troubleshooting
has 400, the others have 401."""
_KEY_PATHS: Mapping[str, str] = MappingProxyType({"openrouter.ai": "/key"})
"""Where hosts tell about a key that show their models to everybody:
https://openrouter.ai/docs/api/api-reference/api-keys/get-current-key."""

type Check = Callable[[Provider, Credential], Awaitable[Checked]]


@dataclass(frozen=True, slots=True)
class Checked:
    """What a provider said. `access`: the key lets it list its models, which are `models`."""

    valid: bool
    access: bool = False
    models: tuple[str, ...] = ()


async def check_key(
    provider: Provider, credential: Credential, upstream: Upstream, pseudonym: str
) -> Checked:
    """Raises UpstreamFault when the provider does not tell."""
    if provider.dialect not in PATHS:
        raise _silent(provider)
    asked = replace(provider, credential=credential, unavailable=None)
    try:
        if (path := _KEY_PATHS.get(provider.origin.host)) is not None:
            await inquire(asked, path, upstream, pseudonym)
        models = await ask(asked, upstream, pseudonym)
        if path is None and await _is_public(asked, upstream, pseudonym):
            raise _silent(provider)
    except Refused as refused:
        if refused.status in _UNKNOWN:
            return Checked(valid=False)
        if refused.status == 403:
            return Checked(valid=True)
        raise _failed(provider, f"it answered {refused.status}") from None
    except BadList:
        raise _failed(provider, "it sent no list of models") from None
    except Broken as broken:
        raise _failed(provider, broken.code) from None
    return Checked(valid=True, access=True, models=_names(models))


async def _is_public(provider: Provider, upstream: Upstream, pseudonym: str) -> bool:
    """It shows its models without a key too, so that they say nothing of one."""
    try:
        await inquire(replace(provider, credential=None), None, upstream, pseudonym)
    except (Broken, BadList):
        return False
    return True


def _names(models: tuple[Reported, ...]) -> tuple[str, ...]:
    return tuple(model.id for model in models[:MAX_MODELS])


def _failed(provider: Provider, reason: str) -> UpstreamFault:
    return UpstreamFault(
        f"{provider.name} could not be asked about the key: {reason}.", code="provider_failed"
    )


def _silent(provider: Provider) -> UpstreamFault:
    return UpstreamFault(
        f"{provider.name} does not tell whether a key is valid: it has no list of models, or shows it to "
        "everybody. Make a call to see.",
        code="key_not_verifiable",
        should_retry=False,
    )
