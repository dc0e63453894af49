"""Envoy's own failures look like the refusals of the same dialect, and what is cheap to look at comes first."""

import json
from typing import Any

import pytest

from extproc.exchange import (
    anthropic_messages,
    bedrock_converse,
    cohere_chat,
    gemini,
    mcp_refusal,
    ollama,
    openai_chat,
    vertex_claude,
)
from extproc.exchange.model import Dialect
from extproc.exchange.refusal import Reason, Refusal
from extproc.xds.local_reply import local_reply_config

MAPPERS: list[dict[str, Any]] = local_reply_config()["mappers"]


def parts(mapper: dict[str, Any]) -> list[dict[str, Any]]:
    both = mapper["filter"].get("and_filter")
    return both["filters"] if both else [mapper["filter"]]


def reply(start: str, status: int) -> tuple[dict[str, Any], dict[str, str]]:
    """Body and headers for a status at paths that start so; "" for all that no other dialect takes."""
    for mapper in MAPPERS:
        text = json.dumps(mapper["filter"])
        if (f'"{start}"' in text if start else ":path" not in text) and f"gatereeve.status.{status}" in text:
            headers = {add["header"]["key"]: add["header"]["value"] for add in mapper.get("headers_to_add", ())}
            return mapper["body_format_override"]["json_format"], headers
    raise AssertionError(start)


def shape(node: Any) -> Any:
    return {key: shape(value) for key, value in node.items()} if isinstance(node, dict) else type(node) is list


DIALECTS = [
    pytest.param("", openai_chat.DIALECT, id="OpenAI"),
    pytest.param("/v1/messages", anthropic_messages.DIALECT, id="Anthropic"),
    pytest.param("/publishers/anthropic/models/", vertex_claude.DIALECT, id="Vertex, Claude"),
    pytest.param("/model/", bedrock_converse.DIALECT, id="Bedrock"),
    pytest.param("/v1beta/", gemini.DIALECT, id="Gemini"),
    pytest.param("/v2/chat", cohere_chat.DIALECT, id="Cohere"),
    pytest.param("/api/", ollama.DIALECT, id="Ollama"),
]


@pytest.mark.parametrize(("start", "dialect"), DIALECTS)
@pytest.mark.parametrize("status", [404, 413, 500, 502, 503])
def test_it_has_the_shape_of_the_dialects_own_refusals(start: str, dialect: Dialect, status: int) -> None:
    refused = dialect.refusal(Refusal.of(Reason.UPSTREAM_FAILED, id="i", status=status))
    body, headers = reply(start, status)
    assert shape(body) == shape(json.loads(refused.body))
    names = {"x-amzn-errortype", "x-amzn-requestid", "request-id"}
    assert set(headers) == names & {name for name, _ in refused.headers}
    assert headers.get("x-amzn-errortype") == dict(refused.headers).get("x-amzn-errortype")


def test_mcp_has_the_shape_of_its_refusals() -> None:
    refused = mcp_refusal.refusal(Refusal.of(Reason.UPSTREAM_FAILED, id="i", status=502), None)
    body, theirs = reply("/mcp/", 502)[0], json.loads(refused.body)
    assert (body["jsonrpc"], body["id"], body["error"]["code"]) == ("2.0", None, theirs["error"]["code"])


def test_an_expression_is_the_last_that_is_looked_at() -> None:
    kinds = [[next(iter(part)) for part in parts(mapper)] for mapper in MAPPERS]
    assert all(kind.index("extension_filter") == len(kind) - 1 for kind in kinds)
    assert all(kind[0] in ("header_filter", "or_filter") for kind in kinds[:-10])


def test_of_two_paths_the_more_exact_comes_first() -> None:
    text = [json.dumps(mapper["filter"]) for mapper in MAPPERS]
    first = {start: next(at for at, one in enumerate(text) if start in one) for start in
             ("/publishers/anthropic/models/", "/v1/projects/")}  # fmt: skip
    assert first["/publishers/anthropic/models/"] < first["/v1/projects/"]
    assert [":path" in one for one in text[-10:]] == [False] * 10
