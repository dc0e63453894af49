"""AWS Signature Version 4 for Bedrock, by botocore's own signer.

Signed last, over what Envoy will send: host, path (its escapes escaped once more), query and the hash of the final
body. Of the headers only those are signed that nothing on the way rewrites: a proxy may drop or add content-length,
trace headers and user-agent, and a signature that covers them would break. Needs the extra `aws`; botocore is not
imported before the first signature. Knows no file, no network and no policy.
"""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple
from urllib.parse import quote, unquote_to_bytes

from extproc.errors import StartupError

_SIGNED = frozenset({"host", "content-type"})
_SIGNED_PREFIX = "x-amz-"
# What this module sets itself: a copy of the client's would be signed, or sent, beside ours.
_OURS = frozenset({"authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"})


class Keys(NamedTuple):
    """One set of AWS credentials. `token` is None for long-lived ones. Never put into a log or a message."""

    access_key: str
    secret_key: str
    token: str | None = None

    def __repr__(self) -> str:
        return "Keys(...)"


def sign(
    keys: Keys, method: str, url: str, headers: Mapping[str, str], body: bytes, region: str, service: str
) -> tuple[tuple[str, str], ...]:
    """The headers to set: authorization, x-amz-date and, for temporary keys, x-amz-security-token.

    `url` is absolute, its path percent-encoded as it will be sent. `headers` are the request's, with lower-case names;
    those that are not safe to sign are left out of the signature, and stay as they are. The signature is good for five
    minutes around now (UTC). Raises `StartupError` without botocore.
    """
    auth, request_type = _botocore()
    safe = {
        name: value
        for name, value in headers.items()
        if (name in _SIGNED or name.startswith(_SIGNED_PREFIX)) and name not in _OURS
    }
    request = request_type(method=method, url=_canonical(url) if "?" in url else url, headers=safe, data=body)
    auth(keys, service, region).add_auth(request)
    found = {name.lower(): value for name, value in request.headers.items()}
    return tuple(
        (name, found[name]) for name in ("authorization", "x-amz-date", "x-amz-security-token") if name in found
    )


def _canonical(url: str) -> str:
    """The URL with its query spelled as AWS spells it before it hashes. botocore leaves that to whoever made the URL,
    but here a client may have: one that sends `a=b:c` means the same as `a=b%3Ac`, which is what AWS checks."""
    before, _, query = url.partition("?")
    halves = [pair.partition("=") for pair in query.split("&") if pair]
    return f"{before}?{'&'.join(f'{_spelled(name)}={_spelled(value)}' for name, _, value in halves)}"


def _spelled(text: str) -> str:
    return quote(unquote_to_bytes(text), safe="-_.~")


@cache
def _botocore() -> tuple[Any, Any]:
    try:
        return import_module("botocore.auth").SigV4Auth, import_module("botocore.awsrequest").AWSRequest
    except ModuleNotFoundError:
        raise StartupError("Signing for AWS needs botocore: install gatereeve[aws].") from None
