"""Upstreams over TLS: reached with the right name and trust anchor, and with nothing else."""

import datetime as dt
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.envoy import policies
from tests.envoy.conftest import Scripted

pytestmark = pytest.mark.envoy


def _certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for `name`, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / f"{name}.crt", folder / f"{name}.key"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return public, private


class _Secure:
    """An HTTPS server that answers every POST with a completion and remembers Host and SNI."""

    def __init__(self, public: Path, private: Path) -> None:
        self.seen: list[tuple[str, str]] = []
        names: list[str] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                owner.seen.append((self.headers["host"], names[-1]))
                body = policies.completion("over TLS")
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, request: object, client_address: object) -> None:
                pass  # a client that does not trust us breaks off the handshake: that is one of the tests

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(public, private)
        context.sni_callback = lambda _socket, name, _context: names.append(name or "")
        self._server = Quiet(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[_Secure, Path, Path]]:
    public, private = _certificate(tmp_path, "localhost")
    other, _ = _certificate(tmp_path, "elsewhere.test")
    server = _Secure(public, private)
    yield server, public, other
    server.close()


def test_a_tls_upstream_is_reached_only_under_its_name_and_with_its_trust_anchor(
    own: Callable[..., Scripted], secure: tuple[_Secure, Path, Path]
):
    server, anchor, other = secure
    gateway = own(start=False)
    url = f"https://localhost:{server.port}"
    for name, spec in {
        "trusted": {"url": url, "caFile": str(anchor)},
        "stranger": {"url": url, "caFile": str(other)},
        "misnamed": {"url": f"https://127.0.0.1:{server.port}", "caFile": str(anchor)},
    }.items():
        gateway.folder.write(policies.document("LLMProvider", name, dialects=["openai-chat"], **spec))
        gateway.folder.write(policies.document("Model", name, targets=[{"provider": name}]))
    gateway.folder.write(
        policies.document(
            "AgentPolicy", "plain", subjects=[{"groups": ["engineering", "plain"]}], models={"allow": ["*"]}
        )
    )
    gateway.gateway.start()

    answer = gateway.chat(model="trusted")
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"] == "over TLS"
    assert server.seen == [(f"localhost:{server.port}", "localhost")]

    for model in ("stranger", "misnamed"):
        refused = gateway.chat(model=model)
        assert refused.status_code == 502, (model, refused.text)
        assert json.loads(refused.content)["error"]["code"] == "upstream-failed"
    assert len(server.seen) == 1
