"""The app, its libraries imported when it is made."""

from __future__ import annotations

from starlette.types import ASGIApp

from wattline.web.parts import Parts


def load_site(parts: Parts) -> ASGIApp:
    """The FastAPI app. Its import costs some 6 MB and a tenth of a second."""
    from wattline.web.app import make_app  # noqa: PLC0415  (that is the point)

    return make_app(parts)
