"""The LLM plane: a decoded call, the policy's decision, and the request the provider gets."""

from extproc.errors import BadRequest
from extproc.exchange import classify, json_body
from extproc.exchange.encoding import decode_request
from extproc.exchange.model import NOWHERE, Dialect, LlmCall
from extproc.exchange.refusal import Reason, Refusal, Rendered
from extproc.policy.decide import decide_llm, visible_models
from extproc.policy.decision import Decision, Verdict
from extproc.policy.runtime import Policy, Upstream
from extproc.session import forwarding
from extproc.session.actions import RequestBodyReply
from extproc.session.ports import Credentials
from extproc.session.secret import secret_of
from extproc.session.stages import Admitted, Forward, Judged, Limits, Local, Refused, RequestFacts


def judge(
    admitted: Admitted, body: bytes, policy: Policy, credentials: Credentials, limits: Limits
) -> Forward | Refused:
    """The body phase of a POST."""
    arrived = admitted.arrived
    dialect = classify.DIALECTS[arrived.route.dialect]
    try:
        plain = decode_request(body, admitted.headers.get("content-encoding", ""), limits.request)
        full = dialect.read(arrived.route.operation, json_body.decode(plain), arrived.route.place)
    except BadRequest as error:
        return Refused(Refusal.of(Reason(error.reason), message=error.message, status=error.status), dialect)
    decision = decide_llm(policy, admitted.identity, full, RequestFacts(admitted))
    # A prompt of megabytes is not held while its answer streams. (`dataclasses.replace` costs several times as much.)
    call = LlmCall(full.dialect, full.operation, full.model, full.stream, full.tools, full.server_tools,
                   full.max_tokens, framing=full.framing)  # fmt: skip
    if not decision.allowed:
        return Refused(Refusal.of(decision.reason, message=decision.message), dialect, call, decision)
    upstream = decision.obligations.upstream
    assert upstream is not None
    credential = None
    if upstream.credential is not None:
        credential = credentials.header(upstream.credential)
        if credential is None:
            return Refused(Refusal.of(Reason.CREDENTIAL_UNAVAILABLE), dialect, call, decision)
    sent = dialect.write(full, decision.obligations.model)
    path = _path(dialect, full, decision.obligations.model, admitted, upstream)
    masking = decision.obligations.masking
    mask = masking.start() if masking is not None else None
    judged = Judged(
        call,
        decision,
        dialect,
        lambda: dialect.answer(call, mask),
        mask,
        must_read=mask is not None,
        strict=True,
        sent=len(sent),
        secret=secret_of(upstream.credential, credential[1]) if upstream.credential and credential else b"",
    )
    reply = RequestBodyReply(
        sent,
        forwarding.pairs(upstream, path, credential, len(sent)),
        forwarding.stripped(admitted.headers, credential[0] if credential else "", admitted.token),
    )
    return Forward(judged, reply)


def _path(dialect: Dialect, call: LlmCall, model: str, admitted: Admitted, upstream: Upstream) -> str:
    """The upstream's path, named by the dialect alone. Where the client's path or query said something of the call
    (Gemini, Azure's deployments), its query was judged with it and is the dialect's to write, too."""
    path = dialect.path(call, model)
    arrived = admitted.arrived
    if arrived.route.place is NOWHERE and "?" not in path:
        path += forwarding.query(arrived.query, admitted.token)
    return upstream.path + path


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
