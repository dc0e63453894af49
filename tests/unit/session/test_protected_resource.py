"""An MCP server as a protected resource: what anybody is told, what a token must be and hold, and the wait for a
credential of the caller's own."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from extproc.exchange.refusal import Reason, Refusal
from extproc.identity.model import Audience, Identity
from extproc.policy.load import load
from extproc.policy.runtime import Policy
from extproc.session.actions import Await, RequestHeadersReply, Respond, ResponseChunk
from extproc.session.events import EffectDone, RequestHeaders
from extproc.session.ports import Caller, Injected, KeysNeeded, Ports, TokenNeeded
from extproc.session.session import Session, State
from tests.unit.session.transcript import (
    CANARY,
    CLOSED,
    ID,
    LIMITS,
    SEAL,
    SECRET,
    TOKEN,
    Definitions,
    Keyring,
    Memory,
    Playbook,
    answer,
    body,
    chunk,
    failed_tool,
    forwards,
    over,
    records,
    refuses,
    request,
    rpc,
    rpc_error,
    tool,
    waits,
)

WELL_KNOWN = "/.well-known/oauth-protected-resource"
CRM = "https://gw.example.com/mcp/crm"
DOCUMENT = f"https://gw.example.com{WELL_KNOWN}/mcp/crm"


@cache
def policy() -> Policy:
    return load(Path(__file__).parent / "resources.yaml")


class Scopes:
    """The authenticator: a token says its scopes; nobody else's audience is looked at."""

    def __init__(self) -> None:
        self.audiences: list[Audience | None] = []

    def authenticate(
        self, token: str, policy: Policy, wall: float, *, final: bool = False, audience: Any = None
    ) -> Identity | Refusal | KeysNeeded:
        self.audiences.append(audience)
        said = token.removeprefix(TOKEN + "-")
        if said == "expired":
            return Refusal.of(Reason.TOKEN_EXPIRED)
        return Identity(
            "corp", "https://login.example.com", "user-1", ("all",), claims={"scope": said.replace("+", " ")}
        )


class Own:
    """Callers' own credentials: `found` is what there is at once, or None for one that has to be fetched."""

    def __init__(self) -> None:
        self.found: Injected | Refusal | None = None
        self.asked: list[tuple[str, Caller]] = []

    def inject(self, source: Any, caller: Caller) -> Injected | Refusal | TokenNeeded:
        self.asked.append((source.name, caller))
        return self.found if self.found is not None else TokenNeeded(nothing)

    def rejection(self, source: Any, caller: Caller) -> Any:
        return lambda: Refusal.of(Reason.CREDENTIAL_UNAVAILABLE, message="Connect again.", status=403)


async def nothing() -> Refusal:
    raise AssertionError("sessions run no effect")


OWN = Injected((("authorization", f"Bearer {SECRET}"),), SECRET.encode())


class World(Playbook):
    def __init__(self) -> None:
        self.authenticator, self.own = Scopes(), Own()
        ports = Ports(self.authenticator, Keyring(), Memory(), Definitions(), SEAL, self.own)
        super().__init__(Session(ID, policy(), ports, LIMITS))


def at(path: str, method: str = "GET", **headers: str | None) -> RequestHeaders:
    return request(path, method, group=None, end=True, x_forwarded_proto="https", **headers)


def mcp(server: str, scopes: str | None = "read", method: str = "POST") -> RequestHeaders:
    return request(f"/mcp/{server}", method, group=scopes, end=method != "POST", x_forwarded_proto="https")


def at_host(host: str, headers: RequestHeaders) -> RequestHeaders:
    headers.headers[":authority"] = host
    return headers


def challenged(status: int, said: str, **more: Any) -> Any:
    return refuses(status, more.pop("reason"), www_authenticate=said, **more)


# -- the document ------------------------------------------------------------------------------------------------------


def tells(doc: Mapping[str, Any], **headers: str) -> Any:
    def check(action: Any) -> None:
        assert isinstance(action, Respond)
        assert action.rendered.status == 200
        assert json.loads(action.rendered.body) == doc
        found = dict(action.rendered.headers)
        assert found["access-control-allow-origin"] == "*"
        assert found["x-gatereeve-id"] == ID
        for name, value in headers.items():
            assert found[name.replace("_", "-")] == value

    return check


def document(resource: str, **more: Any) -> dict[str, Any]:
    servers = ["https://login.example.com"]
    return {"resource": resource, "authorization_servers": servers, "bearer_methods_supported": ["header"], **more}


ABOUT_CRM = document(CRM, resource_name="Customers", scopes_supported=["read"])


@pytest.mark.parametrize(
    ("asked", "doc"),
    [
        pytest.param(at(f"{WELL_KNOWN}/mcp/crm"), ABOUT_CRM, id="by path"),
        pytest.param(at(f"{WELL_KNOWN}/mcp/crm/"), ABOUT_CRM, id="by path with a slash"),
        pytest.param(at(f"{WELL_KNOWN}/mcp/crm?x=1"), ABOUT_CRM, id="by path with a query"),
        pytest.param(
            at(f"{WELL_KNOWN}/ai/mcp/entra"),
            document("https://gw.example.com/ai/mcp/entra", resource_name="entra", scopes_supported=["api://app/use"]),
            id="by the path of its resource",
        ),
        pytest.param(at_host("CRM.example.com", at(WELL_KNOWN)), ABOUT_CRM, id="by its own host"),
        pytest.param(at_host("crm.example.com:8443", at(f"{WELL_KNOWN}/x/y")), ABOUT_CRM, id="by any path of its host"),
    ],
)
def test_anybody_is_told_where_to_log_in(asked: RequestHeaders, doc: dict[str, Any]) -> None:
    playbook = World()
    assert playbook >> asked << tells(doc, cache_control="public, max-age=300")
    entry = over(playbook)
    assert (entry["status"], entry["verdict"], entry["operation"]) == (200, "none", "resource_metadata")
    assert playbook.authenticator.audiences == []


@pytest.mark.parametrize(
    ("host", "path", "resource"),
    [
        pytest.param("gw.example.com", "/mcp/open", "https://gw.example.com/mcp/open", id="at the gateway"),
        pytest.param("gw.example.com:8443", "/mcp/open", "https://gw.example.com:8443/mcp/open", id="with a port"),
        pytest.param("open.example.com", "", "https://open.example.com", id="at its own host"),
        pytest.param("open.example.com", "/a/b", "https://open.example.com/a/b", id="at a path of its own host"),
        pytest.param("[::1]:10000", "/mcp/open", "https://[::1]:10000/mcp/open", id="at an address"),
    ],
)
def test_a_resource_without_a_name_is_called_what_the_request_calls_it(host: str, path: str, resource: str) -> None:
    doc = document(resource, resource_name="open")
    assert World() >> at_host(host, at(WELL_KNOWN + path)) << tells(doc, cache_control="no-store")


@pytest.mark.parametrize(
    "host",
    [
        pytest.param('gw"x', id="a quote"),
        pytest.param("gw/x", id="a slash"),
        pytest.param("gw x", id="a space"),
        pytest.param("a@b", id="a user"),
        pytest.param("", id="nothing"),
        pytest.param(":80", id="a port only"),
        pytest.param("[::1", id="half an address"),
    ],
)
def test_a_host_that_is_none_is_never_said_back(host: str) -> None:
    assert World() >> at_host(host, at(f"{WELL_KNOWN}/mcp/open")) << refuses(404, "route-unknown")
    plain = at_host(host, mcp("open", None))
    assert World() >> plain << challenged(401, "Bearer", reason="token-missing")


@pytest.mark.parametrize(
    "path",
    ["/mcp/plain", "/mcp/nobody", "", "/mcp", "/mcp/crm/more", "/MCP/crm", "-x", "/mcp/crm%2f"],
    ids=lambda path: path or "the root where there are several",
)
def test_what_has_no_document_looks_like_what_is_not_there(path: str) -> None:
    playbook = World()
    assert playbook >> at(WELL_KNOWN + path) << refuses(404, "route-unknown")
    assert not any("access-control" in name for name, _ in playbook.actions[0].rendered.headers)  # type: ignore[union-attr]
    assert over(playbook)["verdict"] == "deny"
    assert World() >> at_host("crm.example.com", at(f"{WELL_KNOWN}-x")) << refuses(404, "route-unknown")


def test_a_browser_may_ask_first_and_others_may_not_write() -> None:
    def permits(action: Any) -> None:
        assert action.rendered.status == 204
        found = dict(action.rendered.headers)
        assert found["access-control-allow-origin"] == "*"
        assert found["access-control-allow-methods"] == "GET"
        assert "access-control-allow-credentials" not in found

    assert World() >> at(f"{WELL_KNOWN}/mcp/crm", "OPTIONS") << permits
    assert World() >> at(f"{WELL_KNOWN}/mcp/nobody", "OPTIONS") << refuses(404, "route-unknown")
    assert World() >> at(f"{WELL_KNOWN}/mcp/crm", "PUT") << refuses(405, "http-method", allow="GET, OPTIONS")


# -- challenges --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "said", "reason"),
    [
        pytest.param(
            mcp("crm", None), f'Bearer scope="read", resource_metadata="{DOCUMENT}"', "token-missing", id="no token"
        ),
        pytest.param(
            mcp("crm", "expired"),
            f'Bearer error="invalid_token", error_description="token-expired", scope="read", '
            f'resource_metadata="{DOCUMENT}"',
            "token-expired",
            id="a bad one",
        ),
        pytest.param(
            at_host("evil.example.com", mcp("crm", None)),
            f'Bearer scope="read", resource_metadata="{DOCUMENT}"',
            "token-missing",
            id="whatever host the client names",
        ),
        pytest.param(
            mcp("open", None),
            f'Bearer resource_metadata="https://gateway.example.com{WELL_KNOWN}/mcp/open"',
            "token-missing",
            id="no name in the policy",
        ),
        pytest.param(
            at_host("open.example.com", mcp("anything", None)),
            f'Bearer resource_metadata="https://open.example.com{WELL_KNOWN}"',
            "token-missing",
            id="its own host",
        ),
        pytest.param(mcp("plain", None), "Bearer", "token-missing", id="no oauth"),
        pytest.param(mcp("nobody", None), "Bearer", "token-missing", id="no such server"),
    ],
)
def test_a_401_says_where_to_log_in(asked: RequestHeaders, said: str, reason: str) -> None:
    assert World() >> asked << challenged(401, said, reason=reason, shape=rpc_error)


@pytest.mark.parametrize(
    ("server", "audience"),
    [
        pytest.param("crm", Audience(CRM, True), id="the resource alone"),
        pytest.param(
            "entra", Audience("https://gw.example.com/ai/mcp/entra", False), id="or an audience of the issuer"
        ),
        pytest.param("plain", Audience(), id="an audience of the issuer"),
        pytest.param("open", Audience(), id="an audience of the issuer, without a name"),
        pytest.param("nobody", Audience(), id="an audience of the issuer, for no server"),
    ],
)
def test_whom_a_token_must_be_for(server: str, audience: Audience) -> None:
    playbook = World()
    assert playbook >> mcp(server) << RequestHeadersReply()
    assert playbook.authenticator.audiences == [audience]


# -- scopes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "called", "scope"),
    [
        pytest.param("other", rpc("tools/list"), "read", id="the baseline, of a list"),
        pytest.param("other", rpc("initialize", {}), "read", id="the baseline, to begin"),
        pytest.param("other", tool("read_it"), "read", id="the baseline, of a tool"),
        pytest.param("read", tool("delete_it"), "read write", id="a tool's own"),
        pytest.param("write", tool("delete_it"), "write read", id="the baseline where the tool's own is there"),
        pytest.param("read+audit+other", tool("delete_it"), "read audit write", id="besides those it has already"),
    ],
)
def test_what_lacks_is_asked_for(held: str, called: Any, scope: str) -> None:
    playbook = World()
    said = []

    def check(action: Any) -> None:
        refuses(403, "insufficient-scope", shape=rpc_error)(action)
        assert json.loads(action.rendered.body)["id"] == 7
        said.append(dict(action.rendered.headers)["www-authenticate"])

    assert playbook >> mcp("crm", held) << RequestHeadersReply() >> called << check
    [header] = said
    assert header.startswith('Bearer error="insufficient_scope", error_description="Your token lacks the scope ')
    assert header.endswith(f', scope="{scope}", resource_metadata="{DOCUMENT}"')
    assert over(playbook)["reason"] == "insufficient-scope"


@pytest.mark.parametrize(
    ("held", "called"),
    [
        pytest.param("read", tool("read_it"), id="the baseline is enough for a tool without its own"),
        pytest.param("write+read", tool("delete_it"), id="all of them, in any order"),
        pytest.param("read", rpc("tools/list"), id="a list"),
    ],
)
def test_what_is_there_is_enough(held: str, called: Any) -> None:
    assert World() >> mcp("crm", held) << RequestHeadersReply() >> called << forwards()


def test_a_tool_that_policy_hides_stays_hidden_whatever_scope_it_wants() -> None:
    playbook = World()
    assert (
        playbook
        >> mcp("crm", "read")
        << RequestHeadersReply()
        >> tool("delete_hidden")
        << refuses(200, "tool-not-allowed", shape=failed_tool)
    )


def test_a_stream_needs_the_baseline_too() -> None:
    assert World() >> mcp("crm", "other", "GET") << refuses(403, "insufficient-scope", shape=rpc_error)
    assert World() >> mcp("crm", "read", "GET") << forwards()


def test_a_prefix_stands_where_clients_ask_and_not_in_tokens() -> None:
    said = []

    def check(action: Any) -> None:
        said.append(dict(action.rendered.headers)["www-authenticate"])

    assert World() >> mcp("entra", "api://app/use") << RequestHeadersReply() >> rpc("tools/list") << check
    assert 'scope="api://app/use"' in said[0]
    assert World() >> mcp("entra", "use") << RequestHeadersReply() >> rpc("tools/list") << forwards()


# -- the caller's own credential ---------------------------------------------------------------------------------------


def waiting(playbook: World, called: Any = None, server: str = "mine") -> World:
    assert playbook >> mcp(server) << RequestHeadersReply() >> (called or tool("read_it")) << waits
    assert playbook.session.state is State.TOKEN
    return playbook


def test_a_credential_that_is_at_hand_goes_at_once() -> None:
    playbook = World()
    playbook.own.found = OWN
    sent: list[Any] = []
    assert playbook >> mcp("mine") << RequestHeadersReply() >> tool("read_it") << forwards(sent)
    assert dict(sent[0].set)["authorization"] == f"Bearer {SECRET}"
    [(name, who)] = playbook.own.asked
    assert (name, who.identity.subject, who.token) == ("MCPServer/mine", "user-1", f"{TOKEN}-read")
    assert CANARY not in repr(who)


def test_a_credential_that_is_fetched_is_waited_for() -> None:
    playbook, sent = waiting(World()), []
    assert playbook >> EffectDone(OWN) << forwards(sent)
    assert dict(sent[0].set)["authorization"] == f"Bearer {SECRET}"
    assert "token" in over(playbook)["ms"]


def test_what_was_fetched_does_not_come_back() -> None:
    playbook = waiting(World())
    assert playbook >> EffectDone(OWN) << forwards()
    said = {"jsonrpc": "2.0", "id": 7, "result": {"content": [{"type": "text", "text": f"you are {SECRET}"}]}}
    actions = [*playbook.session.on(answer(), 0.0, 200.0), *playbook.session.on(chunk(said), 0.0, 200.1)]
    given = b"".join(action.body for action in actions if isinstance(action, ResponseChunk))
    assert b"you are ***" in given
    assert SECRET.encode() not in given


@pytest.mark.parametrize(
    ("result", "status", "reason", "shape"),
    [
        pytest.param(
            Refusal.of(Reason.CREDENTIAL_UNAVAILABLE, message="Connect it.", status=403),
            200,
            "Connect it.",
            failed_tool,
            id="a refusal about the caller fails the tool",
        ),
        pytest.param(
            Refusal.of(Reason.CREDENTIAL_UNAVAILABLE),
            503,
            "credential-unavailable",
            rpc_error,
            id="one of ours does not",
        ),
        pytest.param(RuntimeError(SECRET), 503, "credential-unavailable", rpc_error, id="an error"),
        pytest.param(None, 503, "credential-unavailable", rpc_error, id="nothing"),
    ],
)
def test_no_credential_is_a_refusal(result: Any, status: int, reason: str, shape: Any) -> None:
    playbook = waiting(World())

    def check(action: Any) -> None:
        found = refuses(status, reason if "-" in reason else "credential-unavailable", shape=None)
        found(action)
        assert reason in action.rendered.body.decode()
        assert json.loads(action.rendered.body)["id"] == 7

    assert playbook >> EffectDone(result) << check
    assert over(playbook)["reason"] == "credential-unavailable"


def test_a_stream_waits_in_the_headers_phase() -> None:
    playbook = World()
    assert playbook >> mcp("mine", method="GET") << waits
    assert playbook >> EffectDone(OWN) << forwards()


def test_who_goes_away_while_waiting_leaves_a_record() -> None:
    playbook = waiting(World())
    assert (
        playbook
        >> CLOSED
        << records(aborted=True, server="mine", name="read_it", verdict="allow", upstream="MCPServer/mine")
    )
    assert playbook >> CLOSED


def test_a_denied_call_fetches_nothing() -> None:
    playbook = World()
    assert playbook >> mcp("mine") << RequestHeadersReply() >> tool("delete_hidden") << refuses(200, "tool-not-allowed")
    assert playbook.own.asked == []


def test_another_event_while_waiting_is_a_failure_of_ours() -> None:
    playbook = waiting(World())
    assert playbook >> body() << refuses(500, "internal-error", shape=rpc_error)
    assert json.loads(playbook.actions[-1].rendered.body)["id"] == 7  # type: ignore[union-attr]


def test_a_401_of_the_upstream_is_about_what_we_sent_and_not_about_the_client() -> None:
    playbook = waiting(World())
    assert (
        playbook
        >> EffectDone(OWN)
        << forwards()
        >> answer(401, www_authenticate="Bearer")
        << refuses(200, "credential-unavailable", shape=failed_tool)
    )
    assert "Connect again." in playbook.actions[-1].rendered.body.decode()  # type: ignore[union-attr]
    ours = World()
    assert ours >> mcp("crm") << RequestHeadersReply() >> tool("read_it") << forwards()
    assert ours >> answer(401) << refuses(502, "credential-unavailable", shape=rpc_error)
    assert not any(name == "www-authenticate" for name, _ in ours.actions[-1].rendered.headers)  # type: ignore[union-attr]
    passed = World()
    assert passed >> mcp("plain") << RequestHeadersReply() >> tool("read_it") << forwards()
    assert not any(isinstance(action, Respond) for action in passed.session.on(answer(401), 0.0, 200.0))


def test_ports_without_any_refuse() -> None:
    playbook = Playbook(Session(ID, policy(), Ports(Scopes(), Keyring(), Memory(), Definitions(), SEAL), LIMITS))
    assert playbook >> mcp("mine") << RequestHeadersReply() >> tool("read_it") << refuses(503, "credential-unavailable")


def test_the_effect_is_the_ports_own() -> None:
    playbook = waiting(World())
    [effect] = [action.effect for action in playbook.actions if isinstance(action, Await)]
    assert effect is nothing
