"""Conditions hold only when they are the boolean true; everything that goes wrong is None, and never raises."""

import pytest

from extproc.policy.conditions import UNLIMITED, VARIABLES, ConditionError, Scope, compile_condition

FACTS = {
    "identity.subject": "u",
    "identity.groups": ["a", "b"],
    "identity.email": "",
    "identity.tenant": "t",
    "identity.issuer": "i",
    "identity.provider": "p",
    "identity.claims": {"n": 3, "deep": {"list": [1, {"x": "y"}]}, "flag": True, "text": "true", "none": None},
    "request.path": "/v1",
    "request.source": "10.0.0.1",
    "request.provider": "openai",
    "request.headers": {"x-team": "red"},
    "call.plane": "llm",
    "call.server": "",
    "call.dialect": "openai-chat",
    "call.operation": "chat",
    "call.model": "m",
    "call.stream": True,
    "call.tools": ["t"],
    "call.serverTools": ["web_search"],
    "call.maxTokens": UNLIMITED,
    "call.size": 2048,
    "call.dataClass": "internal",
    "call.method": "",
    "call.name": "",
    "call.arguments": {},
}


def test_the_facts_here_are_all_there_are():
    assert set(FACTS) == set(VARIABLES)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param('identity.subject == "u"', True, id="text"),
        pytest.param('"b" in identity.groups', True, id="list"),
        pytest.param('identity.groups.exists(g, g.startsWith("b"))', True, id="macro"),
        pytest.param('identity.claims.deep.list[1].x == "y"', True, id="deep claim"),
        pytest.param('identity.claims["n"] > 2 && call.stream', True, id="claim by key"),
        pytest.param("has(identity.claims.gone)", False, id="asking for a claim"),
        pytest.param("identity.claims.gone == 1", None, id="a claim that is not there"),
        pytest.param("identity.claims.gone == 1 || call.stream", True, id="an error that does not matter"),
        pytest.param("identity.claims.flag && true", True, id="a claim that is true"),
        pytest.param("identity.claims.text && true", None, id="a claim that only says true"),
        pytest.param("identity.claims.n && true", None, id="a claim that is a number"),
        pytest.param("identity.claims.none && true", None, id="a claim that is null"),
        pytest.param("identity.subject.matches('(')", None, id="a broken expression inside"),
        pytest.param("1 / (size(call.tools) - 1) == 1", None, id="division by zero"),
        pytest.param("size(call.tools) == 0 && size(call.serverTools) == 0", False, id="tools of the provider"),
        pytest.param('call.serverTools.all(t, t == "web_search")', True, id="each tool of the provider"),
        pytest.param("call.maxTokens < 1000000", False, id="no limit is above every limit"),
        pytest.param("identity\n.\nsubject == 'u'", True, id="a name over several lines"),
    ],
)
def test_a_condition_holds_only_when_it_is_true(source, expected):
    assert compile_condition(source, Scope.CALL)(FACTS) is expected


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"n": 2**70}, id="an integer out of range"),
        pytest.param({"n": "\ud800"}, id="a lone surrogate"),
        pytest.param({"n": object()}, id="no JSON at all"),
        pytest.param({1: 2}, id="a key that is no text"),
    ],
)
def test_facts_that_cel_cannot_take_are_an_error_and_no_exception(claims):
    assert compile_condition("identity.claims.n == 1", Scope.CALL)({"identity.claims": claims}) is None


def test_a_missing_fact_is_an_error():
    assert compile_condition("call.stream", Scope.CALL)({}) is None


@pytest.mark.parametrize(
    ("source", "scope"),
    [
        pytest.param('identity.tenant == "a"', Scope.IDENTITY, id="identity"),
        pytest.param('request.path == "a"', Scope.PLACE, id="request"),
        pytest.param('call.server == "call.arguments"', Scope.PLACE, id="a name in a text is no use"),
        pytest.param('identity.tenant == "a" && call.stream', Scope.CALL, id="call"),
    ],
)
def test_a_condition_knows_the_narrowest_scope_of_its_variables(source, scope):
    assert compile_condition(source, Scope.CALL).scope is scope


def test_a_condition_must_be_true_or_false_by_its_type():
    with pytest.raises(ConditionError, match="may be of any type, not true or false"):
        compile_condition("identity.claims.flag", Scope.CALL)


def test_variables_outside_the_scope_do_not_exist():
    with pytest.raises(ConditionError, match=r"identity\.\* only"):
        compile_condition("request.path == ''", Scope.IDENTITY)


def test_the_place_of_a_mistake_is_given():
    with pytest.raises(ConditionError) as raised:
        compile_condition("true &&\n  identity.sub == ''", Scope.CALL)
    assert (raised.value.line, raised.value.column) == (2, 11)
    with pytest.raises(ConditionError, match=r"identity alone is not a value; write one of identity\.subject"):
        compile_condition("identity == 1", Scope.CALL)


def _nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(10**5000, None, id="an integer too long for the engine"),
        pytest.param(-(10**5000), None, id="a negative one"),
        pytest.param([{"deep": [10**5000]}], None, id="one deep inside"),
        pytest.param(2**63, None, id="an integer just beyond 64 bits"),
        pytest.param(_nested(100_000), None, id="100,000 lists in each other"),
        pytest.param(-(2**63), True, id="the smallest integer"),
        pytest.param(_nested(200), True, id="200 lists in each other"),
    ],
)
@pytest.mark.parametrize("fact", ["call.arguments", "identity.claims"])
def test_no_value_that_a_client_writes_ends_the_process(fact, value, expected):
    condition = compile_condition(f"{fact}.n == 3", Scope.CALL)
    assert condition(FACTS | {fact: {"n": 3, "other": value}}) is expected
