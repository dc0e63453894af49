"""The declared shape of an IdentityProvider: whose tokens are believed."""

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from extproc.policy.documents.base import Declared, one_of
from extproc.policy.fields import Duration, DurationOrZero, Text, Url

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


class KeySet(Declared):
    """An issuer's public keys, written into the document."""

    keys: tuple[dict[str, Any], ...] = Field(min_length=1, description="Public JSON Web Keys (RFC 7517).")

    @field_validator("keys")
    @classmethod
    def _public(cls, keys: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        for key in keys:
            if key.get("kty") == "oct":
                raise ValueError("holds a shared secret (kty oct); only public keys can be used here")
            if "d" in key:
                raise ValueError(
                    "holds a PRIVATE key ('d'); remove it from the file, replace the key, write its public part"
                )
            if key.get("kty") not in ("RSA", "EC", "OKP"):
                raise ValueError("holds a key whose kty is not RSA, EC or OKP; write public JSON Web Keys")
        return keys


class Keys(Declared):
    """Where an issuer's public keys come from: exactly one of the fields."""

    url: Url | None = Field(default=None, description="URL of the key set (JWKS).")
    discovery: Literal[True] | None = Field(
        default=None, description="true: the issuer's /.well-known/openid-configuration names the key set."
    )
    file: Text | None = Field(default=None, description="A JWKS file, relative to the document's folder.")
    inline: KeySet | None = Field(default=None, description="The key set itself.")

    @model_validator(mode="after")
    def _exactly_one(self) -> "Keys":
        one_of(self, ("url", "discovery", "file", "inline"))
        return self


class Claims(Declared):
    """Which claim holds which part of the identity. Dots walk into objects, for example realm_access.roles."""

    subject: Text = Field(default="sub", description="Claim with the stable id of the caller.")
    groups: Text = Field(default="groups", description="Claim with the caller's groups, a list of texts or one text.")
    email: Text = Field(default="email", description="Claim with the e-mail address.")
    tenant: Text = Field(default="tenant", description="Claim with the tenant or organisation.")
    data_class: Text | None = Field(
        default=None,
        description="Claim with the class of the data the caller works with; a word that is none counts as restricted.",
    )


class IdentityProviderSpec(Declared):
    """Whose tokens are believed, and how they are verified."""

    issuer: Text = Field(description="The exact `iss` of its tokens.")
    audiences: tuple[Text, ...] = Field(min_length=1, description="A token needs at least one of these in `aud`.")
    keys: Keys = Field(description="Where the public keys come from.")
    algorithms: tuple[Algorithm, ...] = Field(
        default=("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"),
        min_length=1,
        description="Signature algorithms accepted; asymmetric only.",
    )
    types: tuple[str, ...] = Field(
        default=("JWT", "at+jwt", ""),
        min_length=1,
        description='Accepted `typ` headers, any case; "" accepts a token without.',
    )
    leeway: DurationOrZero = Field(default="30s", description="Clock difference allowed for expiry and not-before.")
    max_age: Duration = Field(default="5m", description="A verified token is verified again after this.")
    refresh: Duration = Field(default="5m", description="Keys older than this are fetched again in the background.")
    stale_for: DurationOrZero = Field(default="1d", description="Keys are used this long while the issuer is down.")
    refetch_interval: Duration = Field(
        default="30s", description="An unknown key id causes at most one fetch in this time."
    )
    claims: Claims = Field(default=Claims(), description="Which claim holds which part of the identity.")

    @field_validator("algorithms", mode="before")
    @classmethod
    def _asymmetric(cls, value: object) -> object:
        for name in value if isinstance(value, tuple) else ():
            if isinstance(name, str) and name.upper() == "NONE":
                raise ValueError("none means unsigned tokens, which anyone can write; remove it")
            if isinstance(name, str) and name.upper().startswith("HS"):
                raise ValueError(
                    f"{name} verifies with a shared secret, so whoever can check a token can also forge one; "
                    "use an asymmetric algorithm, for example RS256 or ES256"
                )
        return value
