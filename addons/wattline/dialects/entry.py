"""A dialect in one piece, for `dialects.further`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from wattline.dialects.base import Dialect, Route
from wattline.dialects.codec import Codec, ProviderCodec, StreamingCodec
from wattline.wire.call import Operation

_NONE: Final[Mapping[Operation, Codec]] = MappingProxyType({})
_NOWHERE: Final[Mapping[str, Route]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Entry:
    """What there is to know of one dialect. Either side may be missing.

    As a client's it has a `dialect` (how a call is begun and metered, what a fault looks like), the `clients`
    that translate each of its operations, and the `paths` of its calls on the sidecar's own address. As a
    provider's it has a `provider`, and a name in rules.yaml (`rules.shapes.provider.DialectName`).
    """

    name: str
    dialect: Dialect | None = None
    clients: Mapping[Operation, Codec] = field(default_factory=lambda: _NONE)
    paths: Mapping[str, Route] = field(default_factory=lambda: _NOWHERE)
    provider: ProviderCodec | None = None
    streams: StreamingCodec | None = None
    """The same again where the provider can stream."""
