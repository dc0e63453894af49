"""Answers of OpenAI Chat Completions, streamed and whole.

A chunk's choices are trees whose strings the client joins place by place (`delta.content`, `delta.tool_calls[0]
.function.arguments`, `delta.reasoning` of third parties, ...). So every string in a choice that is not structure is
a channel, named by its path: fields nobody has heard of yet are masked across chunks, too. Three exceptions: tool
names are masked whole, because clients read them from the first piece; annotations arrive whole; logprobs repeat the
text token by token and are dropped.

A choice's channels end with its finish_reason. What they still hold goes into a chunk of its own before that one
(or into that one, if it brings text for the same place), so that clients that stop at finish_reason have it.

Usage that the client did not ask for is counted and hidden (see `openai_usage`, `openai_hiding`).
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from extproc.errors import Uninspectable
from extproc.exchange import json_body, openai_usage, sealed, sse
from extproc.exchange.channel import Channel, TextChannel, clean
from extproc.exchange.json_text import JsonTextStream
from extproc.exchange.leaves import Leaves, Shape
from extproc.exchange.model import JsonObject
from extproc.exchange.openai_hiding import HidingAnswer
from extproc.exchange.seams import Place
from extproc.exchange.sse_answer import count
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
        }
    ),
    numbers=frozenset(
        {
            "created",
            "index",
            "expires_at",
            "start_index",
            "end_index",
            "prompt_tokens",
            "completion_tokens",
            "total_tokens",
            "cached_tokens",
            "cache_write_tokens",
            "reasoning_tokens",
            "audio_tokens",
            "accepted_prediction_tokens",
            "rejected_prediction_tokens",
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
_MOST_CHOICES = 1024
_MOST_PLACES = 1024
"""Texts of one choice. APIs allow 128 choices, and no model calls a thousand tools at once."""
_CONTENT = ("delta", "content")
_IN_A_CHUNK = 64  # tails: placing one costs a look at all others

# A path into a choice: keys, and for list items (index, type or None).
_Item = tuple[int, str | None]
_Path = tuple[str | _Item, ...]


@dataclass(slots=True)
class _Choice:
    """What a choice has. `channels`: those that are open. `names`: tool names as they came so far, and as they left.
    `places` and `inside`: where texts are or were, without the types of list items, and the paths that lead there."""

    index: int
    channels: dict[_Path, Channel] = field(default_factory=dict)
    names: dict[_Path, tuple[str, str]] = field(default_factory=dict)
    places: set[tuple[str | int, ...]] = field(default_factory=set)
    inside: set[tuple[str | int, ...]] = field(default_factory=set)

    def at(self, path: _Path) -> Place:
        """A path of this choice, as a place of the stream."""
        return ("choice", self.index, *path)

    def claim(self, place: _Path) -> None:
        """A new place for text. Raises `Uninspectable` for one that is not new: a text that was ended, one that goes
        on in an item of another type, a text where an object was, or an object where a text was. Clients differ in
        what they make of those, and a secret could be cut between them."""
        bare = tuple([step if isinstance(step, str) else step[0] for step in place])
        paths = [bare[:size] for size in range(1, len(bare)) if size != len(_CONTENT) or not _is_thought(place)]
        if bare in self.places or bare in self.inside or any(path in self.places for path in paths):
            raise Uninspectable("The answer went on with a text that it had ended, or in another shape.")
        if len(self.places) >= _MOST_PLACES:
            raise Uninspectable("The answer has texts in more places than are inspected.")
        self.places.add(bare)
        self.inside.update(paths)


class OpenAiChatAnswer(HidingAnswer):
    """Implements `exchange.model.Answer`. `blank` is a choice that brings nothing."""

    blank: JsonObject = {"delta": {}}  # noqa: RUF012  (never changed)

    def __init__(self, mask: TextFilter | None, *, hide_usage: bool = False) -> None:
        super().__init__(mask, _SHAPE, hide_usage=hide_usage)
        self._choices: dict[int, _Choice] = {}
        self._open: dict[int, None] = {}  # choices with open channels
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
        if self.hides and openai_usage.take(doc):
            return b""
        before: list[bytes] = []
        choices = doc.get("choices")
        if type(choices) is list:
            for choice in choices:
                if type(choice) is not dict:
                    raise Uninspectable("A choice of the answer is not an object.")
                self._tree(leaves, choice, (), self._choice(_index(choice)), known=True)
            self._last = doc
            before += [self._end(_index(choice), choice) for choice in choices if choice.get("finish_reason")]
        if doc.get("error"):
            before.append(self.tails())
        data = json_body.encode(leaves.known(doc, "", "choices" if type(choices) is list else "", ("",)))
        if before:
            return b"".join(before) + sse.encode(name, data)
        return sse.encode(name, data)

    def tails(self) -> bytes:
        return b"".join([self._end(index, None) for index in list(self._open)])

    def _choice(self, index: int) -> _Choice:
        state = self._choices.get(index)
        if state is None:
            if len(self._choices) >= _MOST_CHOICES:
                raise Uninspectable("The answer has more choices than are inspected.")
            state = self._choices[index] = _Choice(index)
        return state

    def _tree(self, leaves: Leaves, node: JsonObject, path: _Path, state: _Choice, *, known: bool) -> None:
        """Feeds every string under `node` to its channel, in place. `known`: the API shaped this object."""
        parent = path[-1] if path and type(path[-1]) is str else str(path[-2]) if path else ""
        for key, value in node.items():
            kind = type(value)
            if key not in _SHAPE.known and leaves.text(key) != key:
                raise Uninspectable("A member's name in the answer would have to be masked.")
            if kind is str:
                if not value:
                    continue
                if known and key in _SHAPE.structural:
                    node[key] = leaves.structure(value)
                    continue
                channel = state.channels.get((*path, key))
                if channel is not None:
                    node[key] = channel.feed(value)
                else:
                    node[key] = self._begin(leaves, node, parent, (*path, key), state, known=known)
            elif kind is dict or kind is list:
                if key in _SHAPE.dropped:
                    node[key] = leaves.dropped(key, value)
                elif key in _WHOLE:
                    node[key] = leaves.known({key: value}, "", "", state.at(path))[key]
                elif kind is dict:
                    self._tree(leaves, value, (*path, key), state, known=known and key in _SHAPE.containers)
                else:
                    self._items(leaves, value, (*path, key), state, known=known and key in _SHAPE.containers)
            elif kind is int or kind is float:
                node[key] = leaves.counted(key, value) if known else leaves.number(value, _before((*path, key)))

    def _begin(
        self, leaves: Leaves, node: JsonObject, parent: str, place: _Path, state: _Choice, *, known: bool
    ) -> str:
        """A string that has no open channel: what may go on of it."""
        key = str(place[-1])
        value: str = node[key]
        if key == "name" and parent in _TOOL_PARENTS:
            return self._name(leaves, place, state, value)
        here = state.at(place)
        seen = leaves.seen(here)
        if not seen:
            state.claim(place)
        if known and leaves.opaque(node, parent, key) and sealed.is_like(value):
            return leaves.sealed(key, value, here)
        if seen:
            raise Uninspectable("What should be unreadable in the answer goes on with a text.")
        self._open[state.index] = None
        channel = state.channels[place] = self._channel(place)
        return channel.feed(value)

    def _items(self, leaves: Leaves, items: list[Any], path: _Path, state: _Choice, *, known: bool) -> None:
        for position, item in enumerate(items):
            if type(item) is not dict:
                if type(item) is str and item:
                    claimed: _Path = (*path, (position, None))
                    if not leaves.seen(state.at(claimed)):
                        state.claim(claimed)
                    items[position] = leaves.text(item, _before(path), state.at(claimed))
                else:
                    items[position] = leaves.free(item, _before(path), (*state.at(path), position))
                continue
            index, kind = item.get("index"), item.get("type")
            if type(index) is int:
                step: _Item = (index, None)
            else:  # clients that know no index count
                step = (position, kind if type(kind) is str and path[-1] != "tool_calls" else None)
            self._tree(leaves, item, (*path, step), state, known=known)

    def _channel(self, place: _Path) -> Channel:
        assert self._mask is not None
        json_text = place[-1] == "arguments"
        stream = JsonTextStream(self._mask) if json_text else TextChannel(self._mask, _before(place))
        return Channel(stream, place)

    def _name(self, leaves: Leaves, place: _Path, state: _Choice, value: str) -> str:
        """A tool's name: whole in its first piece at every known upstream. Further pieces are joined and masked
        again; if that changes what has left already, the answer cannot go on."""
        if place not in state.names:
            state.claim(place)
        raw, masked = state.names.get(place, ("", ""))
        raw += clean(value)
        whole = leaves.text(raw)
        if not whole.startswith(masked):
            raise Uninspectable("A tool name of the answer arrived in pieces that cannot be masked.")
        state.names[place] = (raw, whole)
        return whole[len(masked) :]

    def _end(self, index: int, choice: JsonObject | None) -> bytes:
        """Closes a choice's channels: chunks with their tails, or nothing. `choice` is the one that ends it."""
        self._open.pop(index, None)
        state = self._choices[index]
        channels, state.channels = state.channels, {}
        ended: list[JsonObject] = []
        full = _IN_A_CHUNK
        for place, channel in channels.items():
            tail = channel.close()
            if not tail or (choice is not None and _put(choice, place, tail, only_after_text=True)):
                continue
            if full >= _IN_A_CHUNK or not _put(ended[-1], place, tail):
                full = 0
                ended.append({})
                _put(ended[-1], place, tail)
            full += 1
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


def _is_thought(place: _Path) -> bool:
    """Whether it is in one of Mistral's parts that hold thoughts: their clients know these from the content that
    comes after them as a string."""
    if place[:2] != _CONTENT or len(place) <= 3:
        return False
    part = place[2]
    return type(part) is tuple and part[1] == "thinking" and place[3] == "thinking"


def _before(place: _Path) -> str:
    """What stands before a text: the keys on the way to it that the API does not know."""
    return "".join([f"{step}: " for step in place if isinstance(step, str) and step not in _SHAPE.known])


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
