"""Requests that no good client sends, through the real Envoy: each gets its own answer, none reaches the upstream."""

import asyncio
import gzip
import json
import socket
from contextlib import suppress

import httpx2
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded

from tests.envoy import policies
from tests.envoy.conftest import Scripted
from tests.envoy.gateway import Gateway, until

GOOD = json.dumps(policies.chat()).encode()
_OPEN = b'{"model":"small","messages":[{"role":"user","content":"x"}],"x":'


def _nested(depth: int) -> bytes:
    return _OPEN + b"[" * depth + b"]" * depth + b"}"


@pytest.fixture
def untouched(scripted: Scripted):
    """The upstream must not hear of it."""
    before = len(scripted.upstream.seen)
    yield
    assert len(scripted.upstream.seen) == before


@pytest.mark.promise("bad-input.json")
@pytest.mark.promise("bad-input.content-type")
@pytest.mark.promise("bad-input.compressed-request")
@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("body", "headers", "status", "reason"),
    [
        pytest.param(b"hello", {}, 400, "body-not-json", id="not JSON"),
        pytest.param(GOOD + b"x", {}, 400, "body-not-json", id="JSON and then something"),
        pytest.param(b'{"model": NaN}', {}, 400, "body-not-json", id="NaN"),
        pytest.param(b"[1]", {}, 400, "body-shape", id="a list"),
        pytest.param(b'"text"', {}, 400, "body-shape", id="a text"),
        pytest.param(b"{}", {}, 400, "body-shape", id="an empty object"),
        pytest.param(b'{"model":"small","tools":{}}', {}, 400, "body-shape", id="tools are no list"),
        pytest.param(b'{"model":["small"],"messages":[]}', {}, 400, "body-shape", id="the model is no text"),
        pytest.param(_nested(5_000), {}, 400, "body-too-deep", id="5,000 lists in one another"),
        pytest.param(_nested(150_000), {}, 400, "body-too-deep", id="150,000 lists in one another"),
        pytest.param(_nested(2_000_000), {}, 413, "body-too-large", id="2,000,000 lists, not decoded"),
        pytest.param(GOOD.replace(b"hello", b"\xff\xfe"), {}, 400, "body-not-json", id="invalid UTF-8"),
        pytest.param(GOOD.replace(b"hello", b"\xed\xa0\x80"), {}, 400, "body-not-json", id="a surrogate in UTF-8"),
        pytest.param(GOOD.replace(b"hello", b"\\ud800"), {}, 400, "body-not-json", id="a lone surrogate"),
        pytest.param(b"", {}, 400, "body-missing", id="no body"),
        pytest.param(GOOD, {"content-type": "text/plain"}, 415, "content-type", id="text/plain"),
        pytest.param(GOOD, {"content-type": "application/x-www-form-urlencoded"}, 415, "content-type", id="a form"),
        pytest.param(GOOD, {"content-type": ""}, 415, "content-type", id="no content type"),
        pytest.param(GOOD, {"content-type": "application/json; charset=utf-16"}, 415, "content-type", id="UTF-16"),
        pytest.param(GOOD, {"content-encoding": "br"}, 415, "content-encoding", id="br"),
        pytest.param(GOOD, {"content-encoding": "gzip, gzip"}, 415, "content-encoding", id="gzip twice"),
        pytest.param(GOOD, {"content-encoding": "gzip"}, 400, "content-encoding", id="gzip that is none"),
        pytest.param(gzip.compress(GOOD) + b"x", {"content-encoding": "gzip"}, 400, "content-encoding",
                     id="gzip and then something"),
        pytest.param(gzip.compress(b" " * 60_000_000), {"content-encoding": "gzip"}, 413, "body-too-large",
                     id="a gzip bomb"),
    ],
)  # fmt: skip
def test_a_bad_body_is_refused(scripted: Scripted, body, headers, status, reason):
    with scripted.client() as client:
        answer = client.post(
            "/v1/chat/completions", content=body, headers={"content-type": "application/json", **headers}
        )
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == reason
    assert reason in answer.json()["error"]["message"]
    assert scripted.gateway.record(answer)["reason"] == reason


@pytest.mark.promise("bad-input.size")
@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("version", [1, 2], ids=["HTTP/1.1", "HTTP/2"])
@pytest.mark.parametrize("announced", [True, False], ids=["with its length", "chunked"])
def test_a_body_of_100_mb_is_refused(scripted: Scripted, announced, version):
    size = 100_000_000
    piece = b" " * 1_000_000

    def pieces():
        yield _OPEN + b'"'
        for _ in range(size // len(piece)):
            yield piece
        yield b'"}'

    headers = {"content-type": "application/json"}
    if announced:
        headers["content-length"] = str(size + len(_OPEN) + 3)
    with scripted.client(http1=version == 1, http2=version == 2) as client:
        client.timeout = 3.0  # this HTTP/2 client waits for room to send although the answer is there
        try:
            answer = client.post("/v1/chat/completions", content=pieces(), headers=headers)
        except httpx2.HTTPError:
            pass  # refused while it was still sending: the connection or stream was reset before the answer was read
        else:
            assert answer.status_code == 413
            assert "16777216" in answer.text
    record = scripted.gateway.records(1, reason="body-too-large", status=413)[-1]
    assert record["verdict"] == "deny"


@pytest.mark.promise("bad-input.size")
@pytest.mark.usefixtures("untouched")
def test_the_answer_to_a_body_of_100_mb_says_what_the_cap_is(scripted: Scripted):
    """By hand, because few clients read an answer that comes while they still send."""
    token = scripted.issuer.token("engineering")
    answer = _raw(
        scripted.gateway,
        f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n"
        "content-type: application/json\r\ncontent-length: 100000000\r\n\r\n",
    )
    assert b" 413 " in answer.partition(b"\r\n")[0]
    assert b"16777216" in answer
    assert b'"type":"error"' in answer  # in Anthropic's words


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [
        pytest.param("GET", "/v1/chat/completions", 405, "http-method", id="GET of a POST path"),
        pytest.param("PUT", "/v1/messages", 405, "http-method", id="PUT"),
        pytest.param("POST", "/v1/models", 405, "http-method", id="POST of a GET path"),
        pytest.param("POST", "/v1/files", 404, "route-unknown", id="a path that is not served"),
        pytest.param("POST", "/v1/chat/completions/", 404, "route-unknown", id="a slash more"),
        pytest.param("POST", "/V1/chat/completions", 404, "route-unknown", id="a path in odd case"),
        pytest.param("GET", "/", 404, "route-unknown", id="the root"),
    ],
)
def test_what_is_not_served_is_refused(scripted: Scripted, method, path, status, reason):
    with scripted.client() as client:
        body = GOOD if method in ("POST", "PUT") else None
        answer = client.request(method, path, content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, reason in answer.text) == (status, True)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/v1//chat/completions", id="a doubled slash"),
        pytest.param("/v1/x/../chat/completions", id="a dot segment"),
        pytest.param("/v1/./chat/completions", id="a dot"),
        pytest.param("/v1/chat%2Fcompletions", id="an encoded slash"),
        pytest.param("/v1/chat/completions%00", id="an encoded zero"),
        pytest.param("/v1/chat/completions;x=1", id="a parameter"),
        pytest.param("/v1/models/../chat/completions", id="out of another path"),
        pytest.param("/mcp/tools/%2e%2e/%2e%2e/v1/chat/completions", id="encoded dots"),
    ],
)
def test_a_path_that_servers_read_differently_is_sent_only_as_it_was_judged(scripted: Scripted, path):
    token, script = scripted.issuer.token("engineering"), f"odd path {path}"
    body = json.dumps(policies.chat(model="forbidden")).encode()
    for sent in (GOOD, body):
        _raw(
            scripted.gateway,
            f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nx-script: {script}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(sent)}\r\n\r\n",
            sent,
        )
    arrived = scripted.upstream.arrivals(script)
    assert {request.path for request in arrived} <= {"/v1/chat/completions"}
    assert {request.body for request in arrived} <= {GOOD.replace(b": ", b":").replace(b", ", b",")}


@pytest.mark.promise("bad-input.upgrade")
@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("path", ["/v1/responses", "/v1/messages", "/mcp/tools"])
def test_an_upgrade_to_websocket_gets_426(scripted: Scripted, path):
    token = scripted.issuer.token("engineering")
    answer = _raw(
        scripted.gateway,
        f"GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nconnection: Upgrade\r\n"
        "upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )
    assert answer.startswith(b"HTTP/1.1 426")
    assert b"upgrade-refused" in answer
    assert b"application/json" in answer


@pytest.mark.promise("bad-input.http-versions")
@pytest.mark.parametrize("version", [1, 2], ids=["HTTP/1.1", "HTTP/2"])
def test_both_versions_of_http_are_served(scripted: Scripted, version):
    with scripted.client(http1=version == 1, http2=version == 2) as client:
        answer = client.post("/v1/chat/completions", json=policies.chat("card 4111 1111 1111 1111"))
        assert answer.http_version == ("HTTP/1.1" if version == 1 else "HTTP/2")
        assert answer.json()["choices"][0]["message"]["content"] == "card [masked:card]"
        refused = client.post("/v1/chat/completions", json=policies.chat(model="none"))
        assert refused.status_code == 404


def test_request_smuggling_by_two_lengths_is_refused(scripted: Scripted):
    before = len(scripted.upstream.seen)
    token = scripted.issuer.token("engineering")
    answer = _raw(
        scripted.gateway,
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(GOOD)}\r\ntransfer-encoding: chunked\r\n\r\n",
        b"%x\r\n%s\r\n0\r\n\r\n" % (len(GOOD), GOOD),
    )
    assert not answer.startswith(b"HTTP/1.1 200")
    assert len(scripted.upstream.seen) == before


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("body", "reason"),
    [(GOOD, "body-shape"), (b"", "body-shape"), (None, "body-missing")],
    ids=["a body", "an empty body", "no body"],
)
def test_a_request_is_refused_whose_trailers_follow(scripted: Scripted, body, reason):
    status, said = _http2(scripted, body, [("x-api-key", "trailing"), ("x-note", "1")])
    assert (status, json.loads(said)["error"]["code"]) == (400, reason)


def test_the_same_request_without_trailers_is_served(scripted: Scripted):
    status, said = _http2(scripted, GOOD, [])
    assert (status, b"hello" in said) == (200, True)


@pytest.mark.promise("bad-input.client-gone")
def test_a_client_that_goes_away_in_mid_stream_ends_the_call_upstream_and_is_recorded(scripted: Scripted):
    async def endless(line):
        await line.chunked(policies.chunk("first"))
        while True:
            await line.chunk(policies.chunk(" more"))
            await asyncio.sleep(0.01)

    scripted.upstream.scripts["client gone"] = endless
    gone = scripted.upstream.gone
    with (
        scripted.client() as client,
        client.stream(
            "POST", "/v1/chat/completions", json=policies.chat(stream=True), headers={"x-script": "client gone"}
        ) as answer,
    ):
        assert next(answer.iter_bytes())
        number = answer.headers["x-gatereeve-id"]
    until("the upstream's connection was closed", lambda: scripted.upstream.gone > gone)
    assert scripted.gateway.record(number)["aborted"] is True


def _http2(scripted: Scripted, body: bytes | None, trailers: list[tuple[str, str]]) -> tuple[int, bytes]:
    """One POST over HTTP/2 that ends in trailers, if there are any: status and body of the answer."""
    token = scripted.issuer.token("engineering")
    line = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
    line.initiate_connection()
    line.send_headers(1, [(":method", "POST"), (":path", "/v1/chat/completions"), (":scheme", "http"),
                          (":authority", "x"), ("authorization", f"Bearer {token}"),
                          ("content-type", "application/json")])  # fmt: skip
    if body is not None:
        line.send_data(1, body, end_stream=not trailers)
    if trailers:
        line.send_headers(1, trailers, end_stream=True)
    status, said = 0, b""
    with socket.create_connection(("127.0.0.1", scripted.gateway.port), timeout=10) as peer:
        peer.sendall(line.data_to_send())
        while True:
            events = line.receive_data(peer.recv(65536))
            for event in events:
                if isinstance(event, ResponseReceived):
                    status = int(dict(event.headers)[":status"])
                elif isinstance(event, DataReceived):
                    said += event.data
                elif isinstance(event, StreamEnded):
                    return status, said
            peer.sendall(line.data_to_send())


def _raw(gateway: Gateway, head: str, body: bytes = b"") -> bytes:
    """Send bytes, read until the answer is there or the connection ends."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as line:
        with suppress(ConnectionError):
            line.sendall(head.encode() + body)
        answer = b""
        with suppress(ConnectionError, TimeoutError):
            while True:
                answer += (piece := line.recv(65536))
                head_end = answer.find(b"\r\n\r\n")
                if not piece:
                    break
                if head_end >= 0:
                    fields = answer[:head_end].lower().split(b"\r\n")
                    length = next((int(f[15:]) for f in fields if f.startswith(b"content-length:")), None)
                    if length is not None and len(answer) >= head_end + 4 + length:
                        break
                    if length is None and answer.endswith(b"0\r\n\r\n"):
                        break
        return answer
