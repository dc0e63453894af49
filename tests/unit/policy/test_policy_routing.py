"""Which targets an allowed call may take, and in which order they are tried."""

import textwrap
from pathlib import Path

import pytest

from extproc.exchange.model import LlmCall
from extproc.exchange.refusal import Reason
from extproc.identity.model import Identity
from extproc.policy.decide import decide_llm
from extproc.policy.load import load
from extproc.policy.runtime import Policy
from extproc.policy.sensitivity import DataClass

BASE = """
apiVersion: gatereeve.dev/v1alpha1
kind: LLMProvider
metadata: {name: one}
spec: {dialects: [openai-chat], url: "http://one:81", dataClass: internal}
---
apiVersion: gatereeve.dev/v1alpha1
kind: LLMProvider
metadata: {name: two}
spec: {dialects: [anthropic-messages], url: "https://two.example", dataClass: confidential}
---
apiVersion: gatereeve.dev/v1alpha1
kind: LLMProvider
metadata: {name: safe}
spec: {dialects: [openai-chat], url: "https://safe.example", dataClass: restricted}
---
apiVersion: gatereeve.dev/v1alpha1
kind: LLMProvider
metadata: {name: bad}
spec: {dialects: [openai-chat], url: "https://bad.example", approved: false}
---
apiVersion: gatereeve.dev/v1alpha1
kind: AgentPolicy
metadata: {name: all}
spec: {subjects: [{groups: [g]}], models: {allow: ["*"]}, showModel: true}
"""


@pytest.fixture
def made(tmp_path: Path):
    def make(spec: str, more: str = "") -> Policy:
        text = BASE + "---\napiVersion: gatereeve.dev/v1alpha1\nkind: Model\nmetadata: {name: m}\nspec:\n"
        (tmp_path / "p.yaml").write_text(text + textwrap.indent(textwrap.dedent(spec), "  ") + more)
        return load(tmp_path)

    return make


def decide(policy: Policy, call: LlmCall | None = None, *, level: DataClass = DataClass.PUBLIC, **who):
    request = {"path": "/", "source": "", "headers": {}, "size": who.pop("size", 0), "id": who.pop("id", "gr-1")}
    identity = Identity(
        "corp", "https://corp", **{"subject": "ada", "groups": ("g",), "email": "", "claims": {}, **who}
    )
    return decide_llm(policy, identity, call or chat(), request, level)


def chat(text: str = "hello", dialect: str = "openai-chat", stream: bool = False) -> LlmCall:
    doc = {"model": "m", "messages": [{"role": "user", "content": text}]}
    return LlmCall(dialect, "chat" if dialect == "openai-chat" else "messages", "m", stream, doc=doc)


def order(policy: Policy, call: LlmCall | None = None, **more) -> list[str]:
    decision = decide(policy, call, **more)
    assert decision.allowed, decision
    return [leg.target.provider.name for leg in decision.obligations.legs]


LIST = "targets: [{provider: one, model: a}, {provider: two, model: b}, {provider: safe, model: c}]"


def test_without_an_order_the_list_is_the_order(made):
    assert order(made(LIST)) == ["one", "two", "safe"]


def test_the_first_targets_provider_and_model_are_what_the_decision_names(made):
    done = decide(made(LIST)).obligations
    assert (done.upstream.name, done.model) == ("LLMProvider/one", "a")


def test_a_lower_order_comes_first(made):
    spec = "targets: [{provider: one, order: 5}, {provider: two, order: 0}, {provider: safe, order: 3}]"
    assert order(made(spec)) == ["two", "safe", "one"]


@pytest.mark.parametrize("attempts", [1, 2, 3, 8])
def test_no_more_targets_than_attempts(made, attempts):
    assert len(order(made(LIST + f"\nfailover: {{attempts: {attempts}}}"))) == min(3, attempts)


def test_a_target_that_is_not_approved_takes_no_part_and_uses_up_no_attempt(made):
    spec = "targets: [{provider: bad}, {provider: one}, {provider: two}]\nfailover: {attempts: 2}"
    assert order(made(spec)) == ["one", "two"]


def test_legs_say_how_each_is_spoken_to(made):
    legs = decide(made(LIST)).obligations.legs
    assert [(leg.dialect, leg.translation is None) for leg in legs] == [
        ("openai-chat", True), ("anthropic-messages", False), ("openai-chat", True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("when", "fitting", "other"),
    [
        pytest.param('"vip" in identity.groups', {"groups": ("g", "vip")}, {}, id="a group"),
        pytest.param("call.size > 1000", {"size": 1001}, {"size": 1000}, id="size"),
        pytest.param("call.stream", {"call": chat(stream=True)}, {"call": chat()}, id="streaming"),
        pytest.param(
            'call.dataClass == "confidential"', {"level": DataClass.CONFIDENTIAL}, {"level": DataClass.INTERNAL},
            id="class of data",
        ),
        pytest.param('call.dialect == "anthropic-messages"', {"call": chat(dialect="anthropic-messages")}, {},
                     id="dialect"),
    ],
)  # fmt: skip
def test_a_condition_says_who_takes_part(made, when, fitting, other):
    policy = made(f"targets:\n- {{provider: safe, model: special, when: '{when}'}}\n- {{provider: two}}")
    assert order(policy, **fitting) == ["safe", "two"]
    assert order(policy, **other) == ["two"]


@pytest.mark.parametrize(
    ("spec", "more", "reason"),
    [
        pytest.param("targets: [{provider: bad}]", {}, Reason.PROVIDER_NOT_APPROVED, id="not approved"),
        pytest.param("targets: [{provider: one, when: 'false'}]", {}, Reason.NO_TARGET, id="no condition holds"),
        pytest.param("targets: [{provider: one, when: identity.claims.none == 1}]", {}, Reason.NO_TARGET,
                     id="a condition that cannot be evaluated holds for nobody"),
        pytest.param("targets: [{provider: one}]", {"level": DataClass.CONFIDENTIAL}, Reason.PROVIDER_NOT_CLEARED,
                     id="not cleared"),
        pytest.param("targets: [{provider: bad}, {provider: one, when: 'false'}]", {}, Reason.NO_TARGET,
                     id="what the caller can do most about is told"),
        pytest.param("targets: [{provider: one, when: 'false'}, {provider: two}]", {"level": DataClass.RESTRICTED},
                     Reason.PROVIDER_NOT_CLEARED, id="not cleared weighs most"),
    ],
)  # fmt: skip
def test_a_call_that_nobody_may_take_is_refused(made, spec, more, reason):
    decision = decide(made(spec), **more)
    assert (decision.allowed, decision.reason) == (False, reason)
    assert decision.rule


def test_failover_goes_only_to_who_may_see_the_data(made):
    assert order(made(LIST), level=DataClass.CONFIDENTIAL) == ["two", "safe"]
    assert order(made(LIST), level=DataClass.RESTRICTED) == ["safe"]


SHARED = "targets: [{provider: one, model: a, order: 0}, {provider: safe, model: c, order: 0}]"


def conversations(policy: Policy, count: int = 60, **more) -> list[str]:
    return [order(policy, chat(f"question {number}"), **more)[0] for number in range(count)]


def test_conversations_are_shared_and_each_stays_where_it_is(made):
    policy = made(SHARED)
    first = conversations(policy)
    assert set(first) == {"one", "safe"}
    assert conversations(policy, id="gr-another") == first


def test_a_conversation_that_grows_stays(made):
    policy = made(SHARED)
    for number in range(30):
        call = chat(f"question {number}")
        grown = chat(f"question {number}")
        grown.doc["messages"] += [{"role": "assistant", "content": "x"}, {"role": "user", "content": "more"}]
        assert order(policy, grown) == order(policy, call)


def test_two_callers_with_the_same_words_are_two_conversations(made):
    policy = made(SHARED)
    got = {order(policy, subject=f"user-{number}")[0] for number in range(40)}
    assert got == {"one", "safe"}


def test_sticky_by_caller(made):
    policy = made(SHARED + "\nsticky: caller")
    assert len(set(conversations(policy))) == 1
    assert {conversations(policy, 1, subject=f"user-{number}")[0] for number in range(40)} == {"one", "safe"}


def test_sticky_by_nothing(made):
    policy = made(SHARED + "\nsticky: none")
    assert {order(policy, id=f"gr-{number}")[0] for number in range(40)} == {"one", "safe"}


def test_subjects_of_two_issuers_are_two_callers(made):
    """Else one issuer's user could place their calls beside another's."""
    policy = made(SHARED + "\nsticky: caller")
    request = {"path": "/", "source": "", "headers": {}, "size": 0, "id": "x"}
    got = set()
    for number in range(40):
        who = Identity("corp", f"https://corp-{number}", "ada", ("g",), "", claims={})
        got.add(decide_llm(policy, who, chat(), request, DataClass.PUBLIC).obligations.legs[0].target.provider.name)
    assert got == {"one", "safe"}


OTHER = """
---
apiVersion: gatereeve.dev/v1alpha1
kind: AgentPolicy
metadata: {name: quiet}
spec: {subjects: [{groups: [quiet]}], models: {allow: ["*"]}}
"""


@pytest.mark.parametrize(
    ("groups", "shown"),
    [(("g",), True), (("quiet",), False), (("g", "quiet"), False)],
    ids=["a policy that shows it", "one that does not", "both"],
)
def test_the_target_is_shown_only_if_every_allowing_policy_shows_it(made, groups, shown):
    assert decide(made(LIST, OTHER), groups=groups).obligations.shows_model is shown


def test_envoy_breaks_circuits_where_another_provider_serves_the_same_model(made):
    assert [u.name for u in made(LIST).shared_upstreams] == ["LLMProvider/one", "LLMProvider/safe", "LLMProvider/two"]
    assert made("targets: [{provider: one}]").shared_upstreams == ()
    assert made("targets: [{provider: one, model: a}, {provider: one, model: b}]").shared_upstreams == ()
