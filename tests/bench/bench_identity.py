"""What a token costs: seen before, new, and refused; and what an audit entry costs the event loop.

Run: python -m tests.bench.bench_identity, or this file with the project on the path. Prints microseconds per call, the
best of several rounds, so that a busy machine disturbs little.
"""

import base64
import json
import time
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import get_default_algorithms
from prometheus_client import CollectorRegistry

from extproc.adapters.audit import AuditWriter
from extproc.adapters.audit_lines import json_line, text_line
from extproc.adapters.authenticator import TokenAuthenticator
from extproc.adapters.credentials import WarmCredentials
from extproc.adapters.metrics import Metrics
from extproc.exchange.refusal import Refusal
from extproc.identity.keyset import parse
from extproc.identity.model import Identity, Issuer, KeySource
from extproc.policy.runtime import CredentialSource, Policy
from extproc.session.ports import Outgoing

NOW = 1_800_000_000.0
ENTRY = {
    "ts": "2026-11-21T12:34:56.789Z", "id": "0f3a9c0f3a9c", "plane": "llm", "dialect": "openai-chat",
    "operation": "chat", "model": "gpt-4", "upstream": "LLMProvider/demo", "upstream_model": "demo-large",
    "verdict": "allow", "reason": "allowed", "rule": "AgentPolicy/engineering (agents.yaml:12)", "subject": "user-1",
    "issuer": "https://id.example", "groups": ["engineering"], "obligations": ["route", "mask"],
    "guards_not_applied": [], "masked": {"card": 1}, "usage": {"input_tokens": 10, "output_tokens": 20},
    "bytes": {"request": 1024, "response": 2048}, "ms": {"total": 120.1, "request": 0.2, "upstream": 119.5},
}  # fmt: skip


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def best(call, times: int, rounds: int = 7) -> float:
    """Microseconds per call in the best round."""
    found = float("inf")
    for _ in range(rounds):
        begin = time.perf_counter()
        for _ in range(times):
            call()
        found = min(found, (time.perf_counter() - begin) / times * 1e6)
    return found


def sign(key, algorithm: str, claims: dict) -> str:
    signed = (
        b64(json.dumps({"alg": algorithm, "kid": "k", "typ": "JWT"}).encode()) + "." + b64(json.dumps(claims).encode())
    )
    return signed + "." + b64(get_default_algorithms()[algorithm].sign(signed.encode(), key))


def jwk(key) -> dict:
    if isinstance(key, rsa.RSAPrivateKey):
        n = key.public_key().public_numbers()
        return {"kty": "RSA", "kid": "k", "n": b64(n.n.to_bytes(256)), "e": b64(n.e.to_bytes(3))}
    if isinstance(key, ec.EllipticCurvePrivateKey):
        n = key.public_key().public_numbers()
        return {"kty": "EC", "crv": "P-256", "kid": "k", "x": b64(n.x.to_bytes(32)), "y": b64(n.y.to_bytes(32))}
    x = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": b64(x)}


class FixedKeys:
    def __init__(self, keys):
        self._keys = keys

    def keys(self, issuer):
        return self._keys

    def may_fetch(self, issuer):
        return False


class Nowhere:
    def write(self, entries):
        for entry in entries:
            json_line(entry)

    def close(self):
        pass


def policy_of(issuer: Issuer) -> Policy:
    return Policy("v", {issuer.issuer: (issuer,)}, {}, {}, {}, {}, (), lambda identity: (), {})


def tokens() -> dict[str, float]:
    rows = {}
    issuer = Issuer("demo", "https://id.example", ("gatereeve",), KeySource(url="u"))
    policy, again = policy_of(issuer), policy_of(replace(issuer))
    claims = {"iss": issuer.issuer, "aud": "gatereeve", "sub": "user-1", "exp": NOW + 60,
              "groups": [f"group-{n}" for n in range(20)], "email": "user-1@corp.example"}  # fmt: skip
    for algorithm, key in {
        "RS256": rsa.generate_private_key(65537, 2048),
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    }.items():
        auth = TokenAuthenticator(FixedKeys(parse(json.dumps({"keys": [jwk(key)]}))), refused_for=60)
        text = sign(key, algorithm, claims)

        def miss(auth=auth, text=text):
            auth.forget()
            return auth.authenticate(text, policy, NOW)

        assert isinstance(miss(), Identity)
        rows[f"token {algorithm} new, {len(text)} characters"] = best(miss, 300)
    rows[f"token seen before, {len(text)} characters"] = best(lambda: auth.authenticate(text, policy, NOW), 50_000)

    def swap():
        auth.authenticate(text, again, NOW)
        auth.authenticate(text, policy, NOW)

    rows["token seen before, first after a reload"] = best(swap, 10_000) / 2
    bad = text[:-10] + "AAAAAAAAAA"
    assert isinstance(auth.authenticate(bad, policy, NOW), Refusal)
    rows["bad token again"] = best(lambda: auth.authenticate(bad, policy, NOW), 50_000)
    return rows


def beside() -> dict[str, float]:
    source = CredentialSource("LLMProvider/demo", "authorization", "Bearer {}", value="x")
    credentials, request = WarmCredentials({}, time.monotonic), Outgoing("POST", "https://h/", {}, b"")
    metrics = Metrics(CollectorRegistry())
    metrics.policy_loaded("v", ["gpt-4"])
    writer = AuditWriter([Nowhere()], capacity=10_000_000)
    rows = {
        "credential header": best(lambda: credentials.inject(source, request), 50_000),
        "metrics of one exchange": best(lambda: metrics.observe(ENTRY), 5_000),
        "audit emit": best(lambda: writer.emit(ENTRY), 5_000),
        "audit line, JSON (writer thread)": best(lambda: json_line(ENTRY), 20_000),
        "audit line, text (writer thread)": best(lambda: text_line(ENTRY), 5_000),
    }
    assert writer.close(60)
    assert writer.dropped == 0
    return rows


if __name__ == "__main__":
    for name, microseconds in {**tokens(), **beside()}.items():
        print(f"{name:48} {microseconds:9.2f} µs")
