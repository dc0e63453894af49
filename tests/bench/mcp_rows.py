"""What an MCP exchange costs the processor: a call of a tool, held to everything, and lists of tools.

The session step, as for chat: a real worker's parts, token verified before, events decoded. Tools have definitions of
usual size (ten arguments, descriptions); a call's arguments are 2 KB and its result holds one card number.
"""

import json
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path

from extproc.pb import ext_proc_pb2 as pb
from extproc.serve import Worker
from extproc.session.actions import Record, ResponseChunk
from extproc.session.events import StreamClosed
from extproc.tools.pins import dump, pin
from extproc.wire.decode import decode
from tests.bench import world
from tests.bench.bench_arguments import ARGUMENTS, SCHEMA
from tests.bench.report import Row
from tests.bench.session_rows import worker
from tests.bench.timing import best_us, interleaved_us

SECTION = "7. MCP (session step, policy of 1,000 documents)"
_IN_TURN = 200  # tools that are called one after the other

_SERVER = "---\napiVersion: gatereeve.dev/v1alpha1\nkind: MCPServer\nmetadata: {{name: {name}}}\nspec:\n{spec}"
_AGENT = "---\napiVersion: gatereeve.dev/v1alpha1\nkind: AgentPolicy\nmetadata: {{name: mcp-{name}}}\nspec:\n{spec}"
_ENGINEERS = "  subjects: [{groups: [engineering]}]\n"
_URL = "  url: http://127.0.0.1:9/mcp\n"
_PINS = "  pins: {file: ../pins.json}\n"
_OFF = "  screening: {descriptions: off, results: off}\n"
_SERVERS = {
    "guarded": _URL + _PINS,
    "plain": _URL + _OFF,
    "screened": _URL,
    "pinned": _URL + _PINS,
    "all": _URL + _PINS,
}
_MASKED = (
    "  masking: everything\n"
    "  mcp:\n  - {server: guarded, tools: {allow: ['tool_*']}}\n  - {server: all, tools: {allow: ['*']}}\n"
)
_PLAIN = "  mcp:\n" + "".join(
    f"  - {{server: {name}, tools: {{allow: ['*0']}}}}\n" for name in ("plain", "screened", "pinned")
)
_DOCUMENTS = "".join(
    (
        *(_SERVER.format(name=name, spec=spec) for name, spec in _SERVERS.items()),
        _AGENT.format(name="masked", spec=_ENGINEERS + _MASKED),
        _AGENT.format(name="plain", spec=_ENGINEERS + _PLAIN),
    )
)


def rows(folder: Path, caller: world.Caller, *, quick: bool = False) -> Iterator[Row]:
    most = 1_000 if quick else 10_000
    tools = [definition(number) for number in range(most)]
    (folder / "pins.json").write_text(dump(pin("bench", tools)), encoding="utf-8")
    with worker(folder, 1_000, caller, _DOCUMENTS) as made:
        made.tools.learn("guarded", tools[:10])
        few = calls(made, caller, 10)
        made.tools.learn("guarded", tools)
        many = calls(made, caller, most)
        costs = interleaved_us({"few": few, "many": many})
        yield Row(SECTION, f"tools/call, {most:,} tools: schema, checks, pins, screening, one masked result",
                  costs["many"], budget=200)  # fmt: skip
        yield Row(SECTION, f"tools 10 -> {most:,}: cost per call", costs["many"] / costs["few"], "x", budget=1.2,
                  note=f"{costs['few']:.0f} -> {costs['many']:.0f} µs")  # fmt: skip
        cost = best_us(calls(made, caller, 10, refused=True))
        yield Row(SECTION, "tools/call, an argument refused", cost, budget=200)
        yield from _lists(made, caller, tools[:1_000])


def _lists(made: Worker, caller: world.Caller, tools: list[dict[str, object]]) -> Iterator[Row]:
    short = json.loads(world.tools_answer(1_000))["result"]["tools"]
    told = {
        "plain": "filtered, screening off",
        "screened": "filtered, screened",
        "pinned": "filtered, screened, pinned",
        "all": "filtered, screened, pinned, masked",
    }
    cost = best_us(lists(made, caller, "plain", short))
    yield Row(SECTION, "tools/list of 1,000 (170 B each), filtered, screening off", cost, budget=2_000)
    cost = best_us(lists(made, caller, "screened", short))
    yield Row(SECTION, "tools/list of 1,000 (170 B each), filtered, screened", cost, budget=2_000)
    for server, what in told.items():
        yield Row(SECTION, f"tools/list of 1,000 (1.4 KB each), {what}", best_us(lists(made, caller, server, tools)))


def definition(number: int) -> dict[str, object]:
    """A tool as a server lists it, about 1.4 KB: every argument is described."""
    properties = {
        name: {**kind, "description": f"What the {name} is, for tool {number}, in a few words."}
        for name, kind in SCHEMA["properties"].items()
    }
    return {
        "name": f"tool_{number}",
        "description": f"Does the thing number {number}, and then some more, as a description goes.",
        "inputSchema": {**SCHEMA, "properties": properties},
    }


def calls(made: Worker, caller: world.Caller, most: int, *, refused: bool = False) -> Callable[[], object]:
    """One call of a tool; of some hundred among `most`, each in its turn."""
    arguments = {**ARGUMENTS, "path": "../../etc/passwd"} if refused else ARGUMENTS
    result = {"content": [{"type": "text", "text": "Card 4111 1111 1111 1111. " + world.SENTENCE * 9}]}
    answer = json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()
    step = max(1, most // _IN_TURN)
    turns = []
    for number in range(0, most, step):
        params = {"name": f"tool_{number}", "arguments": arguments}
        sent = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
        turns.append(_decoded(caller, "guarded", sent, answer))
    run = _stepping(made, turns)
    for _ in turns:  # the first call of a tool compiles its guard
        out = run()
        entry = out[-1].entry
        assert entry["reason"] == ("argument-refused" if refused else "allowed"), entry
        body = b"".join(action.body for action in out if type(action) is ResponseChunk)
        assert refused or (b"4111 1111" not in body and b"Card " in body)
        assert "schema-not-known" not in str(entry), entry
    return run


def lists(made: Worker, caller: world.Caller, server: str, tools: list[object]) -> Callable[[], object]:
    """One tools/list, of which all but every tenth are hidden unless the server's name is "all"."""
    sent = world.tools_request()
    answer = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}).encode()
    run = _stepping(made, [_decoded(caller, server, sent, answer)])
    out = run()
    assert isinstance(out[-1], Record)
    body = b"".join(action.body for action in out if type(action) is ResponseChunk)
    assert len(json.loads(body)["result"]["tools"]) == (1_000 if server == "all" else 100), out[-1].entry
    return run


def _decoded(caller: world.Caller, server: str, sent: bytes, answer: bytes) -> list[object]:
    messages: list[pb.ProcessingRequest] = [
        world.request_headers(caller.token, f"/mcp/{server}", len(sent)),
        world.body("request_body", sent, True),
        world.response_headers(length=len(answer)),
        world.body("response_body", answer, True),
    ]
    return [*(decode(message) for message in messages), StreamClosed(clean=True)]


def _stepping(made: Worker, turns: list[list[object]]) -> Callable[[], list[object]]:
    wall, mono = time.time(), time.monotonic()
    following = cycle(turns)

    def step() -> list[object]:
        session = made.open(None)
        out: list[object] = []
        for event in next(following):
            out += session.on(event, wall, mono)
            if isinstance(out[-1], Record):  # a refusal ends it before there is an answer
                break
        return out

    return step
