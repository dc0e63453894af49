"""Why a call was refused: the closed list of reasons, and the value that carries one.

Each reason has an HTTP status and one sentence a person can act on. The sentence is the default; a decision may give
a more exact one. Nothing here quotes what the client or the upstream sent.
"""

# ruff: noqa: S105  (names of reasons about tokens, not tokens)

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Every reason a verdict can have. Values are stable: audits, tests and dashboards name them."""

    ALLOWED = "allowed"
    OBSERVED = "observed"  # allowed because every policy for the caller only observes
    # who
    TOKEN_MISSING = "token-missing"
    TOKEN_MALFORMED = "token-malformed"
    TOKEN_AMBIGUOUS = "token-ambiguous"
    TOKEN_ALGORITHM = "token-algorithm"
    TOKEN_TYPE = "token-type"
    TOKEN_ISSUER = "token-issuer"
    TOKEN_AUDIENCE = "token-audience"
    TOKEN_EXPIRED = "token-expired"
    TOKEN_NOT_YET_VALID = "token-not-yet-valid"
    TOKEN_SIGNATURE = "token-signature"
    TOKEN_KEY_UNKNOWN = "token-key-unknown"
    TOKEN_CLAIMS = "token-claims"
    INSUFFICIENT_SCOPE = "insufficient-scope"
    KEYS_UNAVAILABLE = "keys-unavailable"
    # what
    NO_POLICY = "no-policy"
    MODEL_NOT_ALLOWED = "model-not-allowed"
    MODEL_UNKNOWN = "model-unknown"
    DIALECT_UNSUPPORTED = "dialect-unsupported"
    PROVIDER_NOT_APPROVED = "provider-not-approved"
    PROVIDER_NOT_CLEARED = "provider-not-cleared"
    NO_TARGET = "no-target"
    SERVER_NOT_ALLOWED = "server-not-allowed"
    SERVER_UNKNOWN = "server-unknown"
    TOOL_NOT_ALLOWED = "tool-not-allowed"
    TOOL_NOT_APPROVED = "tool-not-approved"
    ARGUMENT_REFUSED = "argument-refused"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    CONDITION_FALSE = "condition-false"
    CONDITION_ERROR = "condition-error"
    CREDENTIAL_UNAVAILABLE = "credential-unavailable"
    # how
    ROUTE_UNKNOWN = "route-unknown"
    HTTP_METHOD = "http-method"
    UPGRADE_REFUSED = "upgrade-refused"
    BODY_MISSING = "body-missing"
    BODY_NOT_JSON = "body-not-json"
    BODY_SHAPE = "body-shape"
    BODY_TOO_LARGE = "body-too-large"
    BODY_TOO_DEEP = "body-too-deep"
    CONTENT_TYPE = "content-type"
    CONTENT_ENCODING = "content-encoding"
    BATCH_REFUSED = "batch-refused"
    HEADER_MISMATCH = "header-mismatch"
    ORIGIN_NOT_ALLOWED = "origin-not-allowed"
    SESSION_UNKNOWN = "session-unknown"
    HANDLE_UNKNOWN = "handle-unknown"
    UNTRANSLATABLE = "untranslatable"
    # what came back
    ANSWER_UNREADABLE = "answer-unreadable"
    ANSWER_TOO_LARGE = "answer-too-large"
    UPSTREAM_FAILED = "upstream-failed"
    # us
    NOT_READY = "not-ready"
    DRAINING = "draining"
    INTERNAL_ERROR = "internal-error"


@dataclass(frozen=True, slots=True)
class Explained:
    """The HTTP status of a reason and the sentence that tells a person what to do."""

    status: int
    message: str


REASONS: dict[Reason, Explained] = {
    Reason.ALLOWED: Explained(200, "Allowed."),
    Reason.OBSERVED: Explained(200, "Allowed: every policy that selects this caller only observes."),
    Reason.TOKEN_MISSING: Explained(
        401, "No token was sent. Put your Gatereeve token where the API key goes (Authorization: Bearer, or x-api-key)."
    ),
    Reason.TOKEN_MALFORMED: Explained(401, "The token is not a signed JWT. Get a new one from your identity provider."),
    Reason.TOKEN_AMBIGUOUS: Explained(401, "Two different tokens were sent. Send exactly one."),
    Reason.TOKEN_ALGORITHM: Explained(401, "The token's signing algorithm is not accepted for its issuer."),
    Reason.TOKEN_TYPE: Explained(401, "This type of token is not accepted here. Send an access token."),
    Reason.TOKEN_ISSUER: Explained(401, "The token's issuer is not known here. Log in with your company's provider."),
    Reason.TOKEN_AUDIENCE: Explained(401, "The token was issued for another service. Ask for one with our audience."),
    Reason.TOKEN_EXPIRED: Explained(401, "The token has expired. Get a new one."),
    Reason.TOKEN_NOT_YET_VALID: Explained(401, "The token is not valid yet. Check the clock that issued it."),
    Reason.TOKEN_SIGNATURE: Explained(401, "The token's signature does not verify. Get a new token."),
    Reason.TOKEN_KEY_UNKNOWN: Explained(401, "The issuer does not publish the key that signed this token."),
    Reason.TOKEN_CLAIMS: Explained(401, "The token lacks a claim that is needed to know who you are."),
    Reason.INSUFFICIENT_SCOPE: Explained(403, "Your token lacks a scope that this call needs. Log in again for it."),
    Reason.KEYS_UNAVAILABLE: Explained(503, "The issuer's keys cannot be fetched now. Try again shortly."),
    Reason.NO_POLICY: Explained(403, "No policy covers you. Ask your platform team for access."),
    Reason.MODEL_NOT_ALLOWED: Explained(403, "You may not use this model. GET /v1/models lists those you may."),
    Reason.MODEL_UNKNOWN: Explained(404, "No such model here. GET /v1/models lists those you may use."),
    Reason.DIALECT_UNSUPPORTED: Explained(400, "This model is not served over this API. Use the model's own API."),
    Reason.PROVIDER_NOT_APPROVED: Explained(403, "The provider of this model is not approved. Choose another model."),
    Reason.PROVIDER_NOT_CLEARED: Explained(
        403,
        "This call holds data that no provider of this model may receive. Leave it out, or choose another model.",
    ),
    Reason.NO_TARGET: Explained(
        403, "No target of this model takes a call like this one. Choose another model, or ask your platform team."
    ),
    Reason.SERVER_NOT_ALLOWED: Explained(403, "You may not use this MCP server. Ask your platform team for access."),
    Reason.SERVER_UNKNOWN: Explained(404, "No such MCP server here. Check the URL: /mcp/<server>."),
    Reason.TOOL_NOT_ALLOWED: Explained(403, "Policy does not let you call this tool. Go on without it."),
    Reason.TOOL_NOT_APPROVED: Explained(
        403, "This tool is not, or no longer, the one that was approved. Go on without it, and tell your platform team."
    ),
    Reason.ARGUMENT_REFUSED: Explained(403, "An argument of this call is not accepted. Correct it and call again."),
    Reason.METHOD_NOT_ALLOWED: Explained(403, "Policy does not let you use this MCP method on this server."),
    Reason.CONDITION_FALSE: Explained(403, "A policy covers you, but its condition does not hold for this call."),
    Reason.CONDITION_ERROR: Explained(403, "A policy's condition could not be evaluated. Tell your platform team."),
    Reason.CREDENTIAL_UNAVAILABLE: Explained(
        503, "The gateway has no credential for the upstream. Tell its operators."
    ),
    Reason.ROUTE_UNKNOWN: Explained(404, "Nothing is served at this path."),
    Reason.HTTP_METHOD: Explained(405, "This path does not take this HTTP method."),
    Reason.UPGRADE_REFUSED: Explained(426, "Protocol upgrades are not served here. Use plain HTTPS requests."),
    Reason.BODY_MISSING: Explained(400, "The request has no body. Send a JSON object."),
    Reason.BODY_NOT_JSON: Explained(400, "The body is not valid JSON in UTF-8."),
    Reason.BODY_SHAPE: Explained(400, "The body does not have the shape this API asks for."),
    Reason.BODY_TOO_LARGE: Explained(413, "The body is larger than this gateway accepts."),
    Reason.BODY_TOO_DEEP: Explained(400, "The body is nested too deeply."),
    Reason.CONTENT_TYPE: Explained(415, "Send the body as application/json."),
    Reason.CONTENT_ENCODING: Explained(
        415, "This content encoding is not accepted. Send the body uncompressed, or gzip."
    ),
    Reason.BATCH_REFUSED: Explained(400, "JSON-RPC batches are not accepted. Send one message per request."),
    Reason.HEADER_MISMATCH: Explained(400, "An Mcp-* header does not say what the body says."),
    Reason.ORIGIN_NOT_ALLOWED: Explained(403, "Web pages of this origin may not use this MCP server."),
    Reason.SESSION_UNKNOWN: Explained(404, "This MCP session is not yours, or is over. Initialize a new one."),
    Reason.HANDLE_UNKNOWN: Explained(400, "The task or the state that this message brings back was not given to you."),
    Reason.UNTRANSLATABLE: Explained(
        400, "The model is served over another API, which has no equivalent for a part of this request."
    ),
    Reason.ANSWER_UNREADABLE: Explained(502, "The upstream's answer could not be inspected, so it was not passed on."),
    Reason.ANSWER_TOO_LARGE: Explained(502, "The upstream's answer is larger than this gateway inspects."),
    Reason.UPSTREAM_FAILED: Explained(502, "The upstream could not be reached or broke off. Try again."),
    Reason.NOT_READY: Explained(503, "The gateway has no valid policy loaded yet. Try again shortly."),
    Reason.DRAINING: Explained(503, "The gateway is shutting down. Try again."),
    Reason.INTERNAL_ERROR: Explained(500, "The gateway failed to judge this call, so it was refused. Report the id."),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call that may not go on, as a value. Dialects render it; the session sends it.

    `id` finds the audit record. `headers` are extra response headers (for example WWW-Authenticate).
    """

    reason: Reason
    status: int
    message: str
    id: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(
        cls, reason: Reason, id: str = "", message: str = "", status: int = 0, headers: tuple[tuple[str, str], ...] = ()
    ) -> "Refusal":
        """A refusal with the reason's own status and sentence, unless a more exact one is given."""
        explained = REASONS[reason]
        return cls(reason, status or explained.status, message or explained.message, id, headers)

    @property
    def text(self) -> str:
        """What the caller reads: the sentence, the reason and the id that finds the audit record."""
        return f"{self.message} [gatereeve: {self.reason.value}{', ' + self.id if self.id else ''}]"


@dataclass(frozen=True, slots=True)
class Rendered:
    """A refusal in a dialect's own words: an HTTP status, header pairs (lower-case names) and a body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
