"""Asking a token endpoint once, within limits.

Never follows a redirect, never reads more than MAX_ANSWER bytes, never speaks plain HTTP except to this machine and to
the metadata service beside it, never retries (`tokens.Pace` does), and never tells what was answered: only the
status, and of OAuth's error codes those that the standard names.
"""

from collections.abc import Mapping
from time import monotonic
from typing import Any, Self
from urllib.parse import urlsplit

import httpx2
import msgspec

from extproc.errors import CredentialUnavailable

MAX_ANSWER = 256 * 1024  # bytes
DEADLINE = 10.0  # seconds for all questions of one exchange
_WAIT = 5.0  # seconds for one step of one question
_PLAIN = ("127.0.0.1", "::1", "localhost", "169.254.169.254")  # this machine, and the clouds' metadata service on it
# RFC 6749 5.2, RFC 8693 2.2.2: a closed set, so that saying one quotes nothing.
_CODES = frozenset(
    ("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type")
) | {"invalid_scope", "invalid_target"}


class Declined(CredentialUnavailable):
    """The endpoint's answer was no. `code` is OAuth's for it, "" if it is none that the standard names."""

    def __init__(self, message: str, status: int, code: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class TokenEndpoint:
    """A context manager around one exchange. `what` names the endpoint in problems. `direct` is for the metadata
    service that the gateway's own environment names: it speaks plain HTTP, and no proxy must ask it in our place."""

    def __init__(self, what: str, *, direct: bool = False) -> None:
        self._what = what
        self._direct = direct
        self._until = monotonic() + DEADLINE
        self._http = httpx2.Client(
            trust_env=not direct,
            follow_redirects=False,
            mounts={f"all://{host}": None for host in ("127.0.0.1", "[::1]", "localhost", "169.254.169.254")},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def ask(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> tuple[Mapping[str, str], bytes]:
        """(headers, body) of a 200. Raises `Declined` for any other status, `CredentialUnavailable` for no answer."""
        checked(url, self._what, plain=self._direct)
        rest = self._until - monotonic()
        try:
            if rest <= 0:
                raise TimeoutError
            declined = {**headers, "accept-encoding": "identity"}  # a small answer must not become a large one
            with self._http.stream(
                method, url, headers=declined, content=body, timeout=httpx2.Timeout(min(rest, _WAIT))
            ) as answer:
                data = self._bounded(answer)
        except (httpx2.TimeoutException, TimeoutError):
            raise CredentialUnavailable(f"{self._what} did not answer in time") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            # The library's own text may quote the URL: its type says enough.
            raise CredentialUnavailable(f"{self._what} cannot be reached ({type(error).__name__})") from None
        if answer.status_code != 200:
            code, status = _code(data), answer.status_code
            raise Declined(f"{self._what} answered with status {status}{f' ({code})' if code else ''}", status, code)
        return answer.headers, data

    def _bounded(self, answer: httpx2.Response) -> bytes:
        data = bytearray()
        for chunk in answer.iter_raw():
            data += chunk
            if len(data) > MAX_ANSWER:
                raise CredentialUnavailable(f"{self._what} answered with more than {MAX_ANSWER} bytes")
            if monotonic() > self._until:
                raise TimeoutError
        return bytes(data)


def checked(url: str, what: str, *, plain: bool = False) -> None:
    """Raises `CredentialUnavailable` unless a secret may be sent to `url`. `plain` allows HTTP to any host."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise CredentialUnavailable(f"the URL of {what} cannot be read") from None
    if not host or parts.username is not None or parts.password is not None:
        raise CredentialUnavailable(f"the URL of {what} names no host, or a user")
    if parts.scheme != "https" and not (parts.scheme == "http" and (plain or host in _PLAIN)):
        raise CredentialUnavailable(f"the URL of {what} is not https")


def document(data: bytes, what: str) -> dict[str, Any]:
    """A JSON object. Raises `CredentialUnavailable`."""
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise CredentialUnavailable(f"{what} is not JSON") from None
    if not isinstance(found, dict):
        raise CredentialUnavailable(f"{what} is not a JSON object")
    return found


def seconds(value: Any) -> float | None:
    """A number of seconds, also as text (Microsoft's metadata services write it so); None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        return float(value)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def bearer(found: Mapping[str, Any], what: str) -> str:
    """The access token of an answer, which must be one to be sent as bearer. Raises `CredentialUnavailable`."""
    token, kind = found.get("access_token"), found.get("token_type")
    if not isinstance(token, str) or not isinstance(kind, str) or kind.lower() != "bearer":
        raise CredentialUnavailable(f"{what} gave no bearer token")
    return token


def _code(data: bytes) -> str:
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    code = found.get("error") if isinstance(found, dict) else None
    return code if isinstance(code, str) and code in _CODES else ""
