"""An authorization server of the tests' own: metadata, dynamic registration, a login without a person, PKCE, the
resource parameter (RFC 8707), and token exchange (RFC 8693). Strict, and keeps what it was asked."""

import base64
import hashlib
import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import jwt

from tests.envoy.issuer import Issuer

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
CLIENT, SECRET = "gateway:1", "exchange canary/secret 0123456789"  # of nobody
REDIRECT = "http://127.0.0.1:1/callback"


class Authority(Issuer):
    """`login` is who logs in next, `exchanged` the forms of every exchange, and `refuses` the subjects that get
    none. `gate` holds exchanges back while it is not set."""

    def __init__(self, port: int) -> None:
        super().__init__(f"http://127.0.0.1:{port}/as")
        self.login = "ada"
        self.groups = ["plain"]
        self.exchanged: list[dict[str, str]] = []
        self.refuses: set[str] = set()
        self.broken = False
        self.gate = threading.Event()
        self.gate.set()
        self.asked: list[dict[str, str]] = []
        self._codes: dict[str, dict[str, str]] = {}
        self._clients: set[str] = set()
        self._web = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        threading.Thread(target=self._web.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self.gate.set()
        self._web.shutdown()
        self._web.server_close()

    def token_for(self, subject: str, resource: str | list[str], scope: str = "", **claims: Any) -> str:
        """A token as it would give after a login."""
        return self.token(*self.groups, sub=subject, aud=resource, scope=scope, **claims)

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "registration_endpoint": f"{self.issuer}/register",
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code"],
            "token_endpoint_auth_methods_supported": ["none"],
            "code_challenge_methods_supported": ["S256"],
        }

    def register(self, asked: dict[str, Any]) -> dict[str, Any]:
        client = f"client-{secrets.token_hex(4)}"
        self._clients.add(client)
        return {**asked, "client_id": client, "token_endpoint_auth_method": "none"}

    def authorize(self, asked: dict[str, str]) -> str:
        """Where the browser is sent: with a code for whoever logs in, who grants everything."""
        assert asked["client_id"] in self._clients
        assert asked["code_challenge_method"] == "S256"
        assert asked["redirect_uri"] == REDIRECT
        self.asked.append(asked)
        code = secrets.token_urlsafe()
        self._codes[code] = {**asked, "subject": self.login}
        return f"{REDIRECT}?{urlencode({'code': code, 'state': asked['state'], 'iss': self.issuer})}"

    def redeem(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        was = self._codes.pop(form.get("code", ""), None)
        if was is None or form["client_id"] != was["client_id"] or form.get("resource") != was.get("resource"):
            return 400, {"error": "invalid_grant"}
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != was["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        scope = was.get("scope", "")
        token = self.token_for(was["subject"], was["resource"], scope)
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": scope}

    def exchange(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        self.gate.wait(20)
        if self.broken:
            return 500, {"error": "canary"}
        name, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        if (unquote(name), unquote(secret)) != (CLIENT, SECRET):
            return 401, {"error": "invalid_client"}
        subject = jwt.decode(form["subject_token"], self.key.public_key(), ["ES256"], options={"verify_aud": False})[
            "sub"
        ]
        self.exchanged.append({**form, "subject": subject})
        if subject in self.refuses:
            return 400, {"error": "invalid_grant", "error_description": "canary"}
        token = f"exchanged-for-{subject}-{secrets.token_hex(8)}"
        kind = "urn:ietf:params:oauth:token-type:access_token"
        return 200, {"access_token": token, "issued_token_type": kind, "token_type": "Bearer", "expires_in": 3600}


def _handler(authority: Authority) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if url.path == "/.well-known/oauth-authorization-server/as":
                self._say(200, authority.metadata())
            elif url.path == "/as/authorize":
                self.send_response(302)
                self.send_header("location", authority.authorize(dict(parse_qsl(url.query))))
                self.send_header("content-length", "0")
                self.end_headers()
            else:
                self._say(404, {})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if self.path == "/as/register":
                self._say(201, authority.register(json.loads(body)))
                return
            form = dict(parse_qsl(body.decode(), strict_parsing=True))
            if self.path != "/as/token":
                self._say(404, {})
            elif form["grant_type"] == GRANT:
                self._say(*authority.exchange(form, self.headers.get("authorization", "")))
            else:
                self._say(*authority.redeem(form))

        def _say(self, status: int, doc: dict[str, Any]) -> None:
            data = json.dumps(doc).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
