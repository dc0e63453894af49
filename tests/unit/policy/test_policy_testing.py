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
    assert report.text == "21 of 21 policy tests passed"


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
        "@@ -1,6 +1,6 @@",
        "-verdict: deny",
        "-rule: AgentPolicy/interns",
        "+verdict: allow",
        "+rule: AgentPolicy/engineering",
        " upstream: openai",
        " reason: allowed",
        " model: gpt-4o-2024-11-20",
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
        "         target openai as gpt-4o-mini: can take it",
        "    does not select the caller: subjects[0].groups ['engineering'], the caller has ['interns']",
        "    allows gpt-4o-mini: models.allow ['gpt-4o-mini']",
        "    when is false, so it allows nothing: call.maxTokens <= 1000",
        "AgentPolicy/interns-next (agents.yml:47), observes only",
        "    DENIES gpt-4o-mini: models.deny ['gpt-4o-mini']",
        "    reason   condition-false",
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
