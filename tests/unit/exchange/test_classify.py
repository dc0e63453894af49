import pytest

from extproc.exchange.classify import DIALECTS, Route, classify, refusal_dialect
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
     "/v1/messages/batches", "/v1/responses/resp_1", "/v1/responses/compact", "/v1/embeddings", "/v1/modelsx",
     "/v1/models/", "/v1/models/a/b", "/v1/models/a%2Fb", "/v1/models/..", "/v1/models/.", "/v1/models//a",
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
    ],
)
def test_a_refusal_speaks_the_dialect_of_its_path(path, headers, name):
    assert refusal_dialect(path, headers) is DIALECTS[name]
