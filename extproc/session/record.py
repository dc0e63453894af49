"""The audit record of one exchange: who asked for what, what it became, what was decided and why, and what it cost.

Holds no prompt, no answer, no token, no header value a client could hide one in. Keys are stable; see docs/audit.md.
"""

from datetime import UTC, datetime
from typing import Any

from extproc.exchange.model import LlmCall, McpCall
from extproc.exchange.refusal import Reason, Refusal
from extproc.identity.model import Identity
from extproc.policy.decision import Decision
from extproc.session.stages import Arrived

_MAX = 256  # characters kept of anything a client could make long


def build(
    *,
    id: str,
    wall: float,
    policy: str,
    arrived: Arrived | None,
    identity: Identity | None,
    call: LlmCall | McpCall | None,
    decision: Decision | None,
    refusal: Refusal | None,
    status: int,
) -> dict[str, Any]:
    """The part of the record that is known once the exchange is over. The session adds sizes, times and guards."""
    entry: dict[str, Any] = {
        "ts": datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds"),
        "id": id,
        "policy": policy,
        "plane": arrived.route.plane if arrived else "",
        "dialect": arrived.route.dialect if arrived else "",
        "operation": arrived.route.operation if arrived else "",
        "status": status,
    }
    if arrived is not None:
        entry["source"] = arrived.source
        entry["user_agent"] = arrived.headers.get("user-agent", "")[:_MAX]
    if identity is not None:
        entry["subject"] = identity.subject
        entry["provider"] = identity.provider
        entry["issuer"] = identity.issuer
        entry["groups"] = list(identity.groups)
        if identity.email:
            entry["email"] = identity.email
        if identity.tenant:
            entry["tenant"] = identity.tenant
    if isinstance(call, LlmCall):
        entry["model"] = call.model[:_MAX]
        entry["stream"] = call.stream
        if call.tools:
            entry["tools"] = [name[:_MAX] for name in call.tools[:64]]
    elif call is not None:
        entry["server"] = call.server[:_MAX]
        entry["method"] = call.method[:_MAX]
        entry["name"] = call.name[:_MAX]
        entry["version"] = call.version[:_MAX]
        entry["operation"] = call.method[:_MAX]
    _decided(entry, decision, refusal)
    return entry


def _decided(entry: dict[str, Any], decision: Decision | None, refusal: Refusal | None) -> None:
    """Verdict and reason are of what happened: a call that policy allowed and that failed later was refused."""
    entry["verdict"] = "deny" if refusal is not None else decision.verdict.value if decision is not None else "none"
    entry["reason"] = refusal.reason.value if refusal is not None else decision.reason.value if decision else ""
    entry["rule"] = decision.rule if decision is not None else ""
    entry["mode"] = "enforce"
    if decision is None:
        return
    if decision.reason is Reason.OBSERVED:
        entry["mode"] = "observe"
    if decision.observed:
        entry["observed"] = decision.observed
    done = decision.obligations
    if done.upstream is not None:
        entry["upstream"] = done.upstream.name
    if done.model:
        entry["upstream_model"] = done.model
