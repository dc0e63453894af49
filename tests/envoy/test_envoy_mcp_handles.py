"""Sessions, tasks and states that an MCP server gives out, through the real Envoy: nobody can use another's."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.envoy.gateway import request
from tests.envoy.malicious import ERAS, MODERN, Site, messages, reply, result, text
from tests.envoy.malicious import site as made_site

TASKS = {"extensions": {"io.modelcontextprotocol/tasks": {}}}


@pytest.fixture(scope="module")
def shared() -> Iterator[Site]:
    with made_site() as made:
        yield made


@pytest.fixture
def site(shared: Site) -> Site:
    shared.server.honest()
    return shared


@pytest.fixture(params=[False, True], ids=["JSON", "SSE"])
def sse(request: Any) -> bool:
    return bool(request.param)


# -- sessions ----------------------------------------------------------------------------------------------------------


def opened(site: Site, sse: bool = False, **who: str) -> str:
    answer = site.send("shady", "initialize", {"protocolVersion": ERAS[0]}, sse=sse, **who)
    return str(answer.headers["mcp-session-id"])


def plain(site: Site, method: str, session: str, server: str = "shady", sub: str = "ada") -> int:
    """The status of a GET or DELETE in a session."""
    headers = site.headers(sub=sub, mcp_session_id=session)
    return request(method, f"{site.made.gateway.url}/mcp/{server}", headers=headers, timeout=20.0).status_code


@pytest.mark.promise("oauth.bound")
def test_a_session_is_its_callers_own(site: Site, sse: bool):
    session = opened(site, sse)
    assert session != "s-1"
    answer = site.send("shady", "tools/list", sse=sse, mcp_session_id=session)
    assert answer.status_code == 200
    assert site.seen[-1].header("mcp-session-id") == "s-1"
    site.server.says["GET"] = lambda *_: []
    assert plain(site, "GET", session) == 200
    assert site.seen[-1].header("mcp-session-id") == "s-1"
    assert plain(site, "DELETE", session) == 202
    assert site.seen[-1].header("mcp-session-id") == "s-1"


@pytest.mark.parametrize(
    "fixed",
    [
        pytest.param(lambda session: (session, "shady", "eve"), id="another caller's"),
        pytest.param(lambda _: ("s-1", "shady", "ada"), id="the server's own, as it never left"),
        pytest.param(lambda _: ("s-2", "shady", "ada"), id="one that nobody gave out"),
        pytest.param(lambda session: (session, "brief", "ada"), id="another server's"),
        pytest.param(
            lambda session: (session[:-1] + ("A" if session[-1] != "A" else "Q"), "shady", "ada"), id="forged"
        ),
        pytest.param(lambda session: ("s-2" + session[3:], "shady", "ada"), id="the code of another"),
        pytest.param(lambda session: (session + ", " + session, "shady", "ada"), id="two at once"),
    ],
)
@pytest.mark.promise("oauth.bound")
def test_a_session_that_is_fixed_is_unknown(site: Site, fixed: Any):
    session, server, sub = fixed(opened(site))
    heard = len(site.seen)
    answer = site.send(server, "tools/list", sub=sub, mcp_session_id=session)
    assert answer.status_code == 404
    assert answer.json()["error"]["data"]["reason"] == "session-unknown"
    assert plain(site, "GET", session, server, sub) == 404
    assert plain(site, "DELETE", session, server, sub) == 404
    assert len(site.seen) == heard, "the server never hears of it"


# -- tasks and states --------------------------------------------------------------------------------------------------


def task(site: Site, sse: bool, **who: str) -> str:
    """A task that a call began, as the client knows it."""
    site.server.result("tools/call", {"resultType": "task", "taskId": "t-1", "status": "working", "ttlMs": 1000})
    answer = site.call("shady", "read_note", era=MODERN, sse=sse, capabilities=TASKS, **who)
    return str(result(answer)["taskId"])


@pytest.mark.promise("mcp.tasks")
def test_a_tasks_result_comes_by_its_own_id_and_is_held_to_policy(site: Site, sse: bool):
    known = task(site, sse)
    assert known != "t-1"

    def finished(_: Any, message: Any) -> Any:
        assert message["params"]["taskId"] == "t-1"
        done = {"resultType": "complete", "taskId": "t-1", "status": "completed", "result": text("\x1b[8mhi\x1b[0m")}
        return reply(message, done)

    site.server.says["tasks/get"] = finished
    answer = site.send("shady", "tasks/get", {"taskId": known}, era=MODERN, sse=sse, capabilities=TASKS, mcp_name=known)
    given = result(answer)
    assert given["taskId"] == known
    assert given["result"]["content"][0]["text"] == "hi"
    assert site.seen[-1].header("mcp-name") == "t-1"


@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
@pytest.mark.parametrize("who", ["eve", "ada"])
@pytest.mark.promise("oauth.bound")
def test_the_task_of_another_or_of_nobody_is_unknown(site: Site, method: str, who: str):
    said = task(site, False) if who == "eve" else "t-1"
    heard = len(site.seen)
    answer = site.send("shady", method, {"taskId": said}, era=MODERN, capabilities=TASKS, sub=who)
    [message] = messages(answer)
    assert message["error"]["data"]["reason"] == "handle-unknown"
    assert len(site.seen) == heard


@pytest.mark.parametrize("method", ["tasks/get", "tasks/result", "tasks/cancel"])
def test_the_same_in_the_revision_that_had_tasks_first(site: Site, method: str):
    site.server.result("tools/call", {"task": {"taskId": "t-1", "status": "working"}})
    answer = site.send("shady", "tools/call", {"name": "read_note", "arguments": {}, "task": {"ttl": 1}})
    known = result(answer)["task"]["taskId"]
    assert site.send("shady", method, {"taskId": known}).status_code == 200
    assert site.seen[-1].json()["params"]["taskId"] == "t-1"
    heard = len(site.seen)
    for said, sub in ((known, "eve"), ("t-1", "ada")):
        [message] = messages(site.send("shady", method, {"taskId": said}, sub=sub))
        assert message["error"]["data"]["reason"] == "handle-unknown"
    assert len(site.seen) == heard


@pytest.mark.promise("oauth.bound")
def test_a_state_is_brought_back_by_whom_it_was_given_to(site: Site, sse: bool):
    site.server.result(
        "tools/call",
        {"resultType": "input_required", "requestState": "step-1", "inputRequests": {"a": {"method": "roots/list"}}},
    )
    state = result(site.call("shady", "read_note", era=MODERN, sse=sse))["requestState"]
    assert state != "step-1"
    again = {"name": "read_note", "arguments": {}, "inputResponses": {"a": {"roots": []}}, "requestState": state}
    assert site.send("shady", "tools/call", again, era=MODERN, sse=sse).status_code == 200
    assert site.seen[-1].json()["params"]["requestState"] == "step-1"
    heard = len(site.seen)
    for changed, sub, server in (
        ({}, "eve", "shady"),
        ({"requestState": "step-1"}, "ada", "shady"),
        ({}, "ada", "brief"),
    ):
        [message] = messages(site.send(server, "tools/call", {**again, **changed}, era=MODERN, sub=sub))
        assert message["error"]["data"]["reason"] == "handle-unknown"
    assert len(site.seen) == heard


def test_a_handle_of_one_kind_is_none_of_another(site: Site):
    session = opened(site)
    [message] = messages(site.send("shady", "tasks/get", {"taskId": session}, era=MODERN, capabilities=TASKS))
    assert message["error"]["data"]["reason"] == "handle-unknown"


def test_handles_are_good_with_every_worker(site: Site):
    session = opened(site)
    workers = set()
    while workers != {"0", "1"}:
        answer = site.send("shady", "tools/list", mcp_session_id=session)
        assert answer.status_code == 200
        workers.add(answer.headers["x-gatereeve-id"].split("-")[2])
