"""The command line: all commands, and how their errors end."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from wattline.cli import keys, users
from wattline.cli.commands import ca, demo, health, ledger, observation, rules, sidecar, version
from wattline.cli.failure import FAILED, RUN_FAILED, end
from wattline.cli.wrong_value import reword


class Commands(TyperGroup):
    """Commands whose errors end in a line or two instead of a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise
        except Exception as error:
            # Wrong usage and `Exit` are the library's own way out.
            if type(error).__module__.partition(".")[0] in {"click", "typer"}:
                if isinstance(error, typer.BadParameter):
                    reword(error)
                raise
            end(error, RUN_FAILED if ctx.invoked_subcommand == "run" else FAILED)


app = typer.Typer(
    name="wattline",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help comes at half the time
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A sidecar proxy for LLM calls: routes by rules, fails over, meters every token.",
)


@app.callback()
def wattline(*, version: version.Version = False) -> None:
    """A sidecar proxy for LLM calls: routes by rules, fails over, meters every token."""


# In the order of the help.
for group in (sidecar, rules, ledger, health, observation, demo, version):
    app.add_typer(group.app)
app.add_typer(ca.app, name="ca")
app.add_typer(keys.app, name="keys")
app.add_typer(users.app, name="users")
