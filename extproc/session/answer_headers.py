"""The headers of an upstream's answer that reach the client: those that clients of these APIs read, and no others.

A list of what to drop would have to know every header that some proxy or browser obeys (`x-accel-redirect`, `refresh`,
`link`, `set-cookie`, ...); whoever stands upstream must not speak in our name, set state for our origin, send the
client to another server, or ask it for a credential. Values are as free as any text: they are masked like one.
"""

from collections.abc import Mapping
from functools import lru_cache

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
        "x-amzn-errortype",  # the only place where Bedrock names an error, which boto3 raises by this name
        "cf-ray",
    }
)
_PASSED_PREFIXES = ("openai-", "anthropic-", "x-ratelimit-", "ratelimit", "mcp-")
_VENDORS = frozenset({"x-ms-request-id", "apim-request-id", "x-amzn-requestid", "x-amzn-errortype", "cf-ray"})
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
_BETWEEN = "\0"  # no header has it


def returned(
    headers: Mapping[str, str],
    id: str,
    secret: bytes,
    mask: TextFilter | None,
    *,
    changed: bool,
    translated: bool = False,
) -> tuple[Pairs, tuple[str, ...]]:
    """Headers to set and to remove. `id` is ours. `changed`: the client gets other bytes than the upstream sent;
    `translated`: in another vendor's API, whose clients make nothing of this one's headers.

    `secret` is the injected credential (b"": none); `mask` counts what it finds.
    """
    removed = ["content-length"] if changed else []
    kept: dict[str, str] = {}
    for name, value in headers.items():
        if _passes(name, changed) and not (translated and _is_vendors(name)):
            if name not in _NO_TEXT or secret:
                kept[name] = value
        elif name != OWN_ID and name not in removed:  # ours is overwritten
            removed.append(name)
    sets = [(OWN_ID, id)]
    shown = _masked(_hidden(kept, secret), mask)
    for name, value in kept.items():
        if name not in shown:
            removed.append(name)
        elif shown[name] != value:
            sets.append((name, shown[name]))
    return tuple(sets), tuple(removed)


def _hidden(values: dict[str, str], secret: bytes) -> dict[str, str]:
    if not secret or secret.decode("latin-1") not in _BETWEEN.join(values.values()):
        return values
    return {name: hidden(secret, value) for name, value in values.items()}


def _masked(values: dict[str, str], mask: TextFilter | None) -> dict[str, str]:
    """All values in one text, because a text costs what ten of them cost. When the parts cannot be told any more, a
    match having gone from one into the next, none is left."""
    if mask is None:
        return values
    names = [name for name in values if name not in _NO_TEXT]
    parts = mask.text(_BETWEEN.join([values[name] for name in names])).split(_BETWEEN)
    shown = dict(zip(names, parts, strict=True)) if len(parts) == len(names) else {}
    return {**{name: value for name, value in values.items() if name in _NO_TEXT}, **shown}


@lru_cache(maxsize=1024)
def _is_vendors(name: str) -> bool:
    return name in _VENDORS or name.startswith(_PASSED_PREFIXES)


@lru_cache(maxsize=1024)
def _passes(name: str, changed: bool) -> bool:
    if name in _PASSED:
        return not (changed and name == "content-length")
    if name in _OF_THE_BODY:
        return not changed
    if name[:1] == ":":
        return True
    return name.startswith(_PASSED_PREFIXES) and name not in _ACCOUNT and not name.startswith(OWN_PREFIX)
