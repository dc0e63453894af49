"""Unchanged SDKs of Google, OpenAI and Azure against our reading of their requests and our masking of the answers."""

import json
from pathlib import Path

import anthropic
import httpx2
import openai
import pytest
from google import genai
from google.auth import credentials as google_credentials
from google.genai import errors, types

from extproc.errors import BadRequest, Uninspectable
from extproc.exchange import json_body
from extproc.exchange.classify import DIALECTS, classify
from extproc.exchange.model import Place
from extproc.exchange.refusal import Reason, Refusal
from extproc.exchange.translation.registry import TRANSLATIONS
from extproc.identity import token

GOLDEN = Path(__file__).parents[2] / "golden"
EXPIRED = Refusal.of(Reason.TOKEN_EXPIRED, "ex-1")
JSON, SSE = "application/json", "text/event-stream"


class Gateway:
    """Answers every request with `answer` as the upstream's, masked by the dialect that the path asks for."""

    def __init__(self, filter, answer=b"{}", kind=JSON, refusal=None, upstream="up"):
        self.filter, self.answer, self.kind, self.refusal, self.upstream = filter, answer, kind, refusal, upstream
        self.calls, self.sent, self.tokens = [], [], []

    def __call__(self, request):
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.tokens.append(token.extract(headers))
        route = classify(request.method, request.url.raw_path.decode(), headers)
        assert not isinstance(route, Refusal), request.url
        dialect = DIALECTS[route.dialect]
        if self.refusal is not None:
            rendered = dialect.refusal(self.refusal)
            return httpx2.Response(rendered.status, headers=list(rendered.headers), content=rendered.body)
        if route.operation == "list_models":
            return httpx2.Response(200, headers={"content-type": JSON}, content=dialect.models(("a", "b")))
        if route.operation == "get_model":
            return httpx2.Response(200, headers={"content-type": JSON}, content=dialect.model(route.model))
        call = dialect.read(route.operation, json_body.decode(request.read()), route.place)
        self.calls.append(call)
        self.sent.append((dialect.path(call, self.upstream), json.loads(dialect.write(call, self.upstream))))
        reader = dialect.answer(call, self.filter)
        body = reader.feed(self.answer) + reader.finish() if self.kind == SSE else reader.document(self.answer)
        return httpx2.Response(200, headers={"content-type": self.kind}, content=body)


def golden(name):
    return next((GOLDEN / name).glob("answer.*")).read_bytes()


def google(gateway, **options):
    http = httpx2.Client(transport=httpx2.MockTransport(gateway))
    options.setdefault("api_key", "t.o.k")
    return genai.Client(
        http_options=types.HttpOptions(base_url="http://gateway.test", httpx_client=http), **options
    ).models


def vertex(gateway):
    class Known(google_credentials.Credentials):
        def refresh(self, request):
            self.token = "t.o.k"

    return google(gateway, api_key=None, vertexai=True, project="p-1", location="us-east1", credentials=Known())


def openai_client(gateway):
    http = httpx2.Client(transport=httpx2.MockTransport(gateway))
    return openai.OpenAI(api_key="t.o.k", base_url="http://gateway.test/v1", http_client=http, max_retries=0)


def azure_client(gateway):
    http = httpx2.Client(transport=httpx2.MockTransport(gateway))
    return openai.AzureOpenAI(
        api_key="t.o.k",
        azure_endpoint="http://gateway.test",
        api_version="2024-10-21",
        http_client=http,
        max_retries=0,
    )


EITHER = pytest.mark.parametrize(
    ("client", "prefix"), [(google, "/v1beta"), (vertex, "/publishers/google")], ids=["Gemini API", "Vertex AI"]
)


@EITHER
def test_google_generates(client, prefix, fake):
    gateway = Gateway(fake, golden("gemini/document"))

    def weather(city: str) -> str:
        """The weather."""
        return city

    config = types.GenerateContentConfig(
        system_instruction="Be brief.",
        max_output_tokens=77,
        tools=[weather, types.Tool(google_search=types.GoogleSearch())],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    answer = client(gateway).generate_content(model="gpt-4", contents="hi", config=config)
    assert answer.text == "[masked] in parts, "
    assert answer.function_calls[0].args == {"q": "[masked]"}
    assert answer.usage_metadata.thoughts_token_count == 4
    call = gateway.calls[0]
    assert (call.model, call.stream, call.max_tokens, call.operation) == ("gpt-4", False, 77, "chat")
    assert (call.tools, call.server_tools) == (("weather",), ("google_search",))
    assert gateway.sent[0][0] == f"{prefix}/models/up:generateContent"
    assert gateway.tokens == ["t.o.k"]


@EITHER
def test_google_streams(client, prefix, fake):
    gateway = Gateway(fake, golden("gemini/thoughts-and-function-calls"), SSE)
    chunks = list(client(gateway).generate_content_stream(model="gpt-4", contents="hi"))
    parts = [part for chunk in chunks for part in (chunk.candidates[0].content.parts if chunk.candidates else []) or []]
    assert "".join(part.text for part in parts if part.text and part.thought) == "Hm, [masked] hm SEC"
    assert [part.function_call.name for part in parts if part.function_call] == ["run", "patch"]
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert gateway.calls[0].stream
    assert gateway.sent[0][0] == f"{prefix}/models/up:streamGenerateContent?alt=sse"


@EITHER
def test_google_counts_tokens(client, prefix, fake):
    gateway = Gateway(fake, b'{"totalTokens":31}')
    assert client(gateway).count_tokens(model="gpt-4", contents="hi").total_tokens == 31
    assert gateway.calls[0].operation == "count_tokens"
    assert gateway.sent[0][0] == f"{prefix}/models/up:countTokens"


@EITHER
def test_google_raises_refusals(client, prefix, fake):
    with pytest.raises(errors.ClientError) as caught:
        client(Gateway(fake, refusal=EXPIRED)).generate_content(model="m", contents="hi")
    assert (caught.value.code, caught.value.status) == (401, "UNAUTHENTICATED")
    assert EXPIRED.text in str(caught.value)


def test_google_raises_the_error_that_ends_a_stream(fake):
    refusal = Refusal.of(Reason.ANSWER_UNREADABLE, "ex-1")
    gateway = Gateway(None, golden("gemini/cut-off") + b"\n" + DIALECTS["gemini"].error_event(refusal), SSE)
    with pytest.raises(errors.ServerError) as caught:
        list(google(gateway).generate_content_stream(model="m", contents="hi"))
    assert refusal.text in str(caught.value)


def test_google_lists_models(fake):
    models = google(Gateway(fake))
    assert [model.name for model in models.list(config={"query_base": True})] == ["models/a", "models/b"]
    assert models.get(model="a").display_name == "a"


def test_a_body_cannot_name_another_model_than_the_path():
    dialect = DIALECTS["gemini"]
    route = classify("POST", "/v1beta/models/cheap:countTokens", {})
    doc = {"model": "models/dear", "generateContentRequest": {"model": "models/dear", "tools": [{"codeExecution": {}}]}}
    call = dialect.read(route.operation, doc, route.place)
    assert (call.model, call.server_tools) == ("cheap", ("code_execution",))
    assert b"dear" not in dialect.write(call, "up")


@pytest.mark.parametrize(
    ("tool", "names", "served"),
    [
        ({"functionDeclarations": [{"name": "a"}, {"name": "b"}]}, ("a", "b"), ()),
        ({"function_declarations": [{"name": "a"}]}, ("a",), ()),
        ({"googleSearch": {}, "urlContext": {}}, (), ("google_search", "url_context")),
        ({"google_search": {}}, (), ("google_search",)),
        ({"computerUse": {"environment": "ENVIRONMENT_BROWSER"}}, ("computer_use",), ()),
        ({"mcpServers": [{"name": "git", "streamableHttpTransport": {}}]}, (), ("mcp:git",)),
        ({"somethingNew": {}, "codeExecution": None}, (), ("something_new",)),
    ],
)
def test_gemini_tools_in_either_spelling(tool, names, served):
    route = classify("POST", "/v1beta/models/m:generateContent", {})
    call = DIALECTS["gemini"].read("chat", {"tools": [tool], "cachedContent": "cachedContents/x"}, route.place)
    assert (call.tools, call.server_tools) == (names, (*served, "cached_content"))


def test_openai_embeds(fake):
    gateway = Gateway(fake, golden("openai-embeddings/numbers"))
    answer = openai_client(gateway).embeddings.create(model="m", input=["hi"], encoding_format="float")
    assert answer.data[0].embedding == [0.1, -2e-05, 3]
    gateway.answer = golden("openai-embeddings/base64")
    answer = openai_client(gateway).embeddings.create(model="m", input="hi")
    assert answer.data[0].embedding == [pytest.approx(0.1)]
    assert [path for path, _ in gateway.sent] == ["/v1/embeddings"] * 2
    assert gateway.sent[1][1] == {"input": "hi", "model": "up", "encoding_format": "base64"}


@pytest.mark.parametrize("vector", [["SECRET-TOKEN"], "SECRET-TOKEN!", [[1]], {"a": 1}, [True]])
def test_an_embedding_that_is_none_does_not_pass(vector, fake):
    answer = DIALECTS["openai-embeddings"].answer(None, fake)
    with pytest.raises(Uninspectable, match="embedding"):
        answer.document(json.dumps({"data": [{"embedding": vector}]}).encode())


def test_openai_completes(fake):
    gateway = Gateway(fake, golden("openai-completions/document"))
    answer = openai_client(gateway).completions.create(model="m", prompt="hi", max_tokens=5)
    assert answer.choices[0].text == "It is [masked]"
    assert (gateway.calls[0].max_tokens, gateway.calls[0].operation) == (5, "text_completion")
    gateway.answer, gateway.kind = golden("openai-completions/text-secret-across-chunks"), SSE
    chunks = list(openai_client(gateway).completions.create(model="m", prompt="hi", stream=True))
    texts = [choice.text for chunk in chunks for choice in chunk.choices if choice.index == 0]
    assert "".join(texts) == "The key is [masked] or SECRET"
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)
    asked = {"stream_options": {"include_usage": True}}
    chunks = list(openai_client(gateway).completions.create(model="m", prompt="hi", stream=True, **asked))
    assert chunks[-1].usage.total_tokens == 12


def test_azure_names_the_deployment_in_the_path(fake):
    gateway = Gateway(fake, golden("openai-chat/document-with-tools"))
    client = azure_client(gateway)
    client.chat.completions.create(model="dep-1", messages=[])
    gateway.answer = golden("openai-embeddings/base64")
    client.embeddings.create(model="dep-2", input="hi")
    gateway.answer = golden("openai-completions/document")
    client.completions.create(model="dep-3", prompt="hi")
    gateway.answer = golden("openai-responses/document")
    client.responses.create(model="dep-4", input="hi")
    assert [call.model for call in gateway.calls] == ["dep-1", "dep-2", "dep-3", "dep-4"]
    assert [path for path, _ in gateway.sent] == [
        "/v1/chat/completions",
        "/v1/embeddings",
        "/v1/completions",
        "/v1/responses",
    ]
    assert {body["model"] for _, body in gateway.sent} == {"up"}
    assert [model.id for model in client.models.list()] == ["a", "b"]
    assert set(gateway.tokens) == {"t.o.k"}


def test_azure_raises_refusals(fake):
    with pytest.raises(openai.AuthenticationError) as caught:
        azure_client(Gateway(fake, refusal=EXPIRED)).chat.completions.create(model="m", messages=[])
    assert EXPIRED.text in str(caught.value)


def test_azure_searches_of_its_own_are_a_server_tool():
    call = DIALECTS["openai-chat"].read("chat", {"model": "m", "data_sources": [{"type": "azure_search"}]})
    assert call.server_tools == ("data_sources",)


def test_azure_as_upstream_is_asked_by_deployment():
    for name, end in (("chat", "chat/completions"), ("embeddings", "embeddings"), ("completions", "completions")):
        dialect = DIALECTS[f"azure-openai-{name}"]
        call = dialect.read("chat", {"model": "m", "input": "x"})
        assert dialect.path(call, "gpt 4") == f"/openai/deployments/gpt%204/{end}?api-version=2024-10-21"


def anthropic_vertex(gateway):
    http = httpx2.Client(transport=httpx2.MockTransport(gateway))
    return anthropic.AnthropicVertex(
        region="us-east1",
        project_id="p-1",
        access_token="t.o.k",
        base_url="http://gateway.test/v1",
        http_client=http,
        max_retries=0,
    )


def test_claude_on_vertex(fake):
    gateway = Gateway(fake, golden("anthropic-messages/document"))
    client = anthropic_vertex(gateway)
    message = client.messages.create(
        model="claude-x", max_tokens=9, messages=[], tools=[{"name": "run", "input_schema": {"type": "object"}}]
    )
    assert message.content
    gateway.answer, gateway.kind = golden("anthropic-messages/text-secret-across-deltas"), SSE
    with client.messages.stream(model="claude-x", max_tokens=9, messages=[]) as stream:
        assert "[masked]" in stream.get_final_text()
    gateway.answer, gateway.kind = b'{"input_tokens":31}', JSON
    assert client.messages.count_tokens(model="claude-x", messages=[]).input_tokens == 31
    assert [(call.model, call.stream, call.operation, call.tools) for call in gateway.calls] == [
        ("claude-x", False, "chat", ("run",)),
        ("claude-x", True, "chat", ()),
        ("claude-x", False, "count_tokens", ()),
    ]
    assert [path for path, _ in gateway.sent] == [
        "/publishers/anthropic/models/up:rawPredict",
        "/publishers/anthropic/models/up:streamRawPredict",
        "/publishers/anthropic/models/count-tokens:rawPredict",
    ]
    assert [body.get("model") for _, body in gateway.sent] == [None, None, "up"]
    assert all("anthropic_version" in body for _, body in gateway.sent[:2])
    with pytest.raises(anthropic.AuthenticationError, match="expired"):
        anthropic_vertex(Gateway(fake, refusal=EXPIRED)).messages.create(model="m", max_tokens=9, messages=[])


def test_anthropic_messages_reach_claude_on_vertex():
    pair = TRANSLATIONS["anthropic-messages", "vertex-claude"]
    source, target = DIALECTS["anthropic-messages"], DIALECTS["vertex-claude"]
    doc = {"model": "m", "max_tokens": 9, "messages": [], "stream": True}
    call = source.read("chat", doc)
    out = pair.request(call, "up")
    assert out.doc == {"anthropic_version": "vertex-2023-10-16", "max_tokens": 9, "messages": [], "stream": True}
    assert target.path(call, "up") == "/publishers/anthropic/models/up:streamRawPredict"
    assert target.read("chat", out.doc, Place("up", True)).stream
    counting = source.read("count_tokens", {"model": "m", "messages": []})
    assert pair.request(counting, "up").doc == {"model": "up", "messages": []}


@pytest.mark.parametrize("doc", [{"messages": []}, {"anthropic_version": "v", "stream": True}])
def test_a_raw_prediction_that_cannot_be_judged_is_refused(doc):
    with pytest.raises(BadRequest):
        DIALECTS["vertex-claude"].read("chat", doc, Place("m"))


def test_cohere_refuses_in_its_own_words():
    dialect = DIALECTS["cohere-chat"]
    assert json.loads(dialect.refusal(EXPIRED).body) == {"message": EXPIRED.text, "id": "ex-1"}
    last = dialect.error_event(EXPIRED)
    assert last.startswith(b"event: message-end\ndata: ")
    assert json.loads(last.partition(b"data: ")[2])["delta"] == {"finish_reason": "ERROR", "error": EXPIRED.text}
    call = dialect.read("chat", {"model": "m", "tools": [{"type": "function", "function": {"name": "run"}}]})
    assert (call.tools, dialect.path(call, "up")) == (("run",), "/v2/chat")
    assert classify("POST", "/v2/chat", {}).dialect == "cohere-chat"
