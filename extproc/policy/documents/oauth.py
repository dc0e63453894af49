"""The declared shape of OAuth at an MCPServer: what its tokens must be for and hold, and what goes upstream in their
place for each caller. Nothing here is a place to write a secret into."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from extproc.policy.documents.base import Declared, one_of
from extproc.policy.fields import Pattern, Text, Url, split_url

# RFC 6749 3.3. Anything else would end the quoted string that a challenge has it in.
_SCOPE = frozenset(map(chr, (0x21, *range(0x23, 0x5C), *range(0x5D, 0x7F))))


def _scope(value: str) -> str:
    if not value or not set(value) <= _SCOPE:
        raise ValueError("is not a scope; write one word without spaces, quotes and backslashes, for example crm.read")
    return value


def _resource(value: str) -> str:
    parts = split_url(value)
    if '"' in value or parts.netloc != parts.netloc.lower() or not value.startswith(("https://", "http://")):
        raise ValueError("is not canonical; write scheme and host in lower case, as in https://mcp.example.com/mcp/crm")
    if value.endswith("/"):
        raise ValueError("ends with '/'; write it without, as MCP's clients do")
    return value


Scope = Annotated[str, AfterValidator(_scope), Field(examples=["crm.read"])]
ResourceUri = Annotated[str, AfterValidator(_resource), Field(examples=["https://mcp.example.com/mcp/crm"])]


class ToolScopes(Declared):
    """What the token of a call of some tools must hold besides."""

    match: Pattern = Field(description="Names of tools; `*` stands for any text.")
    scopes: tuple[Scope, ...] = Field(min_length=1, description="Scopes that are all needed.")


class OAuthSpec(Declared):
    """Makes the server an OAuth 2.1 protected resource, whose clients find out by themselves where to log in."""

    resource: ResourceUri | None = Field(
        default=None,
        description="The server's URL at the gateway, as clients have it; default: as each request has it.",
    )
    audience: Literal["resource", "provider"] | None = Field(
        default=None,
        description="Whom a token must be for: the resource and nobody else, or the resource or an audience of the "
        "IdentityProvider. Default: resource, if there is one.",
    )
    authorization_servers: tuple[Url, ...] = Field(
        default=(),
        description="Issuers at which clients get tokens, the first being the one most clients take; default: those of "
        "all IdentityProviders.",
    )
    scopes: tuple[Scope, ...] = Field(default=(), description="Scopes that every request needs.")
    tools: tuple[ToolScopes, ...] = Field(
        default=(), description="Scopes that calls of some tools need besides; every entry that matches counts."
    )
    scope_prefix: Text | None = Field(
        default=None,
        description="What clients must put before a scope when they ask for it (Entra: api://<application>/).",
    )
    title: Text | None = Field(default=None, description="What people call the server; default: its name.")
    documentation: Url | None = Field(default=None, description="A page that tells developers how to use the server.")

    @model_validator(mode="after")
    def _holds_together(self) -> "OAuthSpec":
        # Derived from a request, the resource would be what the client says it is: any token would fit.
        if self.audience == "resource" and self.resource is None:
            raise ValueError("holds tokens to a resource that it does not name; give resource")
        if self.scope_prefix is not None and not set(self.scope_prefix) <= _SCOPE:
            raise ValueError("has a scopePrefix that cannot stand in a scope; correct it")
        return self


class ClientSecret(Declared):
    """Where a client's secret is read from: exactly one of the fields."""

    file: Text | None = Field(default=None, description="A file, relative to the document's folder; read at each use.")
    env: Text | None = Field(default=None, description="An environment variable of the gateway.")

    @model_validator(mode="after")
    def _exactly_one(self) -> "ClientSecret":
        one_of(self, ("file", "env"))
        return self


class UserToken(Declared):
    """A token of each caller's own, which something else keeps in a folder: one file each, named by a hash."""

    folder: Text = Field(description="The folder, relative to the document's; its files are re-read when they change.")
    apart: tuple[Text, ...] = Field(
        default=(), description="Claims (a project, say) that keep a caller's tokens apart, besides the tenant."
    )
    connect: Url | None = Field(default=None, description="Where callers without a token get one stored.")


class Exchange(Declared):
    """The caller's token exchanged for one of the upstream's own (RFC 8693)."""

    token_endpoint: Url = Field(description="The authorization server's token endpoint.")
    client_id: Text = Field(description="The gateway's id there.")
    client_secret: ClientSecret | None = Field(default=None, description="The gateway's secret there.")
    client_auth: Literal["basic", "post"] = Field(
        default="basic", description="How the secret is sent: in the Authorization header, or in the form."
    )
    audience: Text | None = Field(default=None, description="The upstream's name there.")
    resource: Url | None = Field(default=None, description="The upstream's URI there.")
    scope: Text | None = Field(default=None, description="Scopes to ask for, separated by spaces.")
    subject_token_type: Text = Field(
        default="urn:ietf:params:oauth:token-type:access_token", description="What the caller's token is."
    )

    @model_validator(mode="after")
    def _aims(self) -> "Exchange":
        if self.audience is None and self.resource is None and self.scope is None:
            raise ValueError("does not say what for; give audience, resource or scope")
        parts = split_url(self.token_endpoint)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError("would send callers' tokens in the clear; write the tokenEndpoint with https")
        return self
