"""Answers of OpenAI Chat Completions, streamed and whole.

A chunk's choices are trees whose strings the client joins place by place (`delta.content`, `delta.tool_calls[0]
.function.arguments`, `delta.reasoning` of third parties, ...). So every string in a choice that is not structure is
a channel, named by its path: fields nobody has heard of yet are masked across chunks, too. Three exceptions: tool
names are masked whole, because clients read them from the first piece; annotations arrive whole; logprobs repeat the
text token by token and are dropped.

A choice's channels end with its finish_reason. What they still hold goes into a chunk of its own before that one
(or into that one, if it brings text for the same place), so that clients that stop at finish_reason have it.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from extproc.errors import Uninspectable
from extproc.exchange import json_body, sse
from extproc.exchange.channel import Channel, TextChannel, clean
from extproc.exchange.json_text import JsonTextStream
from extproc.exchange.leaves import Leaves, Shape
from extproc.exchange.model import JsonObject
from extproc.exchange.sse_answer import SseAnswer, count
from extproc.exchange.text import TextFilter

_SHAPE = Shape(
    containers=frozenset(
        {
            "choices",
            "delta",
            "message",
            "tool_calls",
            "function",
            "custom",
            "function_call",
            "audio",
            "annotations",
            "url_citation",
            "content",
            "reasoning_details",
            "thinking",
            "usage",
            "prompt_tokens_details",
            "completion_tokens_details",
            "error",
            "moderation",
            "prompt_filter_results",
            "content_filter_results",
            "data",
        }
    ),
    structural=frozenset(
        {
            "id",
            "object",
            "model",
            "system_fingerprint",
            "service_tier",
            "role",
            "type",
            "finish_reason",
            "native_finish_reason",
            "format",
            "code",
            "obfuscation",
            "owned_by",
            "provider",
        }
    ),
    texts=frozenset(
        {
            "created",
            "index",
            "content",
            "refusal",
            "reasoning_content",
            "reasoning",
            "text",
            "summary",
            "transcript",
            "name",
            "input",
            "param",
            "title",
            "url",
            "tool_call_id",
            "expires_at",
            "start_index",
            "end_index",
            "prompt_tokens",
            "completion_tokens",
            "total_tokens",
        }
    ),
    opaque=frozenset(
        {
            ("audio", "data"),
            ("reasoning.encrypted", "data"),
            ("reasoning.text", "signature"),
            ("thinking", "signature"),
        }
    ),
)
_WHOLE = frozenset({"annotations", "citations", "content_filter_results", "moderation"})
_SKELETON = ("id", "object", "created", "model", "system_fingerprint", "service_tier")
_TOOL_PARENTS = frozenset({"function", "custom", "function_call"})

# A path into a choice: keys, and for list items (index, type or None).
_Item = tuple[int, str | None]
_Path = tuple[str | _Item, ...]


@dataclass(slots=True)
class _Choice:
    """What is open in one choice. `names`: tool names as they came so far, and as they left."""

    channels: dict[_Path, Channel] = field(default_factory=dict)
    names: dict[_Path, tuple[str, str]] = field(default_factory=dict)


class OpenAiChatAnswer(SseAnswer):
    """Implements `exchange.model.Answer`. `blank` is a choice that brings nothing."""

    blank: JsonObject = {"delta": {}}  # noqa: RUF012  (never changed)

    def __init__(self, mask: TextFilter | None) -> None:
        super().__init__(mask, _SHAPE)
        self._choices: dict[int, _Choice] = {}
        self._reasons: dict[int, str] = {}
        self._last: JsonObject = {}

    def worth_reading(self, data: bytes) -> bool:
        return (
            not self.model
            or data.count(b'"usage"') != data.count(b'"usage":null')
            or data.count(b'"finish_reason"') != data.count(b'"finish_reason":null')
        )

    def observe(self, doc: JsonObject) -> None:
        model = doc.get("model")
        if type(model) is str and model:
            self.model = model
        usage = doc.get("usage")
        if type(usage) is dict:
            self._count(usage)
        choices = doc.get("choices")
        if type(choices) is not list:
            return
        for choice in choices:
            reason = choice.get("finish_reason") if type(choice) is dict else None
            if type(reason) is str and reason:
                self._reasons[_index(choice)] = reason
                self.finish_reasons = tuple(self._reasons[index] for index in sorted(self._reasons))

    def mask_event(self, leaves: Leaves, name: str, doc: JsonObject) -> bytes:
        before: list[bytes] = []
        choices = doc.get("choices")
        if type(choices) is list:
            for choice in choices:
                if type(choice) is not dict:
                    raise Uninspectable("A choice of the answer is not an object.")
                state = self._choices.get(_index(choice))
                if state is None:
                    state = self._choices[_index(choice)] = _Choice()
                self._tree(leaves, choice, (), state, known=True)
            self._last = doc
            before += [self._end(_index(choice), choice) for choice in choices if choice.get("finish_reason")]
        if doc.get("error"):
            before.append(self.tails())
        data = json_body.encode(leaves.known(doc, "", "choices" if type(choices) is list else ""))
        if before:
            return b"".join(before) + sse.encode(name, data)
        return sse.encode(name, data)

    def tails(self) -> bytes:
        return b"".join([self._end(index, None) for index in self._choices])

    def _tree(self, leaves: Leaves, node: JsonObject, path: _Path, state: _Choice, *, known: bool) -> None:
        """Feeds every string under `node` to its channel, in place. `known`: the API shaped this object."""
        parent = path[-1] if path and type(path[-1]) is str else str(path[-2]) if path else ""
        for key, value in node.items():
            kind = type(value)
            if key not in _SHAPE.known and leaves.text(key) != key:
                raise Uninspectable("A member's name in the answer would have to be masked.")
            if kind is str:
                if not value or (known and (key in _SHAPE.structural or leaves.opaque(node, parent, key))):
                    continue
                place = (*path, key)
                if key == "name" and parent in _TOOL_PARENTS:
                    node[key] = self._name(leaves, place, state, value)
                    continue
                channel = state.channels.get(place)
                if channel is None:
                    channel = state.channels[place] = self._open(place)
                node[key] = channel.feed(value)
            elif kind is dict or kind is list:
                if key in _SHAPE.dropped:
                    node[key] = leaves.dropped(key, value)
                elif key in _WHOLE:
                    node[key] = leaves.known({key: value})[key]
                elif kind is dict:
                    self._tree(leaves, value, (*path, key), state, known=known and key in _SHAPE.containers)
                else:
                    self._items(leaves, value, (*path, key), state, known=known and key in _SHAPE.containers)

    def _items(self, leaves: Leaves, items: list[Any], path: _Path, state: _Choice, *, known: bool) -> None:
        for position, item in enumerate(items):
            if type(item) is not dict:
                items[position] = leaves.free(item)
                continue
            index, kind = item.get("index"), item.get("type")
            step = (index, None) if type(index) is int else (position, kind if type(kind) is str else None)
            self._tree(leaves, item, (*path, step), state, known=known)

    def _open(self, place: _Path) -> Channel:
        assert self._mask is not None
        stream = JsonTextStream(self._mask) if place[-1] == "arguments" else TextChannel(self._mask)
        return Channel(stream, place)

    def _name(self, leaves: Leaves, place: _Path, state: _Choice, value: str) -> str:
        """A tool's name: whole in its first piece at every known upstream. Further pieces are joined and masked
        again; if that changes what has left already, the answer cannot go on."""
        raw, masked = state.names.get(place, ("", ""))
        raw += clean(value)
        whole = leaves.text(raw)
        if not whole.startswith(masked):
            raise Uninspectable("A tool name of the answer arrived in pieces that cannot be masked.")
        state.names[place] = (raw, whole)
        return whole[len(masked) :]

    def _end(self, index: int, choice: JsonObject | None) -> bytes:
        """Closes a choice's channels: a chunk with their tails, or nothing. `choice` is the one that ends it."""
        ended: list[JsonObject] = []
        for place, channel in self._choices[index].channels.items():
            tail = channel.close()
            if not tail or (choice is not None and _put(choice, place, tail, only_after_text=True)):
                continue
            if not any(_put(other, place, tail) for other in ended):
                ended.append({})
                _put(ended[-1], place, tail)
        chunk = {key: self._last[key] for key in _SKELETON if key in self._last}
        out = []
        for other in ended:
            chunk["choices"] = [{"index": index, **self.blank, **other, "finish_reason": None}]
            out.append(sse.encode("", json_body.encode(chunk)))
        return b"".join(out)

    def _count(self, usage: JsonObject) -> None:
        own = self.usage
        own.input_tokens = count(usage, "prompt_tokens")
        own.output_tokens = count(usage, "completion_tokens")
        own.cached_tokens = count(usage, "prompt_tokens_details", "cached_tokens")
        own.cache_write_tokens = count(usage, "prompt_tokens_details", "cache_write_tokens")
        own.reasoning_tokens = count(usage, "completion_tokens_details", "reasoning_tokens")


def _index(choice: JsonObject) -> int:
    index = choice.get("index", 0)
    return index if type(index) is int else 0


def _put(root: JsonObject, place: _Path, tail: str, *, only_after_text: bool = False) -> bool:
    """Appends `tail` to the string at `place`, making what is not there, unless only what follows a text is wanted.
    False, and nothing appended, if there is no such text or something else is in the way."""
    node: Any = root
    for step, following in pairwise(place):
        if isinstance(step, str):
            if type(node) is not dict:
                return False
            inner = node.get(step)
            if inner is None and not only_after_text:
                inner = node[step] = {} if isinstance(following, str) else []
        else:
            inner = _item(node, step)
            if inner is None and not only_after_text and type(node) is list:
                inner = {"index": step[0]} if step[1] is None else {"type": step[1]}
                node.append(inner)
        node = inner
    key = place[-1]
    text = node.get(key, "") if type(node) is dict else None
    if type(text) is not str or (only_after_text and not text):
        return False
    node[key] = text + tail
    return True


def _item(items: Any, step: _Item) -> Any:
    """The list item that `step` names."""
    index, kind = step
    if type(items) is not list:
        return None
    for position, item in enumerate(items):
        if type(item) is dict and (item.get("index") == index if kind is None else item.get("type") == kind):
            return item
        if kind is None and "index" not in item and position == index:
            return item
    return None
