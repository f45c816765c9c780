"""The shape of `windows`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from wattline.rules.fields import Duration, Shape


class WindowShape(Shape):
    """A limit in any sliding period."""

    calls: Annotated[int, Field(ge=1)] | None = Field(default=None, description="Calls.")
    tokens: Annotated[int, Field(ge=1)] | None = Field(default=None, description="Tokens.")
    per: Duration = Field(description="The period: seconds, or `60s`, `15m`, `1h`, `1d`.")
    scope: Literal["provider", "principal", "address", "global"] = Field(
        default="provider",
        description="Whose calls count together: those to the providers that name the window, or those "
        "of one caller, of one address (a /64 of IPv6), of all callers.",
    )
    over: Literal["calls", "requests", "pages", "sockets", "auth", "inference"] = Field(
        default="calls",
        description="What counts as one of `calls`. `calls`: a call of a model that can be made. The others "
        "count requests as they come, however they are answered: `requests` all of them, `pages` those of "
        "our own pages, `sockets` upgrades to a WebSocket, `auth` those to register and log in, `inference` "
        "those below /api/v1/inference. They need a `scope` other than `provider`.",
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.calls is None and self.tokens is None:
            raise ValueError("a window needs `calls` or `tokens`")
        if self.over == "calls":
            return self
        if self.tokens is not None or self.calls is None:
            raise ValueError(f"a window over {self.over} counts `calls`, it has no `tokens`")
        if self.scope == "provider":
            raise ValueError(
                f"a window over {self.over} needs `scope: address`, `principal` or `global`"
            )
        return self
