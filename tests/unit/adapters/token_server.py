"""A token endpoint on loopback that keeps what it was asked, and answers what a test tells it to."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit


class Asked(NamedTuple):
    method: str
    path: str
    query: dict
    headers: dict  # lower-case
    form: dict
    body: bytes


class TokenServer:
    """`answer(asked)` gives (status, headers, JSON or bytes). `gate` can hold answers back."""

    def __init__(self):
        self.asked = []
        self.answer = lambda asked: (404, {}, {})
        self.gate = threading.Event()
        self.gate.set()
        ours = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                url = urlsplit(self.path)
                form = dict(parse_qsl(body.decode(), strict_parsing=True)) if b"=" in body and body[:1] != b"{" else {}
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.command, url.path, dict(parse_qsl(url.query)), headers, form, body)
                ours.asked.append(asked)
                ours.gate.wait(20)
                status, headers, out = ours.answer(asked)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(out if isinstance(out, bytes) else json.dumps(out).encode())

            do_POST = do_PUT = do_GET  # noqa: N815

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self):
        self.gate.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def gives(token, expires_in=3600, **more):
    """An answer as token endpoints write it."""
    return lambda asked: (200, {}, {"access_token": token, "token_type": "Bearer", "expires_in": expires_in, **more})
