"""The request as the upstream gets it: where it goes, what is injected, and everything of the client's that is not."""

from urllib.parse import unquote_plus

from extproc.policy.runtime import Upstream
from extproc.session.actions import Pairs

# Envoy routes by it. Envoy drops the client's copy before we see it, we overwrite it, and the route drops it again.
ROUTING_HEADER = "x-gatereeve-upstream"
OWN_PREFIX = "x-gatereeve-"

# Every form in which a client may send a credential, whose account a provider's key is used for, and what would tell
# the upstream about the network the agent runs in.
_STRIPPED = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "cookie",
        "openai-organization",
        "openai-project",
        "x-goog-user-project",
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-client-cert",
        "x-real-ip",
        "via",
        "content-encoding",
        "expect",
    }
)
_STRIPPED_PREFIXES = (OWN_PREFIX, "x-amz-")
_STRIPPED_QUERY = frozenset({"key", "api_key", "api-key", "apikey", "access_token", "token"})


def stripped(headers: dict[str, str], keep: str) -> tuple[str, ...]:
    """The client's headers that do not go on, except `keep` (which is overwritten)."""
    return tuple(
        name
        for name in headers
        if (name in _STRIPPED or name.startswith(_STRIPPED_PREFIXES)) and name not in (keep, ROUTING_HEADER)
    )


def query(raw: str) -> str:
    """The query string without credentials, "?" included; order and encoding of the rest stay."""
    if not raw:
        return ""
    kept = [part for part in raw.split("&") if _name(part) not in _STRIPPED_QUERY]
    return "?" + "&".join(kept) if kept else ""


def _name(part: str) -> str:
    """A parameter's name as a server would read it: `%6bey=` is `key=` too."""
    return unquote_plus(part.partition("=")[0]).lower()


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
    if credential is not None:
        out.append(credential)
    return tuple(out)
