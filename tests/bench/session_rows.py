"""The session step alone, without gRPC: what Gatereeve itself costs per exchange, per message and per event.

The parts are those of a real worker (policy of 1,000 documents, key cache, credentials, metrics, audit writer); only
the transport is missing. The token was verified before; signature checks are a row of their own in the rooms.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry

from extproc.pb import ext_proc_pb2 as pb
from extproc.serve import Worker, WorkerSettings
from extproc.session.actions import Record, RequestBodyReply, ResponseChunk
from extproc.session.events import StreamClosed
from extproc.wire.decode import decode
from extproc.wire.server import Step
from tests.bench import world
from tests.bench.report import Row
from tests.bench.timing import best_us, interleaved_us

SECTION = "1. Session step alone (policy of 1,000 documents, all shipped masking rules)"
STREAM = "4. Masked server-sent events"


@contextmanager
def worker(folder: Path, documents: int, caller: world.Caller, more: str = "") -> Iterator[Worker]:
    """A worker's parts in this process, with its audit going nowhere. `more`: further documents of its policy."""
    policy = world.write_policy(folder / f"policy-{documents}", documents, caller)
    if more:
        (policy / "more.yaml").write_text(more, encoding="utf-8")
    settings = WorkerSettings(address="unix:unused", policy=str(policy), audit=("file:/dev/null",))
    made = Worker(settings, CollectorRegistry())
    asyncio.run(made.watch.first())
    made.serving = True
    try:
        yield made
    finally:
        made.audit.close()


def exchange(made: Worker, messages: list[pb.ProcessingRequest], *, emit: bool = False) -> Callable[[], object]:
    """One whole exchange as a step: events already decoded, record built and (with `emit`) handed on."""
    events = [*(decode(message) for message in messages), StreamClosed(clean=True)]
    wall, mono = time.time(), time.monotonic()

    def step() -> list[object]:
        session = made.open(None)
        out: list[object] = []
        for event in events:
            out += session.on(event, wall, mono)
        if emit:
            made.emit(out[-1].entry)
        return out

    _check(step())
    return step


def _check(actions: list[object]) -> None:
    """A benchmark of a refusal, or of an answer that was not masked, would be a lie."""
    assert any(type(action) is RequestBodyReply for action in actions), actions
    answer = b"".join(action.body for action in actions if type(action) is ResponseChunk)
    assert answer
    assert b"4111 1111" not in answer
    assert b"jane.doe@" not in answer
    assert isinstance(actions[-1], Record)
    assert actions[-1].entry["verdict"] == "allow"


def through_protobuf(made: Worker, messages: list[pb.ProcessingRequest]) -> Callable[[], object]:
    """The same from bytes to bytes, as the server does it, metrics and audit queue included."""
    raw = [message.SerializeToString() for message in messages]
    parse = pb.ProcessingRequest.FromString

    def step() -> None:
        one = Step(made)
        for data in raw:
            one.message(parse(data))
        one.event(StreamClosed(clean=True))

    return step


def prefixes(made: Worker, messages: list[pb.ProcessingRequest]) -> dict[str, float]:
    """µs of each message: the cost of the exchange cut off after it, less that of the one before."""
    events = [*(decode(message) for message in messages), StreamClosed(clean=True)]
    wall, mono = time.time(), time.monotonic()

    def upto(count: int) -> Callable[[], object]:
        part = events[:count]

        def step() -> None:
            session = made.open(None)
            for event in part:
                session.on(event, wall, mono)

        return step

    names = ("open", "request_headers", "request_body", "response_headers", "response_body", "close and record")
    whole = interleaved_us({name: upto(index) for index, name in enumerate(names)}, seconds=0.03)
    before = (0.0, *whole.values())
    return {name: cost - before[index] for index, (name, cost) in enumerate(whole.items())}


def rows(folder: Path, caller: world.Caller) -> Iterator[Row]:
    with worker(folder, 1_000, caller) as made:
        messages = world.chat_exchange(caller.token)
        plain = world.chat_exchange(caller.token, secrets="")
        yield Row(SECTION, "governed chat, two secrets masked, four messages, record built",
                  best_us(exchange(made, messages)), budget=120)  # fmt: skip
        yield Row(SECTION, "governed chat, nothing to mask in the answer", best_us(exchange(made, plain)), budget=120)
        for name, cost in prefixes(made, messages).items():
            yield Row(SECTION, f"  of which {name}", cost)
        quiet = exchange(made, messages)
        entry = quiet()[-1].entry
        yield Row(SECTION, "metrics of one exchange", best_us(lambda: made.metrics.observe(entry)))
        yield Row(SECTION, "from protobuf bytes to protobuf bytes, metrics and audit queue",
                  best_us(through_protobuf(made, messages)))  # fmt: skip
        yield from _events(made, caller)


def _events(made: Worker, caller: world.Caller) -> Iterator[Row]:
    masked, once = world.stream_exchange(caller.token, 1_000), world.stream_exchange(caller.token, 0)
    costs = interleaved_us({"many": exchange_stream(made, masked), "none": exchange_stream(made, once)}, seconds=0.03)
    yield Row(STREAM, "session: masked event (feed), 1,000 events of one word", (costs["many"] - costs["none"]) / 1_000,
              budget=20)  # fmt: skip
    costs = interleaved_us({"many": through_protobuf(made, masked), "none": through_protobuf(made, once)}, seconds=0.03)
    yield Row(STREAM, "the same from protobuf bytes to protobuf bytes", (costs["many"] - costs["none"]) / 1_000)


def exchange_stream(made: Worker, messages: list[pb.ProcessingRequest]) -> Callable[[], object]:
    events = [decode(message) for message in messages]
    wall, mono = time.time(), time.monotonic()

    def step() -> bytes:
        session = made.open(None)
        return b"".join(
            action.body for event in events for action in session.on(event, wall, mono) if type(action) is ResponseChunk
        )

    out = step()
    assert b"[DONE]" in out
    assert b"jane.doe@" not in out
    return step
