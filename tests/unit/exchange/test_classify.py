from pathlib import Path

import pytest

from extproc.exchange.classify import DIALECTS, Route, classify, refusal_dialect
from extproc.exchange.model import Place
from extproc.exchange.refusal import Reason

CLAUDE = {"anthropic-version": "2023-06-01"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "route"),
    [
        ("POST", "/v1/chat/completions", {}, Route("llm", "openai-chat", "chat")),
        ("POST", "/v1/chat/completions?x=/../y", {}, Route("llm", "openai-chat", "chat")),
        ("POST", "/v1/responses", {}, Route("llm", "openai-responses", "chat")),
        ("POST", "/v1/messages?beta=true", CLAUDE, Route("llm", "anthropic-messages", "chat")),
        ("POST", "/v1/messages/count_tokens", CLAUDE, Route("llm", "anthropic-messages", "count_tokens")),
        ("GET", "/v1/models", {}, Route("llm", "openai-chat", "list_models")),
        ("GET", "/v1/models?limit=1000", CLAUDE, Route("llm", "anthropic-messages", "list_models")),
        ("GET", "/v1/models/gpt-5.1:x", {}, Route("llm", "openai-chat", "get_model", model="gpt-5.1:x")),
        ("GET", "/v1/models/c", CLAUDE, Route("llm", "anthropic-messages", "get_model", model="c")),
        ("POST", "/v1/completions", {}, Route("llm", "openai-completions", "text_completion")),
        ("POST", "/v1/embeddings", {}, Route("llm", "openai-embeddings", "embeddings")),
        ("POST", "/openai/v1/chat/completions", {}, Route("llm", "openai-chat", "chat")),
        ("POST", "/openai/v1/responses?api-version=preview", {}, Route("llm", "openai-responses", "chat")),
        ("POST", "/openai/responses?api-version=x", {}, Route("llm", "openai-responses", "chat")),
        ("GET", "/openai/v1/models/a", {}, Route("llm", "openai-chat", "get_model", model="a")),
        (
            "POST",
            "/openai/deployments/gpt-4/chat/completions?api-version=2024-10-21",
            {},
            Route("llm", "openai-chat", "chat", place=Place("gpt-4")),
        ),
        (
            "POST",
            "/openai/deployments/e/embeddings?api-version=1",
            {},
            Route("llm", "openai-embeddings", "embeddings", place=Place("e")),
        ),
        (
            "POST",
            "/v1beta/models/gemini-3:generateContent",
            {},
            Route("llm", "gemini", "chat", place=Place("gemini-3")),
        ),
        ("POST", "/v1/models/a:b:countTokens", {}, Route("llm", "gemini", "count_tokens", place=Place("a:b"))),
        (
            "POST",
            "/v1beta/models/g:streamGenerateContent?key=k&alt=sse",
            {},
            Route("llm", "gemini", "chat", place=Place("g", True)),
        ),
        (
            "POST",
            "/v1beta/models/g:streamGenerateContent?alt=sse&alt=json",
            {},
            Route("llm", "gemini", "chat", place=Place("g", True, "array")),
        ),
        (
            "POST",
            "/v1beta1/projects/p-1/locations/us-east1/publishers/google/models/g:streamGenerateContent",
            {},
            Route("llm", "vertex-gemini", "chat", place=Place("g", True, "array")),
        ),
        (
            "POST",
            "/v1beta1/publishers/google/models/g:generateContent",
            {},
            Route("llm", "vertex-gemini", "chat", place=Place("g")),
        ),
        ("GET", "/v1beta/models", {}, Route("llm", "gemini", "list_models")),
        ("GET", "/v1beta/models/g", {}, Route("llm", "gemini", "get_model", model="g")),
        ("GET", "/v1/models", {"x-goog-api-key": "k"}, Route("llm", "gemini", "list_models")),
        ("POST", "/anthropic/v1/messages", {}, Route("llm", "anthropic-messages", "chat")),
        ("POST", "/anthropic/v1/messages/count_tokens", {}, Route("llm", "anthropic-messages", "count_tokens")),
        (
            "POST",
            "/model/eu.anthropic.claude-x-v1%3A0/converse",
            {},
            Route("llm", "bedrock-converse", "chat", place=Place("eu.anthropic.claude-x-v1:0")),
        ),
        (
            "POST",
            "/model/arn%3Aaws%3Abedrock%3Ax%3A1%3Ainference-profile%2Fy/converse-stream",
            {},
            Route("llm", "bedrock-converse", "chat", place=Place("arn:aws:bedrock:x:1:inference-profile/y", True)),
        ),
        ("POST", "/model/m/invoke?x=y", CLAUDE, Route("llm", "bedrock-invoke", "chat", place=Place("m"))),
        (
            "POST",
            "/model/m/invoke-with-response-stream",
            {},
            Route("llm", "bedrock-invoke", "chat", place=Place("m", True)),
        ),
        ("GET", "/foundation-models", {}, Route("llm", "bedrock-converse", "list_models")),
        ("POST", "/mcp/git-hub2", {}, Route("mcp", server="git-hub2")),
        ("GET", "/mcp/a/", {}, Route("mcp", server="a")),
        ("DELETE", "/mcp/a?session=1", {}, Route("mcp", server="a")),
    ],
)
def test_what_is_served(method, path, headers, route):
    assert classify(method, path, headers) == route


@pytest.mark.parametrize(
    "path",
    ["", "/", "*", "/v1", "/v1/chat/completions/", "//v1/chat/completions", "/v1//chat/completions", "/V1/messages",
     "/v1/./chat/completions", "/v1/x/../messages", "/v1/chat%2Fcompletions", "/v1/messages;a=b", "/v1/messages#x",
     "/v1/messages/batches", "/v1/responses/resp_1", "/v1/responses/compact", "/v1/modelsx",
     "/v1beta/models/g:embedContent", "/v2/models/g:generateContent", "/v1beta/models/a%2Fb:generateContent",
     "/v1beta/models/..:generateContent", "/v1beta/tunedModels/g:generateContent", "/v1beta//models/g:countTokens",
     "/v1/projects/p/locations/publishers/google/models/g:generateContent",
     "/v1/projects/../locations/l/publishers/google/models/g:generateContent",
     "/v1/publishers/anthropic/models/c:generateContent", "/v1/publishers/google/models/g:rawPredict",
     "/v1/publishers/other/models/g:generateContent", "/v1beta/models/:generateContent",
     "/openai/deployments/g/chat/completions/", "/openai/deployments/a/b/chat/completions", "/openai/deployments/g",
     "/openai/deployments/../chat/completions", "/openai/deployments/g/images/generations", "/openai/v1/files",
     "/v1/models/", "/v1/models/a/b", "/v1/models/a%2Fb", "/v1/models/..", "/v1/models/.", "/v1/models//a",
     "/model/m", "/model/m/", "/model/m/count-tokens", "/model/m/converse/", "/model/m/Converse", "/model//converse",
     "/model/a/b/converse", "/model/a%252Fb/converse", "/model/%2e%2e/converse", "/model/m/converse%2Dstream",
     "/foundation-models/", "/anthropic/v1/messages/", "/anthropic/v1/models/a", "/model/m;x/converse",
     "/mcp", "/mcp/", "/mcp//", "/mcp/a//", "/mcp/a/b", "/mcp/A", "/mcp/a%2f", "/mcp/..", "/mcp/a_b", "/mcp/é",
     "http://host/v1/messages", "/v1/messages\x00", " /v1/messages"],
)  # fmt: skip
def test_anything_else_is_unknown(path):
    refusal = classify("POST", path, {})
    assert (refusal.reason, refusal.status) == (Reason.ROUTE_UNKNOWN, 404)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/v1/chat/completions", "POST"),
        ("HEAD", "/v1/messages", "POST"),
        ("POST", "/v1/models", "GET"),
        ("DELETE", "/v1/models/x", "GET"),
        ("PUT", "/mcp/a", "POST, GET, DELETE"),
        ("post", "/v1/responses", "POST"),
        ("GET", "/v1beta/models/g:generateContent", "POST"),
        ("GET", "/openai/deployments/g/chat/completions", "POST"),
        ("GET", "/model/m/converse", "POST"),
        ("POST", "/foundation-models", "GET"),
    ],
)
def test_a_wrong_method_is_told_the_right_one(method, path, allow):
    refusal = classify(method, path, {})
    assert (refusal.reason, refusal.status) == (Reason.HTTP_METHOD, 405)
    assert refusal.headers == (("allow", allow),)


@pytest.mark.parametrize(
    ("method", "headers"),
    [("GET", {"upgrade": "websocket", "connection": "upgrade"}), ("POST", {"upgrade": "h2c"}), ("CONNECT", {})],
)
def test_upgrades_are_refused_so_that_codex_falls_back(method, headers):
    refusal = classify(method, "/v1/responses", headers)
    assert (refusal.reason, refusal.status) == (Reason.UPGRADE_REFUSED, 426)
    assert dict(refusal.headers)["upgrade"] == "HTTP/1.1"


@pytest.mark.parametrize(
    ("path", "headers", "name"),
    [
        ("/nowhere", {}, "openai-chat"),
        ("/nowhere", CLAUDE, "anthropic-messages"),
        ("/v1/messages", {}, "anthropic-messages"),
        ("/v1/responses?x", CLAUDE, "openai-responses"),
        ("/v1beta/models/g:generateContent?x", {}, "gemini"),
        ("/v1beta/models/x/y", {}, "gemini"),
        ("/openai/deployments/g/embeddings", {}, "openai-embeddings"),
        ("/model/m/converse", {}, "bedrock-converse"),
        ("/model/m/invoke?x", {}, "bedrock-invoke"),
        ("/model/m/nowhere", CLAUDE, "bedrock-converse"),
    ],
)
def test_a_refusal_speaks_the_dialect_of_its_path(path, headers, name):
    assert refusal_dialect(path, headers) is DIALECTS[name]


def test_the_page_of_dialects_names_every_dialect_and_its_exact_paths():
    page = (Path(__file__).parents[3] / "docs" / "dialects.md").read_text()
    assert [name for name in DIALECTS if f"`{name}`" not in page] == []
    for path in ("/v1/embeddings", "/v1/completions", "/openai/responses", "/api/chat", "/v2/chat", "/v1/messages"):
        assert f"`{path}`" in page
        assert classify("POST", path, {}).plane == "llm"
