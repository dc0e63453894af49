"""The verified caller, and the issuer settings a token is held against."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller whose token was verified. `claims` is everything the token said; it never leaves policy conditions.

    `expires_at` is Unix time in seconds, the token's `exp` plus the issuer's leeway: the verdict on the token is not
    reused past it.
    """

    provider: str
    issuer: str
    subject: str
    groups: tuple[str, ...] = ()
    email: str = ""
    tenant: str = ""
    expires_at: float = 0.0
    data_class: str = ""  # the word its token has for the data it works with
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False, hash=False, compare=False)


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a token must be for: `resource`, a URI (RFC 8707), and unless `strict` instead of it an audience of the
    issuer's own. Without a resource the issuer's own are all that counts."""

    resource: str = ""
    strict: bool = False

    @property
    def key(self) -> bytes:
        """Tells apart audiences under which a token may be judged differently."""
        return f"{self.strict:d}{self.resource}".encode() if self.resource else b""


ISSUERS_OWN = Audience()


@dataclass(frozen=True, slots=True)
class ClaimMapping:
    """Where in the token each part of the identity stands. A dotted name walks into objects (`realm_access.roles`);
    a claim whose own name has dots or slashes (`https://acme.example/groups`) is tried whole first."""

    subject: str = "sub"
    groups: str = "groups"
    email: str = "email"
    tenant: str = "tenant"
    data_class: str = ""  # "": no claim says it


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where an issuer's public keys come from. Exactly one of `url`, `discovery`, `file`, `inline` is set.

    `discovery` is the issuer's base URL (its /.well-known/openid-configuration names the key set). `inline` is the
    JWKS document as JSON text.
    """

    url: str = ""
    discovery: str = ""
    file: str = ""
    inline: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Issuer:
    """A compiled IdentityProvider: everything needed to hold a token against it. Durations in seconds."""

    name: str
    issuer: str
    audiences: tuple[str, ...]
    keys: KeySource
    algorithms: tuple[str, ...] = ("RS256", "RS384", "RS512", "ES256", "ES384", "PS256", "PS384", "PS512", "EdDSA")
    types: tuple[str, ...] = ("jwt", "at+jwt")  # lower-case; a token without typ is accepted when "" is listed
    leeway: float = 30.0
    max_age: float = 300.0  # a verified token is verified again after this, even if it has not expired
    refresh: float = 300.0  # keys older than this are fetched again in the background
    stale_for: float = 86400.0  # keys are served this long while the issuer is down
    refetch_interval: float = 30.0  # an unknown kid causes at most one fetch in this time
    mapping: ClaimMapping = ClaimMapping()
    rule: str = ""  # "IdentityProvider/demo (identity.yaml:1)"
