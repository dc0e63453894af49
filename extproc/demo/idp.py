"""The demo identity provider: a key pair made at start, its discovery document, and tokens for whoever asks.

It hands a token to anyone who can reach it. So it binds to loopback only, and exists in demo mode only.
"""

import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from extproc.demo.http import Request, Response, Server, reply
from extproc.errors import StartupError

AUDIENCE = "gatereeve"
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_MAX_TTL = 24 * 3600


class DemoIdp:
    """Issuer `http://<host>:<port>`. `rotate` replaces the key, as an issuer would."""

    def __init__(self, host: str = "127.0.0.1", port: int = 10003) -> None:
        if host not in _LOOPBACK:
            raise StartupError("The demo identity provider gives tokens to everyone; it listens on 127.0.0.1 only.")
        self._host = host
        self.server = Server(self._handle, host, port)
        self._serial = 0
        self.rotate()

    @property
    def issuer(self) -> str:
        return f"http://{self._host}:{self.server.port}"

    def rotate(self) -> None:
        """A new key under a new id; tokens of the old key verify no longer once caches have refreshed."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._serial += 1
        self._kid = f"demo-{self._serial}"

    def mint(
        self,
        subject: str,
        groups: tuple[str, ...] = (),
        *,
        email: str = "",
        ttl: int = 3600,
        audience: str = AUDIENCE,
        claims: dict[str, Any] | None = None,
    ) -> str:
        """A signed token. `ttl` in seconds may be negative: an expired token is a useful thing to try."""
        now = int(time.time())
        payload: dict[str, Any] = {"iss": self.issuer, "sub": subject, "aud": audience, "groups": list(groups)}
        payload |= {"iat": now, "nbf": now - max(0, -ttl) - 1, "exp": now + min(ttl, _MAX_TTL)}
        if email:
            payload["email"] = email
        payload |= claims or {}
        return jwt.encode(payload, self._key, algorithm="ES256", headers={"kid": self._kid, "typ": "at+jwt"})

    def keys(self) -> dict[str, Any]:
        """The public key set (JWKS)."""
        public = jwt.algorithms.ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": self._kid, "use": "sig", "alg": "ES256"}]}

    async def _handle(self, request: Request) -> Response:
        if request.method == "GET" and request.path == "/.well-known/openid-configuration":
            return reply(
                {
                    "issuer": self.issuer,
                    "jwks_uri": f"{self.issuer}/jwks",
                    "token_endpoint": f"{self.issuer}/token",
                    "id_token_signing_alg_values_supported": ["ES256"],
                    "subject_types_supported": ["public"],
                    "response_types_supported": ["token"],
                }
            )
        if request.method == "GET" and request.path == "/jwks":
            return reply(self.keys())
        if request.method == "POST" and request.path == "/token":
            return self._token(request.json())
        if request.method == "POST" and request.path == "/rotate":
            self.rotate()
            return reply({"kid": self._kid})
        return reply({"error": "not found"}, 404)

    def _token(self, asked: Any) -> Response:
        if not isinstance(asked, dict) or not isinstance(asked.get("subject"), str) or not asked["subject"]:
            return reply({"error": "send {subject, groups, email, ttl, audience}; subject is needed"}, 400)
        groups, ttl = asked.get("groups", []), asked.get("ttl", 3600)
        if not isinstance(groups, list) or not isinstance(ttl, int) or not all(isinstance(g, str) for g in groups):
            return reply({"error": "groups is a list of texts, ttl a number of seconds"}, 400)
        token = self.mint(
            asked["subject"],
            tuple(groups),
            email=str(asked.get("email", "")),
            ttl=ttl,
            audience=str(asked.get("audience", AUDIENCE)),
        )
        return reply({"access_token": token, "token_type": "Bearer", "expires_in": ttl})
