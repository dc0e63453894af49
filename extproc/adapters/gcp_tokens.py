"""Google's access tokens: from a service account's key, from workload identity federation, from the metadata server.

google-auth makes the assertions and the exchanges; it asks through `TokenEndpoint`, with its limits. Files are read
anew for each token, because they are rotated. Files that run a program, or stand for a person, are refused. The
metadata server is asked plainly: that needs no library, and google-auth's own way to it needs one more.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, NamedTuple
from urllib.parse import urlencode

from extproc.adapters.files import read_regular
from extproc.adapters.token_endpoint import TokenEndpoint, bearer, checked, document, seconds
from extproc.adapters.tokens import Token
from extproc.errors import CredentialUnavailable, StartupError
from extproc.policy.runtime import GcpSource

_MACHINE = "the metadata server"
_TOKENS = "the token endpoint"
_MAX_FILE = 64 * 1024  # bytes
_REFUSED = {  # what Google's own tools write besides the two kinds that are served
    "authorized_user": "a person's credentials",
    "external_account_authorized_user": "a person's credentials",
    "impersonated_service_account": "an impersonation by way of other credentials",
    "gdch_service_account": "an account of Google Distributed Cloud",
}


def fetcher(source: GcpSource, environ: Mapping[str, str]) -> Callable[[], Token]:
    """What fetches a token of `source`; see `tokens.WarmToken`. Of `environ` are used GOOGLE_APPLICATION_CREDENTIALS
    (the file, if the source names none) and GCE_METADATA_HOST (another address of the metadata server)."""
    if source.instance:
        return lambda: _machine(source, environ)
    return lambda: _from_file(source, environ)


def _machine(source: GcpSource, environ: Mapping[str, str]) -> Token:
    host = environ.get("GCE_METADATA_HOST", "") or "metadata.google.internal"
    url = f"http://{host}/computeMetadata/v1/instance/service-accounts/default/token"
    with TokenEndpoint(_MACHINE, direct=True) as endpoint:
        asked = urlencode({"scopes": source.scope})
        headers, data = endpoint.ask("GET", f"{url}?{asked}", {"metadata-flavor": "Google"})
    if headers.get("metadata-flavor") != "Google":  # something else answers there
        raise CredentialUnavailable(f"what answered is not {_MACHINE}")
    found = document(data, f"the answer of {_MACHINE}")
    lifetime = seconds(found.get("expires_in"))
    if lifetime is None:
        raise CredentialUnavailable(f"{_MACHINE} does not say when the token expires")
    return Token(bearer(found, _MACHINE), lifetime)


def _from_file(source: GcpSource, environ: Mapping[str, str]) -> Token:
    path = source.file or environ.get("GOOGLE_APPLICATION_CREDENTIALS", "")
    if not path:
        raise CredentialUnavailable("no file is named, and GOOGLE_APPLICATION_CREDENTIALS is not set")
    try:
        data = read_regular(path, _MAX_FILE)
    except OSError as error:
        raise CredentialUnavailable(f"{path} cannot be read ({type(error).__name__})") from None
    if len(data) > _MAX_FILE:
        raise CredentialUnavailable(f"{path} is longer than {_MAX_FILE} bytes")
    info = document(data, path)
    credentials = _credentials(info, path, source.scope)
    with TokenEndpoint(_TOKENS) as endpoint:
        credentials.refresh(_Request(endpoint))
    token, expiry = credentials.token, credentials.expiry
    if not isinstance(token, str) or not isinstance(expiry, datetime):
        raise CredentialUnavailable(f"{_TOKENS} gave no token, or does not say when it expires")
    return Token(token, (expiry.replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds())


def _credentials(info: Mapping[str, Any], path: str, scope: str) -> Any:
    kind = info.get("type")
    if kind == "service_account":
        _need_text(info, path, "client_email", "private_key", "token_uri")
        checked(info["token_uri"], f"the token_uri of {path}")
        load = _google("google.oauth2.service_account").Credentials.from_service_account_info
    elif kind == "external_account":
        _federated(info, path)
        load = _google("google.auth.identity_pool").Credentials.from_info
    else:
        held = _REFUSED.get(kind, "of a type that is not known") if isinstance(kind, str) else "of no type"
        raise CredentialUnavailable(f"{path} is {held}; a service account's key or an external account is needed")
    try:
        return load(info, scopes=[scope])
    except (ValueError, TypeError, KeyError) as error:  # the text may quote the file
        raise CredentialUnavailable(f"{path} cannot be used ({type(error).__name__})") from None


def _federated(info: Mapping[str, Any], path: str) -> None:
    """The configuration says where secrets are read and sent: each of its places is checked (Google asks for it)."""
    _need_text(info, path, "audience", "subject_token_type", "token_url")
    source = info.get("credential_source")
    if not isinstance(source, dict) or "executable" in source:
        raise CredentialUnavailable(f"{path} names no source of its token, or a program, which is not run")
    if not isinstance(source.get("file") or source.get("url"), str) or source.keys() & {
        "certificate",
        "environment_id",
    }:
        raise CredentialUnavailable(f"{path} has a token source of a kind that is not served: file and url are")
    for name in ("token_url", "token_info_url", "service_account_impersonation_url"):
        if info.get(name) is not None:
            _need_text(info, path, name)
            checked(info[name], f"the {name} of {path}")
    if source.get("url"):
        checked(source["url"], f"the credential_source of {path}")


def _need_text(info: Mapping[str, Any], path: str, *names: str) -> None:
    for name in names:
        if not isinstance(info.get(name), str) or not info[name]:
            raise CredentialUnavailable(f"{path} has no {name}")


def _google(module: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError:
        raise StartupError("google-auth is not installed: install gatereeve[gcp]") from None


class _Answer(NamedTuple):
    """google-auth's idea of an answer (google.auth.transport.Response)."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class _Request:
    """google-auth's idea of a transport (google.auth.transport.Request). Whatever is no success raises at once, so
    that the library neither retries by itself nor puts an answer into a message."""

    def __init__(self, endpoint: TokenEndpoint) -> None:
        self._endpoint = endpoint

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,  # noqa: ARG002  (the endpoint's own)
    ) -> _Answer:
        found, data = self._endpoint.ask(method, url, headers or {}, body)
        return _Answer(200, found, data)
