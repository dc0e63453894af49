"""Pairs whose bodies are (nearly) the same: what still differs, and errors that are of another vendor."""

import json

import anthropic
import httpx2
import pytest

from extproc.errors import BadRequest
from extproc.exchange.classify import DIALECTS
from extproc.exchange.model import Place
from extproc.exchange.translation.registry import TRANSLATIONS

CLAUDE, VERTEX = "anthropic-messages", "vertex-claude"
SORRY = {"code": 429, "message": "Quota exceeded.", "status": "RESOURCE_EXHAUSTED"}


def call(operation="chat", **members):
    doc = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], **members}
    return DIALECTS[CLAUDE].read(operation, doc)


def sdk(status, body):
    answered = TRANSLATIONS[CLAUDE, VERTEX].answer(call()).document(status, body)
    http = httpx2.Client(transport=httpx2.MockTransport(lambda _: httpx2.Response(status, content=answered)))
    return anthropic.Anthropic(api_key="k", http_client=http, max_retries=0)


def test_vertex_gets_everything_but_the_model_and_how_anthropic_runs_it():
    asked = call(stream=True, top_k=3, service_tier="auto", inference_geo=None, thinking={"type": "adaptive"})
    translated = TRANSLATIONS[CLAUDE, VERTEX].request(asked, "claude-x")
    assert translated.doc == {
        "anthropic_version": "vertex-2023-10-16",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "top_k": 3,
        "thinking": {"type": "adaptive"},
    }
    assert (translated.model, translated.stream, translated.dropped) == ("claude-x", True, ("service_tier",))
    DIALECTS[VERTEX].read("chat", translated.doc, Place("claude-x", True))


def test_vertex_counts_tokens_of_a_model_that_the_body_names():
    translated = TRANSLATIONS[CLAUDE, VERTEX].request(call("count_tokens"), "claude-x")
    assert (translated.doc["model"], "anthropic_version" in translated.doc) == ("claude-x", False)
    assert DIALECTS[VERTEX].read("count_tokens", translated.doc).model == "claude-x"


@pytest.mark.parametrize("field", ["mcp_servers", "container"])
def test_what_only_anthropic_runs_is_refused(field):
    with pytest.raises(BadRequest, match=field):
        TRANSLATIONS[CLAUDE, VERTEX].request(call(**{field: [{"name": "x"}]}), "claude-x")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"error": SORRY}, id="Google's"),
        pytest.param([{"error": SORRY}], id="Google's in a list"),
        pytest.param({"type": "error", "error": {"type": "rate_limit_error", "message": SORRY["message"]}}, id="own"),
    ],
)
def test_an_error_of_vertex_is_one_that_anthropics_sdk_knows(body):
    with pytest.raises(anthropic.RateLimitError) as caught:
        sdk(429, json.dumps(body).encode()).messages.create(model="m", max_tokens=9, messages=[])
    assert caught.value.body["type"] == "error"
    assert caught.value.body["error"] == {"type": "rate_limit_error", "message": "Quota exceeded."}


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}"], ids=["HTML", "empty list", "nothing"])
def test_an_error_that_cannot_be_read_becomes_one_of_its_status(body):
    told = json.loads(TRANSLATIONS[CLAUDE, VERTEX].answer(call()).document(503, body))
    assert told["error"]["type"] == "api_error"
    assert "status 503" in told["error"]["message"]


def test_an_answer_passes_as_it_is():
    reply = TRANSLATIONS[CLAUDE, VERTEX].answer(call())
    assert (reply.document(200, b'{"a": 1}'), reply.feed(b"x"), reply.finish()) == (b'{"a": 1}', b"x", b"")


@pytest.mark.parametrize("pair", [("gemini", "vertex-gemini"), ("vertex-gemini", "gemini")], ids="-to-".join)
@pytest.mark.parametrize(("framing", "kind"), [("", "text/event-stream"), ("array", "application/json")])
def test_gemini_streams_as_the_client_asked(pair, framing, kind):
    asked = DIALECTS[pair[0]].read("chat", {"contents": []}, Place("m", True, framing))
    translation = TRANSLATIONS[pair]
    assert translation.answer(asked).content_type == kind
    assert translation.request(asked, "u").doc == {"contents": []}
    assert ("alt=sse" in DIALECTS[pair[1]].path(asked, "u")) is (framing == "")


def test_counting_with_another_gemini_is_refused():
    asked = DIALECTS["gemini"].read("count_tokens", {"contents": []}, Place("m"))
    with pytest.raises(BadRequest, match="counting tokens"):
        TRANSLATIONS["gemini", "vertex-gemini"].request(asked, "u")
