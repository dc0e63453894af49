"""Who and what is refused before a call is judged, in whose words, and what a caller who is not known may learn."""

import gzip
from typing import Any

import pytest

from extproc.session.actions import RequestHeadersReply
from tests.unit.session.transcript import (
    HEADER,
    PROMPT,
    TOKEN,
    Playbook,
    anthropic,
    body,
    chat,
    failed_tool,
    forwards,
    mcp,
    messages,
    openai,
    over,
    refuses,
    request,
    rpc,
    rpc_error,
    tool,
)

RESPONSES = "/v1/responses"


def responses(group: str | None = "engineering", **extra: Any) -> Any:
    return request(RESPONSES, group=group, **extra)


CLIENTS = {
    "OpenAI Chat": (chat, openai),
    "OpenAI Responses": (responses, openai),
    "Anthropic": (messages, anthropic),
    "MCP": (mcp, rpc_error),
}


@pytest.fixture(params=CLIENTS, ids=lambda name: f"from {name} clients")
def client(request: pytest.FixtureRequest) -> Any:
    return CLIENTS[request.param]


@pytest.mark.promise("identity.refused")
@pytest.mark.parametrize(
    ("headers", "reason", "challenge"),
    [
        pytest.param({"group": None}, "token-missing", "Bearer", id="without a token"),
        pytest.param(
            {"group": "expired"},
            "token-expired",
            'Bearer error="invalid_token", error_description="token-expired"',
            id="with an expired token",
        ),
        pytest.param({"authorization": "Basic " + HEADER}, "token-malformed", None, id="with a password"),
        pytest.param(
            {"authorization": f"Bearer {TOKEN},Bearer b"}, "token-ambiguous", None, id="with two tokens in one"
        ),
        pytest.param({"x_api_key": TOKEN + "-other"}, "token-ambiguous", None, id="with two different tokens"),
        pytest.param({"authorization": "Bearer " + "a" * 70_000}, "token-malformed", None, id="with an endless token"),
    ],
)
def test_a_call_is_refused_with_401(client: Any, headers: dict[str, Any], reason: str, challenge: str | None) -> None:
    make, shape = client
    said = {"www_authenticate": challenge} if challenge else {}
    playbook = Playbook()
    assert playbook >> make(**headers) << refuses(401, reason, shape=shape, **said)
    entry = over(playbook)
    assert (entry["verdict"], entry["reason"], entry["status"]) == ("deny", reason, 401)
    assert "subject" not in entry


@pytest.mark.promise("identity.sources")
@pytest.mark.parametrize("source", ["authorization", "x_api_key", "api_key"])
def test_a_token_is_taken_from(source: str) -> None:
    value = f"{TOKEN}-engineering"
    headers = chat(group=None, **{source: f"Bearer {value}" if source == "authorization" else value})
    playbook = Playbook()
    assert playbook >> headers << RequestHeadersReply() >> body() << forwards()
    assert over(playbook)["subject"] == "user-1"


BODIES = [
    pytest.param({"content_type": "text/plain"}, 415, "content-type", id="of another type"),
    pytest.param({"content_type": None}, 415, "content-type", id="of no type"),
    pytest.param({"content_type": "application/json,text/plain"}, 415, "content-type", id="of two types"),
    pytest.param({"content_type": "application/json; charset=utf-16"}, 415, "content-type", id="in UTF-16"),
    pytest.param(
        {"content_type": "application/json; charset=utf-8; charset=utf-7"}, 415, "content-type", id="in two charsets"
    ),
    pytest.param({"content_encoding": "br"}, 415, "content-encoding", id="in a coding nobody reads"),
    pytest.param({"content_encoding": "gzip, gzip"}, 415, "content-encoding", id="coded twice"),
    pytest.param({"content_length": "10001"}, 413, "body-too-large", id="larger than the cap"),
    pytest.param({"content_length": "9" * 5000}, 413, "body-too-large", id="of a length beyond numbers"),
    pytest.param({"end": True}, 400, "body-missing", id="that is missing"),
]


@pytest.mark.promise("bad-input.content-type")
@pytest.mark.promise("bad-input.size")
@pytest.mark.promise("bad-input.compressed-request")
@pytest.mark.parametrize(("headers", "status", "reason"), BODIES)
def test_a_body_is_refused_before_it_comes(client: Any, headers: dict[str, Any], status: int, reason: str) -> None:
    make, shape = client
    playbook = Playbook()
    assert playbook >> make(**headers) << refuses(status, reason, shape=shape)
    assert over(playbook)["subject"] == "user-1"


@pytest.mark.promise("identity.refused")
@pytest.mark.parametrize(("headers", "status", "reason"), BODIES)
def test_who_is_not_known_learns_nothing_about_bodies(headers: dict[str, Any], status: int, reason: str) -> None:
    assert Playbook() >> chat(**{**headers, "group": None}) << refuses(401, "token-missing")


def test_who_is_not_known_learns_nothing_about_servers() -> None:
    assert Playbook() >> request("/mcp/nowhere", group=None) << refuses(401, "token-missing", shape=rpc_error)
    assert Playbook() >> request("/mcp/notes", group=None) << refuses(401, "token-missing", shape=rpc_error)


@pytest.mark.promise("bad-input.content-type")
@pytest.mark.parametrize(
    "kind",
    ["application/json", "Application/JSON", "application/json; charset=UTF-8", 'application/json;charset="utf-8";x=y'],
)
def test_a_body_may_be_called(kind: str) -> None:
    assert Playbook() >> chat(content_type=kind) << RequestHeadersReply() >> body() << forwards()


@pytest.mark.promise("bad-input.json")
@pytest.mark.parametrize(
    ("doc", "reason"),
    [
        pytest.param(b"", "body-missing", id="empty"),
        pytest.param(b"{" + PROMPT.encode(), "body-not-json", id="not JSON"),
        pytest.param(b'{"model":"\xff"}', "body-not-json", id="not UTF-8"),
        pytest.param(b'{"model":"\\ud800"}', "body-not-json", id="with half a character"),
        pytest.param(b'"text"', "body-shape", id="not an object"),
        pytest.param(b"{}", "body-shape", id="without what it is about"),
        pytest.param(b'{"model":' + b"[" * 5000 + b"]" * 4990, "body-too-deep", id="nested deeply and not closed"),
        pytest.param(
            b'{"model":"gpt-4","jsonrpc":"2.0","id":7,"method":"ping","messages":' + b"[" * 300 + b"]" * 300 + b"}",
            "body-too-deep",
            id="nested deeply",
        ),
    ],
)
def test_a_body_is_refused_when_it_is(client: Any, doc: bytes, reason: str) -> None:
    make, shape = client
    playbook = Playbook()
    playbook >> make() << RequestHeadersReply() >> body(doc)
    reasons = {reason, "body-not-json"} if reason == "body-too-deep" else {reason}
    for name in reasons:
        if name.encode() in playbook._pending[0].rendered.body:
            assert playbook << refuses(400, name, shape=shape)
            break
    else:
        pytest.fail(f"refused with {playbook._pending[0].rendered.body!r}")
    assert over(playbook)["verdict"] == "deny"


@pytest.mark.promise("bad-input.compressed-request")
@pytest.mark.parametrize(
    ("doc", "status", "reason"),
    [
        pytest.param(b"plain", 400, "content-encoding", id="is not coded"),
        pytest.param(gzip.compress(b"{}")[:-9], 400, "content-encoding", id="is cut off"),
        pytest.param(gzip.compress(b"{}") + b"{}", 400, "content-encoding", id="goes on after its end"),
        pytest.param(gzip.compress(b" " * 10_001), 413, "body-too-large", id="unpacks beyond the cap"),
    ],
)
def test_a_coded_body_is_refused_when_it(client: Any, doc: bytes, status: int, reason: str) -> None:
    make, shape = client
    playbook = Playbook()
    assert playbook >> make(content_encoding="gzip") << RequestHeadersReply()
    assert playbook >> body(doc) << refuses(status, reason, shape=shape)


def test_a_body_beyond_the_cap_is_refused_even_if_envoy_let_it_pass(client: Any) -> None:
    make, shape = client
    playbook = Playbook() >> make() << RequestHeadersReply()
    assert playbook >> body(b" " * 10_001) << refuses(413, "body-too-large", shape=shape)


@pytest.mark.parametrize(
    ("headers", "status", "reason", "shape"),
    [
        pytest.param(request("/v1/images/generations"), 404, "route-unknown", openai, id="of a path nobody serves"),
        pytest.param(request("/v1//chat/completions"), 404, "route-unknown", openai, id="of a path with two slashes"),
        pytest.param(request("/v1/chat/completions/"), 404, "route-unknown", openai, id="of a path that goes on"),
        pytest.param(request("/mcp/Bad_Name"), 404, "route-unknown", rpc_error, id="of a server that cannot be"),
        pytest.param(request("/mcp/nowhere", "GET", end=True), 404, "server-unknown", rpc_error, id="of no server"),
        pytest.param(chat(), None, "", None, id="never of a good one"),
        pytest.param(
            request("/v1/chat/completions", "GET", end=True), 405, "http-method", openai, id="with the wrong method"
        ),
        pytest.param(
            request("/v1/messages", "PUT", end=True), 405, "http-method", anthropic, id="with Anthropic's wrong method"
        ),
        pytest.param(request("/mcp/notes", "PATCH"), 405, "http-method", rpc_error, id="with MCP's wrong method"),
        pytest.param(chat(upgrade="websocket"), 426, "upgrade-refused", openai, id="that wants to be upgraded"),
        pytest.param(mcp(method="GET", end=False), 400, "body-shape", rpc_error, id="that brings an unasked body"),
        pytest.param(
            request("/v1/models", "GET", end=False), 400, "body-shape", openai, id="for models that brings a body"
        ),
    ],
)
def test_requests_are_refused(headers: Any, status: int | None, reason: str, shape: Any) -> None:
    playbook = Playbook()
    if status is None:
        assert playbook >> headers << RequestHeadersReply()
        return
    assert playbook >> headers << refuses(status, reason, shape=shape)
    assert over(playbook)["reason"] == reason


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        pytest.param(
            {"path": "/.well-known/oauth-protected-resource"}, 404, "route-unknown", id="has no other service"
        ),
        pytest.param({"path": "/x", "method": "PUT"}, 405, "http-method", id="takes MCP's methods only"),
        pytest.param({"path": "/", "method": "POST", "upgrade": "h2c"}, 426, "upgrade-refused", id="upgrades nothing"),
    ],
)
def test_a_servers_own_host(headers: dict[str, Any], status: int, reason: str) -> None:
    headers.setdefault("method", "GET")
    asked = request(**headers, end=True)
    asked.headers[":authority"] = "Notes.Example.com:8443"
    assert Playbook() >> asked << refuses(status, reason, shape=rpc_error)


@pytest.mark.promise("mcp.route")
def test_a_server_is_reached_by_its_host() -> None:
    asked = request("/anything")
    asked.headers[":authority"] = "Notes.Example.com:8443"
    sent: list[Any] = []
    assert Playbook() >> asked << RequestHeadersReply() >> tool("read_note") << forwards(sent)
    assert dict(sent[0].set)[":path"] == "/rpc"


# -- what policy refuses -----------------------------------------------------------------------------------------------


@pytest.mark.promise("llm.access")
@pytest.mark.promise("decisions.default-deny")
@pytest.mark.parametrize(
    ("group", "model", "status", "reason"),
    [
        pytest.param("nobody", "gpt-4", 403, "no-policy", id="of a stranger"),
        pytest.param("engineering", "secret-model", 403, "model-not-allowed", id="of a model for others"),
        pytest.param("engineering", "no-such", 404, "model-unknown", id="of a model that is not there"),
        pytest.param("engineering", "shady-model", 403, "provider-not-approved", id="to a provider nobody approved"),
        pytest.param("engineering", "orphan", 503, "credential-unavailable", id="to a provider without a key"),
        pytest.param("careful", "gpt-4", 403, "condition-false", id="that a condition does not cover"),
    ],
)
def test_policy_refuses_a_call(group: str, model: str, status: int, reason: str) -> None:
    playbook = Playbook()
    assert playbook >> chat(group) << RequestHeadersReply()
    assert playbook >> body(model=model) << refuses(status, reason, shape=openai)
    entry = over(playbook)
    assert (entry["verdict"], entry["reason"], entry["model"]) == ("deny", reason, model)
    assert entry["rule"] or reason == "no-policy"


@pytest.mark.promise("llm.access")
def test_policy_refuses_in_anthropics_words() -> None:
    playbook = Playbook()
    assert playbook >> messages() << RequestHeadersReply()
    assert playbook >> body(model="secret-model") << refuses(403, "model-not-allowed", shape=anthropic)
    playbook = Playbook()
    assert playbook >> messages() << RequestHeadersReply()
    assert playbook >> body(model="llama") << refuses(400, "dialect-unsupported", shape=anthropic)


@pytest.mark.promise("mcp.tools")
@pytest.mark.parametrize(
    ("message", "status", "reason", "shape"),
    [
        pytest.param(tool("delete_note"), 200, "tool-not-allowed", failed_tool, id="a tool that is not allowed"),
        pytest.param(tool("read_secret"), 200, "tool-not-allowed", failed_tool, id="a tool that is denied"),
        pytest.param(
            rpc("logging/setLevel", {"level": "debug"}), 200, "method-not-allowed", rpc_error, id="a denied method"
        ),
        pytest.param(rpc("no/such"), 200, "method-not-allowed", rpc_error, id="a method nobody knows"),
        pytest.param(body(b"[]"), 400, "batch-refused", rpc_error, id="an empty batch"),
        pytest.param(
            body([{"jsonrpc": "2.0", "id": 1, "method": "ping"}]), 400, "batch-refused", rpc_error, id="a batch"
        ),
        pytest.param(
            body({"jsonrpc": "1.0", "id": 7, "method": "ping"}), 400, "body-shape", rpc_error, id="JSON-RPC 1"
        ),
    ],
)
def test_an_mcp_client_is_refused(message: Any, status: int, reason: str, shape: Any) -> None:
    playbook = Playbook()
    assert playbook >> mcp() << RequestHeadersReply() >> message << refuses(status, reason, shape=shape)
    assert over(playbook)["reason"] == reason


@pytest.mark.promise("mcp.headers")
def test_a_mirrored_header_that_lies_is_refused() -> None:
    playbook = Playbook()
    headers = mcp(mcp_protocol_version="2026-07-28", mcp_method="tools/call", mcp_name="read_note")
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
    said = rpc("tools/call", {"name": "delete_note", "_meta": meta})
    assert playbook >> headers << RequestHeadersReply() >> said << refuses(400, "header-mismatch", shape=rpc_error)


@pytest.mark.promise("mcp.methods")
def test_a_denied_notification_is_taken_and_not_sent_on() -> None:
    playbook = Playbook()
    playbook >> mcp() << RequestHeadersReply() >> rpc("tools/call", {"name": "delete_note"}, id=None)
    assert playbook._pending[0].rendered.status == 202
    assert playbook._pending[0].rendered.body == b""


def test_a_server_for_others_is_refused_in_every_way() -> None:
    for headers, said in (
        (request("/mcp/vault"), tool("read_note")),
        (request("/mcp/vault"), rpc("tools/list")),
        (request("/mcp/vault", "GET", end=True), None),
        (request("/mcp/vault", "DELETE", end=True), None),
    ):
        playbook = Playbook()
        playbook >> headers
        if said is not None:
            playbook << RequestHeadersReply() >> said
        assert b"server-not-allowed" in playbook._pending[0].rendered.body
        playbook._pending.clear()
        assert over(playbook)["reason"] == "server-not-allowed"


def test_a_server_without_its_credential_is_not_asked() -> None:
    playbook = Playbook()
    assert playbook >> request("/mcp/keyless") << RequestHeadersReply()
    assert playbook >> tool("any") << refuses(503, "credential-unavailable", shape=rpc_error)
