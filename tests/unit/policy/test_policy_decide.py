"""What the rules of deciding promise: deny beats allow, doubt is deny, observing changes nothing but the record."""

import textwrap

import pytest

from extproc.exchange.model import LlmCall, McpCall
from extproc.identity.model import Identity
from extproc.policy.decide import decide_llm, decide_mcp, visible, visible_models
from extproc.policy.load import load

BASE = """
apiVersion: gatereeve.dev/v1alpha1
kind: LLMProvider
metadata: {name: good}
spec: {dialects: [openai-chat], url: "http://good:81/base/", credential: {from: {value: s3cret}}}
---
apiVersion: gatereeve.dev/v1alpha1
kind: LLMProvider
metadata: {name: claude}
spec: {dialects: [anthropic-messages], url: "https://claude.example", credential: {from: {file: key}}}
---
apiVersion: gatereeve.dev/v1alpha1
kind: LLMProvider
metadata: {name: bad}
spec: {dialects: [openai-chat], url: "https://bad.example", approved: false}
---
apiVersion: gatereeve.dev/v1alpha1
kind: Model
metadata: {name: large}
spec: {aliases: [gpt-4, best], targets: [{provider: bad}, {provider: good, model: up-large}]}
---
apiVersion: gatereeve.dev/v1alpha1
kind: Model
metadata: {name: small}
spec: {targets: [{provider: good}]}
---
apiVersion: gatereeve.dev/v1alpha1
kind: Model
metadata: {name: shady}
spec: {targets: [{provider: bad}]}
---
apiVersion: gatereeve.dev/v1alpha1
kind: MCPServer
metadata: {name: crm}
spec: {url: "http://crm:1/mcp", hosts: [Crm.Example]}
---
apiVersion: gatereeve.dev/v1alpha1
kind: MCPServer
metadata: {name: mail}
spec: {url: "http://[::1]:1/mcp"}
---
apiVersion: gatereeve.dev/v1alpha1
kind: MaskProfile
metadata: {name: strict}
spec: {rules: [{rule: email, action: drop}]}
---
apiVersion: gatereeve.dev/v1alpha1
kind: MaskProfile
metadata: {name: mild}
spec: {rules: [{rule: email, action: partial}], literals: [{name: bird, values: [bluebird]}]}
"""

G = "subjects: [{groups: [g]}]"
ERROR = "identity.claims.missing == 1"


@pytest.fixture
def policy(tmp_path):
    """Makes a policy of the base and AgentPolicies p0, p1, ... with these specs."""

    def make(*specs):
        text = BASE
        for number, spec in enumerate(specs):
            text += (
                f"---\napiVersion: gatereeve.dev/v1alpha1\nkind: AgentPolicy\nmetadata: {{name: p{number}}}\nspec:\n"
            )
            text += textwrap.indent("\n".join(part.strip() for part in spec.split(";")), "  ") + "\n"
        (tmp_path / "p.yaml").write_text(text)
        return load(tmp_path)

    return make


def who(**fields):
    return Identity(**{"provider": "corp", "issuer": "i", "subject": "u", "groups": ("g",)} | fields)


def short(decision):
    parts = [decision.verdict.value, decision.reason.value, decision.rule.split(" ")[0].split("/")[-1]]
    return " ".join(part for part in parts if part)


ALLOW = f"{G}; models: {{allow: [small, large]}}"
LLM = [
    pytest.param((ALLOW,), "small", "allow allowed p0", id="allowed by name"),
    pytest.param((ALLOW,), "gpt-4", "allow allowed p0", id="an alias, allowed by the Model's name"),
    pytest.param((f"{G}; models: {{allow: [gpt-4]}}",), "best", "deny model-not-allowed p0",
                 id="an allowed alias is not the other alias"),
    pytest.param((f"{G}; models: {{allow: [gpt-4]}}",), "large", "deny model-not-allowed p0",
                 id="an allowed alias is not the Model's name"),
    pytest.param((f'{G}; models: {{allow: ["*"], deny: [gpt-4]}}',), "best", "deny model-not-allowed p0",
                 id="a denied alias denies the Model under every name"),
    pytest.param((ALLOW, f"{G}; models: {{deny: [large]}}"), "gpt-4", "deny model-not-allowed p1",
                 id="a deny in one policy beats an allow in another"),
    pytest.param((f"{G}; models: {{allow: [large]}}", f"{G}; models: {{allow: [small]}}"), "small", "allow allowed p1",
                 id="allow lists add up"),
    pytest.param((f'{G}; models: {{allow: ["*"], deny: [small]}}; when: "false"',), "small",
                 "deny model-not-allowed p0", id="a deny list counts although when is false"),
    pytest.param((f'{G}; models: {{allow: [small]}}; when: "false"',), "small", "deny condition-false p0",
                 id="when is false"),
    pytest.param((f'{G}; models: {{allow: [small]}}; when: "false"', ALLOW), "small", "allow allowed p1",
                 id="when is false but another policy allows"),
    pytest.param((ALLOW, f"{G}; models: {{allow: [small]}}; when: {ERROR}"), "small", "deny condition-error p1",
                 id="a condition that fails denies although another policy allows"),
    pytest.param((ALLOW, f"{G}; models: {{allow: [large]}}; when: {ERROR}"), "small", "allow allowed p0",
                 id="a condition that fails where it does not matter"),
    pytest.param((ALLOW, f"subjects: [{{groups: [g], when: {ERROR}}}]; models: {{deny: [small]}}"), "small",
                 "deny condition-error p1", id="a policy that might select the caller and would deny"),
    pytest.param((ALLOW, f"subjects: [{{groups: [g], when: {ERROR}}}]; models: {{deny: [large]}}"), "small",
                 "allow allowed p0", id="a policy that might select the caller and says nothing"),
    pytest.param((f"subjects: [{{groups: [g], when: {ERROR}}}]; models: {{allow: [small]}}",), "small",
                 "deny condition-error p0", id="only a policy that might select the caller"),
    pytest.param((f"mode: observe; subjects: [{{groups: [g], when: {ERROR}}}]; models: {{allow: [small]}}",), "small",
                 "deny condition-error p0", id="an observing policy that might select the caller lets nobody in"),
    pytest.param((f"subjects: [{{groups: [g], when: {ERROR}}}, {{subjects: [u]}}]; models: {{allow: [small]}}",),
                 "small", "allow allowed p0", id="another subject entry selects for certain"),
    pytest.param((), "small", "deny no-policy", id="no policy at all"),
    pytest.param(("subjects: [{groups: [h]}]; models: {allow: [small]}",), "small", "deny no-policy",
                 id="no policy for this caller"),
    pytest.param((f'{G}; models: {{allow: ["*"]}}',), "gpt-9", "deny model-unknown p0", id="an unknown model"),
    pytest.param((f'{G}; models: {{allow: ["*"]}}',), "shady", "deny provider-not-approved bad",
                 id="a provider that is not approved"),
    pytest.param((f'mode: observe; {G}; models: {{allow: ["*"]}}',), "shady", "deny provider-not-approved bad",
                 id="not approved, although only observed"),
    pytest.param((f"mode: observe; {G}; models: {{deny: [small]}}",), "small", "allow observed p0", id="only observed"),
    pytest.param((f"mode: observe; {G}; models: {{allow: [small]}}", f"{G}; models: {{allow: [large]}}"), "small",
                 "deny model-not-allowed p1", id="observing policies allow nothing beside enforced ones"),
]  # fmt: skip


@pytest.mark.parametrize(("specs", "model", "expected"), LLM)
def test_a_model_is_decided(policy, specs, model, expected):
    assert short(decide_llm(policy(*specs), who(), LlmCall("openai-chat", "chat", model), {})) == expected


def test_an_allowed_call_goes_to_the_first_approved_target_that_speaks_the_dialect(policy):
    decision = decide_llm(policy(ALLOW), who(), LlmCall("openai-chat", "chat", "gpt-4"), {})
    upstream = decision.obligations.upstream
    assert decision.obligations.model == "up-large"
    assert (upstream.name, upstream.cluster, upstream.host, upstream.port, upstream.tls, upstream.authority,
            upstream.path) == ("LLMProvider/good", "llm_good", "good", 81, False, "good:81", "/base")  # fmt: skip
    assert (upstream.credential.header, upstream.credential.format) == ("authorization", "Bearer {}")
    assert "s3cret" not in repr(decision)


def test_a_dialect_that_no_target_speaks_or_can_be_translated_to_is_refused(policy):
    decision = decide_llm(policy(ALLOW), who(), LlmCall("cohere-chat", "chat", "small"), {})
    assert short(decision) == "deny dialect-unsupported small"


def test_an_anthropic_provider_gets_its_key_in_its_own_header(policy):
    credential = policy().providers["claude"].upstream.credential
    assert (credential.header, credential.format) == ("x-api-key", "{}")


OBSERVED = [
    pytest.param((ALLOW, f"mode: observe; {G}; models: {{deny: [small]}}"), "deny model-not-allowed p1",
                 id="would deny"),
    pytest.param((ALLOW, f"mode: observe; {G}; models: {{allow: [small]}}"), "", id="agrees"),
    pytest.param((f"{G}; models: {{allow: [large]}}", f"mode: observe; {G}; models: {{allow: [small]}}"),
                 "allow allowed p1", id="would allow"),
    pytest.param((f"mode: observe; {G}; models: {{allow: [small]}}",), "", id="alone, would allow"),
    pytest.param((f"mode: observe; {G}; models: {{allow: [large]}}",), "deny model-not-allowed p0",
                 id="alone, would deny"),
    pytest.param((ALLOW, f"mode: observe; {G}; models: {{allow: [small]}}; masking: mild"), "allow masking mild p0",
                 id="would mask"),
    pytest.param((ALLOW, f"mode: observe; {G}; models: {{allow: [small]}}; when: {ERROR}"), "deny condition-error p1",
                 id="would fail"),
]  # fmt: skip


@pytest.mark.parametrize(("specs", "expected"), OBSERVED)
def test_what_observing_policies_would_change_is_noted_and_not_done(policy, specs, expected):
    compiled = policy(*specs)
    decision = decide_llm(compiled, who(), LlmCall("openai-chat", "chat", "small"), {})
    enforced = [spec for spec in specs if "observe" not in spec]
    alone = decide_llm(policy(*enforced), who(), LlmCall("openai-chat", "chat", "small"), {}) if enforced else None
    words = decision.observed.replace("AgentPolicy/", "").split(" (")[0]
    assert words == expected
    assert decision.obligations.masking is None
    assert alone is None or (alone.verdict, alone.reason) == (decision.verdict, decision.reason)


@pytest.mark.parametrize(
    ("specs", "masking"),
    [
        pytest.param((f"mode: observe; {G}; masking: mild",), "mild",
                     id="the profile it names, although it allows nothing"),
        pytest.param((f"mode: observe; {G}; masking: mild; when: {ERROR}",), "mild",
                     id="the profile it names, although its condition fails"),
        pytest.param((f"mode: observe; {G}; masking: mild", f"mode: observe; {G}; masking: strict"), "mild+strict",
                     id="the profiles of all of them"),
        pytest.param((f"mode: observe; {G}", f"mode: observe; {G}; masking: strict"), "strict",
                     id="the one profile that is named"),
        pytest.param((f"mode: observe; {G}",), "", id="nothing, when none is named"),
    ],
)  # fmt: skip
def test_whom_only_observing_policies_select_is_let_through_masked_by(policy, specs, masking):
    compiled = policy(*specs)
    llm = decide_llm(compiled, who(), LlmCall("openai-chat", "chat", "small"), {})
    call = McpCall("crm", "request", "tools/call", "delete")
    mcp = decide_mcp(compiled, who(), compiled.servers["crm"], call, {})
    for decision in (llm, mcp):
        done = decision.obligations.masking
        assert decision.reason.value == "observed"
        assert (done.name if done is not None else "") == masking


def test_a_policy_that_only_observes_is_warned_of_with_its_place(policy, tmp_path):
    (warning,) = policy(ALLOW, f"mode: observe; {G}").warnings
    lines = (tmp_path / "p.yaml").read_text().splitlines()
    assert lines[warning.line - 1].strip() == "mode: observe"
    assert warning.file == str(tmp_path / "p.yaml")
    assert warning.message.startswith("AgentPolicy/p1 only observes")
    assert policy(ALLOW).warnings == ()


def test_a_condition_sees_the_tools_that_the_provider_runs(policy):
    compiled = policy(ALLOW + "; when: size(call.tools) == 0 && size(call.serverTools) == 0")
    for served, expected in (((), "allow allowed p0"), (("web_search",), "deny condition-false p0")):
        call = LlmCall("openai-chat", "chat", "small", server_tools=served)
        decision = decide_llm(compiled, who(), call, {})
        assert short(decision) == expected


def test_several_profiles_are_one_and_the_stricter_action_counts(policy):
    compiled = policy(ALLOW + "; masking: mild", f"{G}; models: {{allow: [small]}}; masking: strict")
    masking = decide_llm(compiled, who(), LlmCall("openai-chat", "chat", "small"), {}).obligations.masking
    assert masking.name == "mild+strict"
    assert masking.start().text("bob@example.com saw a bluebird") == " saw a [masked:bird]"
    only = decide_llm(compiled, who(), LlmCall("openai-chat", "chat", "large"), {}).obligations.masking
    assert only.name == "mild"
    assert compiled.combined(frozenset({"mild", "strict"})) is masking


CRM = f'{G}; mcp: [{{server: crm, tools: {{allow: ["read_*"], deny: [read_raw]}}, prompts: {{allow: [p]}}, ' \
      'resources: {allow: ["note://*"], deny: ["note://secret*"]}}]'  # fmt: skip
MCP = [
    pytest.param((CRM,), "tools/call", "read_x", "allow allowed p0", id="a tool by wildcard"),
    pytest.param((CRM,), "tools/call", "read_raw", "deny tool-not-allowed p0", id="a denied tool"),
    pytest.param((CRM,), "tools/call", "delete", "deny tool-not-allowed p0", id="another tool"),
    pytest.param((CRM,), "prompts/get", "p", "allow allowed p0", id="a prompt"),
    pytest.param((CRM,), "prompts/get", "read_x", "deny method-not-allowed p0", id="a tool's name is no prompt"),
    pytest.param((CRM,), "resources/read", "note://1", "allow allowed p0", id="a resource"),
    pytest.param((CRM,), "resources/subscribe", "note://secret", "deny method-not-allowed p0", id="a denied resource"),
    pytest.param((CRM,), "tools/list", "", "allow allowed p0", id="listing"),
    pytest.param((CRM,), "initialize", "", "allow allowed p0", id="opening"),
    pytest.param((CRM,), "server/discover", "", "allow allowed p0", id="discovering"),
    pytest.param((CRM,), "notifications/initialized", "", "allow allowed p0", id="a notification"),
    pytest.param((CRM,), "tasks/get", "t", "allow allowed p0", id="a task"),
    pytest.param((CRM,), "sampling/createMessage", "", "deny method-not-allowed p0", id="a server's method"),
    pytest.param((CRM,), "x/unknown", "", "deny method-not-allowed p0", id="an unknown method"),
    pytest.param((CRM,), "Tools/Call", "read_x", "deny method-not-allowed p0", id="a method in odd case"),
    pytest.param((CRM,), "", "", "deny method-not-allowed p0", id="no method"),
    pytest.param((f"{G}; mcp: [{{server: mail}}]",), "tools/list", "", "deny server-not-allowed p0",
                 id="another server"),
    pytest.param((f'{G}; mcp: [{{server: "*"}}]',), "tools/list", "", "allow allowed p0", id="any server"),
    pytest.param((CRM, f'{G}; mcp: [{{server: "c*", tools: {{deny: ["*"]}}}}]'), "tools/call", "read_x",
                 "deny tool-not-allowed p1", id="a deny for servers by wildcard"),
    pytest.param((CRM, f"{G}; mcp: [{{server: crm, methods: {{deny: [tools/*]}}}}]"), "tools/call", "read_x",
                 "deny method-not-allowed p1", id="a denied method"),
    pytest.param((CRM, f"{G}; mcp: [{{server: crm, methods: {{deny: [tools/*]}}}}]"), "tools/list", "",
                 "deny method-not-allowed p1", id="a denied listing"),
    pytest.param((CRM + '; when: call.arguments.n < 3',), "tools/call", "read_x", "allow allowed p0", id="arguments"),
    pytest.param((CRM + '; when: call.arguments.n > 3',), "tools/call", "read_x", "deny condition-false p0",
                 id="other arguments"),
    pytest.param((CRM + '; when: call.arguments.m > 3',), "tools/call", "read_x", "deny condition-error p0",
                 id="an argument that is not there"),
    pytest.param((CRM + '; when: call.arguments.m > 3',), "initialize", "", "allow allowed p0",
                 id="a condition about calls does not close the server"),
    pytest.param((CRM + '; when: identity.tenant == "x"',), "initialize", "", "deny condition-false p0",
                 id="a condition about the caller closes the server"),
    pytest.param((f"mode: observe; {G}",), "tools/call", "delete", "allow observed p0", id="only observed"),
    pytest.param((f"mode: observe; {G}; mcp: [{{server: crm}}]", f"{G}"), "tools/call", "x",
                 "deny server-not-allowed p1", id="an observing grant opens no server"),
]  # fmt: skip


@pytest.mark.parametrize(("specs", "method", "name", "expected"), MCP)
def test_an_mcp_message_is_decided(policy, specs, method, name, expected):
    compiled = policy(*specs)
    call = McpCall("crm", "request", method, name, arguments={"n": 1})
    decision = decide_mcp(compiled, who(), compiled.servers["crm"], call, {})
    assert short(decision) == expected
    assert (decision.obligations.upstream is compiled.servers["crm"].upstream) is decision.allowed


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        pytest.param({"type": "ref/prompt", "name": "p"}, "allow allowed p0", id="of an allowed prompt"),
        pytest.param({"type": "ref/resource", "uri": "p"}, "deny method-not-allowed p0", id="of another resource"),
        pytest.param({"type": "ref/other", "name": "p"}, "deny method-not-allowed p0", id="of the unknown"),
        pytest.param("p", "deny method-not-allowed p0", id="of nonsense"),
        pytest.param(None, "deny method-not-allowed p0", id="of nothing"),
    ],
)
def test_a_completion_is_allowed_with_what_it_completes(policy, ref, expected):
    compiled = policy(CRM)
    call = McpCall("crm", "request", "completion/complete", "p", doc={"params": {"ref": ref}})
    assert short(decide_mcp(compiled, who(), compiled.servers["crm"], call, {})) == expected


@pytest.mark.parametrize("kind", ["stream", "close", "response"])
def test_messages_without_method_come_with_the_server(policy, kind):
    compiled = policy(CRM)
    call = McpCall("crm", kind, "")
    assert decide_mcp(compiled, who(), compiled.servers["crm"], call, {}).allowed
    assert not decide_mcp(compiled, who(), compiled.servers["mail"], call, {}).allowed


def test_a_tool_call_disguised_as_a_notification_is_judged_as_a_tool_call(policy):
    compiled = policy(CRM)
    call = McpCall("crm", "notification", "tools/call", "delete")
    assert not decide_mcp(compiled, who(), compiled.servers["crm"], call, {}).allowed


def test_lists_show_what_may_be_used(policy):
    compiled = policy(CRM, f"{G}; mcp: [{{server: crm, tools: {{deny: [read_y]}}}}]")
    shown = visible(compiled, who(), compiled.servers["crm"])
    names = ["read_x", "read_y", "read_raw", "delete"]
    assert [name for name in names if shown("tool", name)] == ["read_x"]
    assert shown("prompt", "p")
    assert not shown("prompt", "read_x")
    assert shown("resource", "note://1")
    assert not shown("resource", "note://secret1")
    assert shown("resource_template", "note://{id}")
    assert not shown("something", "p")
    assert not visible(compiled, who(groups=()), compiled.servers["crm"])("tool", "read_x")
    assert not visible(compiled, who(), compiled.servers["mail"])("tool", "read_x")


def test_lists_are_whole_for_those_who_are_only_observed(policy):
    compiled = policy(f"mode: observe; {G}")
    assert visible(compiled, who(), compiled.servers["crm"])("tool", "anything")
    assert visible_models(compiled, who()) == ("best", "gpt-4", "large", "small")
    assert visible_models(compiled, who(groups=())) == ()


@pytest.mark.parametrize(
    ("specs", "expected"),
    [
        pytest.param((f'{G}; models: {{allow: ["*"]}}',), ("best", "gpt-4", "large", "small"), id="all but unapproved"),
        pytest.param((f"{G}; models: {{allow: [gpt-4, small]}}",), ("gpt-4", "small"), id="an alias alone"),
        pytest.param((f'{G}; models: {{allow: ["*"], deny: [best]}}',), ("small",),
                     id="a denied alias hides all names"),
        pytest.param((f"{G}; models: {{allow: [small]}}; when: call.stream",), ("small",), id="it depends on the call"),
        pytest.param((f'{G}; models: {{allow: [small]}}; when: identity.tenant == "x"',), (), id="not for this tenant"),
        pytest.param((f"{G}; models: {{allow: [small]}}; when: {ERROR}",), (), id="it cannot be told"),
        pytest.param((f"subjects: [{{groups: [g], when: {ERROR}}}]; models: {{allow: [small]}}",), (),
                     id="it cannot be told whether the policy is about the caller"),
    ],
)  # fmt: skip
def test_the_model_list_is_what_the_caller_may_use(policy, specs, expected):
    assert visible_models(policy(*specs), who()) == expected


SUBJECTS = [
    pytest.param("{subjects: [u]}", {}, True, id="subject"),
    pytest.param("{subjects: [v, 'u*']}", {}, True, id="any value, with wildcard"),
    pytest.param("{subjects: [U]}", {}, False, id="case counts"),
    pytest.param("{subjects: [u], groups: [h]}", {}, False, id="all fields must match"),
    pytest.param("{subjects: [u], groups: [h, g]}", {}, True, id="one of the groups"),
    pytest.param("{groups: ['*']}", {"groups": ()}, False, id="any group is still a group"),
    pytest.param("{emails: ['*@example.com']}", {"email": "a@example.com"}, True, id="e-mail by domain"),
    pytest.param("{emails: ['*@example.com']}", {"email": "a@example.com.evil"}, False, id="e-mail of another domain"),
    pytest.param("{emails: ['*@example.com']}", {}, False, id="no e-mail"),
    pytest.param("{tenants: [t]}", {"tenant": "t"}, True, id="tenant"),
    pytest.param("{tenants: [t]}", {}, False, id="another tenant"),
    pytest.param("{when: identity.claims.mfa == true}", {"claims": {"mfa": True}}, True, id="a claim"),
    pytest.param(
        "{when: identity.claims.mfa == true}", {"claims": {"mfa": "true"}}, False, id="a claim of another type"
    ),
    pytest.param("{when: identity.claims.mfa == true}", {"claims": {}}, False, id="a claim that is not there"),
    pytest.param("{when: identity.claims.n == 1}", {"claims": {"n": 1, "m": 2**80}}, False, id="a claim out of range"),
    pytest.param("{when: '\"g\" in identity.groups'}", {}, True, id="a group in a condition"),
]


@pytest.mark.parametrize(("subject", "fields", "selected"), SUBJECTS)
def test_a_subject_entry_selects(policy, subject, fields, selected):
    compiled = policy(f"subjects: [{subject}]; models: {{allow: [small]}}")
    assert decide_llm(compiled, who(**fields), LlmCall("openai-chat", "chat", "small"), {}).allowed is selected


def test_callers_who_differ_only_in_claims_are_not_confused(policy):
    compiled = policy("subjects: [{groups: [g], when: identity.claims.mfa == true}]; models: {allow: [small]}")
    call = LlmCall("openai-chat", "chat", "small")
    answers = [decide_llm(compiled, who(claims={"mfa": mfa}), call, {}).allowed for mfa in (True, False, True)]
    assert answers == [True, False, True]


def test_requests_can_be_conditions(policy):
    compiled = policy(ALLOW + """; when: request.headers["x-team"] == "a" && request.path == "/v1" """)
    call = LlmCall("openai-chat", "chat", "small")
    assert decide_llm(compiled, who(), call, {"path": "/v1", "source": "", "headers": {"x-team": "a"}}).allowed
    assert short(decide_llm(compiled, who(), call, {"path": "/v1"})) == "deny condition-error p0"


def test_a_call_without_limit_is_not_below_any(policy):
    compiled = policy(ALLOW + "; when: call.maxTokens <= 100000000")
    assert decide_llm(compiled, who(), LlmCall("openai-chat", "chat", "small", max_tokens=5), {}).allowed
    assert not decide_llm(compiled, who(), LlmCall("openai-chat", "chat", "small"), {}).allowed


def test_the_runtime_names_what_envoy_needs(policy):
    compiled = policy()
    assert compiled.hosts == {"crm.example": compiled.servers["crm"]}
    mail = compiled.servers["mail"].upstream
    assert (mail.cluster, mail.host, mail.authority, mail.path) == ("mcp_mail", "::1", "[::1]:1", "/mcp")
    assert len(compiled.upstreams) == 5
    assert set(compiled.models) == {"large", "gpt-4", "best", "small", "shady"}


def test_the_version_names_the_documents(policy):
    first = policy(ALLOW)
    assert first.version == policy(ALLOW).version
    assert first.version != policy(ALLOW + "; mode: observe").version
    assert len(first.version) == 12
