"""A token before anyone believes it: found in the headers, taken apart, held to a strict shape.

Never verifies and never follows anything the token says about its own keys (`jwk`, `jku`, `x5u`, `x5c` are not even
looked at). What cannot be read in exactly one way is refused, so that no two readers of a token can differ.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from extproc.exchange.refusal import Reason, Refusal

MAX_TOKEN = 16 * 1024  # characters; Envoy's own header limit is 60 KiB, real tokens are 1 to 4
SOURCES = ("authorization", "x-api-key", "api-key", "x-goog-api-key")  # where SDKs put their key

_MAX_KID = 512
# `crit` (RFC 7515 4.1.11) names extensions that must be understood, and we understand none; `b64` (RFC 7797) changes
# what is signed; `enc` and `zip` mean an encrypted token.
_REFUSED_PARAMETERS = ("crit", "b64", "enc", "zip")


@dataclass(frozen=True, slots=True)
class Unverified:
    """The parts of a well-formed token. Nothing in it is true until `verify.verify` says so.

    `type` is the `typ` header in lower case without an "application/" prefix, "" if there is none.
    """

    algorithm: str
    kid: str | None
    type: str
    issuer: str
    claims: dict[str, Any] = field(repr=False)
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)


class _Malformed(Exception):
    """The token cannot be read in exactly one way."""


def extract(headers: Mapping[str, str]) -> str | Refusal:
    """The one token these (lower-case) headers carry; from several headers only if they all carry the same."""
    found = ""
    for source in SOURCES:
        value = headers.get(source, "").strip()
        if not value:
            continue
        if "," in value:  # the header came twice: no token has a comma
            return Refusal.of(Reason.TOKEN_AMBIGUOUS, message=f"The {source} header was sent twice. Send exactly one.")
        if source == "authorization":
            scheme, _, value = value.partition(" ")
            value = value.strip()
            if scheme.lower() != "bearer":
                return Refusal.of(
                    Reason.TOKEN_MALFORMED, message="The Authorization scheme is not accepted. Send a Bearer token."
                )
            if not value:
                continue
        if len(value) > MAX_TOKEN:
            return _too_long()
        if found and value != found:
            return Refusal.of(Reason.TOKEN_AMBIGUOUS)
        found = value
    return found or Refusal.of(Reason.TOKEN_MISSING)


def peek(token: str) -> Unverified | Refusal:
    """Take a token apart without believing it."""
    if len(token) > MAX_TOKEN:
        return _too_long()
    segments = token.split(".")
    if len(segments) != 3:
        return Refusal.of(Reason.TOKEN_MALFORMED)
    try:
        header = _object(segments[0])
        claims = _object(segments[1])
        signature = base64url(segments[2])
        return _unverified(header, claims, f"{segments[0]}.{segments[1]}".encode("ascii"), signature)
    except _Malformed:
        return Refusal.of(Reason.TOKEN_MALFORMED)
    except ValueError:  # also UnicodeEncodeError: a token is ASCII
        return Refusal.of(Reason.TOKEN_MALFORMED)


def base64url(text: str) -> bytes:
    """Unpadded base64url in its one canonical spelling. Raises ValueError for any other."""
    raw = text.encode("ascii")
    try:
        data = base64.urlsafe_b64decode(raw + b"=" * (-len(raw) % 4))
    except binascii.Error:
        raise ValueError("not base64url") from None
    # Python's decoder skips foreign characters and ignores stray bits: only what encodes back the same was canonical.
    if base64.urlsafe_b64encode(data).rstrip(b"=") != raw:
        raise ValueError("not canonical base64url")
    return data


def _too_long() -> Refusal:
    return Refusal.of(Reason.TOKEN_MALFORMED, message=f"The token is longer than {MAX_TOKEN} characters.")


def _unverified(header: dict[str, Any], claims: dict[str, Any], signed: bytes, signature: bytes) -> Unverified:
    if any(name in header for name in _REFUSED_PARAMETERS):
        raise _Malformed
    algorithm, kid, type_ = header.get("alg"), header.get("kid"), header.get("typ", "")
    if not isinstance(algorithm, str) or not isinstance(type_, str):
        raise _Malformed
    if kid is not None and (not isinstance(kid, str) or len(kid) > _MAX_KID):
        raise _Malformed
    issuer = claims.get("iss")
    return Unverified(
        algorithm=algorithm,
        kid=kid,
        type=type_.lower().removeprefix("application/"),  # RFC 7515 4.1.9: the prefix may be left out
        issuer=issuer if isinstance(issuer, str) else "",
        claims=claims,
        signed=signed,
        signature=signature,
    )


def _object(segment: str) -> dict[str, Any]:
    data = base64url(segment)
    try:
        text = data.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
        if "\\u" in text:  # an escaped lone surrogate is no text: it could not be compared, logged or sent on
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise _Malformed from None
    if not isinstance(value, dict):
        raise _Malformed
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):  # RFC 7519 section 4: refuse duplicate names, or two readers may disagree
        raise _Malformed
    return value


def _no_constant(name: str) -> NoReturn:
    raise _Malformed(name)  # NaN and Infinity are not JSON
