"""Policy tests and explanations: what people see, checked with the example folder."""

import json
from pathlib import Path

import pytest

from extproc.errors import PolicyError
from extproc.exchange.model import LlmCall
from extproc.policy.cases import decide, from_record
from extproc.policy.explain import explain
from extproc.policy.load import load
from extproc.policy.testing import run

EXAMPLE = Path(__file__).parents[2] / "policy" / "example"
HEAD = "apiVersion: gatereeve.dev/v1alpha1\nkind: PolicyTest\nmetadata: {name: t}\nspec:\n"


@pytest.fixture(scope="module")
def policy():
    return load(EXAMPLE)


def test_the_example_does_what_its_tests_say(policy):
    report = run(policy, EXAMPLE)
    assert report.passed, report.text
    assert report.text == "28 of 28 policy tests passed"


def test_a_failure_is_a_diff_with_its_place(policy, tmp_path):
    (tmp_path / "t.yaml").write_text(
        HEAD
        + "  cases:\n"
        + "  - name: fine\n    identity: {subject: u}\n    call: {llm: {model: gpt-4}}\n    expect: {verdict: deny}\n"
        + "  - name: wrong\n    identity: {subject: u, groups: [engineering]}\n    call: {llm: {model: gpt-4}}\n"
        + "    expect: {verdict: deny, rule: AgentPolicy/interns, upstream: openai}\n"
    )
    report = run(policy, tmp_path)
    assert not report.passed
    assert report.text.splitlines() == [
        f"FAILED {tmp_path}/t.yaml:10 t: wrong",
        "--- expected",
        "+++ decided",
        "@@ -1,8 +1,8 @@",
        "-verdict: deny",
        "-rule: AgentPolicy/interns",
        "+verdict: allow",
        "+rule: AgentPolicy/engineering",
        " upstream: openai",
        " reason: allowed",
        " model: gpt-4o-2024-11-20",
        " targets: openai/gpt-4o-2024-11-20",
        " dataClass: internal",
        " masking: pii",
        "",
        "1 of 2 policy tests passed, 1 FAILED",
    ]


@pytest.mark.parametrize(
    ("cases", "line"),
    [
        pytest.param(
            "  - {name: a, identity: {subject: u}, call: {llm: {model: m}}, expect: {verdict: alow}}",
            "t.yaml:6: spec.cases[0].expect.verdict: must be one of allow, deny, hold; did you mean allow?",
            id="a misspelt verdict",
        ),
        pytest.param(
            "  - {name: a, identity: {subject: u}, call: {llm: {model: m}}, expect: {verdict: deny, reason: no-polcy}}",
            "t.yaml:6: spec.cases[0].expect.reason: there is no such reason; did you mean no-policy?",
            id="a misspelt reason",
        ),
        pytest.param(
            "  - {name: a, identity: {subject: u}, call: {}, expect: {verdict: deny}}",
            "t.yaml:6: spec.cases[0].call: must have exactly one of llm, mcp",
            id="no call",
        ),
        pytest.param(
            "  - {name: a, identity: {subject: u}, call: {llm: {model: m, text: [a], messages: []}}, "
            "expect: {verdict: deny}}",
            "t.yaml:6: spec.cases[0].call.llm: has text and messages; keep one of them",
            id="two bodies",
        ),
        pytest.param(
            "  - {name: a, identity: {subject: u}, call: {llm: {model: m, exposed: secret}}, expect: {verdict: deny}}",
            "t.yaml:6: spec.cases[0].call.llm.exposed: must be one of public, internal, confidential, restricted",
            id="a class that is none",
        ),
        pytest.param(
            "  - {name: a, identity: {subject: u}, call: {llm: {model: m}}, "
            "expect: {verdict: allow, dataClass: internl}}",
            "t.yaml:6: spec.cases[0].expect.dataClass: must be one of public, internal, confidential, restricted; "
            "did you mean internal?",
            id="a misspelt class",
        ),
        pytest.param(
            "  - {name: a, identity: {sub: u}, call: {llm: {model: m}}, expect: {verdict: deny}}",
            "t.yaml:6: spec.cases[0].identity.sub: is not a field here; did you mean subject?",
            id="a misspelt field",
        ),
    ],
)
def test_a_wrong_test_file_is_reported_like_a_wrong_policy(policy, tmp_path, cases, line):
    (tmp_path / "t.yaml").write_text(HEAD + "  cases:\n" + cases + "\n")
    with pytest.raises(PolicyError) as raised:
        run(policy, tmp_path)
    assert line in [str(problem).removeprefix(f"{tmp_path}/") for problem in raised.value.problems]


def test_no_tests_is_said_and_passes(policy, tmp_path):
    report = run(policy, tmp_path)
    assert report.passed
    assert report.text.startswith("no policy tests found")


RECORD = {
    "plane": "llm",
    "subject": "user-2",
    "groups": ["interns"],
    "provider": "ci",
    "issuer": "https://ci.example.com",
    "email": None,
    "dialect": "openai-chat",
    "operation": "chat",
    "model": "gpt-4o-mini",
    "stream": False,
    "verdict": "deny",
}


def test_an_audit_record_can_be_asked_again(policy):
    question = from_record(policy, json.loads(json.dumps(RECORD)))
    assert isinstance(question.call, LlmCall)
    assert decide(policy, question).reason == "condition-false"
    mcp = {"plane": "mcp", "subject": "u", "groups": ["engineering"], "server": "crm", "method": "tools/call",
           "name": "read_raw"}  # fmt: skip
    assert decide(policy, from_record(policy, mcp)).reason == "tool-not-allowed"
    assert decide(policy, from_record(policy, {"subject": "u", "groups": ["engineering"], "server": "crm"})).allowed


def test_a_hand_written_call_can_be_asked(policy):
    written = {"identity": {"subject": "u", "groups": ["engineering"], "claims": {"mfa": True, "roles": ["a"]}},
               "call": {"mcp": {"server": "payments", "name": "refund", "arguments": {"amount": 7}}}}  # fmt: skip
    question = from_record(policy, written)
    assert question.identity.claims["roles"] == ["a"]
    assert decide(policy, question).allowed


@pytest.mark.parametrize(
    "record",
    [
        pytest.param({"call": {"llm": {"model": "m"}}}, id="no identity"),
        pytest.param({"plane": "llm", "subject": "u"}, id="no model"),
        pytest.param({"plane": "x", "subject": "u"}, id="no such plane"),
        pytest.param({}, id="nothing"),
    ],
)
def test_a_record_that_cannot_be_read_says_which_field(policy, record):
    with pytest.raises(PolicyError) as raised:
        from_record(policy, record)
    assert raised.value.problems[0].path


def test_an_explanation_names_every_document_and_why(policy):
    text = "\n".join(explain(policy, from_record(policy, RECORD)))
    for line in (
        "call     chat with gpt-4o-mini over openai-chat",
        "    openai/gpt-4o-mini: takes part",
        "    does not select the caller: subjects[0].groups ['engineering'], the caller has ['interns']",
        "    allows gpt-4o-mini: models.allow ['gpt-4o-mini']",
        "    when is false, so it allows nothing: call.maxTokens <= 1000",
        "AgentPolicy/interns-next (agents.yml:47), observes only",
        "    DENIES gpt-4o-mini: models.deny ['gpt-4o-mini']",
        "    reason    condition-false",
    ):
        assert line in text.splitlines(), text


def test_an_explanation_of_an_mcp_call_names_the_list_that_decides(policy):
    record = {"plane": "mcp", "subject": "u", "groups": ["engineering"], "server": "crm", "method": "tools/call"}
    lines = explain(policy, from_record(policy, record | {"name": "read_raw"}))
    assert "    DENIES read_raw: tools.deny ['*_raw']" in lines
    assert "    CANNOT TELL: subjects[0].when cannot be evaluated for this caller" in lines
    lines = explain(policy, from_record(policy, record | {"name": "read_x"}))
    assert "    allows read_x: tools.allow ['read_*', 'find_customer']" in lines
    assert "    masks with MaskProfile/pii (agents.yml:64)" in lines


def question(policy, subject="analyst-1", group="analysts", *, identity=None, **llm):
    return from_record(
        policy,
        {
            "identity": {"subject": subject, "groups": [group], "provider": "ci", **(identity or {})},
            "call": {"llm": {"model": "assistant", **llm}},
        },
    )


def section(policy, asked, name):
    """The lines of one section of an explanation, its headline included."""
    lines = explain(policy, asked)
    start = next(at for at, line in enumerate(lines) if line.startswith(name))
    end = next((at for at in range(start, len(lines)) if not lines[at]), len(lines))
    return [line.strip() for line in lines[start:end]]


def test_an_explanation_says_of_each_target_why_it_takes_part_or_not(policy):
    assert section(policy, question(policy, size=200_000, text=["about TICKET-12345"]), "targets") == [
        "targets",
        "anthropic/claude-sonnet-4-5 (order 0, weight 3): takes no part: "
        "LLMProvider/anthropic (upstreams.yaml:10) may receive internal data at most",
        "openai/gpt-4.1 (order 0, weight 1): takes no part: "
        "LLMProvider/openai (upstreams.yaml:1) may receive internal data at most",
        "vertex/gemini-2.5-pro (order 1, weight 1): takes no part: when is false: call.size < 100000",
        "bedrock/eu.anthropic.claude-sonnet-4-5-20250929-v1:0 (order 2, weight 1): "
        "takes part, translated to bedrock-converse",
        "laptop/llama3.2 (order 3, weight 1): takes no part: speaks ollama, which openai-chat cannot be translated to; "
        'when is false: call.dataClass == "public"; '
        "LLMProvider/laptop (routing.yaml:19) may receive internal data at most",
    ]
    assert section(policy, question(policy, "u", "engineering", model="gpt-4"), "targets")[1] == (
        "trial/experimental (order 0, weight 1): takes no part: LLMProvider/trial (upstreams.yaml:19) is not approved"
    )


def test_an_explanation_tells_how_the_order_came_about(policy):
    assert section(policy, question(policy), "targets")[-2:] == [
        "of the same order, calls are shared by weight: each caller keeps its own",
        "at most 3 are tried for one call",
    ]
    decided = section(policy, question(policy), "decision")
    assert "targets   anthropic/claude-sonnet-4-5, openai/gpt-4.1, vertex/gemini-2.5-pro" in decided


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        pytest.param({}, "data     public: nothing says more", id="nothing"),
        pytest.param(
            {"group": "engineering", "model": "gpt-4"},
            "data     internal: internal by AgentPolicy/engineering (agents.yml:11)",
            id="a policy",
        ),
        pytest.param(
            {"exposed": "confidential"},
            "data     confidential: confidential by what the caller has used before",
            id="what was used before",
        ),
        pytest.param(
            {"identity": {"dataClass": "internal"}, "text": ["TICKET-12345"]},
            "data     confidential: confidential by what AgentPolicy/analysts (routing.yaml:39) detects; "
            "internal by the token's internal",
            id="a detector above the token",
        ),
        pytest.param(
            {"identity": {"dataClass": "secret"}},
            "data     restricted: restricted by the token's secret, which is no class",
            id="a claim that is no class",
        ),
    ],
)
def test_an_explanation_names_the_class_of_the_data_and_where_it_is_from(policy, asked, said):
    asked_for = question(policy, **asked)
    assert section(policy, asked_for, "data") == [said]
    assert f"dataClass {said.split()[1].rstrip(':')}" in section(policy, asked_for, "decision")


def test_an_explanation_knows_the_class_also_of_a_call_that_no_target_could_take(policy):
    asked_for = question(policy, model="gpt-4o", text=["TICKET-12345"])
    assert section(policy, asked_for, "data") == [
        "data     confidential: confidential by what AgentPolicy/analysts (routing.yaml:39) detects"
    ]
    assert "reason    provider-not-cleared" in section(policy, asked_for, "decision")


def test_an_explanation_of_a_call_that_policies_refuse_leaves_out_what_they_say_of_its_data(policy):
    assert section(policy, question(policy, group="interns", exposed="internal"), "data") == [
        "data     internal: internal by what the caller has used before",
        "no policy lets the call through, so what policies and detectors say is left out",
    ]


def test_the_targets_that_take_part_are_those_that_are_decided(policy):
    for asked_for in (question(policy), question(policy, exposed="restricted"), question(policy, size=10**6)):
        part = [line.split(" ")[0] for line in section(policy, asked_for, "targets")[1:] if ": takes part" in line]
        tried = [f"{leg.target.provider.name}/{leg.target.model}" for leg in decide(policy, asked_for).obligations.legs]
        assert len(tried) == min(3, len(part))
        assert set(tried) <= set(part)


def test_a_record_is_asked_again_with_the_class_and_size_it_had(policy):
    record = {"plane": "llm", "subject": "a", "groups": ["analysts"], "provider": "ci", "dialect": "openai-chat",
              "operation": "chat", "model": "assistant", "data_class": "confidential", "bytes": {"request": 200_000},
              "server_tools": ["web_search"]}  # fmt: skip
    asked_for = from_record(policy, record)
    assert asked_for.call.server_tools == ("web_search",)
    assert [leg.target.provider.name for leg in decide(policy, asked_for).obligations.legs] == ["bedrock"]


def test_wrong_targets_and_classes_are_told_as_a_diff(policy, tmp_path):
    (tmp_path / "t.yaml").write_text(
        HEAD
        + "  cases:\n"
        + "  - name: wrong\n    identity: {subject: u, groups: [analysts]}\n"
        + "    call: {llm: {model: assistant, exposed: restricted}}\n"
        + "    expect: {verdict: allow, targets: [openai/gpt-4.1], dataClass: public}\n"
    )
    assert run(policy, tmp_path).text.splitlines()[1:8] == [
        "--- expected",
        "+++ decided",
        "@@ -1,7 +1,7 @@",
        " verdict: allow",
        "-targets: openai/gpt-4.1",
        "-dataClass: public",
        "+targets: bedrock/eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
    ]
