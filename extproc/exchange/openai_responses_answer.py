"""Answers of OpenAI Responses, streamed and whole.

Every text comes up to four times: in `*.delta` events, in the matching `*.done`, in content_part.done or
output_item.done, and in the terminal event. Deltas are channels, named by the event's type and its indexes; all
repeats are masked whole, which gives the same text. A channel ends with its `*.done`, or with that of its part or
item, or with the terminal event; what is held goes into a delta of its own before that event, and from there on
sequence numbers are shifted. A `*.delta` type that nobody has heard of yet is a text channel like any other.
"""

from typing import Any

from extproc.errors import Uninspectable
from extproc.exchange import json_body, sealed, sse
from extproc.exchange.channel import Channel, TextChannel
from extproc.exchange.json_text import JsonTextStream
from extproc.exchange.leaves import Leaves, Shape
from extproc.exchange.model import JsonObject
from extproc.exchange.sse_answer import SseAnswer, count
from extproc.exchange.text import TextFilter

_SHAPE = Shape(
    containers=frozenset(
        {
            "response",
            "output",
            "item",
            "part",
            "content",
            "summary",
            "annotations",
            "annotation",
            "usage",
            "input_tokens_details",
            "output_tokens_details",
            "error",
            "incomplete_details",
            "reasoning",
            "text",
            "format",
            "action",
            "actions",
            "outcome",
            "delta",
            "results",
            "sources",
            "conversation",
            "prompt_cache_options",
            "instructions",
            "tools",
            "tool_choice",
            "caller",
            "operation",
            "tool_usage",
            "moderation",
            "billing",
        }
    ),
    structural=frozenset(
        {
            "id",
            "object",
            "type",
            "status",
            "role",
            "model",
            "item_id",
            "call_id",
            "file_id",
            "container_id",
            "previous_response_id",
            "response_id",
            "approval_request_id",
            "service_tier",
            "truncation",
            "effort",
            "mode",
            "verbosity",
            "phase",
            "prompt_cache_key",
            "prompt_cache_retention",
            "safety_identifier",
            "code_id",
            "obfuscation",
            "background",
            "output_format",
            "quality",
            "size",
            "payer",
            "stream_id",
            "fingerprint",
        }
    ),
    texts=frozenset(
        {
            "text",
            "refusal",
            "input",
            "code",
            "command",
            "name",
            "namespace",
            "message",
            "param",
            "reason",
            "title",
            "url",
            "quote",
            "filename",
            "query",
            "queries",
            "stdout",
            "stderr",
            "transcript",
            "logs",
            "server_label",
            "description",
            "instructions",
            "parameters",
            "metadata",
            "user",
            "output",
            "parallel_tool_calls",
            "store",
            "strict",
            "prompt",
        }
    ),
    numbers=frozenset(
        {
            "sequence_number",
            "output_index",
            "content_index",
            "summary_index",
            "command_index",
            "annotation_index",
            "created_at",
            "completed_at",
            "start_index",
            "end_index",
            "index",
            "input_tokens",
            "output_tokens",
            "total_tokens",
            "cached_tokens",
            "reasoning_tokens",
            "cache_write_tokens",
            "partial_image_index",
            "temperature",
            "top_p",
            "top_logprobs",
            "max_output_tokens",
            "max_tool_calls",
        }
    ),
    opaque=frozenset(
        {
            ("reasoning", "encrypted_content"),
            ("compaction", "encrypted_content"),
            ("compaction_summary", "encrypted_content"),
            ("image_generation_call", "result"),
            ("response.image_generation_call.partial_image", "partial_image_b64"),
            ("response.audio.delta", "delta"),
        }
    ),
)
_TERMINAL = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled", "error"})
_PLACE = ("item_id", "output_index", "content_index", "summary_index", "command_index")
_WHOLE_DONE = frozenset(
    {"response.content_part.done", "response.reasoning_summary_part.done", "response.output_item.done"}
)
# What a part or an item starts with, and the deltas that continue it: type -> (member, channel).
_STARTS = {
    "output_text": ("text", "response.output_text"),
    "refusal": ("refusal", "response.refusal"),
    "reasoning_text": ("text", "response.reasoning_text"),
    "summary_text": ("text", "response.reasoning_summary_text"),
    "function_call": ("arguments", "response.function_call_arguments"),
    "mcp_call": ("arguments", "response.mcp_call_arguments"),
    "custom_tool_call": ("input", "response.custom_tool_call_input"),
    "code_interpreter_call": ("code", "response.code_interpreter_call_code"),
}

# members that clients join to: an item that comes with such text in a way not listed above takes no deltas
_JOINED = ("content", "summary", "output", "text", "refusal", "arguments", "input", "code")
_MOST_ITEMS = 4096

# Where an event belongs: output (index or item id), content index, summary index, command index.
_Where = tuple[Any, Any, Any, Any]
# (channel's name, member of a delta object, where)
_Key = tuple[str, str, _Where]


class OpenAiResponsesAnswer(SseAnswer):
    """Implements `exchange.model.Answer`."""

    def __init__(self, mask: TextFilter | None) -> None:
        super().__init__(mask, _SHAPE)
        self._outputs: dict[Any, dict[_Key, Channel]] = {}  # open channels by output
        self._items: dict[str, Any] = {}  # item id -> output
        self._forms: dict[str, tuple[Any, ...]] = {}  # how a channel's deltas say where they belong
        self._ended: set[_Key] = set()
        self._at: tuple[Any, ...] = ()  # what said where the last event belongs, and where that is
        self._there: _Where = (None, None, None, None)
        self._whole: set[Any] = set()  # outputs that came with text no delta may go on with
        self._next = 0  # the number the upstream's next event should have
        self._inserted = 0  # events that we put before it

    def observe(self, doc: JsonObject) -> None:
        response = doc.get("response")
        if type(response) is not dict:
            response = doc
        model = response.get("model")
        if type(model) is str and model:
            self.model = model
        status = response.get("status")
        if type(status) is str and response.get("object") == "response" and status not in ("in_progress", "queued"):
            details = response.get("incomplete_details")
            why = details.get("reason") if type(details) is dict else None
            self.finish_reasons = (why if type(why) is str and why else status,)
        usage = response.get("usage")
        if type(usage) is dict:
            own = self.usage
            own.input_tokens = count(usage, "input_tokens")
            own.output_tokens = count(usage, "output_tokens")
            own.cached_tokens = count(usage, "input_tokens_details", "cached_tokens")
            own.cache_write_tokens = count(usage, "input_tokens_details", "cache_write_tokens")
            own.reasoning_tokens = count(usage, "output_tokens_details", "reasoning_tokens")

    def mask_event(self, leaves: Leaves, name: str, doc: JsonObject) -> bytes:
        kind = doc.get("type")
        kind = kind if type(kind) is str else name
        number = doc.get("sequence_number")
        if type(number) is int:
            self._next = number
        before = b""
        text: tuple[JsonObject, str, str] | None = None
        if kind.endswith(".delta"):
            masked = self._delta(leaves, kind[:-6], doc)
        else:
            if kind.endswith(".added"):
                text = self._added(kind, doc)
            elif kind.endswith(".done"):
                before = self._done(kind, doc)
            elif kind in _TERMINAL:
                before = self.tails()
            masked = leaves.known(doc, "", "", (kind, *self._where(doc)))
            if text is not None:
                holder, member, released = text
                holder[member] = released
        if type(number) is int:
            masked["sequence_number"] = number + self._inserted
            self._next = number + 1
        return before + sse.encode(name or leaves.structure(kind), json_body.encode(masked))

    def tails(self) -> bytes:
        return b"".join([self._end(self._outputs.pop(output)) for output in list(self._outputs)])

    def _delta(self, leaves: Leaves, channel: str, doc: JsonObject) -> JsonObject:
        """An event whose `delta` is a text, or an object of texts (stdout, stderr)."""
        delta = doc.get("delta")
        here = (channel, *self._where(doc))
        if type(delta) is str:
            doc["delta"] = ""
            masked = leaves.known(doc, "", "", here)
            if delta and leaves.opaque(doc, "", "delta") and sealed.is_like(delta):
                masked["delta"] = leaves.sealed("delta", delta, (*here, "delta"))
            elif leaves.seen((*here, "delta")):
                raise Uninspectable("What should be unreadable in the answer goes on with a text.")
            else:
                masked["delta"] = self._channel(channel, doc, "").feed(delta)
            return masked
        if type(delta) is not dict:
            raise Uninspectable("A delta of the answer is neither text nor object.")
        for member, value in delta.items():
            if member not in _SHAPE.known and leaves.text(member) != member:
                raise Uninspectable("A member's name in the answer would have to be masked.")
            if type(value) is str:
                delta[member] = self._channel(channel, doc, member).feed(value)
            else:
                delta[member] = leaves.free(value, f"{member}: ", (*here, "delta", member))
        return leaves.known(doc, "", "delta", here)

    def _added(self, kind: str, doc: JsonObject) -> tuple[JsonObject, str, str] | None:
        """Text that a part, an item or a command starts with goes through the channel that its deltas will use: where
        it stands, and what is let go of it. Until then its place is empty, so that it is not masked twice."""
        if kind == "response.shell_call_command.added":
            holder, member, channel = doc, "command", "response.shell_call_command"
        else:
            started = doc.get("item") if kind == "response.output_item.added" else doc.get("part")
            if type(started) is not dict:
                return None
            holder = started
            member, channel = _STARTS.get(str(holder.get("type")), ("", ""))
            if any(holder.get(joined) for joined in _JOINED if joined != member):
                self._whole.add(self._where(doc)[0])
        text = holder.get(member)
        if type(text) is not str or not text:
            return None
        holder[member] = ""
        return holder, member, self._channel(channel, doc, "").feed(text)

    def _channel(self, name: str, doc: JsonObject, member: str) -> Channel:
        """The channel of a delta. Raises `Uninspectable` when it may be another one for some client."""
        where = self._where(doc)
        output = where[0]
        key = (name, member, where)
        channels = self._outputs.get(output)
        if channels is None:
            channels = self._outputs[output] = {}
        channel = channels.get(key)
        if channel is None:
            form = (type(output), *[index is None for index in where[1:]], member == "")
            if self._forms.setdefault(name, form) != form:
                raise Uninspectable("The answer went on with a text in another shape.")
            if key in self._ended:
                raise Uninspectable("The answer went on with a text that it had ended.")
            if output in self._whole:
                raise Uninspectable("The answer goes on with a text that it began in another shape.")
            if len(channels) >= _MOST_ITEMS:
                raise Uninspectable("The answer has texts in more places than are inspected.")
            assert self._mask is not None
            before = "" if not member or member in _SHAPE.known else f"{member}: "
            json_text = name.endswith("_arguments")
            stream = JsonTextStream(self._mask) if json_text else TextChannel(self._mask, before)
            place = {step: doc[step] for step in _PLACE if step in doc}
            item = doc.get("item")
            if "item_id" not in place and type(item) is dict and "id" in item:
                place["item_id"] = item["id"]
            channel = channels[key] = Channel(stream, place)
        return channel

    def _done(self, kind: str, doc: JsonObject) -> bytes:
        """Ends the channels that a `*.done` event ends: its own, or all of its part or item."""
        where = self._where(doc)
        channels = self._outputs.get(where[0])
        if not channels:
            return b""
        if kind == "response.output_item.done":
            return self._end(self._outputs.pop(where[0]))
        if kind in _WHOLE_DONE:
            ended = [
                key
                for key in channels
                if all(index in (None, own) for index, own in zip(where[1:], key[2][1:], strict=True))
            ]
        else:
            name = kind[:-5]
            ended = [key for key in channels if key[0] == name and key[2] == where]
        return self._end({key: channels.pop(key) for key in ended})

    def _end(self, channels: dict[_Key, Channel]) -> bytes:
        """Delta events with what the channels still hold. More text for them is refused from here on."""
        out = []
        for key, channel in channels.items():
            name, member, _ = key
            self._ended.add(key)
            tail = channel.close()
            if not tail:
                continue
            place = channel.place
            assert isinstance(place, dict)
            kind = name + ".delta"
            doc: JsonObject = {"type": kind, **place, "delta": {member: tail} if member else tail}
            if name == "response.output_text":
                doc["logprobs"] = []
            doc["sequence_number"] = self._next + self._inserted
            self._inserted += 1
            out.append(sse.encode(kind, json_body.encode(doc)))
        return b"".join(out)

    def _where(self, doc: JsonObject) -> _Where:
        """Where an event belongs. The item's id counts only where there is no index, because some gateways give it
        anew each time; then it means the index that it came with."""
        get = doc.get
        output, item = get("output_index"), get("item_id")
        said = (output, item, get("content_index"), get("summary_index"), get("command_index"))
        if "item" not in doc and said == self._at:
            return self._there
        if item is None and type(doc.get("item")) is dict:
            item = doc["item"].get("id")
        for index in (item, *said):
            if index is not None and type(index) is not int and type(index) is not str:
                raise Uninspectable("An index of the answer is no number.")
        if type(item) is str:
            known = self._items.get(item)
            if output is None:
                output = item if known is None else known
            elif known is not None and known != output:
                raise Uninspectable("The answer went on with a text in another shape.")
            if known is None:
                if len(self._items) < _MOST_ITEMS:
                    self._items[item] = output
                elif output is item:
                    raise Uninspectable("The answer has more items than are inspected.")
        where = (output, *said[2:])
        if "item" not in doc:
            self._at, self._there = said, where
        return where
