"""An identity provider of the tests' own: real keys, an HTTP key set that can rotate, count and fail, and tokens of
every wrong kind."""

import base64
import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

AUDIENCE = "gatereeve"
ISSUER = "https://issuer.test"


class Issuer:
    """One issuer with one current key (ES256). `serve` puts its key set on a port of loopback."""

    def __init__(self, issuer: str = ISSUER) -> None:
        self.issuer = issuer
        self.fetches = 0
        self.down = False
        self._serial = 0
        self._server: ThreadingHTTPServer | None = None
        self.rotate()

    def rotate(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self._serial += 1
        self.kid = f"key-{self._serial}"

    def jwks(self) -> dict[str, Any]:
        public = jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": self.kid, "use": "sig", "alg": "ES256"}]}

    def claims(self, *groups: str, **more: Any) -> dict[str, Any]:
        now = int(time.time())
        return {"iss": self.issuer, "sub": "ada", "aud": AUDIENCE, "groups": list(groups), "iat": now,
                "exp": now + 3600, "email": "ada@corp.test", **more}  # fmt: skip

    def token(self, *groups: str, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """A good token, unless `claims` or `headers` make it a bad one."""
        return jwt.encode(self.claims(*groups, **claims), self.key, algorithm="ES256",
                          headers={"kid": self.kid, **(headers or {})})  # fmt: skip

    def unsigned(self, *groups: str) -> str:
        """alg: none."""
        return f"{_part({'alg': 'none', 'kid': self.kid, 'typ': 'JWT'})}.{_part(self.claims(*groups))}."

    def confused(self, *groups: str) -> str:
        """HS256 with the public key's PEM as the secret, which libraries used to accept."""
        pem = self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        signed = f"{_part({'alg': 'HS256', 'kid': self.kid, 'typ': 'JWT'})}.{_part(self.claims(*groups))}"
        return f"{signed}.{_base64(hmac.new(pem, signed.encode(), hashlib.sha256).digest())}"

    # -- its key set over HTTP -----------------------------------------------------------------------------------------

    def serve(self, port: int) -> Self:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.fetches += 1
                body = b"down" if issuer.down else json.dumps(issuer.jwks()).encode()
                self.send_response(503 if issuer.down else 200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://127.0.0.1:{port}/jwks"
        return self

    def close(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


def _part(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
