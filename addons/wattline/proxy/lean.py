"""mitmproxy's package of addons, without those that nobody here uses.

To import one of them imports all: a web application, LDAP, QUIC and more, a quarter of a second and 12 MB of
each start. The package that is put in its place finds its modules one by one; asked for anything else it
becomes the whole.
"""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from types import ModuleType
from typing import Any

PACKAGE = "mitmproxy.addons"


class _Package(ModuleType):
    """Holds no more than the modules that were imported, until somebody asks for more."""

    def __getattr__(self, name: str) -> Any:
        spec = self.__spec__
        if name.startswith("_") or spec is None or spec.loader is None:
            raise AttributeError(name)
        if find_spec(f"{PACKAGE}.{name}") is not None:
            return importlib.import_module(f"{PACKAGE}.{name}")
        self.__class__ = ModuleType  # type: ignore[assignment]
        spec.loader.exec_module(self)
        return getattr(self, name)


def leave_out_unused_addons() -> None:
    """To be called before anything imports that package: later, or inside mitmdump, it does nothing."""
    if PACKAGE in sys.modules:
        return
    spec = find_spec(PACKAGE)
    if spec is None or spec.submodule_search_locations is None:
        return
    package = _Package(PACKAGE)
    package.__spec__, package.__path__ = spec, list(spec.submodule_search_locations)
    package.__file__, package.__package__ = spec.origin, PACKAGE
    sys.modules[PACKAGE] = package
