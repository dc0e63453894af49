"""A processor that is killed, in every phase of an exchange: clients get an error or notice nothing, and no answer
ever passes unpoliced."""

import json
import os
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from tests.envoy import policies
from tests.envoy.conftest import Scripted
from tests.envoy.gateway import request, until
from tests.envoy.oracle import SECRETS
from tests.envoy.upstream import Line

SECRET = SECRETS[0]
SENT = "http.gateway.ext_proc.stream_msgs_sent"
RECEIVED = "http.gateway.ext_proc.stream_msgs_received"


class Client:
    """One HTTP/1.1 request by hand, so that its parts can be sent when the test wants."""

    def __init__(self, made: Scripted, script: str, *, stream: bool) -> None:
        self.body = json.dumps(policies.chat("hello", stream=stream)).encode()
        self.line = socket.create_connection(("127.0.0.1", made.gateway.port), timeout=15)
        self.answer = b""
        self.ended = threading.Event()
        self._head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-script: {script}\r\nconnection: close\r\n"
            f"authorization: Bearer {made.issuer.token('engineering')}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(self.body)}\r\n\r\n"
        ).encode()

    def head(self) -> None:
        """The headers and a beginning of the body."""
        self.line.sendall(self._head + self.body[:5])
        threading.Thread(target=self._read, daemon=True).start()

    def rest(self) -> None:
        with suppress(ConnectionError):
            self.line.sendall(self.body[5:])

    def _read(self) -> None:
        with suppress(OSError), self.line:
            while piece := self.line.recv(65536):
                self.answer += piece
        self.ended.set()

    def finish(self) -> bytes:
        assert self.ended.wait(15), "the client is still waiting"
        return self.answer


def _stop(made: Scripted) -> list[int]:
    pids = made.gateway.pids()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    return pids


def _kill(pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def _passed(made: Scripted, name: str, count: int) -> None:
    until(f"{name} is {count}", lambda: made.gateway.stat(name) >= count)


@pytest.fixture
def made(own) -> Scripted:
    """One worker: every exchange is in its hands."""
    return own(workers=1)


def _is_an_error(answer: bytes) -> None:
    assert answer.startswith((b"HTTP/1.1 500", b"HTTP/1.1 503", b"HTTP/1.1 504")), answer[:200]
    assert b"application/json" in answer
    assert SECRET.encode() not in answer


@pytest.mark.promise("operation.workers")
def test_killed_before_its_first_answer_it_is_not_noticed(own):
    made: Scripted = own(workers=2)
    victim = made.gateway.pids()[0]
    os.kill(victim, signal.SIGSTOP)
    with ThreadPoolExecutor(12) as pool:
        calls = [pool.submit(made.chat) for _ in range(12)]
        until("some calls are held by the stopped worker and all others are done",
              lambda: (held := made.gateway.stat("cluster.gatereeve.upstream_rq_active"))
              and held + sum(call.done() for call in calls) == len(calls))  # fmt: skip
        os.kill(victim, signal.SIGKILL)
        answers = [call.result() for call in calls]
    assert [answer.status_code for answer in answers] == [200] * 12
    assert made.gateway.stat("cluster.gatereeve.upstream_rq_retry") > 0
    until("the worker was started again", lambda: len(made.gateway.pids()) == 2 and victim not in made.gateway.pids())


@pytest.mark.promise("bad-input.killed")
@pytest.mark.promise("operation.fail-closed")
def test_killed_after_the_headers_and_before_the_body(made: Scripted):
    client = Client(made, "x", stream=False)
    client.head()
    _passed(made, RECEIVED, 1)
    _kill(made.gateway.pids())
    client.rest()
    _is_an_error(client.finish())
    assert made.upstream.seen == []


@pytest.mark.promise("bad-input.killed")
@pytest.mark.promise("operation.fail-closed")
def test_killed_while_it_judges_the_body(made: Scripted):
    client = Client(made, "x", stream=False)
    client.head()
    _passed(made, RECEIVED, 1)
    pids = _stop(made)
    client.rest()
    _passed(made, SENT, 2)
    _kill(pids)
    _is_an_error(client.finish())
    assert made.upstream.seen == []


@pytest.mark.promise("bad-input.killed")
@pytest.mark.promise("operation.fail-closed")
def test_killed_while_the_upstream_works(made: Scripted):
    async def later(line: Line) -> None:
        await line.wait()
        await line.whole(policies.completion(SECRET))

    made.upstream.scripts["later"] = later
    client = Client(made, "later", stream=False)
    client.head()
    client.rest()
    until("the request is at the upstream", lambda: made.upstream.seen)
    _kill(made.gateway.pids())
    made.upstream.open("later")
    _is_an_error(client.finish())


@pytest.mark.promise("bad-input.killed")
@pytest.mark.promise("operation.fail-closed")
def test_killed_while_it_judges_the_answers_headers(made: Scripted):
    async def later(line: Line) -> None:
        await line.wait()
        await line.whole(policies.completion(SECRET))

    made.upstream.scripts["later"] = later
    client = Client(made, "later", stream=False)
    client.head()
    client.rest()
    until("the request is at the upstream", lambda: made.upstream.seen)
    pids = _stop(made)
    made.upstream.open("later")
    _passed(made, SENT, 3)
    _kill(pids)
    _is_an_error(client.finish())


@pytest.mark.promise("bad-input.killed")
@pytest.mark.promise("operation.fail-closed")
def test_killed_while_it_holds_a_json_answer(made: Scripted):
    answer = policies.completion(SECRET)

    async def half(line: Line) -> None:
        await line.head("200 OK", content_type="application/json", content_length=str(len(answer)))
        await line.send(answer[:-5])
        await line.wait()
        await line.send(answer[-5:])

    made.upstream.scripts["half"] = half
    client = Client(made, "half", stream=False)
    client.head()
    client.rest()
    _passed(made, SENT, 4)
    _kill(made.gateway.pids())
    made.upstream.open("half")
    _is_an_error(client.finish())


@pytest.mark.promise("bad-input.killed")
@pytest.mark.promise("operation.fail-closed")
def test_killed_in_mid_stream_it_ends_the_answer(made: Scripted):
    async def two(line: Line) -> None:
        await line.chunked(policies.chunk("first "))
        await line.wait()
        await line.chunk(policies.chunk(SECRET) + policies.DONE)
        await line.end()

    made.upstream.scripts["two"] = two
    client = Client(made, "two", stream=True)
    client.head()
    client.rest()
    until("the client has the first event", lambda: b"first" in client.answer)
    _kill(made.gateway.pids())
    made.upstream.open("two")
    answer = client.finish()
    assert SECRET.encode() not in answer
    assert b"[DONE]" not in answer
    assert not answer.endswith(b"0\r\n\r\n")  # cut off, not ended as if it were whole


@pytest.mark.promise("bad-input.killed")
@pytest.mark.promise("operation.fail-closed")
def test_killed_with_a_piece_of_the_stream_in_its_hands(made: Scripted):
    async def two(line: Line) -> None:
        await line.chunked(policies.chunk("first "))
        await line.wait()
        await line.chunk(policies.chunk(SECRET) + policies.DONE)
        await line.end()

    made.upstream.scripts["two"] = two
    client = Client(made, "two", stream=True)
    client.head()
    client.rest()
    until("the client has the first event", lambda: b"first" in client.answer)
    before = made.gateway.stat(SENT)
    pids = _stop(made)
    made.upstream.open("two")
    _passed(made, SENT, before + 1)
    _kill(pids)
    answer = client.finish()
    assert SECRET.encode() not in answer
    assert not answer.endswith(b"0\r\n\r\n")


@pytest.mark.promise("bad-input.killed")
@pytest.mark.promise("operation.fail-closed")
def test_killed_while_it_holds_back_the_tail_before_the_trailers(made: Scripted):
    async def trailers(line: Line) -> None:
        await line.chunked(policies.chunk("first ") + policies.chunk(f"card {SECRET[:12]}"))
        await line.wait()
        await line.end(b"x-trailer: 1\r\n")

    made.upstream.scripts["trailers"] = trailers
    client = Client(made, "trailers", stream=True)
    client.head()
    client.rest()
    until("the client has the first event", lambda: b"first" in client.answer)
    before = made.gateway.stat(SENT)
    pids = _stop(made)
    made.upstream.open("trailers")
    _passed(made, SENT, before + 1)
    _kill(pids)
    answer = client.finish()
    assert SECRET[:12].encode() not in answer
    assert not answer.endswith(b"0\r\n\r\n")


@pytest.mark.promise("bad-input.no-processor")
@pytest.mark.promise("operation.fail-closed")
def test_without_a_processor_nothing_passes(made: Scripted):
    assert made.chat().status_code == 200
    pids = made.gateway.pids()
    made.gateway.signal(signal.SIGSTOP)  # so that nobody starts another one
    _kill(pids)
    before = len(made.upstream.seen)
    for path in ("/v1/chat/completions", "/v1/messages", "/mcp/tools", "/anything"):
        answer = request("POST", f"{made.gateway.url}{path}", json=policies.chat(), timeout=15,
                             headers={"authorization": f"Bearer {made.issuer.token('engineering')}"})  # fmt: skip
        assert answer.status_code in (500, 503)
        assert "error" in answer.json()
    assert len(made.upstream.seen) == before
    made.gateway.signal(signal.SIGCONT)
    until("a worker was started again", lambda: made.gateway.pids() not in ([], pids))
    until("calls are answered again", lambda: made.chat().status_code == 200)
