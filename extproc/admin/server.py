"""The admin port: /healthz, /readyz and /metrics, on the standard library's threaded HTTP server.

A thread of its own, so that a busy or stuck event loop is seen as such and does not silence the one who would tell.
"""

import json
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST

Readiness = Callable[[], tuple[bool, dict[str, Any]]]
Page = tuple[HTTPStatus, str, bytes]

_INDEX = b"/healthz  alive\n/readyz   ready for traffic, with detail\n/metrics  Prometheus metrics\n"


class AdminServer:
    """`readiness` gives (ready, detail); `metrics` the exposition text. Both are called from request threads."""

    def __init__(self, address: str, port: int, readiness: Readiness, metrics: Callable[[], bytes]) -> None:
        self._server = ThreadingHTTPServer((address, port), _handler(_pages(readiness, metrics)))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="gatereeve-admin", daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _pages(readiness: Readiness, metrics: Callable[[], bytes]) -> dict[str, Callable[[], Page]]:
    def ready() -> Page:
        good, detail = readiness()
        status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
        return status, "application/json", json.dumps({"ready": good, **detail}, indent=2).encode() + b"\n"

    return {
        "/": lambda: (HTTPStatus.OK, "text/plain", _INDEX),
        "/healthz": lambda: (HTTPStatus.OK, "text/plain", b"ok\n"),
        "/readyz": ready,
        "/metrics": lambda: (HTTPStatus.OK, CONTENT_TYPE_LATEST, metrics()),
    }


def _handler(pages: dict[str, Callable[[], Page]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        server_version = "gatereeve"
        sys_version = ""
        protocol_version = "HTTP/1.1"
        timeout = 10

        def do_GET(self) -> None:  # the standard library's name
            page = pages.get(self.path.partition("?")[0])
            if page is None:
                self._send(HTTPStatus.NOT_FOUND, "text/plain", b"not found\n" + _INDEX)
            else:
                self._send(*page())

        do_HEAD = do_GET  # noqa: N815

        def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # probes come every second: they are no news
            del format, args

    return Handler
