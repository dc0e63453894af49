"""Every translation by its ordered pair of dialects."""

from collections.abc import Mapping

from extproc.exchange.translation import (
    anthropic_to_bedrock_converse,
    anthropic_to_bedrock_invoke,
    anthropic_to_gemini,
    anthropic_to_openai_chat,
    anthropic_to_vertex_claude,
    openai_chat_to_anthropic,
    openai_chat_to_bedrock_converse,
    openai_chat_to_gemini,
    openai_responses_to_anthropic,
    openai_responses_to_bedrock_converse,
    openai_responses_to_openai_chat,
    same_body,
)
from extproc.exchange.translation.contract import Translation

_ALL: tuple[Translation, ...] = (
    anthropic_to_gemini.TRANSLATION,
    anthropic_to_gemini.VERTEX,
    anthropic_to_openai_chat.TRANSLATION,
    anthropic_to_vertex_claude.TRANSLATION,
    openai_chat_to_anthropic.TRANSLATION,
    openai_chat_to_gemini.TRANSLATION,
    openai_chat_to_gemini.VERTEX,
    openai_responses_to_anthropic.TRANSLATION,
    openai_responses_to_openai_chat.TRANSLATION,
    anthropic_to_bedrock_converse.TRANSLATION,
    anthropic_to_bedrock_invoke.TRANSLATION,
    openai_chat_to_bedrock_converse.TRANSLATION,
    openai_responses_to_bedrock_converse.TRANSLATION,
    *same_body.TRANSLATIONS,
)

TRANSLATIONS: Mapping[tuple[str, str], Translation] = {(pair.source, pair.target): pair for pair in _ALL}
"""(source, target) to the translation."""
