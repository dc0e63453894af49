"""Getting one issuer's key set once: over HTTP, by discovery, from a file, or inline.

Never retries, caches or schedules (`adapters.keys` does), never follows a redirect to another origin, never reads more
than MAX_DOCUMENT bytes, never speaks plain HTTP except to this machine.
"""

import asyncio

import httpx2
import msgspec

from extproc.adapters.files import read_regular
from extproc.errors import GatereeveError
from extproc.identity.keyset import KeySet, KeySetError, parse
from extproc.identity.model import Issuer

MAX_DOCUMENT = 1024 * 1024  # bytes
DEADLINE = 10.0  # seconds for a whole fetch, discovery and redirects included
_MAX_REDIRECTS = 3
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class KeyFetchError(GatereeveError):
    """The key set cannot be had now. The message names the step that failed, never what was received."""


def http_client() -> httpx2.AsyncClient:
    """A client for key sets: bounded waits, no cookies kept, proxies of the environment except for this machine."""
    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(5.0),
        follow_redirects=False,
        limits=httpx2.Limits(max_connections=10, max_keepalive_connections=2),
        mounts={f"all://{host}": None for host in ("127.0.0.1", "[::1]", "localhost")},
    )


async def fetch_keys(issuer: Issuer, http: httpx2.AsyncClient) -> KeySet:
    """The issuer's keys, now. Raises `KeyFetchError` for every way in which that can fail."""
    source = issuer.keys
    try:
        async with asyncio.timeout(DEADLINE):
            if source.inline:
                return parse(source.inline)
            if source.file:
                return parse(await asyncio.to_thread(_read, source.file))
            url = source.url or await _discover(issuer, http)
            return parse(await _get(url, http))
    except KeySetError as error:
        raise KeyFetchError(str(error)) from None
    except TimeoutError:
        raise KeyFetchError("the issuer did not answer in time") from None
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        # The library's own text may quote the URL, and that may hold a password: its type says enough.
        raise KeyFetchError(f"the key set cannot be read ({type(error).__name__})") from None


async def _discover(issuer: Issuer, http: httpx2.AsyncClient) -> str:
    base = issuer.keys.discovery.rstrip("/")
    body = await _get(f"{base}/.well-known/openid-configuration", http)
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise KeyFetchError("the discovery document is not JSON") from None
    # OpenID Connect Discovery 4.3: exactly equal, or one issuer could answer for another.
    if not isinstance(document, dict) or document.get("issuer") != issuer.issuer:
        raise KeyFetchError("the discovery document is another issuer's")
    url = document.get("jwks_uri")
    if not isinstance(url, str):
        raise KeyFetchError("the discovery document names no jwks_uri")
    if base.startswith("https:") and not url.lower().startswith("https:"):
        raise KeyFetchError("the discovery document's jwks_uri is not https")
    return url


async def _get(text: str, http: httpx2.AsyncClient) -> bytes:
    url = _checked(httpx2.URL(text))
    for _ in range(_MAX_REDIRECTS + 1):
        # Compression is declined: a small answer could otherwise become a large one before it is measured.
        async with http.stream(
            "GET", url, headers={"accept": "application/json", "accept-encoding": "identity"}
        ) as answer:
            if answer.status_code in (301, 302, 303, 307, 308):
                target = _checked(url.join(answer.headers.get("location", "")))
                if (target.scheme, target.host, target.port) != (url.scheme, url.host, url.port):
                    raise KeyFetchError("the issuer redirects to another origin")
                url = target
                continue
            if answer.status_code != 200:
                raise KeyFetchError(f"the issuer answered with status {answer.status_code}")
            if answer.headers.get("content-encoding", "identity") != "identity":
                raise KeyFetchError("the issuer's answer is compressed although that was declined")
            return await _bounded(answer)
    raise KeyFetchError("the issuer redirects without end")


def _checked(url: httpx2.URL) -> httpx2.URL:
    if url.userinfo:
        raise KeyFetchError("the URL holds a user name or password")
    if url.scheme != "https" and not (url.scheme == "http" and url.host in _LOOPBACK):
        raise KeyFetchError("the URL is not https")
    return url


async def _bounded(answer: httpx2.Response) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_raw():
        body += chunk
        if len(body) > MAX_DOCUMENT:
            raise KeyFetchError(f"the issuer's answer is larger than {MAX_DOCUMENT} bytes")
    return bytes(body)


def _read(path: str) -> bytes:
    data = read_regular(path, MAX_DOCUMENT)
    if len(data) > MAX_DOCUMENT:
        raise KeyFetchError(f"the key set file is larger than {MAX_DOCUMENT} bytes")
    return data
