"""A route that is analysed when its page is first asked for: most pages of a sidecar never are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from typing import Any

from fastapi.routing import APIRoute
from starlette.routing import compile_path


class LazyRoute(APIRoute):
    """What a path is matched by is there at once. The rest, of which the parameters' types cost most, is made
    when something asks for it: a request for the page, or the OpenAPI document, in whichever thread.

    It must stand in the app's own list of routes: `include_router` would analyse it, twice.
    """

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        methods: Collection[str] | None = None,
        **options: Any,
    ) -> None:
        self.path, self.endpoint = path, endpoint
        self.methods = {method.upper() for method in methods or ("GET",)}
        self._options: dict[str, Any] | None = options | {"methods": methods}
        self.path_regex, self.path_format, self.param_convertors = compile_path(path)
        self._making = threading.RLock()

    def __getattr__(self, name: str) -> Any:
        """An attribute that is not there (yet). Raises AttributeError."""
        with self._making:
            options, self._options = self._options, None
            if options is not None:
                super().__init__(self.path, self.endpoint, **options)
            elif name not in vars(self):  # another thread may just have made it
                raise AttributeError(f"a route has no {name!r}", name=name, obj=self)
        return getattr(self, name)
