"""What MCP messages act on: methods are known or denied, and everything a message names is judged."""

import pytest

from extproc.exchange.model import McpCall
from extproc.exchange.refusal import Reason
from extproc.identity.model import Identity
from extproc.policy.cases import Asked
from extproc.policy.decide import decide_mcp, visible
from extproc.policy.explain import explain
from extproc.policy.load import load

WHO = Identity("corp", "i", "u", ("g",))
SERVER = """
apiVersion: gatereeve.dev/v1alpha1
kind: MCPServer
metadata: {name: crm}
spec: {url: "http://crm:1/mcp"}
"""


@pytest.fixture
def decide(tmp_path):
    """Decides a message to the server crm, under AgentPolicies p0, p1, ... with these grants (and `when`)."""

    def make(grants, method, name="", params=None, kind="request"):
        text = SERVER
        for number, grant in enumerate(grants):
            grant, _, when = grant.partition("; ")
            text += (
                f"---\napiVersion: gatereeve.dev/v1alpha1\nkind: AgentPolicy\nmetadata: {{name: p{number}}}\n"
                f"spec:\n  subjects: [{{groups: [g]}}]\n  mcp: [{{server: crm{', ' if grant else ''}{grant}}}]\n"
            ) + (f"  {when}\n" if when else "")
        (tmp_path / "p.yaml").write_text(text)
        policy = load(tmp_path)
        call = McpCall("crm", kind, method, name, doc={"params": params} if params is not None else {})
        decide.policy = policy
        return decide_mcp(policy, WHO, policy.servers["crm"], call, {})

    def decide(*args, **kwargs):
        return make(*args, **kwargs)

    return decide


TOOLS = "tools: {allow: ['read_*']}"
NOTES = "resources: {allow: ['note://*'], deny: ['note://secret/*']}"


@pytest.mark.parametrize(
    "method", ["initialized", "cancelled", "progress", "roots/list_changed", "tasks/status"]
)  # fmt: skip
def test_a_client_s_own_notifications_come_with_the_server(decide, method):
    assert decide([""], f"notifications/{method}", kind="notification").allowed


@pytest.mark.parametrize(
    "method",
    ["notifications/x", "notifications/", "notifications/message", "notifications/tools/list_changed",
     "notifications/Initialized", "notifications/initialized ", "tasks/x", "tasks/", "tasks", "Tasks/get",
     "tasks/get/x", "elicitation/create", "roots/list"],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["request", "notification"])
def test_what_is_no_method_of_a_client_is_denied(decide, method, kind):
    decision = decide([TOOLS], method, kind=kind)
    assert (decision.allowed, decision.reason) == (False, Reason.METHOD_NOT_ALLOWED)


TASKS = ["tasks/get", "tasks/result", "tasks/cancel", "tasks/update", "tasks/list"]


@pytest.mark.parametrize("method", TASKS)
@pytest.mark.parametrize(
    ("grants", "allowed"),
    [
        pytest.param([TOOLS], True, id="who may call a tool"),
        pytest.param(["tools: {allow: ['*'], deny: [delete]}"], True, id="who may call all tools but one"),
        pytest.param(["", TOOLS], True, id="whom another policy lets call a tool"),
        pytest.param([""], False, id="who may only list"),
        pytest.param([NOTES], False, id="who may only read resources"),
        pytest.param(["tools: {deny: [a]}"], False, id="to whom one tool is denied and none allowed"),
        pytest.param(["tools: {allow: [a], deny: [a]}"], False, id="whose only tool is denied"),
        pytest.param([TOOLS, "tools: {deny: ['*']}"], False, id="to whom another policy denies all tools"),
        pytest.param([TOOLS, "methods: {deny: ['tasks/*']}"], False, id="to whom the method is denied"),
        pytest.param([TOOLS + "; when: call.arguments.n < 3"], True, id="whose condition is about tool calls"),
        pytest.param([TOOLS + '; when: identity.tenant == "x"'], False, id="whose condition does not hold"),
    ],
)
def test_tasks_are_for_those_who_may_call_a_tool(decide, method, grants, allowed):
    decision = decide(grants, method, "t1")
    assert decision.allowed is allowed
    if grants == [""]:
        assert decision.reason is Reason.METHOD_NOT_ALLOWED
        assert "tool" in decision.message


LISTEN = "subscriptions/listen"


@pytest.mark.parametrize(
    ("grants", "wanted", "allowed"),
    [
        pytest.param([""], {}, True, id="nothing"),
        pytest.param([""], {"toolsListChanged": True, "resourcesListChanged": True}, True, id="changes of lists"),
        pytest.param([""], {"resourceSubscriptions": []}, True, id="no resource"),
        pytest.param([""], {"resourceSubscriptions": None}, True, id="null"),
        pytest.param([""], {"resourceSubscriptions": ["note://1"]}, False, id="a resource without a grant"),
        pytest.param([NOTES], {"resourceSubscriptions": ["note://1", "note://2"]}, True, id="allowed resources"),
        pytest.param([NOTES], {"resourceSubscriptions": ["note://1", "note://secret/1"]}, False, id="a denied one"),
        pytest.param([NOTES], {"resourceSubscriptions": ["note://1", "file:///x"]}, False, id="another one"),
        pytest.param([NOTES], {"resourceSubscriptions": ["note://x/../secret/1"]}, False, id="one in doubt"),
        pytest.param([NOTES], {"resourceSubscriptions": "note://1"}, False, id="no list"),
        pytest.param([NOTES], {"resourceSubscriptions": ["note://1", 1]}, False, id="a list with a number"),
        pytest.param([NOTES, "resources: {allow: ['file:///*']}"], {"resourceSubscriptions": ["note://1", "file:///x"]},
                     False, id="resources that no one policy allows together"),
        pytest.param([NOTES, "resources: {deny: ['note://1']}"], {"resourceSubscriptions": ["note://1"]}, False,
                     id="one that another policy denies"),
        pytest.param([NOTES], {"taskIds": ["t"]}, False, id="tasks of who may call no tool"),
        pytest.param([TOOLS], {"taskIds": ["t"]}, True, id="tasks of who may call a tool"),
        pytest.param([TOOLS], {"taskIds": ["t"], "resourceSubscriptions": ["note://1"]}, False, id="tasks and one"),
        pytest.param([f"{TOOLS}, {NOTES}"], {"taskIds": ["t"], "resourceSubscriptions": ["note://1"]}, True,
                     id="tasks and a resource that are both allowed"),
    ],
)  # fmt: skip
def test_every_resource_of_a_subscription_is_judged(decide, grants, wanted, allowed):
    decision = decide(grants, LISTEN, params={"notifications": wanted})
    assert decision.allowed is allowed
    if not allowed:
        assert decision.reason is Reason.METHOD_NOT_ALLOWED


@pytest.mark.parametrize("params", [None, {}, {"notifications": []}, {"notifications": "x"}], ids=repr)
def test_a_subscription_to_what_cannot_be_read_is_denied_and_to_nothing_is_not(decide, params):
    assert decide([NOTES], LISTEN, params=params).allowed is (not params)


@pytest.mark.parametrize("method", ["resources/read", "resources/subscribe", "resources/unsubscribe"])
@pytest.mark.parametrize(
    ("uri", "allowed"),
    [
        ("note://1", True),
        ("NOTE://1", True),
        ("note://u@secret/1", False),
        ("note://secret:80/1", False),
        ("note:///secret/1", False),
        ("note://x/../secret/1", False),
        ("note://%73ecret/1", False),
    ],
)
def test_a_resource_is_judged_however_its_address_is_written(decide, method, uri, allowed):
    assert decide([NOTES], method, uri).allowed is allowed


def test_an_address_in_doubt_is_refused_with_words_that_help(decide):
    decision = decide(["resources: {allow: ['*']}"], "resources/read", "file:///a/../b")
    assert (decision.allowed, decision.reason) == (False, Reason.METHOD_NOT_ALLOWED)
    assert "dot segments" in decision.message
    assert "file:" not in decision.message


def test_a_completion_of_a_denied_template_is_denied_however_it_is_written(decide):
    ref = {"type": "ref/resource", "uri": "note://u@secret/{id}"}
    assert not decide([NOTES], "completion/complete", ref["uri"], {"ref": ref}).allowed


def test_a_list_shows_no_resource_that_could_not_be_read(decide):
    decide([NOTES], "ping")
    shown = visible(decide.policy, WHO, decide.policy.servers["crm"])
    names = ["note://1", "note://secret/1", "note://u@secret/1", "note://x/../secret/1", "file:///x"]
    assert [name for name in names if shown("resource", name)] == ["note://1"]
    assert shown("resource_template", "note://{host}/{+path}")


@pytest.mark.parametrize(
    ("grant", "method", "name", "params", "line"),
    [
        pytest.param(TOOLS, "tasks/get", "t", None, "allows tasks/get: it comes with any tool", id="a task"),
        pytest.param(NOTES, "tasks/get", "t", None, "says nothing of tasks/get", id="a task of who may call no tool"),
        pytest.param(NOTES, LISTEN, "", {"notifications": {"resourceSubscriptions": ["note://1", "note://secret/1"]}},
                     "DENIES note://secret/1", id="a subscription to a denied resource"),
        pytest.param(NOTES, LISTEN, "", {"notifications": {"resourceSubscriptions": ["note://1", "x:1"]}},
                     "says nothing of x:1", id="a subscription to another resource"),
        pytest.param(NOTES, LISTEN, "", {"notifications": {"resourceSubscriptions": ["note://1", "note://2"]}},
                     "allows note://1, note://2", id="a subscription to allowed resources"),
        pytest.param(NOTES, "resources/read", "note://a/../b", None, "more than one way", id="an address in doubt"),
        pytest.param(NOTES, "notifications/x", "", None, "no policy can allow this method", id="an unknown method"),
    ],
)  # fmt: skip
def test_explaining_says_what_deciding_does(decide, grant, method, name, params, line):
    decide([grant], method, name, params)
    call = McpCall("crm", "request", method, name, doc={"params": params} if params is not None else {})
    assert line in "\n".join(explain(decide.policy, Asked(WHO, call, {})))
