"""Headers that repeat what the body says (MCP 2026-07-28), held against the body.

The body is the authority: it is what policy judges and what the upstream executes. A header that says something else
could make a router or a server that trusts headers act on another tool than the one that was judged, so it is refused
in every era; only the modern era demands that the headers are there.

`Mcp-Param-*` headers are forwarded unread. They mirror arguments that the tool's input schema annotates with
`x-mcp-header`, and the schema is not known here; the upstream knows it and must refuse a difference (-32020).
"""

import base64
import binascii
from collections.abc import Collection, Mapping
from typing import Any

from extproc.exchange.mcp_error import INVALID_REQUEST, BadMessage
from extproc.exchange.refusal import Reason

VERSION = "mcp-protocol-version"
METHOD = "mcp-method"
NAME = "mcp-name"
SESSION = "mcp-session-id"
ORIGIN = "origin"

MODERN = "2026-07-28"  # first revision without handshake and sessions

_WRAP, _UNWRAP = "=?base64?", "?="


def is_modern(version: str) -> bool:
    """Whether a version string names 2026-07-28 or later. Anything that is no date is not: it is the upstream's to
    refuse, and both eras hold the headers that are present against the body."""
    return version >= MODERN and len(version) == 10 and version[:4].isdecimal() and version[4] == version[7] == "-"


def decoded(value: str) -> str | None:
    """What a mirrored header says, or None if that is in doubt.

    In doubt are: a base64 wrapper whose content is not canonical base64 of UTF-8 (two readers could decode it
    differently), plain text outside printable ASCII (it had to be wrapped), and plain text with ", " in it (a header
    that was sent twice looks like that; a name that really holds it can be sent wrapped).
    """
    if value.startswith(_WRAP) and value.endswith(_UNWRAP) and len(value) >= len(_WRAP) + len(_UNWRAP):
        payload = value[len(_WRAP) : -len(_UNWRAP)]
        try:
            raw = base64.b64decode(payload, validate=True)
            return raw.decode("utf-8") if base64.b64encode(raw).decode("ascii") == payload else None
        except (binascii.Error, ValueError):
            return None
    if ", " in value or not value.isascii() or not value.isprintable():
        return None
    return value


def encoded(name: str) -> str:
    """A name as its header carries it: wrapped if it is no plain text, or would be read as something else."""
    plain = name.isascii() and name.isprintable() and name == name.strip() and ", " not in name
    if plain and not (name.startswith(_WRAP) and name.endswith(_UNWRAP)):
        return name
    return _WRAP + base64.b64encode(name.encode("utf-8", "surrogatepass")).decode("ascii") + _UNWRAP


def check(
    headers: Mapping[str, str], *, method: str, name: str, named: bool, version: str | None, required: bool, id: Any
) -> None:
    """Raise `BadMessage` (header-mismatch, -32020) unless the mirrored headers agree with the body.

    `named`: the method has a name that Mcp-Name must carry. `version`: what the body's `_meta` says, None if nothing.
    `required`: a missing header is refused as well.
    """
    said = headers.get(METHOD)
    if said != method and (said is not None or required):
        raise _mismatch("Mcp-Method", said, "method", id)
    said = headers.get(NAME)
    if said is None:
        if named and required:
            raise _mismatch("Mcp-Name", said, "name", id)
    elif not name or decoded(said) != name:
        raise _mismatch("Mcp-Name", said, "name", id)
    said = headers.get(VERSION)
    if said is None:
        if required:
            raise _mismatch("MCP-Protocol-Version", said, "protocol version", id)
    elif "," in said or (version is not None and said != version):
        raise _mismatch("MCP-Protocol-Version", said, "protocol version", id)


def check_origin(headers: Mapping[str, str], hosts: Collection[str], id: Any) -> None:
    """Raise `BadMessage` (origin-not-allowed, 403) if a web page of a foreign origin sends this (the specification's
    guard against DNS rebinding, 2025-11-25 and later; only browsers send Origin). `hosts` are lower-case host names.

    The Host header proves nothing here: in a rebinding attack it is the attacker's own name. And the upstream, which
    gets another Host than was sent, could not tell any more.
    """
    origin = headers.get(ORIGIN)
    if origin is None:
        return
    scheme, _, host = origin.lower().partition("://")
    end = host.find("]") + 1 or len(host.partition(":")[0])
    name, port = host[:end], host[end:]
    whole = not port or (port[0] == ":" and port[1:].isascii() and port[1:].isdecimal())
    if scheme not in ("http", "https") or not whole or not (name in _LOOPBACK or name in hosts):
        raise BadMessage(Reason.ORIGIN_NOT_ALLOWED, code=INVALID_REQUEST, id=id)


_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


def _mismatch(header: str, said: str | None, what: str, id: Any) -> BadMessage:
    problem = "is missing" if said is None else f"does not say, exactly once, what the body says as {what}"
    return BadMessage(Reason.HEADER_MISMATCH, f"The {header} header {problem}.", id=id)
