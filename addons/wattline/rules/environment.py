"""Two meanings of `OPENAI_API_KEY` told apart, before any rule draws on the environment.

To most programs `OPENAI_API_KEY` and `OPENAI_BASE_URL` mean OpenAI; to one family of gateways they mean
GoAPI; and an application beside the sidecar has `OPENAI_BASE_URL` pointing at the sidecar itself. So the
base URL decides whose key it is, and the key is handed on under a name that is not ambiguous.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from wattline.rules.addresses import BadUrl, is_own, read_url

DEMO_URL = "WATTLINE_DEMO_URL"
NO_DEMO = "http://127.0.0.1:9/v1"
"""The discard port: where the demo provider would be, were it running."""
IGNORED = frozenset({"GQL_URN", "GQL_SSL", "GQL_TOKEN", "SPACE_ID_ARGUMENT"})
"""Settings of a service that is no more: never an error, never used."""

_KEY, _URL = "OPENAI_API_KEY", "OPENAI_BASE_URL"
_OPENAI_KEY, _OPENAI_URL = "OPENAI_ORIGINAL_API_KEY", "OPENAI_ORIGINAL_BASE_URL"
_GOAPI_KEY, _GOAPI_URL = "GOAPI_API_KEY", "GOAPI_BASE_URL"
_OPENAI_HOST = "api.openai.com"
_SOURCES: Mapping[str, str] = MappingProxyType(
    {_OPENAI_KEY: _KEY, _GOAPI_KEY: _KEY, _GOAPI_URL: _URL}
)
"""What a name may have been filled from."""


def provider_environment(env: Mapping[str, str], own: tuple[str, int]) -> dict[str, str]:
    """The environment that rules.yaml draws on. `own` is the host and port that we listen on.

    OpenAI's own key and URL are under `OPENAI_ORIGINAL_*`, GoAPI's under `GOAPI_*`; a name that was
    set already keeps its value. Doing it twice changes nothing.
    """
    drawn = {name: value for name, value in env.items() if name not in IGNORED}
    if not drawn.get(DEMO_URL, "").strip():
        drawn[DEMO_URL] = NO_DEMO
    key, url = (drawn.get(name, "").strip() for name in (_KEY, _URL))
    if _is_openai(url, own):
        if key and not drawn.get(_OPENAI_KEY, "").strip():
            drawn[_OPENAI_KEY] = key
    elif not any(drawn.get(name, "").strip() for name in (_GOAPI_KEY, _GOAPI_URL)):
        drawn[_GOAPI_URL] = url
        if key:
            drawn[_GOAPI_KEY] = key
    return drawn


def settable(names: Sequence[str], env: Mapping[str, str], own: tuple[str, int]) -> str:
    """Variables as a person can set them: OpenAI's key has the name that everybody knows too, unless
    the base URL beside it is another server's.
    """
    known = _KEY if _is_openai(env.get(_URL, "").strip(), own) else None
    shown = [
        name for key in names for name in ((known, key) if key == _OPENAI_KEY else (key,)) if name
    ]
    return " or ".join(dict.fromkeys(shown))


def written(name: str, env: Mapping[str, str]) -> str:
    """The variable that a person wrote, for one that rules.yaml draws on: OpenAI's key and GoAPI's may come from
    `OPENAI_API_KEY`, GoAPI's URL from `OPENAI_BASE_URL`. `env` is `provider_environment`'s.
    """
    source = _SOURCES.get(name)
    if source is None:
        return name
    value = env.get(source, "").strip()
    return source if value and env.get(name) == value else name


def _is_openai(url: str, own: tuple[str, int]) -> bool:
    """No URL, OpenAI's own, or ours: then the key beside it is OpenAI's."""
    if not url:
        return True
    try:
        origin, _ = read_url(url)
    except BadUrl:
        return False
    return origin.host == _OPENAI_HOST or is_own(origin.host, origin.port, *own)
