"""The command of the demo provider."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode=None)


@app.command()
def demo(
    *,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes any free one.")] = 8089,
    delay: Annotated[float | None, typer.Option(help="Milliseconds before each answer.")] = None,
    variance: Annotated[float | None, typer.Option(help="Delay varies by this much.")] = None,
    error_rate: Annotated[
        float | None, typer.Option(help="Part of calls that fail, 0 to 1.")
    ] = None,
    timeout_rate: Annotated[
        float | None, typer.Option(help="Part of calls that are never answered, 0 to 1.")
    ] = None,
    token_speed: Annotated[float | None, typer.Option(help="Tokens a second.")] = None,
) -> None:
    """Run the demo provider alone: an OpenAI-like server with made-up answers.

    The variables MOCK_BASE_DELAY, MOCK_DELAY_VARIANCE, MOCK_ERROR_RATE, MOCK_TIMEOUT_RATE,
    MOCK_TOKEN_SPEED and MOCK_ENABLE_LOGS set what options don't.
    """
    from wattline.cli.demo import demo as run_demo

    chosen = {
        "base_delay_ms": delay,
        "delay_variance_ms": variance,
        "error_rate": error_rate,
        "timeout_rate": timeout_rate,
        "token_speed": token_speed,
    }
    run_demo(port, {name: value for name, value in chosen.items() if value is not None})
