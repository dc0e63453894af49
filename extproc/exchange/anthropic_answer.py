"""Answers of Anthropic Messages: Claude's, as server-sent events."""

from extproc.exchange import sse
from extproc.exchange.claude_answer import ClaudeAnswer
from extproc.exchange.sse_answer import SseAnswer


class AnthropicAnswer(ClaudeAnswer[sse.Event], SseAnswer):
    """Implements `exchange.model.Answer`."""
