"""The request as the upstream gets it: where it goes, what is injected, and everything of the client's that is not."""

from collections.abc import Mapping
from urllib.parse import unquote_plus

from extproc.policy.runtime import Upstream
from extproc.session.actions import Pairs

# Envoy routes by it. Envoy drops the client's copy before we see it, we overwrite it, and the route drops it again.
ROUTING_HEADER = "x-gatereeve-upstream"
OWN_PREFIX = "x-gatereeve-"

_STRIPPED = frozenset(
    {
        # Every form in which a client may send a credential, and whose account a provider's key is used for.
        "authorization",
        "proxy-authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "x-auth-token",
        "x-access-token",
        "ocp-apim-subscription-key",
        "cookie",
        "openai-organization",
        "openai-project",
        "x-goog-user-project",
        # What would tell the upstream about the network the agent runs in.
        "forwarded",
        "x-real-ip",
        "via",
        # What would make a framework upstream serve another method or path than the one that was judged.
        "x-http-method-override",
        "x-http-method",
        "x-method-override",
        "x-original-url",
        "x-rewrite-url",
        "x-original-host",
        "x-host",
        # A secret that is asked for in two ranges is in neither of them.
        "range",
        "if-range",
        # Settled here: the body is sent decoded and whole.
        "content-encoding",
        "content-md5",
        "content-digest",
        "repr-digest",
        "digest",
        "expect",
    }
)
_STRIPPED_PREFIXES = (OWN_PREFIX, "x-amz-", "x-forwarded-")
_KEPT = frozenset({ROUTING_HEADER, "x-forwarded-proto"})  # the first is overwritten, the second is Envoy's own
_STRIPPED_QUERY = frozenset({"key", "api_key", "api-key", "apikey", "access_token", "token"})


def stripped(headers: Mapping[str, str], keep: str) -> tuple[str, ...]:
    """The client's headers that do not go on, except `keep` (which is overwritten)."""
    return tuple(
        name
        for name in headers
        if (name in _STRIPPED or name.startswith(_STRIPPED_PREFIXES)) and name != keep and name not in _KEPT
    )


def query(raw: str) -> str:
    """The query string without credentials, "?" included; order and encoding of the rest stay."""
    if not raw:
        return ""
    kept = [part for part in raw.split("&") if not _secret(part)]
    return "?" + "&".join(kept) if kept else ""


def _secret(part: str) -> bool:
    """Whether any reader would find a credential's name in it: `%6bey=` is `key=` too, and so is `a=1;key=` for
    servers that still take a semicolon for a separator."""
    return any(
        unquote_plus(piece.partition("=")[0]).partition("[")[0].strip().lower() in _STRIPPED_QUERY
        for piece in part.split(";")
    )


def pairs(upstream: Upstream, path: str, credential: tuple[str, str] | None, length: int | None) -> Pairs:
    """The headers to set. `length` is the body's, None for a request without one."""
    out = [
        (ROUTING_HEADER, upstream.cluster),
        (":authority", upstream.authority),
        (":path", path),
        (":scheme", "https" if upstream.tls else "http"),
        # An answer that cannot be read could not be masked.
        ("accept-encoding", "identity"),
    ]
    if length is not None:
        # Envoy does not do it for a replaced body: a stale length is request smuggling.
        out.append(("content-length", str(length)))
        # The body was encoded here: no parameter of the client's may make the upstream read it in another way.
        out.append(("content-type", "application/json"))
    if credential is not None:
        out.append(credential)
    return tuple(out)
