"""The request as the upstream gets it: where it goes, what is injected, and everything of the client's that is not."""

from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote_plus

from extproc.policy.runtime import Upstream
from extproc.session.actions import Pairs

# Envoy routes by it. Envoy drops the client's copy before we see it, we overwrite it, and the route drops it again.
ROUTING_HEADER = "x-gatereeve-upstream"
OWN_PREFIX = "x-gatereeve-"

_STRIPPED = frozenset(
    {
        # Every form in which a client may send a credential, and whose account a provider's key is used for.
        "authorization",
        "proxy-authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "x-access-token",
        "x-id-token",
        "x-refresh-token",
        "x-token",
        "x-secret",
        "x-authorization",
        "x-original-authorization",
        "authentication",
        "x-jwt-assertion",
        "jwt-assertion",
        "ocp-apim-subscription-key",
        "cookie",
        "openai-organization",
        "openai-project",
        "x-goog-user-project",
        # Who the caller is: servers believe what the proxy before them says, and we say nothing.
        "remote-user",
        "x-remote-user",
        "x-remote-group",
        "x-user",
        "x-username",
        "x-user-id",
        "x-user-email",
        "x-email",
        "x-groups",
        "x-roles",
        "x-client-cert",
        "x-anonymous-consumer",
        "x-credential-identifier",
        "from",
        # What would tell the upstream about the network the agent runs in.
        "true-client-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "fastly-client-ip",
        "x-azure-clientip",
        "x-appengine-user-ip",
        "forwarded",
        "x-real-ip",
        "via",
        # What would make a framework upstream serve another method or path than the one that was judged.
        "x-http-method-override",
        "x-http-method",
        "x-method-override",
        "x-original-url",
        "x-original-uri",
        "x-original-method",
        "x-rewrite-url",
        "x-original-host",
        "x-host",
        # A secret that is asked for in two ranges is in neither of them.
        "range",
        "if-range",
        # Settled here: the body is sent decoded and whole.
        "content-encoding",
        "content-md5",
        "content-digest",
        "repr-digest",
        "digest",
        "expect",
    }
)
# Families of the same: AWS, oauth2-proxy, Google IAP, Azure App Service, Cloudflare, Kong, TLS-terminating proxies.
_STRIPPED_PREFIXES = (
    OWN_PREFIX,
    "x-forwarded-",
    "x-amz-",
    "x-amzn-oidc-",
    "x-auth-",
    "x-authenticated-",
    "x-webauth-",
    "x-goog-authenticated-",
    "x-goog-iap-",
    "x-ms-client-principal",
    "x-ms-token-",
    "cf-",
    "x-consumer-",
    "ssl-client-",
    "x-ssl-",
    "x-pomerium-",
    "x-vouch-",
)
_KEPT = frozenset({ROUTING_HEADER, "x-forwarded-proto"})  # the first is overwritten, the second is Envoy's own
_STRIPPED_QUERY = frozenset(
    {
        "key", "apikey", "xapikey", "xgoogapikey", "token", "accesstoken", "idtoken", "refreshtoken", "oauthtoken",
        "authtoken", "auth", "authorization", "bearer", "jwt", "subscriptionkey", "ocpapimsubscriptionkey", "sig",
        "signature", "code", "secret", "clientsecret", "password", "passwd", "credential", "credentials",
        # A session is bound to its caller in its header.
        "sessionid", "mcpsessionid",
        # What is judged stands in the body: a server that reads it here too would read another.
        "model", "models", "deployment", "deploymentid", "engine", "fallbacks", "apibase", "baseurl",
    }
)  # fmt: skip
_STRIPPED_QUERY_PREFIXES = ("xamz", "xgoog", "xms")
_JOINTS = str.maketrans("", "", "-_. ")


def stripped(headers: Mapping[str, str], keep: tuple[str, ...], token: str) -> tuple[str, ...]:
    """The client's headers that do not go on, except `keep` (which are overwritten). `token` is the client's, verified:
    whatever a header is called, one that holds it goes."""
    return tuple(
        name
        for name, value in headers.items()
        if (_not_ours_to_pass(name) or (token and token in value))
        and name not in keep
        and name not in _KEPT
        and name[:1] != ":"  # these cannot go; what a client chose of them is set anew
    )


@lru_cache(maxsize=4096)
def _not_ours_to_pass(name: str) -> bool:
    return name in _STRIPPED or name.startswith(_STRIPPED_PREFIXES)


def query(raw: str, token: str) -> str:
    """The query string without credentials (the client's `token` among them) and without what only the body may say;
    "?" included, order and encoding of the rest stay."""
    if not raw:
        return ""
    kept = [part for part in raw.split("&") if not _secret(part, token)]
    return "?" + "&".join(kept) if kept else ""


def _secret(part: str, token: str) -> bool:
    """Whether any reader would find a credential's name in it: `%6bey=` is `key=` too, and so is `a=1;key=` for
    servers that still take a semicolon for a separator."""
    if token and token in unquote_plus(part):
        return True
    for piece in part.split(";"):
        name = unquote_plus(piece.partition("=")[0]).partition("[")[0].lower().translate(_JOINTS)
        if name in _STRIPPED_QUERY or name.startswith(_STRIPPED_QUERY_PREFIXES):
            return True
    return False


def pairs(upstream: Upstream, path: str, length: int | None, *, cluster: str = "") -> Pairs:
    """The headers to set. `length` is the body's, None for a request without one; `cluster` is Envoy's, if not the
    upstream's own."""
    out = [
        (ROUTING_HEADER, cluster or upstream.cluster),
        (":authority", upstream.authority),
        (":path", path),
        (":scheme", "https" if upstream.tls else "http"),
        # An answer that cannot be read could not be masked.
        ("accept-encoding", "identity"),
    ]
    if length is not None:
        # Envoy does not do it for a replaced body: a stale length is request smuggling.
        out.append(("content-length", str(length)))
        # The body was encoded here: no parameter of the client's may make the upstream read it in another way.
        out.append(("content-type", "application/json"))
    return tuple(out)
