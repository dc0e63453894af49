"""The LLM plane: a decoded call, the policy's decision, and the request that goes to a target, or to the attempts of
several."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from urllib.parse import unquote

from extproc.errors import BadRequest
from extproc.exchange import classify, json_body
from extproc.exchange.encoding import decode_request
from extproc.exchange.model import Answer, LlmCall
from extproc.exchange.refusal import Reason, Refusal, Rendered
from extproc.exchange.text import TextFilter
from extproc.exchange.translation.contract import Reply
from extproc.exchange.translation.masked_reply import MaskedReply
from extproc.exchange.translation.same_body import SameBody
from extproc.policy.decide import decide_llm, visible_models
from extproc.policy.decision import Decision, Leg, Verdict
from extproc.policy.runtime import Policy
from extproc.policy.sensitivity import DataClass
from extproc.session import forwarding, plan
from extproc.session.actions import RequestBodyReply
from extproc.session.outgoing import Asking, outgoing, slim, with_usage
from extproc.session.ports import Ports
from extproc.session.secret_filter import SecretFilter
from extproc.session.stages import Admitted, Forward, Judged, Limits, Local, Refused, RequestFacts, key_of


def judge(
    admitted: Admitted,
    body: bytes,
    policy: Policy,
    ports: Ports,
    limits: Limits,
    id: str,
    wall: float,
) -> Forward | Refused:
    """The body phase of a POST. `id` is the exchange's, `wall` is Unix time."""
    arrived = admitted.arrived
    dialect = classify.DIALECTS[arrived.route.dialect]
    try:
        plain = decode_request(body, admitted.headers.get("content-encoding", ""), limits.request)
        full = dialect.read(arrived.route.operation, json_body.decode(plain), arrived.route.place)
    except BadRequest as error:
        return Refused(Refusal.of(Reason(error.reason), message=error.message, status=error.status), dialect)
    credentials = ports.credentials
    exposed = DataClass(ports.exposure.level(key_of(admitted.identity), wall)) if policy.exposing else DataClass.PUBLIC
    decision = decide_llm(policy, admitted.identity, full, RequestFacts(admitted, len(plain), id), exposed)
    call = slim(full)
    if not decision.allowed:
        return Refused(Refusal.of(decision.reason, message=decision.message), dialect, call, decision)
    legs = decision.obligations.legs
    if len(legs) > 1:
        return _planned(admitted, full, call, decision, id)
    asking = Asking(admitted.headers, arrived.query, arrived.route.place, admitted.token)
    sent = outgoing(full, legs[0], asking, credentials, more=plan.first_byte(decision.obligations.failover))
    if isinstance(sent, Refusal):
        return Refused(sent, dialect, call, decision)
    mask = _mask(decision)
    judged = _judged(
        call, decision, mask, legs[0], _reply(full, legs[0], mask), sent.secret, size=sent.size, dropped=sent.dropped
    )
    return Forward(judged, sent.reply)


def _planned(admitted: Admitted, full: LlmCall, call: LlmCall, decision: Decision, id: str) -> Forward:
    """The client's own call on its way to the attempts; each makes of it what its target understands."""
    obligations = decision.obligations
    legs = obligations.legs
    # Exactly what was judged, whatever bytes it came in.
    body = json_body.encode(full.doc)
    size = len(body)
    arrived = admitted.arrived
    sets = (
        (forwarding.ROUTING_HEADER, plan.STREAMED if call.stream else plan.WHOLE),
        (":authority", plan.HOST),
        (":path", arrived.path + forwarding.query(arrived.query, admitted.token)),
        (plan.HEADER, plan.encode(id, call.model, legs)),
        ("accept-encoding", "identity"),
        ("content-length", str(size)),
        ("content-type", "application/json"),
        *plan.retries(legs, obligations.failover),
    )
    remove = forwarding.stripped(admitted.headers, (), admitted.token)
    mask = _mask(decision)
    # Made now, while the document is here; they keep nothing of it.
    replies = tuple(_reply(full, leg, mask) for leg in legs)

    def served(number: int, secret: bytes) -> Judged | None:
        """What `Judged.served` promises. Holds neither the document nor the body: nobody knows how long it waits."""
        if not 0 < number <= len(legs):
            return None
        judged = _judged(call, decision, mask, legs[number - 1], replies[number - 1], secret)
        return replace(judged, sent=size, attempts=number)

    judged = _judged(call, decision, mask, legs[0], None, b"")
    return Forward(replace(judged, sent=size, served=served), RequestBodyReply(body, sets, remove))


def _mask(decision: Decision) -> TextFilter | None:
    masking = decision.obligations.masking
    return masking.start() if masking is not None else None


def _reply(full: LlmCall, leg: Leg, mask: TextFilter | None) -> Reply | None:
    """What writes a target's answer in the client's dialect; None where it is that already."""
    translation = leg.translation
    if translation is None or isinstance(translation, SameBody):
        return None
    reply = translation.answer(full)
    if mask is None:
        return reply
    heard = LlmCall(full.dialect, full.operation, full.model, full.stream, framing=full.framing)
    return MaskedReply(reply, partial(classify.DIALECTS[full.dialect].answer, heard, mask))


def _judged(
    call: LlmCall,
    decision: Decision,
    mask: TextFilter | None,
    leg: Leg,
    reply: Reply | None,
    secret: bytes,
    *,
    size: int = 0,
    dropped: tuple[str, ...] = (),
) -> Judged:
    dialect = classify.DIALECTS[leg.dialect]
    spoken = with_usage(call, leg) if leg.translation is None else _spoken(call, leg)
    must_read = mask is not None or reply is not None
    if secret and reply is None and leg.dialect.startswith("bedrock-"):
        # Its streams are frames with checksums, and InvokeModel's have base64 in them: no place to exchange bytes in.
        mask, secret = SecretFilter(secret, mask), b""
    read: partial[Answer] = partial(dialect.answer, spoken, mask)
    voice = classify.DIALECTS[call.dialect]
    return Judged(
        call,
        decision,
        voice,
        read,
        mask,
        must_read=must_read,
        strict=True,
        sent=size,
        secret=secret,
        leg=leg,
        reply=reply,
        dropped=dropped,
    )


def _spoken(call: LlmCall, leg: Leg) -> LlmCall:
    model = leg.target.model
    if isinstance(leg.translation, SameBody):
        hides = with_usage(call, leg).hide_usage
        return LlmCall(leg.dialect, call.operation, model, call.stream, framing=call.framing, hide_usage=hides)
    return LlmCall(leg.dialect, call.operation, model, call.stream)


def failed(headers: Mapping[str, str]) -> Refusal | None:
    """Why an attempt had no answer of its target to give; None if it had one. Without a word of an attempt, none was
    made."""
    outcome = headers.get(plan.OUTCOME, "")
    if outcome == plan.SERVED:
        return None
    try:
        reason = Reason(outcome)
    except ValueError:
        reason = Reason.UPSTREAM_FAILED
    if reason is Reason.UPSTREAM_FAILED and headers.get(":status") == "504":
        return Refusal.of(reason, message="The upstream did not answer in time. Try again.", status=504)
    return Refusal.of(reason, message=unquote(headers.get(plan.MESSAGE, "")))


def models(admitted: Admitted, policy: Policy) -> Local | Refused:
    """GET /v1/models and /v1/models/{id}: what this caller may use, answered here."""
    route = admitted.arrived.route
    dialect = classify.DIALECTS[route.dialect]
    names = visible_models(policy, admitted.identity)
    call = LlmCall(dialect.name, route.operation, route.model)
    if not names:
        decision = Decision(Verdict.DENY, Reason.NO_POLICY)
        return Refused(Refusal.of(Reason.NO_POLICY), dialect, call, decision)
    if route.operation == "get_model" and route.model not in names:
        decision = Decision(Verdict.DENY, Reason.MODEL_UNKNOWN)
        return Refused(Refusal.of(Reason.MODEL_UNKNOWN), dialect, call, decision)
    body = dialect.model(route.model) if route.operation == "get_model" else dialect.models(names)
    # What one caller may use is nobody else's to read from a cache on the way.
    rendered = Rendered(200, (("content-type", "application/json"), ("cache-control", "no-store")), body)
    return Local(rendered, call, Decision(Verdict.ALLOW, Reason.ALLOWED))
