"""A playbook for exchanges: what Envoy says (`>>`) and what the session must answer (`<<`), in order, completely.

    assert Playbook() >> chat() << RequestHeadersReply() >> body() << forwards() >> CLOSED << records()

Everything that is not expected is a failure, and so is everything expected that does not come. Each event gets its own
moment in time. Whatever a playbook sees is also searched for canaries: texts planted into every input that may appear
in no record, no refusal and no repr.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from extproc.exchange.refusal import Reason, Refusal
from extproc.identity.model import Identity
from extproc.policy.load import load
from extproc.policy.runtime import Credential, CredentialSource, Policy
from extproc.session.actions import Action, Await, Record, Respond, ResponseChunk, ResponseHeadersReply
from extproc.session.events import (
    Event,
    RequestBody,
    RequestHeaders,
    ResponseBody,
    ResponseHeaders,
    StreamClosed,
)
from extproc.session.ports import Injected, KeysNeeded, Outgoing, Ports
from extproc.session.seal import Seal
from extproc.session.session import Session
from extproc.session.stages import Limits

WALL, START = 1_800_000_000.0, 100.0
ID = "gr-test-1"
CARD = "4111 1111 1111 1111"
MASKED = "[masked:card]"
LIMITS = Limits(request=10_000, answer=20_000)

CANARY = "canary"
TOKEN, SECRET, PROMPT, CLAIM, HEADER = (f"{CANARY}-{kind}" for kind in ("token", "secret", "prompt", "claim", "header"))
CLOSED = StreamClosed(clean=True)
LOCAL: Mapping[str, str] = {"response.code_details": "upstream_reset_before_response_started{connection_failure}"}
VIA: Mapping[str, str] = {"response.code_details": "via_upstream"}
ASKED: Mapping[str, str] = {"source.address": "192.0.2.7:4711"}

Expectation = Action | Callable[[Any], None]


@cache
def policy() -> Policy:
    return load(Path(__file__).parent / "house.yaml")


class Tokens:
    """The authenticator: a token names its group; "keys" needs keys first, "expired" and "late" are refused."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, bool]] = []

    def authenticate(
        self, token: str, policy: Policy, wall: float, *, final: bool = False, audience: Any = None
    ) -> Identity | Refusal | KeysNeeded:
        self.seen.append((token, final))
        group = token.removeprefix(TOKEN + "-")
        if group == "expired" or (group == "late" and final):
            return Refusal.of(Reason.TOKEN_EXPIRED)
        if group == "bug":
            raise RuntimeError(TOKEN)
        if group == "never" or (group in ("keys", "late") and not final):
            return KeysNeeded(fetch)
        group = "engineering" if group == "keys" else group
        claims = {"sub": "user-1", "secret": CLAIM}
        return Identity("corp", "https://login.example.com", "user-1", (group,), "u@example.com", claims=claims)


async def fetch() -> None:
    """What a session awaits for keys. Never run here."""


class Keyring:
    """The credentials: every source has a secret but the one that has none."""

    def inject(self, source: Credential, request: Outgoing) -> Injected | None:
        assert isinstance(source, CredentialSource)
        if source.env == "NO_SUCH_KEY":
            return None
        return Injected(((source.header, source.format.replace("{}", SECRET)),), SECRET.encode())


class Memory:
    """Exposure, as a plain dictionary without an end."""

    def __init__(self) -> None:
        self.levels: dict[bytes, int] = {}

    def touched(self, key: bytes, level: int, wall: float, ttl: float) -> None:
        self.levels[key] = max(level, self.levels.get(key, 0))

    def level(self, key: bytes, wall: float) -> int:
        return self.levels.get(key, 0)


class Definitions:
    """Tool definitions, as they were learned."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], Any] = {}

    def definition(self, server: str, tool: str) -> Any:
        return self.known.get((server, tool))

    def learn(self, server: str, tools: Any) -> None:
        self.known.update({(server, tool["name"]): tool for tool in tools})


SEAL = Seal(b"0" * 32)
CALLER = b"https://login.example.com\0user-1"


def sealed(kind: str, handle: str, server: str = "notes") -> str:
    """A handle as the gateway gives it to the caller of these transcripts."""
    return SEAL.closer(kind, server, CALLER)(handle)


def ports() -> Ports:
    return Ports(Tokens(), Keyring(), Memory(), Definitions(), SEAL)


def session(*, limits: Limits = LIMITS, policy: Policy | Callable[[], Policy] | None = policy) -> Session:
    return Session(ID, policy() if callable(policy) else policy, ports(), limits)


# -- events ------------------------------------------------------------------------------------------------------------


def request(
    path: str, method: str = "POST", *, group: str | None = "engineering", end: bool = False, **extra: str | None
) -> RequestHeaders:
    """Headers of a request; underscores in names stand for hyphens, None takes a header away."""
    headers: dict[str, str] = {
        ":method": method,
        ":path": path,
        ":scheme": "http",
        ":authority": "gateway.example.com",
        "user-agent": f"agent/1.0 {HEADER}",
        "x-note": HEADER,
    }
    if method == "POST":
        headers["content-type"] = "application/json"
    if group is not None:
        headers["authorization"] = f"Bearer {TOKEN}-{group}"
    for name, value in extra.items():
        name = name.replace("_", "-")
        if value is None:
            headers.pop(name, None)
        else:
            headers[name] = value
    return RequestHeaders(headers, end, ASKED)


def chat(group: str | None = "engineering", **extra: Any) -> RequestHeaders:
    return request("/v1/chat/completions", group=group, **extra)


def messages(group: str | None = "engineering", **extra: Any) -> RequestHeaders:
    return request("/v1/messages", group=group, **{"anthropic_version": "2023-06-01", **extra})


def mcp(group: str | None = "engineering", method: str = "POST", **extra: Any) -> RequestHeaders:
    extra.setdefault("end", method != "POST")
    return request("/mcp/notes", method, group=group, **extra)


def body(doc: Any = None, *, model: str = "gpt-4", **extra: Any) -> RequestBody:
    """A request body: bytes as they are, a document as JSON, or a chat with `model`."""
    if doc is None:
        doc = {"model": model, "messages": [{"role": "user", "content": PROMPT}], **extra}
    return RequestBody(doc if isinstance(doc, bytes) else json.dumps(doc).encode(), True)


def rpc(method: str, params: Any = None, id: Any = 7) -> RequestBody:
    doc: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    if id is not None:
        doc["id"] = id
    if params is not None:
        doc["params"] = params
    return body(doc)


def tool(name: str, **arguments: Any) -> RequestBody:
    return rpc("tools/call", {"name": name, "arguments": {"text": PROMPT, **arguments}})


def answer(
    status: int | str = 200,
    kind: str | None = "application/json",
    *,
    end: bool = False,
    details: Mapping[str, str] = VIA,
    **extra: str,
) -> ResponseHeaders:
    headers = {":status": str(status)}
    if kind is not None:
        headers["content-type"] = kind
    headers.update({name.replace("_", "-"): value for name, value in extra.items()})
    return ResponseHeaders(headers, end, details)


def sse(status: int = 200, **extra: Any) -> ResponseHeaders:
    return answer(status, "text/event-stream; charset=utf-8", **extra)


def chunk(data: bytes | str | Mapping[str, Any], end: bool = True) -> ResponseBody:
    if isinstance(data, Mapping):
        data = json.dumps(data)
    return ResponseBody(data.encode() if isinstance(data, str) else data, end)


def completion(text: str) -> dict[str, Any]:
    return {
        "id": "c-1",
        "model": "demo-large-1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 7},
    }


def delta(text: str) -> str:
    event = {"id": "c-1", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}
    return f"data: {json.dumps(event)}\n\n"


# -- the playbook ------------------------------------------------------------------------------------------------------


class Playbook:
    """See the module. `actions` has everything the session answered."""

    def __init__(self, subject: Session | None = None) -> None:
        self.session = subject if subject is not None else session()
        self.actions: list[Action] = []
        self._pending: list[Action] = []
        self._moment = START

    def __rshift__(self, event: Event) -> Playbook:
        assert not self._pending, f"nothing was expected, but the session also answered {self._pending}"
        self._moment += 0.010
        self._pending = self.session.on(event, WALL, self._moment)
        self.actions += self._pending
        for action in self._pending:
            _sings_not(action)
        quiet = [action for action in self._pending if not isinstance(action, Record)]  # see `_sings_not`
        assert CANARY not in repr((event, quiet, self.session))
        return self

    def __lshift__(self, expected: Expectation) -> Playbook:
        assert self._pending, f"{expected} was expected, and nothing came"
        actual = self._pending.pop(0)
        if callable(expected):
            expected(actual)
        else:
            assert actual == expected
        return self

    def __bool__(self) -> bool:
        assert not self._pending, f"nothing was expected, but the session also answered {self._pending}"
        return True

    @property
    def record(self) -> dict[str, Any]:
        """The one record, which comes last."""
        records = [action for action in self.actions if isinstance(action, Record)]
        assert len(records) == 1
        assert self.actions[-1] is records[0]
        return records[0].entry

    @property
    def given(self) -> bytes:
        """The bytes of the answer's body that the client got."""
        return b"".join(action.body for action in self.actions if isinstance(action, ResponseChunk))


def _sings_not(action: Action) -> None:
    """No canary where the client, the operator or a log could see it."""
    if isinstance(action, Record):
        # What a tool was called with is what the audit of a tool is for: masked, and told in this one field alone.
        entry = {name: value for name, value in action.entry.items() if name != "arguments"}
        assert CANARY not in json.dumps(entry), entry
        assert SECRET not in json.dumps(action.entry)
        assert TOKEN not in json.dumps(action.entry)
    if isinstance(action, Respond):
        assert CANARY.encode() not in action.rendered.body
        assert CANARY not in repr(action)
        assert action.details.startswith("gatereeve")  # or Envoy would put its own body in the place of ours
        assert " " not in action.details


def over(playbook: Playbook) -> dict[str, Any]:
    """Close the stream; the record."""
    assert playbook >> CLOSED << records()
    return playbook.record


# -- expectations ------------------------------------------------------------------------------------------------------


def refuses(status: int, reason: str, *, shape: Callable[[Any, str], None] | None = None, **headers: str) -> Any:
    """An immediate response with this status, this reason in it, in this shape (see `openai`, `anthropic`, `rpc_error`
    and `failed_tool`)."""

    def check(action: Any) -> None:
        assert isinstance(action, Respond)
        rendered = action.rendered
        assert rendered.status == status
        text = rendered.body.decode()
        assert reason in text
        assert ID in text
        found = dict(rendered.headers)
        assert found["content-type"] == "application/json"
        assert found["x-gatereeve-id"] == ID
        for name, value in headers.items():
            assert found[name.replace("_", "-")] == value
        if shape is not None:
            shape(json.loads(text), reason)

    return check


def openai(doc: Any, reason: str) -> None:
    assert doc["error"]["code"] == reason
    assert reason in doc["error"]["message"]


def anthropic(doc: Any, reason: str) -> None:
    assert doc["type"] == "error"
    assert reason in doc["error"]["message"]


def rpc_error(doc: Any, reason: str) -> None:
    assert doc["jsonrpc"] == "2.0"
    assert reason in doc["error"]["message"]


def failed_tool(doc: Any, reason: str) -> None:
    assert doc["id"] == 7
    assert doc["result"]["isError"] is True
    assert reason in doc["result"]["content"][0]["text"]


def forwards(into: list[Any] | None = None) -> Any:
    """A reply that lets the request go on to some upstream; kept in `into`."""

    def check(action: Any) -> None:
        assert "x-gatereeve-upstream" in dict(action.set)
        if into is not None:
            into.append(action)

    return check


def begins(*removed: str, length: int | str | None = None) -> Any:
    """The answer's headers go on with our id, without `removed`, with a length of the new body, "any" or none."""

    def check(action: Any) -> None:
        assert isinstance(action, ResponseHeadersReply)
        sets = dict(action.set)
        assert sets["x-gatereeve-id"] == ID
        if length == "any":
            assert "content-length" in sets
        else:
            assert sets.get("content-length") == (None if length is None else str(length))
        for name in removed:
            assert name in action.remove
        assert not set(sets) & set(action.remove)

    return check


def gives(text: str | bytes | None = None, *, end: bool, has: str = "", lacks: str = "") -> Any:
    """A chunk for the client: exactly `text`, or one that holds `has` and not `lacks`."""

    def check(action: Any) -> None:
        assert isinstance(action, ResponseChunk)
        assert action.end_of_stream is end
        if text is not None:
            assert action.body == (text.encode() if isinstance(text, str) else text)
        assert has in action.body.decode()
        assert not lacks or lacks not in action.body.decode()

    return check


def records(**parts: Any) -> Any:
    """The audit record, with these values in it."""

    def check(action: Any) -> None:
        assert isinstance(action, Record)
        assert action.entry["id"] == ID
        assert {name: action.entry.get(name) for name in parts} == parts

    return check


def waits(action: Any) -> None:
    assert isinstance(action, Await)


def allowed(headers: RequestHeaders | None = None, said: RequestBody | None = None) -> Playbook:
    """A playbook whose call has been forwarded."""
    from extproc.session.actions import RequestHeadersReply

    playbook = Playbook()
    assert playbook >> (headers or chat()) << RequestHeadersReply() >> (said or body()) << forwards()
    return playbook
