"""Failover while requests flow and the first provider dies, throttles, hangs and breaks its answers in the middle: none
is lost that could be saved, none answered twice, and no credential goes to the wrong provider.

Each request has a marker of its own, which every answer has to say back.
"""

import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx2
import pytest

from tests.envoy.conftest import Scripted
from tests.envoy.gateway import Ports, client
from tests.envoy.policies import DONE, chat, chunk, completion, document, said
from tests.envoy.upstream import Arrived, Line, Upstream

KEY_A, KEY_B = "key-of-a-0123456789abcdef", "key-of-b-0123456789abcdef"
AT_ONCE = 16


def marker_of(arrived: Arrived) -> str:
    """The user's text, from either dialect."""
    content = arrived.json()["messages"][-1]["content"]
    return content if isinstance(content, str) else content[0]["text"]


@dataclass
class Plays:
    """What a provider does: told by its mood, and it counts whose answers it has finished."""

    name: str
    mood: str = "well"
    finished: Counter[str] = field(default_factory=Counter)

    async def __call__(self, line: Line) -> None:
        marker, mood = marker_of(line.request), self.mood
        stream = bool(line.request.json().get("stream"))
        if mood == "throttled":
            await line.whole(b'{"error":{"message":"slow down"}}', "429 Too Many Requests")
        elif mood == "failing":
            await line.whole(b'{"error":{"message":"no"}}', "500 Internal Server Error")
        elif mood == "hanging":
            await line.wait()
        elif mood == "breaking" and not stream:
            body = completion(f"{self.name} {marker}")
            await line.head("200 OK", content_length=str(len(body)), content_type="application/json")
            await line.send(body[: len(body) // 2])
            line.abort()
        elif mood == "breaking":
            line.abort()
        elif mood == "breaking-streams" and stream:
            await line.chunked(chunk(f"{self.name} {marker[:4]}"))
            line.abort()
        else:
            await self._well(line, marker, stream)
            self.finished[marker] += 1

    async def _well(self, line: Line, marker: str, stream: bool) -> None:
        text = f"{self.name} {marker}"
        if self.name == "a":
            if not stream:
                await line.whole(completion(text))
                return
            await line.chunked(chunk(text[:5]) + chunk(text[5:]) + DONE)
        else:
            if not stream:
                await line.whole(json.dumps(_message(text)).encode())
                return
            await line.chunked(_events(text))
        await line.end()


def _message(text: str) -> dict[str, Any]:
    content = [{"type": "text", "text": text}] if text else []
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": content,
            "stop_reason": "end_turn", "stop_sequence": None,
            "usage": {"input_tokens": 5, "output_tokens": 7}}  # fmt: skip


def _events(text: str) -> bytes:
    parts = [
        {"type": "message_start", "message": {**_message(""), "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
          for piece in (text[:5], text[5:])),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
         "usage": {"output_tokens": 7}},
        {"type": "message_stop"},
    ]  # fmt: skip
    return b"".join(f"event: {part['type']}\ndata: {json.dumps(part)}\n\n".encode() for part in parts)


@dataclass
class Got:
    """What one client got: its status (0: none), the text, and whether the answer was visibly whole."""

    marker: str
    stream: bool
    status: int
    text: str
    whole: bool
    mood: str
    record: str = ""


class Field:
    """A gateway before two providers, and clients that do not stop asking."""

    def __init__(self, made: Scripted, sticky: str = "none") -> None:
        self.made = made
        self.plays = Plays("a"), Plays("b")
        self.a_port = Ports.take(1)
        self.a = self._provider(self.a_port, self.plays[0])
        self.b = self._provider(Ports.take(1), self.plays[1])
        self.seen_by_a: list[Arrived] = []
        write = made.folder.write
        for name, dialect, port, key in (
            ("a", "openai-chat", self.a_port, KEY_A), ("b", "anthropic-messages", self.b.port, KEY_B),
        ):  # fmt: skip
            write(document("LLMProvider", name, dialects=[dialect], url=f"http://127.0.0.1:{port}",
                           credential={"from": {"value": key}}))  # fmt: skip
        targets = [{"provider": "a", "model": "up-a"}, {"provider": "b", "model": "up-b"}]
        write(document("Model", "both", targets=targets, failover={"firstByte": "400ms"}, sticky=sticky))
        write(document("AgentPolicy", "field", subjects=[{"groups": ["engineering"]}], models={"allow": ["both"]}))
        self.token = made.issuer.token("engineering")
        self._numbers = count()
        self._local = threading.local()
        self._lines: list[httpx2.Client] = []

    def _provider(self, port: int, plays: Plays) -> Upstream:
        upstream = Upstream(port)
        upstream.scripts[""] = plays
        return upstream

    def dies(self) -> None:
        """The first provider's port closes, with everything that is open."""
        self.seen_by_a += self.a.seen
        self.a.close()

    def rises(self) -> None:
        self.a = self._provider(self.a_port, self.plays[0])

    def close(self) -> None:
        for line in self._lines:
            line.close()
        self.a.close()
        self.b.close()

    def ask(self, number: int, mood: str) -> Got:
        marker, stream = f"marker-{number:05d}-{os.getpid()}", number % 2 == 1
        line: httpx2.Client | None = getattr(self._local, "line", None)
        if line is None:
            line = self._local.line = client(base_url=self.made.gateway.url)
            self._lines.append(line)
        headers = {"authorization": f"Bearer {self.token}"}
        try:
            answer = line.post("/v1/chat/completions", json=chat(marker, model="both", stream=stream), headers=headers)
        except httpx2.HTTPError:
            return Got(marker, stream, 0, "", False, mood)
        record = answer.headers.get("x-gatereeve-id", "")
        if answer.status_code != 200:
            return Got(marker, stream, answer.status_code, answer.text, True, mood, record)
        if stream:
            whole = b"[DONE]" in answer.content and b'"error"' not in answer.content
            return Got(marker, stream, 200, said(answer.content), whole, mood, record)
        return Got(marker, stream, 200, answer.json()["choices"][0]["message"]["content"], True, mood, record)

    def flow(self, turns: list[tuple[str, Callable[[], None] | None]], each: int) -> list[Got]:
        """`each` requests per turn, `AT_ONCE` at a time; turns change while those before are still under way."""
        got = []
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for mood, change in turns:
                if change is not None:
                    change()
                self.plays[0].mood = mood
                calls = [pool.submit(self.ask, next(self._numbers), mood) for _ in range(each)]
                for call in calls[: each - AT_ONCE]:
                    call.result()
                got += calls
            return [call.result() for call in got]

    def assert_nobody_crossed(self) -> None:
        for arrived in (*self.seen_by_a, *self.a.seen):
            assert arrived.header("authorization") == f"Bearer {KEY_A}"
            assert KEY_B.encode() not in arrived.everything
            assert self.token.encode() not in arrived.everything
            assert arrived.header("x-api-key") is None
        for arrived in self.b.seen:
            assert arrived.header("x-api-key") == KEY_B
            assert KEY_A.encode() not in arrived.everything
            assert self.token.encode() not in arrived.everything
            assert arrived.header("authorization") is None


def assert_right(got: Got) -> None:
    """A complete answer says the marker of its own request, once."""
    assert got.text in (f"a {got.marker}", f"b {got.marker}"), got


@pytest.fixture
def field_of(own) -> Callable[..., Field]:
    fields: list[Field] = []

    def make(**options: Any) -> Field:
        made = own(start=False, **options)
        fields.append(Field(made))
        made.gateway.start()
        return fields[-1]

    yield make
    for one in fields:
        one.close()


@pytest.mark.promise("failover.load")
def test_no_request_is_lost_and_none_answered_twice_while_a_provider_fails_in_every_way(field_of):
    field = field_of(workers=2)
    turns = [
        ("well", None),
        ("throttled", None),
        ("failing", None),
        ("well", None),
        ("hanging", None),
        ("breaking", None),
        ("gone", field.dies),
        ("well", field.rises),
        ("breaking-streams", None),
    ]
    every = field.flow(turns, 48)
    assert len(every) == 432

    for got in every:
        if got.whole and got.status == 200:
            assert_right(got)
        else:  # begun, and broken off by a provider that had begun: the one thing nobody can save
            assert (got.stream, got.status) == (True, 200), got
            assert got.text in ("a mark"[: len(got.text)],), got
    lost = [got for got in every if not got.whole]
    assert all(got.mood in ("breaking-streams", "gone", "well") for got in lost), lost
    assert not [got for got in every if not got.stream and (got.status, got.whole) != (200, True)]

    by_a, by_b = (plays.finished for plays in field.plays)
    assert by_a
    assert by_b
    for got in every:
        served = {"a": by_a, "b": by_b}
        if got.whole:
            assert served[got.text[0]][got.marker] == 1
    assert not [marker for marker in by_b if by_b[marker] > 1]
    field.assert_nobody_crossed()

    ids = {got.record for got in every}
    assert len(ids) == len(every)
    records = {entry["id"]: entry for entry in field.made.gateway.records(len(every), operation="chat")}
    assert ids <= set(records)
    assert len(records) == len(every), "one record per exchange"
    attempts: Counter[str] = Counter()
    expected = sum(records[each]["attempts"] for each in ids)
    for entry in field.made.gateway.records(expected, operation="attempt"):
        attempts[entry["exchange"]] += 1
    for each in ids:
        assert attempts[each] == records[each]["attempts"], records[each]
    for got in every:
        if got.whole:
            assert records[got.record]["upstream"] == f"LLMProvider/{got.text[0]}"


@pytest.mark.promise("failover.load")
def test_a_worker_that_is_killed_costs_no_more_than_what_it_had_in_hand(field_of):
    """An exchange whose worker dies after its first answer has nobody who could judge it: it ends with an error, never
    with an answer that is not its own."""
    field = field_of(workers=2)
    victim = field.made.gateway.pids()[0]

    def kill() -> None:
        os.kill(victim, signal.SIGKILL)

    every = field.flow([("well", None), ("throttled", None), ("failing", kill), ("hanging", None), ("well", None)], 64)
    right = [got for got in every if got.status == 200 and got.whole]
    for got in right:
        assert_right(got)
    failed = [got for got in every if got not in right]
    for got in failed:
        if got.status == 200:
            assert got.stream
            assert got.marker.startswith(got.text[2:]) or not got.text, got
        else:
            assert got.status in (0, 500, 502, 503, 504), got
            assert "marker" not in got.text
    # At most what was under way at that moment.
    assert len(failed) <= AT_ONCE, Counter(got.status for got in failed)
    field.assert_nobody_crossed()
    by_a, by_b = (plays.finished for plays in field.plays)
    assert max((by_a | by_b).values()) == 1
