"""Answers of Ollama's chat, in lines and whole. Content and thinking are channels; calls and their arguments arrive
whole. The channels end with the line that says `done`, which takes what they still hold, so that clients that stop
there have it."""

from extproc.exchange.channel import Channel, TextChannel
from extproc.exchange.event_answer import count
from extproc.exchange.leaves import Leaves, Shape
from extproc.exchange.model import JsonObject
from extproc.exchange.ndjson_answer import NdjsonAnswer
from extproc.exchange.text import TextFilter

_SHAPE = Shape(
    containers=frozenset({"message", "tool_calls", "function"}),
    structural=frozenset({"model", "created_at", "role", "done_reason", "id", "type"}),
    texts=frozenset(
        {
            "content",
            "thinking",
            "tool_name",
            "name",
            "arguments",
            "images",
            "error",
            "done",
        }
    ),
    numbers=frozenset(
        {
            "index",
            "total_duration",
            "load_duration",
            "prompt_eval_count",
            "prompt_eval_duration",
            "eval_count",
            "eval_duration",
        }
    ),
)
_TEXTS = ("thinking", "content")


class OllamaAnswer(NdjsonAnswer):
    """Implements `exchange.model.Answer`."""

    def __init__(self, mask: TextFilter | None) -> None:
        super().__init__(mask, _SHAPE)
        self._channels: dict[str, Channel] = {}
        self._last: JsonObject = {}

    def worth_reading(self, data: bytes) -> bool:
        return not self.model or b'"done_reason"' in data or b'eval_count"' in data

    def observe(self, doc: JsonObject) -> None:
        model, reason = doc.get("model"), doc.get("done_reason")
        if type(model) is str and model:
            self.model = model
        if type(reason) is str and reason:
            self.finish_reasons = (reason,)
        read, written = count(doc, "prompt_eval_count"), count(doc, "eval_count")
        own = self.usage
        own.input_tokens = own.input_tokens if read is None else read
        own.output_tokens = own.output_tokens if written is None else written

    def mask_event(self, leaves: Leaves, name: str, doc: JsonObject) -> bytes:
        message = doc.get("message")
        before = b""
        ended = doc.get("done") is True or "error" in doc
        texts: dict[str, str] = {}
        if type(message) is dict:
            for key in _TEXTS:
                text = message.get(key)
                if type(text) is str:
                    texts[key] = self._channel(key).feed(text)
                    message[key] = ""  # keeps its place, and is not masked twice
            if ended:
                for key, tail in self._close().items():
                    texts[key] = texts.get(key, "") + tail
            self._last = {key: doc[key] for key in ("model", "created_at") if key in doc}
        elif ended:
            before = self.tails()
        masked = leaves.known(doc, "", "", ("",))
        if texts:
            masked["message"].update(texts)
        return before + self.encode(name, masked)

    def tails(self) -> bytes:
        left = self._close()
        if not left:
            return b""
        return self.encode("", {**self._last, "message": {"role": "assistant", "content": "", **left}, "done": False})

    def _channel(self, key: str) -> Channel:
        channel = self._channels.get(key)
        if channel is None:
            assert self._mask is not None
            channel = self._channels[key] = Channel(TextChannel(self._mask), key)
        return channel

    def _close(self) -> dict[str, str]:
        """What the channels still hold. More text for them is refused from here on."""
        return {key: tail for key, channel in self._channels.items() if (tail := channel.close())}
