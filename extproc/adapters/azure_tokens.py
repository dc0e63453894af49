"""Microsoft Entra ID's access tokens for Azure, by one plain question each, without a library of Microsoft's.

A client secret or a federated assertion (a Kubernetes service account's token) is exchanged at the authority; a managed
identity is asked for at the machine's metadata service, or at the one that App Service and Container Apps name in the
environment. Files are read anew at each exchange, because both kinds are rotated.
"""

import time
from collections.abc import Callable, Mapping
from urllib.parse import quote, urlencode

from extproc.adapters.files import read_regular
from extproc.adapters.token_endpoint import TokenEndpoint, bearer, document, seconds
from extproc.adapters.tokens import MAX_TOKEN, Token
from extproc.errors import CredentialUnavailable
from extproc.policy.runtime import AzureSource

_ENTRA = "the authority"
_MACHINE = "the metadata service"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_IMDS = "http://169.254.169.254"
_FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}


def fetcher(source: AzureSource, environ: Mapping[str, str]) -> Callable[[], Token]:
    """What fetches a token of `source`; see `tokens.WarmToken`. Of `environ` are used what the source names, and what
    Azure itself puts there: AZURE_TENANT_ID and AZURE_CLIENT_ID for what the source leaves out, IDENTITY_ENDPOINT and
    IDENTITY_HEADER, AZURE_POD_IDENTITY_AUTHORITY_HOST (another address of the metadata service)."""
    if source.instance:
        return lambda: _managed(source, environ)
    return lambda: _exchanged(source, environ)


def _exchanged(source: AzureSource, environ: Mapping[str, str]) -> Token:
    tenant = source.tenant or environ.get("AZURE_TENANT_ID", "")
    client = source.client_id or environ.get("AZURE_CLIENT_ID", "")
    if not tenant or not client:
        raise CredentialUnavailable("the tenant or the client's id is not given")
    asked = {"client_id": client, "scope": source.scope, "grant_type": "client_credentials"}
    if source.token_file:  # RFC 7523 2.2
        asked |= {"client_assertion_type": _ASSERTION, "client_assertion": _read(source.token_file)}
    elif source.secret_file:
        asked["client_secret"] = _read(source.secret_file)
    elif source.secret_env in environ:
        asked["client_secret"] = _secret(environ[source.secret_env], f"environment variable {source.secret_env}")
    else:
        raise CredentialUnavailable(f"environment variable {source.secret_env} is not set")
    url = f"{source.authority.rstrip('/')}/{quote(tenant, safe='')}/oauth2/v2.0/token"
    with TokenEndpoint(_ENTRA) as endpoint:
        _, data = endpoint.ask("POST", url, _FORM, urlencode(asked).encode())
    return _token(data, _ENTRA)


def _managed(source: AzureSource, environ: Mapping[str, str]) -> Token:
    # v1 names a resource, v2 a scope of it.
    asked = {"resource": source.scope.removesuffix("/.default")}
    if client := source.client_id or environ.get("AZURE_CLIENT_ID", ""):
        asked["client_id"] = client
    url, header = environ.get("IDENTITY_ENDPOINT", ""), environ.get("IDENTITY_HEADER", "")
    if url and header:
        headers = {"x-identity-header": header}
        asked["api-version"] = "2019-08-01"
    else:
        host = environ.get("AZURE_POD_IDENTITY_AUTHORITY_HOST", _IMDS).rstrip("/")
        url = f"{host}/metadata/identity/oauth2/token"
        headers = {"metadata": "true"}
        asked["api-version"] = "2018-02-01"
    with TokenEndpoint(_MACHINE, direct=True) as endpoint:
        _, data = endpoint.ask("GET", f"{url}?{urlencode(asked)}", headers)
    return _token(data, _MACHINE)


def _token(data: bytes, what: str) -> Token:
    found = document(data, f"the answer of {what}")
    lifetime = seconds(found.get("expires_in"))
    if lifetime is None:
        until = seconds(found.get("expires_on"))  # Unix time: all that App Service tells
        if until is None:
            raise CredentialUnavailable(f"{what} does not say when the token expires")
        lifetime = until - time.time()
    return Token(bearer(found, what), lifetime)


def _read(path: str) -> str:
    try:
        raw = read_regular(path, MAX_TOKEN)
    except OSError as error:
        raise CredentialUnavailable(f"{path} cannot be read ({type(error).__name__})") from None
    try:
        return _secret(raw.decode(), path)
    except UnicodeDecodeError:
        raise CredentialUnavailable(f"{path} is not text") from None


def _secret(text: str, where: str) -> str:
    text = text.rstrip("\r\n")
    if not text.strip() or len(text) > MAX_TOKEN:
        raise CredentialUnavailable(f"{where} is empty or too long")
    return text
