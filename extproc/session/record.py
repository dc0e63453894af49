"""The audit record of one exchange: who asked for what, what it became, what was decided and why, and what it cost.

Holds no prompt, no answer, no token, no claim, and of what a client may write freely only names, cut short: the first
product of its user agent, model and tool names, a URI without user and query. Keys are stable; see docs/audit.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from extproc.exchange.model import LlmCall, McpCall, Usage
from extproc.exchange.refusal import Reason, Refusal
from extproc.identity.model import Identity
from extproc.policy.decision import Decision
from extproc.policy.sensitivity import word
from extproc.session.answering import Mode
from extproc.session.stages import Arrived, Judged

_MAX = 256  # characters kept of anything a client could make long
_MAX_TOOLS = 64
_MAX_ID = 64
_NOT_APPLIED = frozenset(
    {"answer-not-read", "binary-not-inspected", "state-not-inspected", "schema-not-known", "schema-partly-held",
     "screening-incomplete"}
)  # fmt: skip
_PHASES = (
    ("keys", "start", "keys"),
    ("body", "identified", "body"),
    ("token", "body", "token"),
    ("upstream", "forwarded", "response"),
    ("first_byte", "forwarded", "first_byte"),
    ("answer", "response", "end"),
)


@dataclass(frozen=True, slots=True)
class Ended:
    """What a session knows when its exchange is over. `wall` is Unix time, `times` are monotonic, all in seconds;
    `received` is the size in bytes of request and answer as they arrived."""

    id: str
    wall: float
    policy: str
    status: int
    aborted: bool
    arrived: Arrived | None
    identity: Identity | None
    call: LlmCall | McpCall | None
    decision: Decision | None
    refusal: Refusal | None
    judged: Judged | None
    mode: Mode | None
    received: tuple[int, int]
    times: Mapping[str, float]


def build(ended: Ended) -> dict[str, Any]:
    """The whole record."""
    arrived = ended.arrived
    entry = minimal(ended)
    entry["ts"] = datetime.fromtimestamp(ended.wall, UTC).isoformat(timespec="milliseconds")
    if arrived is not None:
        entry["plane"] = arrived.route.plane
        entry["dialect"] = arrived.route.dialect
        entry["operation"] = arrived.route.operation
        entry["source"] = arrived.source
        entry["user_agent"] = arrived.agent
        if arrived.provider:
            entry["asked_provider"] = arrived.provider
    if ended.identity is not None:
        _who(entry, ended.identity)
    _what(entry, ended.call)
    _became(entry, ended.decision, ended.judged)
    _cost(entry, ended)
    return entry


def minimal(ended: Ended) -> dict[str, Any]:
    """What can be said in any case, even if something in the exchange cannot be described."""
    decision, refusal = ended.decision, ended.refusal
    return {
        "ts": "",
        "id": ended.id,
        "policy": ended.policy,
        "plane": "",
        "dialect": "",
        "operation": "",
        "status": ended.status,
        "aborted": ended.aborted,
        "verdict": _verdict(decision, refusal),
        "reason": refusal.reason.value if refusal is not None else decision.reason.value if decision else "",
        "rule": decision.rule if decision is not None else "",
    }


def _verdict(decision: Decision | None, refusal: Refusal | None) -> str:
    """Of what happened: an allowed call whose answer we did not let pass was denied; one whose upstream failed was
    not, because nobody said no."""
    if refusal is not None and (refusal.reason is not Reason.UPSTREAM_FAILED or decision is None):
        return "deny"
    return decision.verdict.value if decision is not None else "none"


def _who(entry: dict[str, Any], identity: Identity) -> None:
    entry["subject"] = identity.subject
    entry["provider"] = identity.provider
    entry["issuer"] = identity.issuer
    entry["groups"] = list(identity.groups)
    if identity.email:
        entry["email"] = identity.email
    if identity.tenant:
        entry["tenant"] = identity.tenant


def _what(entry: dict[str, Any], call: LlmCall | McpCall | None) -> None:
    if isinstance(call, LlmCall):
        entry["model"] = call.model[:_MAX]
        entry["stream"] = call.stream
        if call.tools:
            entry["tools"] = [name[:_MAX] for name in call.tools[:_MAX_TOOLS]]
        if call.server_tools:
            entry["server_tools"] = [name[:_MAX] for name in call.server_tools[:_MAX_TOOLS]]
    elif call is not None:
        entry["server"] = call.server[:_MAX]
        entry["method"] = call.method[:_MAX]
        entry["name"] = _bare(call.name)[:_MAX]
        entry["version"] = call.version[:_MAX]
        if call.id is not None:
            entry["rpc_id"] = str(call.id)[:_MAX_ID]
        if call.recorded:
            entry["arguments"] = call.recorded
        entry["operation"] = call.method[:_MAX]


def _bare(name: str) -> str:
    """A resource's URI without what may be a credential: user information, query and fragment."""
    scheme, separator, rest = name.partition("://")
    if not separator:
        return name
    rest = rest.partition("#")[0].partition("?")[0]
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def _became(entry: dict[str, Any], decision: Decision | None, judged: Judged | None) -> None:
    entry["mode"] = "enforce"
    if decision is None:
        return
    if decision.reason is Reason.OBSERVED:
        entry["mode"] = "observe"
    if decision.observed:
        entry["observed"] = decision.observed
    done = decision.obligations
    leg = judged.leg if judged is not None else None
    # Also of a call that policies allow and no target could take: its class may be why.
    if done.legs or (done.agents and done.upstream is None):
        entry["data_class"] = word(done.data_class)
    if leg is None:
        if done.upstream is not None:
            entry["upstream"] = done.upstream.name
        return
    assert judged is not None
    entry["upstream"] = leg.target.provider.upstream.name
    entry["upstream_model"] = leg.target.model
    entry["upstream_dialect"] = leg.dialect
    if judged.dropped:
        entry["dropped"] = list(judged.dropped)
    if len(done.legs) > 1:
        entry["targets"] = [f"{leg.target.provider.name}/{leg.target.model}" for leg in done.legs]
        entry["attempts"] = judged.attempts


def _cost(entry: dict[str, Any], ended: Ended) -> None:
    mode, judged = ended.mode, ended.judged
    answer = mode.answer if mode is not None else None
    mask = judged.mask if judged is not None else None
    said = ended.decision.obligations.not_inspected if ended.decision is not None else ()
    notes = (*said, *(mode.notes if mode is not None else ()), *(answer.notes if answer is not None else ()))
    entry["obligations"] = _done(judged, mode)
    watch = judged.watch if judged is not None else None
    if watch is not None and watch.summary:
        entry["result"] = watch.summary
    if watch is not None and watch.score:
        entry["screening"] = {"score": watch.score, "signals": list(watch.signals)}
    entry["guards_not_applied"] = [note for note in notes if note in _NOT_APPLIED]
    entry["notes"] = [note for note in notes if note not in _NOT_APPLIED]
    entry["masked"] = dict(mask.counts) if mask is not None else {}
    if mode is not None and mode.hidden:  # in bytes; a `SecretFilter` has counted its own
        entry["masked"]["credential"] = mode.hidden + entry["masked"].get("credential", 0)
    if answer is not None:
        entry["usage"] = _usage(answer.usage)
        price = judged.leg.target.price if judged is not None and judged.leg is not None else None
        counted = ended.call is not None and getattr(ended.call, "operation", "") != "count_tokens"  # which is free
        cost = price.cost(answer.usage) if price is not None and counted else None
        if price is not None and cost is not None:
            entry["cost"] = {"amount": cost, "currency": price.currency}
        entry["answer_model"] = answer.model[:_MAX]
        entry["finish_reasons"] = [reason[:_MAX] for reason in answer.finish_reasons]
    entry["bytes"] = {
        "request": ended.received[0],
        "request_upstream": judged.sent if judged is not None else 0,
        "response_upstream": ended.received[1],
        "response": mode.sent if mode is not None else 0,
    }
    entry["ms"] = _durations(ended.times)


def _done(judged: Judged | None, mode: Mode | None) -> list[str]:
    """The obligations that were carried out, by name."""
    if judged is None:
        return []
    done = judged.decision.obligations
    leg = judged.leg
    upstream = leg.target.provider.upstream if leg is not None else done.upstream
    out = ["route"]
    if upstream is not None and (upstream.credential is not None or judged.secret):
        out.append("credential")
    if leg is not None:
        out.append("model")
        if judged.reply is not None:
            out.append(f"translate {leg.dialect}")
    if done.masking is not None and mode is not None and mode.began and mode.sent:
        out.append(f"mask {done.masking.name}")
    return out


def _usage(usage: Usage) -> dict[str, int]:
    return {name: value for name in usage.__slots__ if (value := getattr(usage, name)) is not None}


def _durations(at: Mapping[str, float]) -> dict[str, float]:
    """Milliseconds: keys (their fetch), body (its arrival), upstream, first byte, answer, and all of it."""
    out = {"total": _ms(at["start"], at["end"])}
    for name, first, last in _PHASES:
        if first in at and last in at:
            out[name] = _ms(at[first], at[last])
    return out


def _ms(first: float, last: float) -> float:
    return round((last - first) * 1000, 3)
