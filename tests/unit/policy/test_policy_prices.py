"""What a call cost, from the price in the policy and the tokens that the provider counted."""

from typing import get_args

import pytest

from extproc.errors import PolicyError
from extproc.exchange.classify import DIALECTS
from extproc.exchange.model import LlmCall, Usage
from extproc.identity.model import Identity
from extproc.policy.decide import decide_llm
from extproc.policy.documents import DialectName
from extproc.policy.load import load
from extproc.policy.prices import Price

PRICE = Price(input=3, output=15, cached_input=0.3, cache_write=3.75, currency="USD")
POLICY = """
apiVersion: gatereeve.dev/v1alpha1
kind: LLMProvider
metadata: {name: chat}
spec: {dialects: [openai-chat], url: "https://chat.test"}
---
apiVersion: gatereeve.dev/v1alpha1
kind: LLMProvider
metadata: {name: claude}
spec: {dialects: [ollama], url: "https://claude.test"}
---
apiVersion: gatereeve.dev/v1alpha1
kind: Model
metadata: {name: m}
spec:
  price: {input: 1, output: 2.5, cachedInput: 0}
  targets: [{provider: chat}, {provider: claude, price: {input: 3, output: 15, cacheWrite: 3.75, currency: EUR}}]
---
apiVersion: gatereeve.dev/v1alpha1
kind: AgentPolicy
metadata: {name: all}
spec: {subjects: [{subjects: ["*"]}], models: {allow: ["*"]}}
"""


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        pytest.param(Usage(1000, 100), 0.0045, id="input and output"),
        pytest.param(Usage(1000, 100, 600), 0.00288, id="cached input is part of the input"),
        pytest.param(Usage(1000, 100, 600, 300), 0.003105, id="so is what was written into a cache"),
        pytest.param(Usage(1000, 100, reasoning_tokens=90), 0.0045, id="reasoning is part of the output"),
        pytest.param(Usage(7, None), 0.000021, id="embeddings have no output"),
        pytest.param(Usage(None, 1), 0.000015, id="a stream that broke off"),
        pytest.param(Usage(10, 0, 50), 0.000015, id="more cached than read"),
        pytest.param(Usage(0, 0), 0, id="nothing"),
        pytest.param(Usage(), None, id="not counted"),
        pytest.param(Usage(10**12, 10**12), 18_000_000, id="very much"),
    ],
)
def test_what_tokens_come_to(usage, cost):
    assert PRICE.cost(usage) == (cost if cost is None else pytest.approx(cost, abs=1e-12))


def policy(tmp_path, text=POLICY):
    (tmp_path / "p.yaml").write_text(text)
    return load(tmp_path)


@pytest.mark.parametrize(
    ("dialect", "price"),
    [
        pytest.param("openai-chat", Price(1, 2.5, 0, 1, "USD"), id="the Model's"),
        pytest.param("ollama", Price(3, 15, 3, 3.75, "EUR"), id="the target's own"),
    ],
)
def test_a_decision_knows_the_price_of_the_target_that_serves(tmp_path, dialect, price):
    decision = decide_llm(policy(tmp_path), Identity("", "", "u"), LlmCall(dialect, "chat", "m"), {})
    assert decision.obligations.price == price


@pytest.mark.parametrize(
    ("price", "message"),
    [
        ("{output: 1}", "spec.price.input: is missing"),
        ("{input: 1}", "spec.price.output: is missing"),
        ("{input: cheap, output: 1}", "spec.price.input: must be a number"),
        ("{input: -1, output: 1}", "spec.price.input: "),
        ("{input: .nan, output: 1}", "spec.price.input: "),
        ("{input: 1, output: 1, currency: dollars}", "spec.price.currency: is not a currency"),
        ("{input: 1, output: 1, cached: 1}", "spec.price.cached: is not a field here; did you mean cachedInput?"),
    ],
)
def test_a_price_that_cannot_be_meant_is_a_problem_with_a_place(tmp_path, price, message):
    text = POLICY.replace("{input: 1, output: 2.5, cachedInput: 0}", price)
    with pytest.raises(PolicyError) as caught:
        policy(tmp_path, text)
    assert message in str(caught.value.problems[0])


def test_documents_name_exactly_the_dialects_there_are():
    assert set(get_args(DialectName)) == set(DIALECTS)
