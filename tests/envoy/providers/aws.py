"""What AWS itself does around Bedrock: it verifies signatures of version 4 and frames event streams.

Written from AWS's description of both and from nothing of ours, because it judges ours: no signer and no framing code
is shared. Only what arrived is looked at.
"""

import datetime as dt
import hmac
import json
from binascii import crc32
from hashlib import sha256
from struct import pack
from typing import Any
from urllib.parse import quote

from tests.envoy.providers.stage import Wrong
from tests.envoy.upstream import Arrived

ACCESS_KEY = "AKIACANARY0123456789"
SECRET_KEY = "aws-secret-canary-0123456789abcdefghijkl"
SESSION_TOKEN = "aws-session-canary/0123456789+="
BEARER = "bedrock-api-key-canary-0123456789"
REGION = "eu-west-1"
SERVICE = "bedrock"
SKEW = dt.timedelta(minutes=5)


def authenticate(request: Arrived) -> None:
    """Raises `Wrong` (403) unless the request is signed with the one key known here, or has the one bearer key."""
    value = request.header("authorization") or ""
    if value.startswith("Bearer "):
        if value != f"Bearer {BEARER}":
            raise Wrong("an unknown bearer key", 403)
        if request.header("x-amz-security-token") or request.header("x-amz-date"):
            raise Wrong("a bearer key with parts of a signature", 403)
        return
    verify(request, dt.datetime.now(dt.UTC))


def verify(request: Arrived, now: dt.datetime) -> None:
    """Raises `Wrong` unless the signature is right in every part."""
    algorithm, _, rest = (request.header("authorization") or "").partition(" ")
    if algorithm != "AWS4-HMAC-SHA256":
        raise Wrong("authorization is no signature of version 4", 403)
    fields = dict(part.strip().split("=", 1) for part in rest.split(","))
    if fields.keys() != {"Credential", "SignedHeaders", "Signature"}:
        raise Wrong(f"parts of the signature: {sorted(fields)}", 403)
    key, day, region, service, end = fields["Credential"].split("/")
    if (key, region, service, end) != (ACCESS_KEY, REGION, SERVICE, "aws4_request"):
        raise Wrong(f"scope {region}/{service}/{end} or an unknown access key", 403)
    stamp = request.header("x-amz-date") or ""
    signed_at = dt.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    if abs(now - signed_at) > SKEW or not stamp.startswith(day):
        raise Wrong(f"signed at {stamp}, which is not now", 403)
    if request.header("x-amz-security-token") != SESSION_TOKEN:
        raise Wrong("not the session token of this key", 403)
    names = fields["SignedHeaders"].split(";")
    present = {name for name, _ in request.headers}
    must = {name for name in present if name in ("host", "content-type") or name.startswith("x-amz-")}
    if names != sorted(names) or not must <= set(names) <= present:
        raise Wrong(f"signed headers {names}, of {sorted(must)} that must be", 403)
    digest = sha256(request.body).hexdigest()
    if request.header("x-amz-content-sha256") not in (None, digest):
        raise Wrong("x-amz-content-sha256 is not the body's", 403)
    canonical = _canonical(request, names, digest)
    scope = f"{day}/{region}/{service}/aws4_request"
    text = f"{algorithm}\n{stamp}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
    secret = f"AWS4{SECRET_KEY}".encode()
    for part in (day, region, service, "aws4_request"):
        secret = hmac.digest(secret, part.encode(), "sha256")
    if not hmac.compare_digest(hmac.digest(secret, text.encode(), "sha256").hex(), fields["Signature"]):
        raise Wrong("the signature does not match what arrived", 403)


def _canonical(request: Arrived, names: list[str], digest: str) -> str:
    """The path is escaped once more as it stands; runs of blanks in values count as one."""
    path, _, query = request.path.partition("?")
    pairs = sorted(pair if "=" in pair else f"{pair}=" for pair in query.split("&") if pair)
    lines = [request.method, quote(path, safe="/-._~"), "&".join(pairs)]
    lines += [f"{name}:{' '.join((request.header(name) or '').split())}" for name in names]
    return "\n".join([*lines, "", ";".join(names), digest])


def frame(kind: str, type: str, payload: bytes) -> bytes:
    """One message of an event stream: `kind` is event or exception."""
    head = b"".join(
        _header(name, value)
        for name, value in ((f":{kind}-type", type), (":content-type", "application/json"), (":message-type", kind))
    )
    prelude = pack(">II", 16 + len(head) + len(payload), len(head))
    message = prelude + pack(">I", crc32(prelude)) + head + payload
    return message + pack(">I", crc32(message))


def event(type: str, doc: Any) -> bytes:
    """As AWS writes them, with padding against guesses from lengths."""
    return frame("event", type, json.dumps({**doc, "p": "abcdefgh"[: len(str(doc)) % 8 + 1]}).encode())


def _header(name: str, value: str) -> bytes:
    return pack(">B", len(name)) + name.encode() + b"\x07" + pack(">H", len(value)) + value.encode()
