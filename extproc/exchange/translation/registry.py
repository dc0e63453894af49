"""Every translation by its ordered pair of dialects."""

from collections.abc import Mapping

from extproc.exchange.translation import anthropic_to_openai_chat, openai_chat_to_anthropic
from extproc.exchange.translation.contract import Translation

_ALL: tuple[Translation, ...] = (
    anthropic_to_openai_chat.TRANSLATION,
    openai_chat_to_anthropic.TRANSLATION,
)

TRANSLATIONS: Mapping[tuple[str, str], Translation] = {(pair.source, pair.target): pair for pair in _ALL}
"""(source, target) to the translation."""
