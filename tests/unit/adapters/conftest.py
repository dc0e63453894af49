"""A policy to be in force, a clock to be moved by hand, and an issuer that serves what a test tells it to."""

import asyncio
import base64
import json
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from extproc.policy.runtime import LlmProvider, Policy, Upstream


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Web:
    """HTTP/1.1, one answer per connection. `routes` maps a path to (status, headers, body) or to a coroutine
    function that gives it."""

    def __init__(self):
        self.routes = {}
        self.asked = []
        self.url = ""

    async def handle(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode()
            self.asked.append(path)
            answer = self.routes.get(path, (404, {}, b""))
            status, headers, body = await answer() if callable(answer) else answer
            lines = [f"HTTP/1.1 {status} X", "connection: close", f"content-length: {len(body)}"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Signer:
    """One Ed25519 key: its JWK and tokens signed by it."""

    def __init__(self, kid):
        self.kid = kid
        self.key = Ed25519PrivateKey.generate()

    def jwk(self):
        x = b64(self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
        return {"kty": "OKP", "crv": "Ed25519", "kid": self.kid, "x": x}

    def token(self, **claims):
        header = b64(json.dumps({"alg": "EdDSA", "kid": self.kid, "typ": "JWT"}).encode())
        signed = f"{header}.{b64(json.dumps(claims).encode())}"
        return f"{signed}.{b64(self.key.sign(signed.encode()))}"


def make_policy(version="v1", issuers=(), credentials=()):
    by_iss = {}
    for issuer in issuers:
        by_iss[issuer.issuer] = (*by_iss.get(issuer.issuer, ()), issuer)
    providers = {}
    for credential in credentials:
        up = Upstream(credential.name, "c", "h", 443, True, "h", "", credential)
        providers[credential.name] = LlmProvider(credential.name, frozenset({"openai-chat"}), True, up, "")
    return Policy(
        version=version,
        issuers=by_iss,
        providers=providers,
        models={},
        servers={},
        hosts={},
        agents=(),
        candidates=lambda identity: (),
        masking={},
    )


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def web():
    found = Web()
    server = await asyncio.start_server(found.handle, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield found
    finally:
        server.close()


@pytest.fixture
def kit():
    def jwks(*signers):
        return json.dumps({"keys": [s.jwk() for s in signers]}).encode()

    return SimpleNamespace(Signer=Signer, policy=make_policy, jwks=jwks)
