"""Reads answers of OpenAI Chat Completions and of the many hosts that speak it, whole and streamed, into an assembly.

Exactly one choice was asked for; others are not read. Reasoning comes under the names that hosts gave it.
"""

from typing import Any

from extproc.errors import Uninspectable
from extproc.exchange import json_body
from extproc.exchange.model import JsonObject, Usage
from extproc.exchange.sse_answer import count
from extproc.exchange.translation.assembly import Assembly, Stop
from extproc.exchange.translation.failures import from_openai

_STOPS = {
    "stop": Stop.END,
    "length": Stop.LENGTH,
    "model_length": Stop.LENGTH,
    "tool_calls": Stop.TOOLS,
    "function_call": Stop.TOOLS,
    "content_filter": Stop.REFUSED,
}
_REASONING = ("reasoning_content", "reasoning")


class ChatReading:
    """Implements `translation.assembly.Reading`."""

    def __init__(self, into: Assembly) -> None:
        self._into = into
        self._begun = False
        self._calls: dict[Any, int] = {}  # what the upstream calls a call to its index
        self._stop: Stop | None = None
        self._usage: Usage | None = None
        self._over = False

    def document(self, doc: JsonObject) -> None:
        choice = _first(doc)
        message = choice.get("message") if choice is not None else None
        if choice is None or type(message) is not dict:
            raise Uninspectable("The answer is not a completion.")
        self._begin(doc)
        self._parts(message)
        self._reason(choice)
        self._count(doc.get("usage"))
        if self._stop is None:
            raise Uninspectable("The answer does not say why it ended.")
        self._end()

    def event(self, name: str, doc: JsonObject) -> None:  # noqa: ARG002  (events of this API have no names)
        if self._over:
            return
        if doc.get("error"):
            self._over = True
            self._into.fail(from_openai(doc))
            return
        choice = _first(doc)
        if choice is not None or doc.get("id"):  # Azure begins with what its filters found, and no id
            self._begin(doc)
        if choice is not None:
            delta = choice.get("delta")
            if type(delta) is dict:
                self._parts(delta)
            self._reason(choice)
        self._count(doc.get("usage"))

    def done(self) -> None:
        self._end()

    def finish(self) -> None:
        """Hosts forget `[DONE]`; a reason to stop is what counts."""
        if self._stop is not None:
            self._end()

    def _begin(self, doc: JsonObject) -> None:
        if not self._begun:
            self._begun = True
            answer_id = doc.get("id")
            self._into.begin(answer_id if type(answer_id) is str else "")

    def _end(self) -> None:
        """Usage comes after the reason to stop, so both are told at the end, in the order of an assembly."""
        if self._over or self._stop is None:
            return
        self._over = True
        if self._usage is not None:
            self._into.usage(self._usage)
        self._into.stop(self._stop)
        self._into.end()

    def _parts(self, delta: JsonObject) -> None:
        into = self._into
        for name in _REASONING:
            thought = delta.get(name)
            if type(thought) is str and thought:
                into.reasoning(thought)
                break
        content = delta.get("content")
        if type(content) is str:
            if content:
                into.text(content)
        elif type(content) is list:
            self._pieces(content)
        refused = delta.get("refusal")
        if type(refused) is str and refused:
            into.refusal(refused)
        calls = delta.get("tool_calls")
        if type(calls) is list:
            for position, call in enumerate(calls):
                if type(call) is not dict:
                    raise Uninspectable("A tool call of the answer is not an object.")
                self._call(call, position)

    def _pieces(self, content: list[Any]) -> None:
        """Content as a list, as Mistral sends it."""
        for piece in content:
            if type(piece) is not dict:
                continue
            said = piece.get("text")
            if type(said) is str and said:
                self._into.text(said)
            thinking = piece.get("thinking")
            for thought in thinking if type(thinking) is list else ():
                said = thought.get("text") if type(thought) is dict else None
                if type(said) is str and said:
                    self._into.reasoning(said)

    def _call(self, call: JsonObject, position: int) -> None:
        """A piece of a call. Hosts that send calls whole may leave the index out, so a new id is a new call."""
        function = call.get("function")
        function = function if type(function) is dict else {}
        call_id, name = call.get("id"), function.get("name")
        call_id = call_id if type(call_id) is str else ""
        key = call.get("index")
        if type(key) is not int:
            key = call_id or position
        index = self._calls.get(key)
        if index is None:
            if type(name) is not str or not name:
                raise Uninspectable("A tool call of the answer has no name.")
            index = self._calls[key] = len(self._calls)
            self._into.call(index, call_id or f"call_{index}", name)
        given = function.get("arguments")
        if type(given) is dict:  # Mistral, Ollama
            given = json_body.encode(given).decode("utf-8")
        if type(given) is str and given:
            self._into.arguments(index, given)

    def _reason(self, choice: JsonObject) -> None:
        reason = choice.get("finish_reason")
        if type(reason) is str and reason:
            stop = _STOPS.get(reason, Stop.END)
            self._stop = Stop.TOOLS if stop is Stop.END and self._calls else stop

    def _count(self, usage: Any) -> None:
        if type(usage) is dict:
            self._usage = Usage(
                count(usage, "prompt_tokens"),
                count(usage, "completion_tokens"),
                count(usage, "prompt_tokens_details", "cached_tokens"),
                count(usage, "prompt_tokens_details", "cache_write_tokens"),
                count(usage, "completion_tokens_details", "reasoning_tokens"),
            )


def _first(doc: JsonObject) -> JsonObject | None:
    """The choice with index 0."""
    choices = doc.get("choices")
    for choice in choices if type(choices) is list else ():
        if type(choice) is dict and choice.get("index", 0) == 0:
            return choice
    return None
