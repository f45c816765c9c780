"""The shape of rules.yaml. docs/rules.md and docs/rules.schema.json are written from it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from wattline.rules.affinity import AffinityShape
from wattline.rules.fields import Name, Shape, ShortName
from wattline.rules.proof import ProofShape
from wattline.rules.shapes.callers import (
    AccountsShape,
    AudioShape,
    DialogsShape,
    EnergyShape,
    TierShape,
)
from wattline.rules.shapes.entrance import AuthShape, CorsShape, Intercept, ListenShape, TunnelShape
from wattline.rules.shapes.limits import LimitsShape
from wattline.rules.shapes.model import ModelShape
from wattline.rules.shapes.provider import ProviderShape
from wattline.rules.shapes.rule import RuleShape
from wattline.rules.shapes.upkeep import CacheShape, HealthShape, LedgerShape, LogShape
from wattline.rules.shapes.window import WindowShape


class RulesShape(Shape):
    """A whole rules.yaml."""

    version: Literal[1] = Field(default=1, description="The version of this format.")
    listen: ListenShape = Field(
        default_factory=ListenShape, description="Where the sidecar listens."
    )
    intercept: list[Intercept] = Field(
        default_factory=list,
        description="Hosts (or `*.suffix`) whose traffic is ours when the sidecar is a forward proxy. "
        "All others are tunnelled undecrypted. Or `{host, on_error}`.",
    )
    tunnel: TunnelShape = Field(
        default_factory=TunnelShape, description="What else the forward proxy may reach."
    )
    auth: AuthShape = Field(default_factory=AuthShape, description="Who may call.")
    cors: CorsShape = Field(
        default_factory=CorsShape,
        description="Web pages that may call from browsers. None by default.",
    )
    limits: LimitsShape = Field(default_factory=LimitsShape, description="Bounds at the gate.")
    ledger: LedgerShape = Field(default_factory=LedgerShape, description="How the ledger is kept.")
    log: LogShape = Field(default_factory=LogShape, description="What is logged.")
    energy: EnergyShape = Field(default_factory=EnergyShape, description="What tokens cost.")
    audio: AudioShape = Field(default_factory=AudioShape, description="What sound costs.")
    cache: CacheShape = Field(
        default_factory=CacheShape,
        description="Answers that are kept and given again. Off unless `enabled`, or a rule's `cache`, says "
        "otherwise.",
    )
    affinity: AffinityShape = Field(
        default_factory=AffinityShape,
        description="Conversations that stay at one target, for the sake of its prompt cache.",
    )
    proof: ProofShape = Field(
        default_factory=ProofShape, description="Digests of what is passed on. None by default."
    )
    health: HealthShape = Field(
        default_factory=HealthShape, description="When targets that fail are left out."
    )
    accounts: AccountsShape = Field(
        default_factory=AccountsShape, description="What a new user begins with."
    )
    dialogs: DialogsShape = Field(
        default_factory=DialogsShape, description="What is kept of conversations."
    )
    tiers: dict[ShortName, TierShape] = Field(
        default_factory=dict,
        description="Tiers of callers by name: the windows of each caller in them.",
    )
    windows: dict[ShortName, WindowShape] = Field(
        default_factory=dict, description="Rate windows by name."
    )
    providers: dict[ShortName, ProviderShape] = Field(
        default_factory=dict,
        description="Upstream accounts by name. Their order counts for `tier` and for models without "
        "an entry.",
    )
    models: dict[Name, ModelShape] = Field(
        default_factory=dict, description="Callable models by name."
    )
    rules: Annotated[list[RuleShape], Field(min_length=1)] = Field(
        description="What happens to a call: the first rule that matches decides."
    )
