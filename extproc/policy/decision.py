"""A decision as a value: the verdict, why, by which rule, and what must be done about it."""

from dataclasses import dataclass, field
from enum import StrEnum

from extproc.exchange.refusal import Reason
from extproc.exchange.translation.contract import Translation
from extproc.policy.prices import Price
from extproc.policy.runtime import AgentPolicy, Failover, Masking, Target, Upstream
from extproc.policy.sensitivity import DataClass


class Verdict(StrEnum):
    """Deny beats hold beats allow; no match is deny."""

    ALLOW = "allow"
    DENY = "deny"
    HOLD = "hold"


NO_FAILOVER = Failover()


@dataclass(frozen=True, slots=True)
class Leg:
    """One target a call may take, the dialect its provider is spoken to in, and what turns the call into it (None:
    it is the client's own)."""

    target: Target
    dialect: str
    translation: Translation | None = None


@dataclass(frozen=True, slots=True)
class Obligations:
    """What must be done with an allowed call: where it goes, as which model, what masks its answer, what it costs.

    `legs` are every target an LLM call may take, in the order they are tried; the fields before it are the first's.
    `agents` are the policies that let it through.
    """

    upstream: Upstream | None = None
    model: str = ""  # the upstream's name for the model; "" for MCP
    masking: Masking | None = None
    price: Price | None = None
    legs: tuple[Leg, ...] = ()
    failover: Failover = NO_FAILOVER
    data_class: DataClass = DataClass.PUBLIC
    not_inspected: tuple[str, ...] = ()  # notes of detectors on what they could not look into
    agents: tuple[AgentPolicy, ...] = field(default=(), repr=False)

    @property
    def shows_model(self) -> bool:
        """Whether every policy that lets the call through lets the client know which target served it."""
        return bool(self.agents) and all(agent.shows_model for agent in self.agents)


@dataclass(frozen=True, slots=True)
class Decision:
    """`rule` names the document and line that decided ("AgentPolicy/engineering (agents.yaml:12)").

    `observed` is what policies in observe mode would have decided ("" when none selects the caller or all agree);
    it is recorded, never enforced.
    """

    verdict: Verdict
    reason: Reason
    rule: str = ""
    message: str = ""  # more exact than the reason's own sentence, "" to use that
    obligations: Obligations = Obligations()
    observed: str = ""  # for example "deny model-not-allowed AgentPolicy/pilot (agents.yaml:30)"

    @property
    def allowed(self) -> bool:
        return self.verdict is Verdict.ALLOW
