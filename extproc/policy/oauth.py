"""What OAuth asks of the callers of one MCP server, and where the upstream's token comes from for each of them.

Knows which scopes a call needs and which a token has. Verifies no token (`identity.verify` does), writes no challenge
(`session.protected_resource` does) and holds no secret.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from extproc.identity.model import ISSUERS_OWN, Audience
from extproc.policy.documents import Credential, IdentityProviderSpec, OAuthSpec
from extproc.policy.fields import split_url
from extproc.policy.names import Names

WELL_KNOWN = "/.well-known/oauth-protected-resource"  # RFC 9728 3


@dataclass(frozen=True, slots=True)
class OAuth:
    """A protected resource. `resource` is its URI and `metadata` the URL of the document about it, both "" where the
    policy does not say under which name clients reach the gateway. `prefix` stands before scopes that are asked for,
    and not in tokens."""

    resource: str
    metadata: str
    audience: Audience
    authorization_servers: tuple[str, ...]
    scopes: tuple[str, ...] = ()
    tools: tuple[tuple[Callable[[str], bool], tuple[str, ...]], ...] = ()
    prefix: str = ""
    title: str = ""
    documentation: str = ""

    def needed(self, tool: str) -> tuple[str, ...]:
        """The scopes of a call of `tool`, or with "" of anything that is no tool, in the policy's order."""
        if not tool or not self.tools:
            return self.scopes
        found = dict.fromkeys(self.scopes)
        for matches, scopes in self.tools:
            if matches(tool):
                found.update(dict.fromkeys(scopes))
        return tuple(found)

    @property
    def known(self) -> tuple[str, ...]:
        """Every scope that means something here."""
        return tuple(dict.fromkeys((*self.scopes, *(scope for _, scopes in self.tools for scope in scopes))))


@dataclass(frozen=True, slots=True)
class UserTokenSource:
    """A folder with a token for each caller. `format` holds `{}` where it goes; `apart` are claims that, besides the
    tenant, keep the tokens of one caller apart; `connect` is where callers get a token stored, "" if nobody said."""

    name: str  # unique: "MCPServer/crm"
    folder: str
    header: str = "authorization"  # lower-case
    format: str = "Bearer {}"
    apart: tuple[str, ...] = ()
    connect: str = ""


@dataclass(frozen=True, slots=True)
class ExchangeSource:
    """Where callers' tokens are exchanged (RFC 8693), and for what; "" is not said. Without a secret the gateway is a
    public client."""

    name: str  # unique: "MCPServer/crm"
    endpoint: str
    client_id: str
    secret_file: str = ""
    secret_env: str = ""
    post: bool = False
    audience: str = ""
    resource: str = ""
    scope: str = ""
    subject_token_type: str = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  (a type, not a token)


Delegation = UserTokenSource | ExchangeSource
"""What the upstream's token is got by for one caller."""


def granted(claims: Mapping[str, Any]) -> frozenset[str]:
    """The scopes a token holds: in `scope` by RFC 9068, in `scp` by Entra (words) and Okta (a list). Anything else
    grants nothing."""
    found: set[str] = set()
    for name in ("scope", "scp"):
        value = claims.get(name)
        if isinstance(value, str):
            found.update(value.split(" "))
        elif isinstance(value, list):
            found.update(scope for scope in value if isinstance(scope, str))
    found.discard("")
    return frozenset(found)


def metadata_url(resource: str) -> str:
    """Where the document about `resource` is (RFC 9728 3.1): the well-known path goes between host and path."""
    parts = urlsplit(resource)
    return f"{parts.scheme}://{parts.netloc}{WELL_KNOWN}{parts.path.rstrip('/')}"


def compile_oauth(spec: OAuthSpec | None, name: str, providers: Sequence[IdentityProviderSpec]) -> OAuth | None:
    """The runtime of a server's `oauth`. Raises `ValueError` with a sentence about what is missing."""
    if spec is None:
        return None
    servers = spec.authorization_servers or tuple(dict.fromkeys(p.issuer for p in providers if _is_url(p.issuer)))
    if not servers:
        raise ValueError("names no authorization server, and no IdentityProvider's issuer is a URL; list them")
    resource = spec.resource or ""
    strict = spec.audience == "resource" if spec.audience is not None else bool(resource)
    return OAuth(
        resource,
        metadata_url(resource) if resource else "",
        Audience(resource, strict) if resource else ISSUERS_OWN,
        servers,
        spec.scopes,
        tuple((Names((entry.match,)), entry.scopes) for entry in spec.tools),
        spec.scope_prefix or "",
        spec.title or name,
        spec.documentation or "",
    )


def compile_delegation(spec: Credential | None, name: str, folder: Path) -> Delegation | None:
    """What a credential says of each caller's own token; None if it is one and the same for all."""
    if spec is None:
        return None
    if spec.user_token is not None:
        own = spec.user_token
        header = spec.header or "authorization"
        form = spec.format or ("Bearer {}" if header == "authorization" else "{}")
        return UserTokenSource(name, str(folder / own.folder), header, form, own.apart, own.connect or "")
    if spec.exchange is not None:
        exchange = spec.exchange
        secret = exchange.client_secret
        return ExchangeSource(
            name,
            exchange.token_endpoint,
            exchange.client_id,
            str(folder / secret.file) if secret is not None and secret.file else "",
            (secret.env or "") if secret is not None else "",
            exchange.client_auth == "post",
            exchange.audience or "",
            exchange.resource or "",
            exchange.scope or "",
            exchange.subject_token_type,
        )
    return None


def by_path(servers: Mapping[str, OAuth]) -> Mapping[str, str]:
    """The path after the well-known one to the name of the server it is about, for the gateway's own hosts. Of paths
    that several claim, /mcp/<name> is its owner's; others are nobody's."""
    found: dict[str, str] = {}
    for name, oauth in servers.items():
        path = urlsplit(oauth.resource).path
        found[path] = name if path not in found else ""
    if len(servers) == 1:
        found[""] = next(iter(servers))
    elif "" in found:
        found[""] = ""
    found.update({f"/mcp/{name}": name for name in servers})
    return {path: name for path, name in found.items() if name}


def _is_url(text: str) -> bool:
    try:
        split_url(text)
    except ValueError:
        return False
    return True
