"""Every method of MCP, in every era that has it and in both directions: it passes, or is refused, as policy says.

The table in docs/mcp.md names the tests of this file.
"""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.envoy import policies
from tests.envoy.conftest import Scripted, scripted_gateway
from tests.envoy.gateway import request
from tests.envoy.upstream import Line

MODERN = "2026-07-28"
OLDER = ["2025-03-26", "2025-06-18", "2025-11-25"]
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}},
}
ACCEPT = "application/json, text/event-stream"
REF = {"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "a", "value": "v"}}
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}

EITHER: dict[str, dict[str, Any]] = {
    "tools/list": {"cursor": ""},
    "tools/call": {"name": "read_a", "arguments": {"n": 1}},
    "prompts/list": {},
    "prompts/get": {"name": "p"},
    "resources/list": {},
    "resources/templates/list": {},
    "resources/read": {"uri": "file:///a"},
    "completion/complete": REF,
}
HANDSHAKE = {
    **EITHER,
    "initialize": HELLO,
    "ping": {},
    "logging/setLevel": {"level": "info"},
    "resources/subscribe": {"uri": "file:///a"},
    "resources/unsubscribe": {"uri": "file:///a"},
    "tasks/list": {},
}
STATELESS = {
    **EITHER,
    "server/discover": {},
    "subscriptions/listen": {"notifications": {"toolsListChanged": True, "resourceSubscriptions": ["file:///a"]}},
}
REMOVED = ["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "tasks/list",
           "tasks/result"]  # fmt: skip
CLIENT_NOTIFICATIONS = ["initialized", "cancelled", "progress", "roots/list_changed", "tasks/status"]
REQUESTS = [("handshake", *each) for each in HANDSHAKE.items()] + [("modern", *each) for each in STATELESS.items()]
every_request = pytest.mark.parametrize(
    ("era", "method", "params"), REQUESTS, ids=[f"{era}: {method}" for era, method, _ in REQUESTS]
)
NAMES = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


class Era:
    """A gateway over a scripted MCP server. `all` may do everything, `masked` too; `some` may use the server and
    nothing in it; `none` may not use any method of it; `others` may use another server."""

    def __init__(self, scripted: Scripted) -> None:
        self.scripted = scripted
        self.tokens = {group: scripted.issuer.token(group) for group in ("all", "masked", "some", "none", "others")}

    def send(
        self, group: str, body: Any, *, method: str = "POST", script: str = "", **headers: str
    ) -> tuple[httpx2.Response, list[Any]]:
        """The answer, and what of it arrived at the server."""
        mark = uuid.uuid4().hex
        said = {"authorization": f"Bearer {self.tokens[group]}", "accept": ACCEPT, "x-mark": mark,
                "x-script": script or "eras", **headers}  # fmt: skip
        url = f"{self.scripted.gateway.url}/mcp/tools"
        more = {"json": body} if body is not None else {}
        answer = request(method, url, headers=said, **more)
        return answer, [one for one in self.scripted.upstream.seen if one.header("x-mark") == mark]

    def call(
        self, group: str, era: str, method: str, params: dict[str, Any], **headers: str
    ) -> tuple[httpx2.Response, list[Any]]:
        """The same for one request as clients of this era send it."""
        body = {"jsonrpc": "2.0", "id": "r-1", "method": method, "params": params}
        if era == "modern":
            body["params"] = {"_meta": META, **params}
            headers = {"mcp-protocol-version": MODERN, "mcp-method": method, **headers}
            if method in NAMES and NAMES[method] in params:
                headers["mcp-name"] = params[NAMES[method]]
        return self.send(group, body, **headers)


async def _serve(line: Line) -> None:
    """Says the method back; 202 for what wants no answer; a stream without anything for GET."""
    if line.request.method == "DELETE":
        await line.whole(b"", "204 No Content")
    elif line.request.method == "GET":
        await line.chunked(b": open\n\n")
        await line.end()
    elif (message := line.request.json()).keys() >= {"id", "method"}:
        result = {"echo": message["method"], "resultType": "complete"}
        await line.whole(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode())
    else:
        await line.whole(b"", "202 Accepted")


@pytest.fixture(scope="module")
def era_gate() -> Iterator[Era]:
    made = scripted_gateway(start=False)
    made.upstream.scripts["eras"] = _serve
    everything = {"allow": ["*"]}
    grant = {"server": "tools", "tools": everything, "prompts": everything, "resources": everything}
    for group, spec in {
        "all": {"mcp": [grant]},
        "masked": {"mcp": [grant], "masking": "all"},
        "some": {"mcp": [{"server": "tools"}]},
        "none": {"mcp": [{**grant, "methods": {"deny": ["*"]}}]},
        "others": {"mcp": [{**grant, "server": "another"}]},
    }.items():
        made.folder.write(policies.document("AgentPolicy", f"era-{group}", subjects=[{"groups": [group]}], **spec))
    made.folder.write(policies.document("MCPServer", "another", url="http://127.0.0.1:9/mcp"))
    made.gateway.start()
    yield Era(made)
    made.gateway.finish()
    made.upstream.close()


# -- what clients ask ------------------------------------------------------------------------------------------------


@every_request
@pytest.mark.parametrize("group", ["all", "masked"])
@pytest.mark.promise("mcp.every-method")
def test_a_method_that_policy_allows_passes_both_ways(era_gate: Era, group, era, method, params):
    answer, arrived = era_gate.call(group, era, method, params)
    assert answer.status_code == 200
    assert answer.json()["result"] == {"echo": method, "resultType": "complete"}
    sent = arrived[0].json()
    assert sent["method"] == method
    assert {key: value for key, value in sent["params"].items() if key != "_meta"} == params


@every_request
@pytest.mark.parametrize("group", ["none", "others"])
@pytest.mark.promise("mcp.every-method")
def test_a_method_that_policy_denies_never_reaches_the_server(era_gate: Era, group, era, method, params):
    answer, arrived = era_gate.call(group, era, method, params)
    assert arrived == []
    assert answer.status_code == 200
    said = answer.json()
    assert said["id"] == "r-1"
    if method == "tools/call":
        assert said["result"]["isError"] is True
    else:
        assert said["error"]["code"] == 4030


ABOUT = ["tools/call", "prompts/get", "resources/read", "resources/subscribe", "completion/complete", "tasks/list",
         "subscriptions/listen"]  # fmt: skip


@every_request
def test_a_server_comes_with_its_lists_but_not_with_what_is_in_them(era_gate: Era, era, method, params):
    _, arrived = era_gate.call("some", era, method, params)
    assert len(arrived) == (0 if method in (*ABOUT, "resources/unsubscribe") else 1)


@pytest.mark.parametrize("method", [*REMOVED, "no/such", "sampling/createMessage"])
@pytest.mark.promise("mcp.every-method")
def test_a_method_that_the_stateless_revision_does_not_have_is_not_found(era_gate: Era, method):
    answer, arrived = era_gate.call("all", "modern", method, {})
    assert (answer.status_code, answer.json()["error"]["code"], arrived) == (404, -32601, [])


@pytest.mark.parametrize("method", ["no/such", "sampling/createMessage", "elicitation/create", "roots/list"])
def test_a_method_that_clients_never_send_is_not_found(era_gate: Era, method):
    answer, arrived = era_gate.call("all", "handshake", method, {})
    assert (answer.status_code, answer.json()["error"]["code"], arrived) == (200, -32601, [])


@pytest.mark.parametrize("kind", CLIENT_NOTIFICATIONS)
@pytest.mark.parametrize(("group", "count"), [("all", 1), ("none", 0)], ids=["allowed", "denied"])
def test_notifications_of_clients_are_accepted_and_pass_if_policy_lets_them(era_gate: Era, kind, group, count):
    body = {"jsonrpc": "2.0", "method": f"notifications/{kind}", "params": {"requestId": 1, "progressToken": "t"}}
    answer, arrived = era_gate.send(group, body, **{"mcp-protocol-version": "2025-11-25"})
    assert (answer.status_code, answer.content, len(arrived)) == (202, b"", count)


@pytest.mark.parametrize("reply", [{"result": {"roots": []}}, {"error": {"code": -1, "message": "no"}}],
                         ids=["a result", "an error"])  # fmt: skip
def test_answers_of_clients_to_a_server_s_requests_pass_in_sessions_only(era_gate: Era, reply):
    body = {"jsonrpc": "2.0", "id": 7, **reply}
    answer, arrived = era_gate.send("all", body, **{"mcp-protocol-version": "2025-11-25"})
    assert (answer.status_code, len(arrived)) == (202, 1)
    assert arrived[0].json() == body
    answer, arrived = era_gate.send("all", body, **{"mcp-protocol-version": MODERN})
    assert (answer.status_code, answer.json()["error"]["code"], arrived) == (400, -32600, [])


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize(("group", "count"), [("all", 1), ("others", 0)], ids=["allowed", "denied"])
@pytest.mark.promise("mcp.streams")
def test_streams_and_ends_of_sessions_pass_or_are_not_offered(era_gate: Era, method, group, count):
    answer, arrived = era_gate.send(group, None, method=method, **{"mcp-protocol-version": "2025-11-25"})
    assert len(arrived) == count
    if count:
        assert answer.status_code == (200 if method == "GET" else 204)
    else:
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("version", [*OLDER, "2024-11-05", "1900-01-01", "DRAFT-2027"])
@pytest.mark.promise("mcp.negotiation")
def test_the_version_is_the_server_s_to_judge(era_gate: Era, version):
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    _, [arrived] = era_gate.send("all", body, **{"mcp-protocol-version": version})
    assert arrived.header("mcp-protocol-version") == version


async def _opens(line: Line) -> None:
    message = line.request.json()
    body = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": {}}).encode()
    await line.whole(body, mcp_session_id="s-1")


@pytest.mark.promise("mcp.streams")
def test_what_a_client_needs_to_take_a_stream_up_again_reaches_the_server(era_gate: Era):
    era_gate.scripted.upstream.scripts["opens"] = _opens
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25"}}
    opened, _ = era_gate.send("all", hello, script="opens")
    session = {"mcp-session-id": opened.headers["mcp-session-id"], "mcp-protocol-version": "2025-11-25"}
    _, [arrived] = era_gate.send("all", None, method="GET", **{"last-event-id": "e-7"}, **session)
    assert arrived.header("last-event-id") == "e-7"
    assert arrived.header("mcp-session-id") == "s-1"
    assert arrived.header("accept") == ACCEPT


@pytest.mark.promise("mcp.streams")
def test_nobody_takes_up_events_outside_of_a_session_of_their_own(era_gate: Era):
    _, [arrived] = era_gate.send("all", None, method="GET", **{"last-event-id": "e-7"})
    assert arrived.header("last-event-id") is None


# -- what servers answer ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "data"),
    [
        pytest.param("400 Bad Request", -32020, {}, id="a header that differs"),
        pytest.param("400 Bad Request", -32021, {"requiredCapabilities": {"sampling": {}}}, id="a missing capability"),
        pytest.param("400 Bad Request", -32022, {"supported": [MODERN], "requested": "1900-01-01"}, id="a version"),
        pytest.param("400 Bad Request", -32602, {}, id="bad parameters"),
        pytest.param("404 Not Found", -32601, {}, id="no such method"),
        pytest.param("404 Not Found", -32001, {}, id="a session that is over"),
        pytest.param("405 Method Not Allowed", -32000, {}, id="no GET"),
        pytest.param("406 Not Acceptable", -32600, {}, id="no stream accepted"),
        pytest.param("403 Forbidden", -32600, {}, id="an origin"),
        pytest.param("200 OK", -32042, {"elicitations": []}, id="an elicitation by URL"),
        pytest.param("500 Internal Server Error", -32603, {}, id="a failure"),
    ],
)
@pytest.mark.parametrize("group", ["all", "masked"])
@pytest.mark.promise("mcp.negotiation")
def test_errors_that_clients_negotiate_by_pass_unchanged(era_gate: Era, group, status, code, data):
    error = {"jsonrpc": "2.0", "id": "r-1", "error": {"code": code, "message": "No.", "data": data}}

    async def refuse(line: Line) -> None:
        await line.whole(json.dumps(error).encode(), status, allow="POST")

    era_gate.scripted.upstream.scripts["refuse"] = refuse
    body = {"jsonrpc": "2.0", "id": "r-1", "method": "tools/list"}
    answer, _ = era_gate.send(group, body, script="refuse")
    assert (answer.status_code, answer.json()) == (int(status[:3]), error)
    assert answer.headers["allow"] == "POST"


FROM_SERVERS: dict[str, dict[str, Any]] = {
    "ping": {"id": 1},
    "sampling/createMessage": {"id": "s-1", "params": {
        "messages": [{"role": "user", "content": {"type": "text", "text": "hi"}}], "maxTokens": 5,
        "tools": [{"name": "t", "inputSchema": {"type": "object"}}], "toolChoice": {"mode": "auto"},
    }},
    "elicitation/create": {"id": 2.5, "params": {
        "message": "Name?", "requestedSchema": {"type": "object", "properties": {"n": {"type": "string"}}},
    }},
    "roots/list": {"id": -3},
    "notifications/message": {"params": {"level": "info", "logger": "l", "data": {"any": ["thing"]}}},
    "notifications/progress": {"params": {"progressToken": "t", "progress": 0.5, "total": 1, "message": "half"}},
    "notifications/cancelled": {"params": {"requestId": "s-1", "reason": "late"}},
    "notifications/tools/list_changed": {},
    "notifications/prompts/list_changed": {},
    "notifications/resources/list_changed": {},
    "notifications/resources/updated": {"params": {"uri": "file:///a"}},
    "notifications/elicitation/complete": {"params": {"elicitationId": "e"}},
    "notifications/subscriptions/acknowledged": {"params": {
        "_meta": {"io.modelcontextprotocol/subscriptionId": "r-1"}, "notifications": {"toolsListChanged": True},
    }},
}  # fmt: skip


@pytest.mark.parametrize("method", FROM_SERVERS)
@pytest.mark.parametrize("group", ["all", "masked"])
@pytest.mark.parametrize("where", ["POST", "GET"])
@pytest.mark.promise("mcp.every-method")
def test_what_servers_send_reaches_the_client_as_it_was(era_gate: Era, where, group, method):
    message = {"jsonrpc": "2.0", "method": method, **FROM_SERVERS[method]}
    last = {"jsonrpc": "2.0", "id": "r-1", "result": {"content": [], "isError": False}}

    async def stream(line: Line) -> None:
        await line.chunked(b"id: p-1\nretry: 100\ndata: \n\n: keep-alive\n\n")
        for number, each in enumerate((message, last)):
            await line.chunk(b"id: e-%d\nevent: message\ndata: %b\n\n" % (number, json.dumps(each).encode()))
        await line.end()

    name = f"stream-{uuid.uuid4().hex}"
    era_gate.scripted.upstream.scripts[name] = stream
    body = {"jsonrpc": "2.0", "id": "r-1", "method": "tools/call", "params": {"name": "read_a"}}
    answer, _ = era_gate.send(group, body if where == "POST" else None, method=where, script=name)
    assert answer.headers["content-type"] == "text/event-stream"
    fields = [line.partition(": ")[::2] for line in answer.text.splitlines()]
    assert [value for name, value in fields if name == "id"] == ["p-1", "e-0", "e-1"]
    assert ("retry", "100") in fields
    assert [json.loads(value) for name, value in fields if name == "data" and value] == [message, last]


# -- tasks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("era", "methods"),
    [
        pytest.param("handshake", ["tasks/get", "tasks/result", "tasks/cancel"], id="tasks of 2025-11-25"),
        pytest.param("modern", ["tasks/get", "tasks/update", "tasks/cancel"], id="the extension for tasks"),
    ],
)
@pytest.mark.promise("mcp.tasks")
def test_a_task_is_asked_for_by_who_was_given_it(era_gate: Era, era, methods):
    task = {"taskId": "t-1", "status": "working"}
    given = {"resultType": "task", **task} if era == "modern" else {"task": task}

    async def start(line: Line) -> None:
        await line.whole(json.dumps({"jsonrpc": "2.0", "id": "r-1", "result": given}).encode())

    era_gate.scripted.upstream.scripts["task"] = start
    started, _ = era_gate.call("all", era, "tools/call", {"name": "read_a"}, script="task")
    result = started.json()["result"]
    own = (result if era == "modern" else result["task"])["taskId"]
    for method in methods:
        params = {"taskId": own, **({"inputResponses": {}} if method == "tasks/update" else {})}
        mirror = {"mcp-name": own} if era == "modern" else {}
        answer, [arrived] = era_gate.call("all", era, method, params, **mirror)
        assert answer.json()["result"]["echo"] == method
        assert arrived.json()["params"]["taskId"] == "t-1"
        assert era == "handshake" or arrived.header("mcp-name") == "t-1"
        _, arrived = era_gate.call("masked", era, method, {**params, "taskId": "t-1"}, **mirror and {"mcp-name": "t-1"})
        assert arrived == []


# -- the transport of 2024-11-05 -------------------------------------------------------------------------------------


@pytest.mark.promise("mcp.old-transport")
def test_a_server_of_the_old_transport_is_named_as_the_reason(era_gate: Era):
    async def old(line: Line) -> None:
        await line.chunked(b"event: endpoint\ndata: /messages/?session_id=1\n\n")
        await line.end()

    era_gate.scripted.upstream.scripts["old"] = old
    answer, _ = era_gate.send("all", None, method="GET", script="old")
    assert b"/messages" not in answer.content
    record = era_gate.scripted.gateway.record(answer)
    assert record["reason"] == "answer-unreadable"


# -- web pages -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
@pytest.mark.promise("mcp.origins")
def test_a_web_page_of_a_foreign_origin_gets_nothing_even_if_the_server_would_let_it(era_gate: Era, method):
    body = {"jsonrpc": "2.0", "id": 1, "method": "ping"} if method == "POST" else None
    answer, arrived = era_gate.send("all", body, method=method, origin="http://evil.test", host="evil.test")
    assert (answer.status_code, arrived) == (403, [])
    assert answer.json()["error"]["data"]["reason"] == "origin-not-allowed"
    _, arrived = era_gate.send("all", body, method=method, origin="http://localhost:6274")
    assert len(arrived) == 1
