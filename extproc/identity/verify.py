"""Token to identity: the one place where a token is believed.

Pure: keys and the time are arguments. Order matters: what decides whether the signature can be checked at all
(algorithm, issuer) comes first, then the signature, and only then what the claims say. Sentences name what is wrong
and what to do, never a value of the token.
"""

import math
from collections.abc import Mapping
from typing import Any

from jwt.algorithms import Algorithm, get_default_algorithms

from extproc.exchange.refusal import Reason, Refusal
from extproc.identity.keyset import ALGORITHMS, Key, KeySet
from extproc.identity.model import ISSUERS_OWN, Audience, ClaimMapping, Identity, Issuer
from extproc.identity.token import Unverified

# In `Identity.claims` when the issuer left the groups out because there are too many: the caller is then a member of
# no group as far as policy is concerned, and a condition can tell that from having none.
GROUPS_UNKNOWN = "gatereeve_groups_unknown"

_MAX_TIME = 253_402_300_800  # the year 10000: a larger number is a mistake (milliseconds, say), not a date
_MAX_TEXT = 1024


def _verifiers() -> dict[str, Algorithm]:
    known = get_default_algorithms()
    known["Ed25519"] = known["EdDSA"]  # RFC 9864: the name that says which curve
    return {name: known[name] for name in ALGORITHMS}


_VERIFIERS = _verifiers()


class _ClaimProblem(Exception):
    """A claim that is missing or of the wrong kind; the message is a sentence without values."""


def verify(
    token: Unverified, issuer: Issuer, keys: KeySet, wall: float, audience: Audience = ISSUERS_OWN
) -> Identity | Refusal:
    """Hold a token against one issuer. `wall` is Unix time in seconds."""
    refusal = precheck(token, issuer)
    if refusal is not None:
        return refusal
    candidates = keys.candidates(token.kid, token.algorithm)
    if not candidates:
        if keys.knows(token.kid):
            return Refusal.of(Reason.TOKEN_ALGORITHM, message="The token's algorithm does not fit its issuer's key.")
        return Refusal.of(Reason.TOKEN_KEY_UNKNOWN)
    if not any(_signed_by(key, token) for key in candidates):
        return Refusal.of(Reason.TOKEN_SIGNATURE)
    return judge_claims(token, issuer, wall, audience)


def precheck(token: Unverified, issuer: Issuer) -> Refusal | None:
    """What can be said without a key. None: nothing speaks against the token yet."""
    if not token.issuer or token.issuer != issuer.issuer:
        return Refusal.of(Reason.TOKEN_ISSUER)
    if token.algorithm not in issuer.algorithms or token.algorithm not in _VERIFIERS:
        return Refusal.of(Reason.TOKEN_ALGORITHM)
    if token.type not in issuer.types:
        return Refusal.of(Reason.TOKEN_TYPE)
    return None


def judge_claims(
    token: Unverified, issuer: Issuer, wall: float, audience: Audience = ISSUERS_OWN
) -> Identity | Refusal:
    """What the claims amount to *if* the signature is good. Never an identity by itself: `verify` is."""
    claims = token.claims
    if not _audience_fits(claims.get("aud"), _accepted(issuer, audience)):
        return Refusal.of(Reason.TOKEN_AUDIENCE, message=_audience_help(issuer, audience))
    try:
        expires = _time(claims, "exp")
        if expires is None:
            raise _ClaimProblem("The token has no expiry (exp). Ask for one that expires.")
        starts = max((_time(claims, name) or -math.inf for name in ("nbf", "iat")), default=-math.inf)
        if wall >= expires + issuer.leeway:
            return Refusal.of(Reason.TOKEN_EXPIRED)
        if wall < starts - issuer.leeway:
            return Refusal.of(Reason.TOKEN_NOT_YET_VALID)
        return _identity(claims, issuer, expires + issuer.leeway)
    except _ClaimProblem as problem:
        return Refusal.of(Reason.TOKEN_CLAIMS, message=str(problem))


def claim(claims: Mapping[str, Any], path: str) -> Any:
    """The claim at `path`: its whole name first, then dots walk into objects. None if there is none."""
    if path in claims:
        return claims[path]
    here: Any = claims
    for name in path.split("."):
        if not isinstance(here, dict) or name not in here:
            return None
        here = here[name]
    return here


def _signed_by(key: Key, token: Unverified) -> bool:
    # PyJWT checks time claims against its own clock, so only its signature primitives are used. `Key.algorithms`
    # has already tied the algorithm to the key's type and curve: an HS token can never meet a public key here.
    return bool(_VERIFIERS[token.algorithm].verify(token.signed, key.public, token.signature))


def _audience_fits(aud: Any, wanted: tuple[str, ...]) -> bool:
    values = [aud] if isinstance(aud, str) else aud
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        return False
    return any(value in wanted for value in values)


def _accepted(issuer: Issuer, audience: Audience) -> tuple[str, ...]:
    """The values of `aud` of which one is enough. A resource fits exactly as it is, or with one slash after it: URL
    libraries put one after a host that has no path, and both spellings lead to the same server here."""
    resource = audience.resource
    if not resource:
        return issuer.audiences
    fitting = (resource, resource + "/")
    return fitting if audience.strict else (*fitting, *issuer.audiences)


def _audience_help(issuer: Issuer, audience: Audience) -> str:
    if audience.resource:
        return f"The token was issued for another service. Ask for one with the resource {audience.resource}."
    if len(issuer.audiences) == 1:
        return f"The token was issued for another service. Ask for one with the audience {issuer.audiences[0]}."
    return ""


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None and name not in claims:
        return None
    # bool is an int to Python; "1700000000" is a number only to lenient readers. The chain also refuses NaN.
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_MAX_TIME < value < _MAX_TIME:
        raise _ClaimProblem(f"The token's {name} is not a time. Get a token from a standard issuer.")
    return float(value)


def _identity(claims: dict[str, Any], issuer: Issuer, until: float) -> Identity:
    mapping = issuer.mapping
    subject = claim(claims, mapping.subject)
    if not isinstance(subject, str) or not subject.strip():
        raise _ClaimProblem(f"The token lacks the claim that says who you are ({mapping.subject}).")
    if len(subject) > _MAX_TEXT or not subject.isprintable():
        raise _ClaimProblem(f"The claim that says who you are ({mapping.subject}) is too long or not plain text.")
    groups = _groups(claims, mapping)
    if groups is None:
        claims = {**claims, GROUPS_UNKNOWN: True}
    return Identity(
        provider=issuer.name,
        issuer=issuer.issuer,
        subject=subject,
        groups=groups or (),
        email=_email(claims, mapping),
        tenant=_text(claim(claims, mapping.tenant)),
        expires_at=until,
        data_class=_data_class(claims, mapping),
        claims=claims,
    )


def _data_class(claims: Mapping[str, Any], mapping: ClaimMapping) -> str:
    """The claim's word; a claim that is there and is no word is given as one that means nothing."""
    value = claim(claims, mapping.data_class) if mapping.data_class else None
    if value is None:
        return ""
    return value[:_MAX_TEXT] if isinstance(value, str) and value else "?"


def _groups(claims: Mapping[str, Any], mapping: ClaimMapping) -> tuple[str, ...] | None:
    """Group names; None when the issuer says that it left them out."""
    value = claim(claims, mapping.groups)
    if value is None:
        return None if _overage(claims, mapping) else ()
    names = [value] if isinstance(value, str) else value
    # A list that is only half readable might hide the very group that a policy excludes.
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _ClaimProblem(f"The claim that names your groups ({mapping.groups}) is not a list of names.")
    return tuple(names)


def _overage(claims: Mapping[str, Any], mapping: ClaimMapping) -> bool:
    """Entra leaves the groups out of tokens with more than 200 of them and says so in one of these ways."""
    elsewhere = claims.get("_claim_names")
    listed = isinstance(elsewhere, dict) and mapping.groups in elsewhere
    return listed or claims.get("hasgroups") in (True, "true")


def _email(claims: Mapping[str, Any], mapping: ClaimMapping) -> str:
    # OpenID Connect Core 5.1: an address the issuer has not verified is only something the user typed.
    if mapping.email == "email" and claims.get("email_verified") in (False, "false"):
        return ""
    return _text(claim(claims, mapping.email))


def _text(value: Any) -> str:
    return value if isinstance(value, str) and len(value) <= _MAX_TEXT and value.isprintable() else ""
