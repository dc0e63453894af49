"""A decision as a value: the verdict, why, by which rule, and what must be done about it."""

from dataclasses import dataclass
from enum import StrEnum

from extproc.exchange.refusal import Reason
from extproc.policy.prices import Price
from extproc.policy.runtime import Masking, Upstream


class Verdict(StrEnum):
    """Deny beats hold beats allow; no match is deny."""

    ALLOW = "allow"
    DENY = "deny"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Obligations:
    """What must be done with an allowed call: where it goes, as which model, what masks its answer, what it costs."""

    upstream: Upstream | None = None
    model: str = ""  # the upstream's name for the model; "" for MCP
    masking: Masking | None = None
    price: Price | None = None


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
