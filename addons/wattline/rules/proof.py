"""The section `proof`: its shape, and its compiled form."""

from __future__ import annotations

from pydantic import Field

from wattline.rules.compiled.upkeep import ProofRules
from wattline.rules.fields import Shape


class ProofShape(Shape):
    """Digests of what is passed on, of each byte that came in and that went out: `wattline proof` shows them."""

    tunnels: bool = Field(
        default=False,
        description="Of tunnels, which are not decrypted: about 1.5 ms of CPU for each MB.",
    )
    passed: bool = Field(
        default=False,
        description="Of calls that a rule with `pass` takes, and of other requests to hosts of `intercept`.",
    )


def compile_proof(shape: ProofShape) -> ProofRules:
    """What the file says."""
    return ProofRules(shape.tunnels, shape.passed)
