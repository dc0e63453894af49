"""The headers of an upstream's answer that reach the client: those that clients of these APIs read, and no others.

A list of what to drop would have to know every header that some proxy or browser obeys (`x-accel-redirect`, `refresh`,
`link`, `set-cookie`, ...); whoever stands upstream must not speak in our name, set state for our origin, send the
client to another server, or ask it for a credential. Values are as free as any text: they are masked like one.
"""

from collections.abc import Mapping

from extproc.exchange.text import TextFilter
from extproc.session.actions import Pairs
from extproc.session.forwarding import OWN_PREFIX
from extproc.session.secret import hidden

OWN_ID = "x-gatereeve-id"

_PASSED = frozenset(
    {
        "content-type",
        "content-length",
        "content-language",
        "content-disposition",
        "x-content-type-options",
        "transfer-encoding",  # Envoy's own affair
        "date",
        "age",
        "cache-control",
        "expires",
        "vary",
        "allow",
        "deprecation",
        "sunset",
        # What SDKs retry by, and what people give to a provider's support.
        "retry-after",
        "retry-after-ms",
        "x-should-retry",
        "request-id",
        "x-request-id",
        "x-ms-request-id",
        "apim-request-id",
        "x-amzn-requestid",
        "cf-ray",
    }
)
_PASSED_PREFIXES = ("openai-", "anthropic-", "x-ratelimit-", "ratelimit", "mcp-")
# Whose account the call was made on is the gateway's affair.
_ACCOUNT = frozenset({"openai-organization", "openai-project", "anthropic-organization-id"})
# What headers say of bytes; they pass only with exactly these.
_OF_THE_BODY = frozenset(
    {
        "content-encoding",
        "content-md5",
        "content-digest",
        "repr-digest",
        "digest",
        "etag",
        "last-modified",
        "accept-ranges",
    }
)
# Envoy's, the protocol's, or opaque by definition: a session's id must come back as it was.
_NO_TEXT = frozenset({":status", "content-length", "transfer-encoding", "date", "mcp-session-id"})


def returned(
    headers: Mapping[str, str], id: str, secret: bytes, mask: TextFilter | None, *, changed: bool
) -> tuple[Pairs, tuple[str, ...]]:
    """Headers to set and to remove. `id` is ours. `changed`: the client gets other bytes than the upstream sent.

    `secret` is the injected credential (b"": none); `mask` counts what it finds.
    """
    sets = [(OWN_ID, id)]
    removed = ["content-length"] if changed else []
    for name, value in headers.items():
        if name == OWN_ID or (changed and name == "content-length"):  # overwritten, and removed already
            continue
        if not _passes(name, changed):
            removed.append(name)
            continue
        shown = hidden(secret, value)
        if mask is not None and name not in _NO_TEXT:
            shown = mask.text(shown)
        if shown != value:
            sets.append((name, shown))
    return tuple(sets), tuple(removed)


def _passes(name: str, changed: bool) -> bool:
    if name in _PASSED:
        return True
    if name in _OF_THE_BODY:
        return not changed
    if name[:1] == ":":
        return True
    return name.startswith(_PASSED_PREFIXES) and name not in _ACCOUNT and not name.startswith(OWN_PREFIX)
