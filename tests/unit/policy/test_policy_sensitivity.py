"""Whose call has which class, and who may receive it: everything that raises the class, and that nothing lowers it."""

from dataclasses import replace
from itertools import permutations

import pytest

from extproc.errors import Uninspectable
from extproc.exchange.model import LlmCall
from extproc.identity.model import Identity
from extproc.policy.decide import decide_llm, visible_models
from extproc.policy.load import load
from extproc.policy.runtime import Detector, Policy
from extproc.policy.sensitivity import DataClass, named, of_claim, word

PUBLIC, INTERNAL, CONFIDENTIAL, RESTRICTED = DataClass
DOCUMENTS = """
apiVersion: gatereeve.dev/v1alpha1
kind: LLMProvider
metadata: {name: cloud}
spec: {dialects: [openai-chat], url: "https://cloud.example"}
---
apiVersion: gatereeve.dev/v1alpha1
kind: LLMProvider
metadata: {name: open}
spec: {dialects: [openai-chat], url: "https://open.example", dataClass: public}
---
apiVersion: gatereeve.dev/v1alpha1
kind: LLMProvider
metadata: {name: contract}
spec: {dialects: [anthropic-messages], url: "https://contract.example", dataClass: confidential}
---
apiVersion: gatereeve.dev/v1alpha1
kind: LLMProvider
metadata: {name: house}
spec: {dialects: [openai-chat], url: "https://house.example", dataClass: restricted}
---
apiVersion: gatereeve.dev/v1alpha1
kind: LLMProvider
metadata: {name: banned}
spec: {dialects: [openai-chat], url: "https://banned.example", approved: false, dataClass: restricted}
---
apiVersion: gatereeve.dev/v1alpha1
kind: Model
metadata: {name: every}
spec:
  failover: {attempts: 8}
  targets: [{provider: open}, {provider: cloud}, {provider: contract}, {provider: house}]
---
apiVersion: gatereeve.dev/v1alpha1
kind: Model
metadata: {name: cheap}
spec: {targets: [{provider: open}, {provider: cloud}]}
---
apiVersion: gatereeve.dev/v1alpha1
kind: Model
metadata: {name: odd}
spec: {targets: [{provider: banned}, {provider: house, when: "call.size > 10"}, {provider: cloud}]}
---
apiVersion: gatereeve.dev/v1alpha1
kind: Model
metadata: {name: foreign}
spec: {targets: [{provider: contract}]}
---
apiVersion: gatereeve.dev/v1alpha1
kind: Model
metadata: {name: by-class}
spec:
  targets:
  - {provider: house, model: calm, when: 'call.dataClass in ["public", "internal"]'}
  - {provider: house, model: strict}
---
apiVersion: gatereeve.dev/v1alpha1
kind: AgentPolicy
metadata: {name: all}
spec: {subjects: [{groups: [open]}], models: {allow: ["*"]}, dataClass: public}
---
apiVersion: gatereeve.dev/v1alpha1
kind: AgentPolicy
metadata: {name: usual}
spec: {subjects: [{groups: [usual]}], models: {allow: ["*"]}}
---
apiVersion: gatereeve.dev/v1alpha1
kind: AgentPolicy
metadata: {name: lawyers}
spec: {subjects: [{groups: [lawyers]}], models: {allow: ["*"]}, dataClass: confidential}
---
apiVersion: gatereeve.dev/v1alpha1
kind: AgentPolicy
metadata: {name: elsewhere}
spec: {subjects: [{groups: [elsewhere]}], models: {allow: [foreign]}, dataClass: restricted}
---
apiVersion: gatereeve.dev/v1alpha1
kind: AgentPolicy
metadata: {name: watched}
spec: {mode: observe, subjects: [{groups: [watched]}], models: {allow: [every]}, dataClass: confidential}
"""


@pytest.fixture(scope="module")
def policy(tmp_path_factory) -> Policy:
    folder = tmp_path_factory.mktemp("policy")
    (folder / "p.yaml").write_text(DOCUMENTS)
    return load(folder)


class Stub:
    """A detector's work: finds its word, or cannot look."""

    def __init__(self, word: str = "secret", *, broken: bool = False, note: str = "") -> None:
        self.word, self.broken, self.notes = word, broken, (note,) if note else ()
        self.asked = 0

    def __call__(self, doc):
        self.asked += 1
        if self.broken:
            raise Uninspectable("too much")
        return self.word in str(doc), self.notes


def detecting(policy: Policy, name: str, *found: tuple[Stub, DataClass]) -> Policy:
    """The policy, its AgentPolicy `name` with these detectors."""
    agents = {
        agent.name: replace(agent, detectors=tuple(Detector(stub, level, agent.rule) for stub, level in found))
        if agent.name == name
        else agent
        for agent in policy.agents
    }
    candidates = policy.candidates
    return replace(
        policy,
        agents=tuple(agents.values()),
        candidates=lambda who: tuple(agents[agent.name] for agent in candidates(who)),
    )


def ask(policy, *groups, claim="", exposed=PUBLIC, model="every", text="hello", size=0, dialect="openai-chat"):
    who = Identity("p", "i", "u", groups or ("open",), data_class=claim)
    call = LlmCall(dialect, "chat", model, doc={"messages": [{"role": "user", "content": text}]})
    return decide_llm(policy, who, call, {"size": size}, exposed)


def level(decision) -> DataClass:
    return decision.obligations.data_class


def targets(decision) -> list[str]:
    return [leg.target.provider.name for leg in decision.obligations.legs]


# -- the class ---------------------------------------------------------------------------------------------------------


def test_classes_are_a_closed_ordered_list_with_one_word_each():
    assert PUBLIC < INTERNAL < CONFIDENTIAL < RESTRICTED
    assert [named(word(each)) for each in DataClass] == list(DataClass)
    with pytest.raises(KeyError):
        named("secret")


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        pytest.param("", PUBLIC, id="none is nothing"),
        pytest.param("public", PUBLIC, id="public"),
        pytest.param("confidential", CONFIDENTIAL, id="confidential"),
        pytest.param("Confidential", CONFIDENTIAL, id="another case"),
        pytest.param("secret", RESTRICTED, id="a word that is no class"),
        pytest.param("3", RESTRICTED, id="a number"),
        pytest.param(" internal", RESTRICTED, id="a word with a space"),
    ],
)
def test_a_claim_names_a_class_and_an_unknown_word_the_highest(policy, said, counts):
    assert of_claim(said) is counts
    assert level(ask(policy, claim=said)) is counts


@pytest.mark.parametrize(
    ("groups", "counts"),
    [
        pytest.param(["open"], PUBLIC, id="what it says"),
        pytest.param(["usual"], INTERNAL, id="internal, if it says nothing"),
        pytest.param(["open", "lawyers", "usual"], CONFIDENTIAL, id="the highest of several"),
        pytest.param(["open", "elsewhere"], PUBLIC, id="only of policies that allow this call"),
        pytest.param(["watched"], CONFIDENTIAL, id="of one that only observes, where no other decides"),
        pytest.param(["open", "watched"], PUBLIC, id="not of one that only observes beside one that decides"),
    ],
)
def test_a_policy_gives_the_calls_it_allows_a_class(policy, groups, counts):
    assert level(ask(policy, *groups)) is counts


@pytest.mark.parametrize("seen", list(DataClass), ids=word)
def test_what_the_caller_has_used_counts(policy, seen):
    assert level(ask(policy, exposed=seen)) is seen
    assert level(ask(policy, "lawyers", exposed=seen)) is max(seen, CONFIDENTIAL)


def test_what_is_found_in_a_call_counts(policy):
    judging = detecting(policy, "all", (Stub("secret"), RESTRICTED), (Stub("draft"), INTERNAL))
    assert level(ask(judging, text="nothing")) is PUBLIC
    assert level(ask(judging, text="a draft")) is INTERNAL
    assert level(ask(judging, text="a secret draft")) is RESTRICTED


def test_detectors_are_asked_highest_first_and_only_where_they_could_raise_the_class(policy):
    low, high = Stub("x"), Stub("secret")
    judging = detecting(policy, "all", (low, INTERNAL), (high, CONFIDENTIAL))
    ask(judging, text="a secret")
    assert (low.asked, high.asked) == (0, 1)
    ask(judging, exposed=INTERNAL)
    assert (low.asked, high.asked) == (0, 2)
    ask(judging, exposed=RESTRICTED)
    assert (low.asked, high.asked) == (0, 2)
    ask(judging)
    assert (low.asked, high.asked) == (1, 3)


def test_detectors_of_policies_that_do_not_allow_the_call_are_not_asked(policy):
    stub = Stub()
    assert level(ask(detecting(policy, "elsewhere", (stub, RESTRICTED)), "open", "elsewhere", text="secret")) is PUBLIC
    assert stub.asked == 0


def test_what_cannot_be_looked_through_is_not_taken_to_be_harmless(policy):
    decision = ask(detecting(policy, "all", (Stub(broken=True), CONFIDENTIAL)))
    assert level(decision) is CONFIDENTIAL
    assert targets(decision) == ["contract", "house"]


def test_what_detectors_could_not_look_into_is_noted_whether_or_not_the_call_goes_on(policy):
    judging = detecting(policy, "all", (Stub(note="binary-not-inspected"), RESTRICTED))
    assert ask(judging).obligations.not_inspected == ("binary-not-inspected",)
    refused = ask(judging, model="cheap", text="secret")
    assert (refused.allowed, refused.obligations.not_inspected) == (False, ("binary-not-inspected",))


@pytest.mark.parametrize(
    "order", list(permutations([PUBLIC, CONFIDENTIAL, RESTRICTED])), ids=lambda o: "-".join(map(word, o))
)
@pytest.mark.promise("sensitivity.highest")
def test_the_highest_wins_whoever_says_it(policy, order):
    claim, seen, found = order
    judging = detecting(policy, "usual", (Stub("secret"), found))
    assert level(ask(judging, "usual", claim=word(claim), exposed=seen, text="secret")) is RESTRICTED


# -- who may receive it ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "tried"),
    [
        pytest.param(PUBLIC, ["open", "cloud", "contract", "house"], id="public: anyone"),
        pytest.param(INTERNAL, ["cloud", "contract", "house"], id="internal: all but one that may not"),
        pytest.param(CONFIDENTIAL, ["contract", "house"], id="confidential: whom it was said of"),
        pytest.param(RESTRICTED, ["house"], id="restricted: the last one"),
    ],
)
@pytest.mark.promise("sensitivity.cleared")
def test_a_call_goes_only_to_providers_of_at_least_its_class_in_any_attempt(policy, seen, tried):
    assert targets(ask(policy, exposed=seen)) == tried


def test_a_call_that_no_provider_may_receive_is_refused_and_names_one(policy):
    decision = ask(policy, model="cheap", exposed=CONFIDENTIAL)
    assert (decision.verdict, decision.reason) == ("deny", "provider-not-cleared")
    assert decision.rule.startswith("LLMProvider/open ")
    assert level(decision) is CONFIDENTIAL
    assert not decision.obligations.legs
    assert decision.obligations.upstream is None


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        pytest.param({"model": "odd", "size": 99}, "", id="one is left"),
        pytest.param({"model": "odd", "exposed": "restricted", "size": 99}, "", id="the condition's is left"),
        pytest.param(
            {"model": "odd", "exposed": "restricted"},
            "provider-not-cleared",
            id="not cleared, not approved, no condition",
        ),
        pytest.param({"model": "foreign", "dialect": "ollama"}, "dialect-unsupported", id="not spoken to at all"),
        pytest.param(
            {"model": "foreign", "dialect": "ollama", "exposed": "restricted"},
            "dialect-unsupported",
            id="whether a provider that cannot be spoken to is cleared does not matter",
        ),
        pytest.param(
            {"model": "foreign", "exposed": "restricted"}, "provider-not-cleared", id="translated, not cleared"
        ),
    ],
)
def test_of_several_reasons_the_one_is_told_that_the_caller_can_do_most_about(policy, asked, reason):
    decision = ask(policy, **asked | {"exposed": named(asked.get("exposed", "public"))})
    assert (decision.allowed, decision.reason.value) == ((not reason), reason or "allowed")


def test_a_targets_condition_can_ask_for_the_class(policy):
    assert [leg.target.model for leg in ask(policy, model="by-class").obligations.legs] == ["calm", "strict"]
    assert [leg.target.model for leg in ask(policy, model="by-class", claim="oops").obligations.legs] == ["strict"]


def test_a_caller_who_is_only_observed_is_held_to_classes_as_well(policy):
    decision = ask(policy, "watched")
    assert (decision.reason, targets(decision)) == ("observed", ["contract", "house"])
    refused = ask(policy, "watched", model="cheap")
    assert (refused.verdict, refused.reason) == ("deny", "provider-not-cleared")


def test_the_list_of_models_does_not_depend_on_what_a_call_would_hold(policy):
    cleared = visible_models(policy, Identity("p", "i", "u", ("open",)))
    assert cleared == ("by-class", "cheap", "every", "foreign", "odd")
    assert visible_models(policy, Identity("p", "i", "u", ("lawyers",), data_class="restricted")) == cleared


def test_a_call_that_policies_refuse_is_not_looked_through(policy):
    stub = Stub()
    judging = detecting(policy, "elsewhere", (stub, RESTRICTED))
    assert ask(judging, "elsewhere", model="cheap", text="secret").reason == "model-not-allowed"
    assert stub.asked == 0
