"""MCP servers as OAuth's protected resources, through the real Envoy: the official client logs in by itself, tokens are
for one server only, and the upstream gets the gateway's credential or the caller's own, never the client's token."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

from tests.envoy.authority import CLIENT, REDIRECT, SECRET, Authority
from tests.envoy.conftest import Scripted, scripted_gateway
from tests.envoy.gateway import Ports, client, request, until
from tests.envoy.policies import MCP_KEY, document
from tests.envoy.upstream import Line

MODERN = "2026-07-28"
WELL_KNOWN = "/.well-known/oauth-protected-resource"
TOOLS = [{"name": name, "inputSchema": {"type": "object"}} for name in ("read_note", "delete_note", "hidden_note")]


async def serves(line: Line) -> None:
    """A small MCP server of both eras, without sessions."""
    if line.request.method != "POST":
        await line.whole(b"", "405 Method Not Allowed", allow="POST")
        return
    message = line.request.json()
    if "id" not in message:
        await line.head("202 Accepted", content_length="0")
        return
    results: dict[str, Any] = {
        "initialize": {
            "protocolVersion": message.get("params", {}).get("protocolVersion"),
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "notes", "version": "1"},
        },
        "server/discover": {
            "supportedVersions": [MODERN],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "notes", "version": "1"},
            "resultType": "complete",
            "ttlMs": 0,
            "cacheScope": "private",
        },
        "tools/list": {"tools": TOOLS, "resultType": "complete", "ttlMs": 0, "cacheScope": "private"},
        "tools/call": {"content": [{"type": "text", "text": "done"}], "isError": False, "resultType": "complete"},
    }
    answer = {"jsonrpc": "2.0", "id": message["id"], "result": results[message["method"]]}
    await line.whole(json.dumps(answer).encode())


@dataclass
class World:
    """A gateway before one upstream that is several MCP servers, and the authorization server for all of them."""

    made: Scripted
    authority: Authority
    tokens: Path

    @property
    def url(self) -> str:
        return self.made.gateway.url

    def resource(self, server: str) -> str:
        return f"{self.url}/mcp/{server}"

    def post(self, server: str, token: str, message: Any, **headers: str) -> httpx2.Response:
        base = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
        if token:
            base["authorization"] = f"Bearer {token}"
        return request("POST", self.resource(server), content=json.dumps(message).encode(), headers=base | headers)

    def call(self, server: str, token: str, tool: str = "read_note", marker: str = "", **more: str) -> httpx2.Response:
        params = {"name": tool, "arguments": {}}
        headers = {"x-test": marker, **more} if marker else more
        return self.post(
            server, token, {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}, **headers
        )

    def arrived(self, marker: str) -> list[str | None]:
        """What the upstream was authenticated with, by calls that carried this marker."""
        return [r.header("authorization") for r in self.made.upstream.seen if r.header("x-test") == marker]

    def store(self, subject: str, token: str, tenant: str = "") -> Path:
        name = sha256(f"{self.authority.issuer}\0{subject}\0{tenant}".encode()).hexdigest()
        path = self.tokens / name
        path.write_text(token + "\n")
        return path


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    made = scripted_gateway(start=False, environ={"EXCHANGE_SECRET": SECRET})
    made.upstream.scripts[""] = serves
    authority = Authority(Ports.take(1))
    upstream = f"http://127.0.0.1:{made.upstream.port}/mcp"
    built = World(made, authority, made.folder.path / "tokens" / "mine")
    built.tokens.mkdir(parents=True)
    for entry in _documents(built, upstream):
        made.folder.write(entry)
    made.gateway.start()
    yield built
    made.gateway.finish()
    made.upstream.close()
    authority.close()


def _documents(world: World, url: str) -> Iterator[dict[str, Any]]:
    yield document("IdentityProvider", "login", issuer=world.authority.issuer, audiences=["of-the-gateway"],
                   keys={"inline": world.authority.jwks()})  # fmt: skip
    gateways = {"from": {"value": MCP_KEY}}
    exchange = {
        "tokenEndpoint": f"{world.authority.issuer}/token",
        "clientId": CLIENT,
        "clientSecret": {"env": "EXCHANGE_SECRET"},
        "audience": "crm-upstream",
        "scope": "crm",
    }
    mine = {"folder": "tokens/mine", "connect": "https://portal.example.com/connect"}

    def oauth(server: str, **more: Any) -> dict[str, Any]:
        servers = [world.authority.issuer]
        return {"resource": world.resource(server), "authorizationServers": servers, **more}

    step = {
        "scopes": ["notes.read"],
        "tools": [{"match": "delete_*", "scopes": ["notes.write"]}],
        "title": "Notes",
        "documentation": "https://docs.example.com/notes",
    }
    yield document("MCPServer", "notes", url=url, credential=gateways, hosts=["notes.test"],
                   oauth=oauth("notes", **step))  # fmt: skip
    yield document("MCPServer", "other", url=url, credential=gateways, oauth=oauth("other"))
    yield document("MCPServer", "nameless", url=url, credential=gateways, hosts=["nameless.test"],
                   oauth={"authorizationServers": [world.authority.issuer]})  # fmt: skip
    yield document("MCPServer", "exchanged", url=url, credential={"exchange": exchange}, oauth=oauth("exchanged"))
    yield document("MCPServer", "mine", url=url, credential={"userToken": mine}, oauth=oauth("mine"))
    yield document("MCPServer", "both", url=url, credential=gateways, oauth=oauth("both", audience="provider"))
    yield document("AgentPolicy", "callers", subjects=[{"groups": ["plain"]}],
                   mcp=[{"server": "*", "tools": {"allow": ["read_*", "delete_*"]}}])  # fmt: skip


def challenge(answer: httpx2.Response) -> dict[str, str]:
    """The parameters of a Bearer challenge."""
    scheme, _, rest = answer.headers["www-authenticate"].partition(" ")
    assert scheme == "Bearer"
    return {name: value.strip('"') for name, _, value in (part.partition("=") for part in rest.split(", ") if part)}


# -- the official client -----------------------------------------------------------------------------------------------


class Memory:
    """What the SDK keeps of a login."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.info: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.info

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.info = client_info


@asynccontextmanager
async def logging_in(world: World, server: str, memory: Memory, era: str) -> AsyncIterator[Client]:
    """The official client, told nothing but the server's URL. Its browser is one request."""
    landed: list[dict[str, str]] = []

    async def browse(url: str) -> None:
        async with httpx2.AsyncClient(trust_env=False) as browser:
            answer = await browser.get(url)
        landed.append(dict(parse_qsl(urlsplit(answer.headers["location"]).query)))

    async def came_back() -> AuthorizationCodeResult:
        return AuthorizationCodeResult(**landed.pop())

    auth = OAuthClientProvider(
        world.resource(server),
        OAuthClientMetadata(client_name="agent", redirect_uris=[REDIRECT], token_endpoint_auth_method="none"),
        memory,
        browse,
        came_back,
    )
    async with (
        httpx2.AsyncClient(auth=auth, timeout=20.0, trust_env=False) as http,
        Client(streamable_http_client(world.resource(server), http_client=http), mode=era) as made,
    ):
        yield made


@pytest.mark.promise("clients.mcp")
@pytest.mark.parametrize("era", ["legacy", MODERN])
@pytest.mark.promise("oauth.step-up")
async def test_a_client_that_knows_only_the_url_logs_in_and_is_stepped_up(world: World, era):
    memory = Memory()
    before = len(world.authority.asked)
    async with logging_in(world, "notes", memory, era) as agent:
        names = [tool.name for tool in (await agent.list_tools()).tools]
        assert names == ["read_note", "delete_note"]
        assert not (await agent.call_tool("read_note", {})).is_error
        assert [asked["scope"] for asked in world.authority.asked[before:]] == ["notes.read"]
        assert not (await agent.call_tool("delete_note", {})).is_error
        assert not (await agent.call_tool("read_note", {})).is_error
    asked = world.authority.asked[before:]
    assert [sorted(each["scope"].split()) for each in asked] == [["notes.read"], ["notes.read", "notes.write"]]
    assert {each["resource"] for each in asked} == {world.resource("notes")}
    assert memory.tokens is not None
    assert not any(memory.tokens.access_token.encode() in seen.everything for seen in world.made.upstream.seen)


# -- where to log in ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "host"),
    [
        pytest.param("/mcp/notes", None, id="at the gateway"),
        pytest.param("/mcp/notes/", None, id="with a slash"),
        pytest.param("", "notes.test", id="at the root of its own host"),
        pytest.param("/any/path", "notes.test", id="at a path of its own host"),
    ],
)
@pytest.mark.promise("oauth.metadata")
def test_the_document_is_given_to_anybody(world: World, path, host):
    answer = request("GET", world.url + WELL_KNOWN + path, headers={"host": host} if host else {})
    assert answer.status_code == 200
    assert answer.json() == {
        "resource": world.resource("notes"),
        "authorization_servers": [world.authority.issuer],
        "scopes_supported": ["notes.read"],
        "bearer_methods_supported": ["header"],
        "resource_name": "Notes",
        "resource_documentation": "https://docs.example.com/notes",
    }
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert answer.headers["access-control-allow-origin"] == "*"
    asked = request("OPTIONS", world.url + WELL_KNOWN + path, headers={"host": host} if host else {})
    assert (asked.status_code, asked.headers["access-control-allow-methods"]) == (204, "GET")


def test_a_server_without_oauth_looks_like_one_that_does_not_exist(world: World):
    answers = [request("GET", f"{world.url}{WELL_KNOWN}/mcp/{name}") for name in ("tools", "nobody")]
    for answer in answers:
        assert answer.status_code == 404
        assert "access-control-allow-origin" not in answer.headers
    said = [answer.json() for answer in answers]
    for doc, answer in zip(said, answers, strict=True):
        text = json.dumps(doc).replace(answer.headers["x-gatereeve-id"], "")
        assert text == json.dumps(said[0]).replace(answers[0].headers["x-gatereeve-id"], "")
    assert request("GET", world.url + WELL_KNOWN).status_code == 404  # which of several?


def test_no_other_answer_may_be_read_by_pages_of_another_origin(world: World):
    answer = world.call("notes", world.authority.token_for("ada", world.resource("notes"), "notes.read"))
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_without_a_name_in_the_policy_the_request_says_what_the_server_is_called(world: World):
    base = f"http://127.0.0.1:{world.made.gateway.port}"
    challenged = challenge(world.post("nameless", "", {}))
    assert challenged == {"resource_metadata": f"{base}{WELL_KNOWN}/mcp/nameless"}
    found = request("GET", challenged["resource_metadata"], headers={"x-forwarded-proto": "https"})
    assert found.json()["resource"] == f"{base}/mcp/nameless"  # the scheme is Envoy's word, not the client's
    assert found.headers["cache-control"] == "no-store"
    own = request("GET", world.url + WELL_KNOWN + "/x", headers={"host": "nameless.test"})
    assert own.json()["resource"] == "http://nameless.test/x"


# -- challenges --------------------------------------------------------------------------------------------------------


@pytest.mark.promise("oauth.metadata")
def test_a_401_says_where_to_log_in_whatever_the_host_header_says(world: World):
    document = f"{world.url}{WELL_KNOWN}/mcp/notes"
    for headers in ({}, {"host": "evil.example.com"}):
        answer = world.post("notes", "", {}, **headers)
        assert answer.status_code == 401
        assert challenge(answer) == {"scope": "notes.read", "resource_metadata": document}
        assert answer.json()["error"]["code"] == 4010
    expired = world.authority.token_for("ada", world.resource("notes"), exp=1)
    assert challenge(world.call("notes", expired)) == {
        "error": "invalid_token",
        "error_description": "token-expired",
        "scope": "notes.read",
        "resource_metadata": document,
    }


@pytest.mark.promise("oauth.audience")
def test_a_token_for_one_server_is_refused_at_another(world: World):
    token = world.authority.token_for("ada", world.resource("other"))
    assert world.call("other", token, marker="to other").status_code == 200
    for _ in range(4):  # both workers, and what they remember of it
        answer = world.call("notes", token, marker="to notes")
        assert answer.status_code == 401
        assert answer.json()["error"]["data"]["reason"] == "token-audience"
        assert challenge(answer)["error"] == "invalid_token"
    assert world.arrived("to notes") == []
    chat = client(base_url=world.url, headers={"authorization": f"Bearer {token}"})
    with chat:
        assert chat.get("/v1/models").status_code == 401


@pytest.mark.parametrize(
    ("server", "aud", "status"),
    [
        pytest.param("other", "{}", 200, id="the resource"),
        pytest.param("other", "{}/", 200, id="with one slash"),
        pytest.param("other", "{}//", 401, id="with two"),
        pytest.param("other", "{}x", 401, id="a longer one"),
        pytest.param("other", "of-the-gateway", 401, id="the gateway's own"),
        pytest.param("both", "{}", 200, id="the resource where both are accepted"),
        pytest.param("both", "of-the-gateway", 200, id="the gateway's own where both are accepted"),
        pytest.param("both", "elsewhere", 401, id="neither where both are accepted"),
        pytest.param("nameless", "of-the-gateway", 200, id="the gateway's own where there is no resource"),
        pytest.param("nameless", "{}", 401, id="what the request calls the server"),
    ],
)
@pytest.mark.promise("oauth.audience")
def test_the_audience_decides(world: World, server, aud, status):
    token = world.authority.token_for("ada", aud.format(world.resource(server)))
    assert world.call(server, token).status_code == status


@pytest.mark.promise("oauth.step-up")
def test_a_scope_that_lacks_is_asked_for_and_a_hidden_tool_stays_hidden(world: World):
    token = world.authority.token_for("ada", world.resource("notes"), "notes.read other.scope")
    answer = world.call("notes", token, "delete_note", marker="too little")
    assert answer.status_code == 403
    assert answer.json()["id"] == 7
    assert answer.json()["error"]["data"]["reason"] == "insufficient-scope"
    said = challenge(answer)
    assert said["error"] == "insufficient_scope"
    assert said["scope"] == "notes.read notes.write"
    assert said["resource_metadata"] == f"{world.url}{WELL_KNOWN}/mcp/notes"
    assert world.arrived("too little") == []
    record = world.made.gateway.record(answer)
    assert (record["verdict"], record["reason"]) == ("deny", "insufficient-scope")
    hidden = world.call("notes", token, "hidden_note")
    assert hidden.status_code == 200
    assert "tool-not-allowed" in hidden.json()["result"]["content"][0]["text"]
    scp = world.authority.token_for("ada", world.resource("notes"), scp=["notes.read", "notes.write"])
    assert world.call("notes", scp, "delete_note").status_code == 200
    none = world.authority.token_for("ada", world.resource("notes"))
    assert challenge(world.post("notes", none, {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}))["scope"] == (
        "notes.read"
    )


# -- what the upstream gets --------------------------------------------------------------------------------------------


@pytest.mark.promise("oauth.no-passthrough")
def test_the_upstream_gets_the_gateways_credential_and_never_the_clients(world: World):
    token = world.authority.token_for("ada", world.resource("other"))
    answer = world.call("other", token, marker="whose", cookie=f"t={token}", **{"x-mine": token})
    assert answer.status_code == 200
    assert world.arrived("whose") == [f"Bearer {MCP_KEY}"]
    assert not any(token.encode() in seen.everything for seen in world.made.upstream.seen)


@pytest.mark.promise("oauth.per-user")
def test_a_stored_token_is_its_owners_alone_and_who_has_none_is_told_where_to_get_one(world: World):
    ada, bob = (world.authority.token_for(who, world.resource("mine")) for who in ("ada", "bob"))
    world.store("ada", "stored-for-ada-0123456789")
    assert world.call("mine", ada, marker="ada's").status_code == 200
    assert world.arrived("ada's") == ["Bearer stored-for-ada-0123456789"]
    answer = world.call("mine", bob, marker="bob's")
    assert answer.json()["result"]["isError"] is True
    text = answer.json()["result"]["content"][0]["text"]
    assert "https://portal.example.com/connect" in text
    assert "credential-unavailable" in text
    assert world.arrived("bob's") == []
    tenant = world.authority.token_for("ada", world.resource("mine"), tenant="acme")
    assert world.call("mine", tenant).json()["result"]["isError"] is True
    world.store("bob", "stored-for-bob-0123456789")

    def connected() -> bool:
        return world.call("mine", bob, marker="bob connected").json()["result"]["isError"] is False

    until("the token that was stored is used", connected)
    assert world.arrived("bob connected")[-1] == "Bearer stored-for-bob-0123456789"


def test_a_401_of_the_upstream_sends_nobody_to_log_in_again(world: World):
    async def declines(line: Line) -> None:
        await line.whole(b"{}", "401 Unauthorized", www_authenticate='Bearer resource_metadata="https://evil.example"')

    world.made.upstream.scripts["declines"] = declines
    for server, said in (("other", "gateway's credential"), ("mine", "https://portal.example.com/connect")):
        world.store("fay", "stored-for-fay-0123456789")
        token = world.authority.token_for("fay", world.resource(server))
        answer = world.call(server, token, **{"x-script": "declines"})
        assert answer.status_code == (200 if server == "mine" else 502)
        assert said in answer.text
        assert "www-authenticate" not in answer.headers
        assert world.made.gateway.record(answer)["reason"] == "credential-unavailable"


@pytest.mark.promise("oauth.exchange")
async def test_an_exchanged_token_is_never_anothers_however_many_come_at_once(world: World):
    callers = ("ann", "ben", "cat")
    tokens = {who: world.authority.token_for(who, world.resource("exchanged")) for who in callers}
    before = len(world.authority.exchanged)
    base = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "read_note", "arguments": {}}}
    world.authority.gate.clear()
    async with httpx2.AsyncClient(trust_env=False, timeout=20.0) as http:

        async def call(who: str) -> int:
            headers = {**base, "authorization": f"Bearer {tokens[who]}", "x-test": f"exchange {who}"}
            return (await http.post(world.resource("exchanged"), json=message, headers=headers)).status_code

        async with asyncio.TaskGroup() as group:
            calls = [group.create_task(call(callers[n % 3])) for n in range(60)]
            world.authority.gate.set()
    assert {task.result() for task in calls} == {200}
    for who in callers:
        arrived = world.arrived(f"exchange {who}")
        assert len(arrived) == 20
        assert all(value is not None and value.startswith(f"Bearer exchanged-for-{who}-") for value in arrived)
        assert tokens[who].encode() not in b"".join(seen.everything for seen in world.made.upstream.seen)
    made = world.authority.exchanged[before:]
    for who in callers:
        assert len([form for form in made if form["subject"] == who]) <= world.made.gateway.workers
    assert {(form["audience"], form["scope"]) for form in made} == {("crm-upstream", "crm")}
    pids = world.made.gateway.pids()
    workers = {entry["id"].split("-")[2] for entry in world.made.gateway.records(60, server="exchanged")}
    assert len(pids) == 2
    assert len(workers) == 2


def test_who_goes_away_while_a_token_is_exchanged_leaves_a_record_and_no_trouble(world: World):
    gus = world.authority.token_for("gus", world.resource("exchanged"))
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "read_note", "arguments": {}}}
    world.authority.gate.clear()
    try:
        with client(headers={"authorization": f"Bearer {gus}"}) as impatient, pytest.raises(httpx2.TimeoutException):
            impatient.post(world.resource("exchanged"), json=message, timeout=httpx2.Timeout(10.0, read=0.5))
        [record] = world.made.gateway.records(1, server="exchanged", subject="gus")
    finally:
        world.authority.gate.set()
    assert record["aborted"]
    assert world.call("exchanged", gus, marker="gus's").status_code == 200
    [given] = world.arrived("gus's")
    assert given is not None
    assert given.startswith("Bearer exchanged-for-gus-")


def test_no_exchange_is_a_refusal_that_says_so(world: World):
    world.authority.refuses.add("dan")
    dan = world.authority.token_for("dan", world.resource("exchanged"))
    answer = world.call("exchanged", dan, marker="dan's")
    text = answer.json()["result"]["content"][0]["text"]
    assert "credential-unavailable" in text
    assert "invalid_grant" in text
    assert "canary" not in text
    assert world.arrived("dan's") == []
    world.authority.broken = True
    try:
        eve = world.authority.token_for("eve", world.resource("exchanged"))
        answer = world.call("exchanged", eve)
        assert answer.status_code == 503
        assert answer.json()["error"]["data"]["reason"] == "credential-unavailable"
        assert answer.json()["id"] == 7
    finally:
        world.authority.broken = False
    # Each worker finds out by itself.
    until("exchanges work again", lambda: {world.call("exchanged", eve).status_code for _ in range(8)} == {200})


def test_no_token_and_no_secret_is_written_anywhere(world: World):
    token = world.authority.token_for("ada", world.resource("exchanged"))
    answer = world.call("exchanged", token, marker="written")
    assert answer.status_code == 200
    [given] = [value for value in world.arrived("written") if value]
    record = world.made.gateway.record(answer)
    assert "credential" in record["obligations"]
    everything = json.dumps(world.made.gateway.audit()) + world.made.gateway.output()
    for secret in (token, given.removeprefix("Bearer "), SECRET, MCP_KEY):
        assert secret not in everything
