"""Every dialect judges members by their exact names, wherever it judges them, and lets none lead elsewhere."""

import pytest

from extproc.errors import BadRequest
from extproc.exchange.classify import DIALECTS
from extproc.exchange.model import Place

PLACE = Place("m", stream=True)
BODY = {"anthropic_version": "v", "input": "x"}
GEMINI, CONVERSE, INVOKE, OLLAMA, COHERE = "gemini", "bedrock-converse", "bedrock-invoke", "ollama", "cohere-chat"
MORE = "additionalModelRequestFields"


def read(name, more):
    body = {**BODY, **({} if name in (INVOKE, CONVERSE) else {"model": "m"})}
    return DIALECTS[name].read("chat", {**body, **more}, PLACE)


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("key", ["Model", "STREAM", "Tools", "tool\u017f", "Fallbacks"])
def test_a_key_that_some_reader_takes_for_a_judged_one_is_refused_in_every_dialect(name, key):
    with pytest.raises(BadRequest, match="spelled exactly so"):
        read(name, {key: []})


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("key", ["models", "fallbacks", "route", "api_base", "extra_body"])
@pytest.mark.promise("dialects.judged")
def test_what_leads_elsewhere_is_refused_in_every_dialect(name, key):
    with pytest.raises(BadRequest, match=key):
        read(name, {key: ["hidden"]})


@pytest.mark.parametrize(
    ("name", "more"),
    [
        pytest.param("openai-chat", {"Data_Sources": []}, id="chat: Azure's stores"),
        pytest.param(GEMINI, {"CachedContent": "c"}, id="gemini: a cached content"),
        pytest.param(GEMINI, {"tools": [{"FunctionDeclarations": []}]}, id="gemini: functions"),
        pytest.param(GEMINI, {"tools": [{"functionDeclarations": [{"name": "a", "Name": "b"}]}]}, id="gemini: a name"),
        pytest.param(GEMINI, {"generationConfig": {"MaxOutputTokens": 1}}, id="gemini: a limit"),
        pytest.param(GEMINI, {"generateContentRequest": {"Tools": []}}, id="gemini: a request inside"),
        pytest.param(CONVERSE, {"ToolConfig": {}}, id="converse: the tools' holder"),
        pytest.param(CONVERSE, {"toolConfig": {"Tools": []}}, id="converse: tools"),
        pytest.param(CONVERSE, {"toolConfig": {"tools": [{"toolSpec": {"Name": 1, "name": "a"}}]}}, id="converse: it"),
        pytest.param(CONVERSE, {"inferenceConfig": {"MaxTokens": 1}}, id="converse: a limit"),
        pytest.param(CONVERSE, {"messages": [{"content": [{"ToolAddition": {}}]}]}, id="converse: a block"),
        pytest.param(CONVERSE, {MORE: {"Tools": []}}, id="converse: tools in the additional fields"),
        pytest.param(CONVERSE, {MORE: {"ModelId": "x"}}, id="converse: a model in the additional fields"),
        pytest.param(INVOKE, {"tools": [{"name": "a", "Type": "web_search"}]}, id="invoke: a type"),
        pytest.param(INVOKE, {"MCP_servers": []}, id="invoke: servers"),
        pytest.param(OLLAMA, {"options": {"Num_Predict": 9}}, id="ollama: a limit"),
        pytest.param(OLLAMA, {"tools": [{"function": {"name": "a", "Name": "b"}}]}, id="ollama: a name"),
        pytest.param(COHERE, {"tools": [{"Type": "x", "function": {"name": "a"}}]}, id="cohere: a type"),
        pytest.param(COHERE, {"tools": [{"function": {"name": "a", "Name": "b"}}]}, id="cohere: a name"),
    ],
)  # fmt: skip
def test_keys_inside_are_exact_in_the_newer_dialects_too(name, more):
    with pytest.raises(BadRequest, match="spelled exactly so"):
        read(name, more)


@pytest.mark.parametrize("key", ["models", "api_base"])
def test_additional_fields_lead_nowhere_else_and_say_where_they_stand(key):
    with pytest.raises(BadRequest, match=f"{MORE}.{key}"):
        read(CONVERSE, {MORE: {key: "hidden"}})
