"""What of the client's headers goes to another vendor, and what does not."""

from dataclasses import replace

import pytest

from extproc.exchange.classify import DIALECTS
from extproc.exchange.translation.foreign_headers import foreign
from extproc.exchange.translation.registry import TRANSLATIONS

TARGETS = sorted({target for _, target in TRANSLATIONS})
CLAUDE = "anthropic-messages"
KNOWN, OTHER = "interleaved-thinking-2025-05-14", "mcp-client-2025-11-20"


def call(operation="chat", betas=(KNOWN, OTHER, KNOWN)):
    doc = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    return replace(DIALECTS[CLAUDE].read(operation, doc), betas=betas)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "name",
    ["x-stainless-lang", "x-stainless-retry-count", "x-amz-date", "openai-organization", "openai-project",
     "anthropic-workspace-id", "x-goog-user-project"],
)  # fmt: skip
def test_what_no_other_upstream_gets(name, target):
    assert foreign(name, target)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "name", ["user-agent", "accept", "content-type", "traceparent", "x-request-id", "idempotency-key", "openai", "x-go"]
)
def test_what_belongs_to_no_vendor_is_kept(name, target):
    assert not foreign(name, target)


@pytest.mark.parametrize(
    ("name", "own"),
    [
        pytest.param("openai-beta", {"openai-chat", "azure-openai-chat"}, id="OpenAI's betas"),
        pytest.param("anthropic-version", {CLAUDE}, id="Anthropic's version"),
        pytest.param("anthropic-beta", {CLAUDE}, id="Anthropic's betas"),
        pytest.param("anthropic-dangerous-direct-browser-access", {CLAUDE}, id="Anthropic's browser mark"),
        pytest.param("x-claude-code-session-id", {CLAUDE}, id="Claude Code's session"),
        pytest.param("x-codex-turn-metadata", {"openai-chat", "azure-openai-chat"}, id="Codex's turn"),
        pytest.param("chatgpt-account-id", {"openai-chat"}, id="ChatGPT's account"),
        pytest.param("x-goog-api-client", {"gemini", "vertex-gemini", "vertex-claude"}, id="Google's client"),
        pytest.param("x-amzn-bedrock-guardrailidentifier", {"bedrock-invoke", "bedrock-converse"}, id="a guardrail"),
        pytest.param("x-ms-client-request-id", {"azure-openai-chat"}, id="Azure's request id"),
    ],
)
def test_a_vendors_header_goes_to_that_vendor_alone(name, own):
    chat = {target for target in TARGETS if not target.endswith(("completions", "embeddings"))}
    assert {target for target in chat if not foreign(name, target)} == own


def test_the_headers_a_translation_sets_are_its_own_to_set():
    """The session removes what is foreign first, so these may be of a family that is removed."""
    translated = TRANSLATIONS["openai-chat", CLAUDE].request(
        DIALECTS["openai-chat"].read("chat", {"model": "m", "messages": []}), "u"
    )
    assert translated.headers == (("anthropic-version", "2023-06-01"),)


@pytest.mark.parametrize("operation", ["chat", "count_tokens"])
def test_vertex_gets_the_betas_it_takes_as_a_header(operation):
    translated = TRANSLATIONS[CLAUDE, "vertex-claude"].request(call(operation), "u")
    assert translated.headers == (("anthropic-beta", KNOWN),)
    assert translated.dropped == (f"anthropic-beta={OTHER}",)
    assert TRANSLATIONS[CLAUDE, "vertex-claude"].request(call(betas=()), "u").headers == ()


def test_invoke_model_gets_the_betas_it_takes_in_the_body():
    translated = TRANSLATIONS[CLAUDE, "bedrock-invoke"].request(call(), "u")
    assert translated.doc["anthropic_beta"] == [KNOWN]
    assert translated.dropped == (f"anthropic-beta={OTHER}",)
    assert "anthropic_beta" not in TRANSLATIONS[CLAUDE, "bedrock-invoke"].request(call(betas=(OTHER,)), "u").doc


def test_converse_gets_them_for_claude_alone():
    pair = TRANSLATIONS[CLAUDE, "bedrock-converse"]
    translated = pair.request(call(), "eu.anthropic.claude-x")
    assert translated.doc["additionalModelRequestFields"] == {"anthropic_beta": [KNOWN]}
    assert translated.dropped == (f"anthropic-beta={OTHER}",)
    other = pair.request(call(), "amazon.nova-x")
    assert ("additionalModelRequestFields" in other.doc, other.dropped) == (False, ("anthropic-beta",))


@pytest.mark.parametrize("target", ["openai-chat", "gemini", "vertex-gemini"])
def test_others_have_no_betas(target):
    translated = TRANSLATIONS[CLAUDE, target].request(call(), "u")
    assert translated.dropped == ("anthropic-beta",)
    assert TRANSLATIONS[CLAUDE, target].request(call(betas=()), "u").dropped == ()


def test_a_beta_that_no_header_can_hold_is_not_repeated():
    translated = TRANSLATIONS[CLAUDE, "bedrock-invoke"].request(call(betas=("a b\r\nc",)), "u")
    assert translated.dropped == ("unknown",)
