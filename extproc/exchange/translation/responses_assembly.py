"""Writes answers of OpenAI Responses: the life cycle of a response as events, or the response itself.

Items are built as they grow, because every text comes again: in its own `done`, in its item's, and in the last
event. An item is done when the next one begins; only a call whose input is unfinished then stays open, so calls may
grow side by side. The input of a custom tool is text inside JSON, and is told when it is complete.
"""

from dataclasses import dataclass, field
from functools import partial

from extproc.errors import BadRequest, Uninspectable
from extproc.exchange import json_body, sse
from extproc.exchange.model import JsonObject, LlmCall, Usage
from extproc.exchange.translation import chat_assembly, responses_tools
from extproc.exchange.translation.assembly import Failure, Stop, Writing
from extproc.exchange.translation.failures import to_openai
from extproc.exchange.translation.responses_request import SEALED, SIGNED
from extproc.exchange.translation.shapes import is_object

_ECHOED: dict[str, object] = {
    "instructions": None,
    "max_output_tokens": None,
    "parallel_tool_calls": True,
    "reasoning": {"effort": None, "summary": None},
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
    "user": None,
    "metadata": {},
}
_INCOMPLETE = {Stop.LENGTH: "max_output_tokens", Stop.REFUSED: "content_filter"}


@dataclass(slots=True)
class _Open:
    """An item that grows. `channel`: what its deltas are called; `pieces`: its text so far."""

    index: int
    item: JsonObject
    channel: str
    pieces: list[str] = field(default_factory=list)


class ResponsesStream:
    """Implements `translation.assembly.Assembly` as a stream of events."""

    def __init__(self, model: str, echoed: JsonObject, origins: dict[str, responses_tools.Origin]) -> None:
        self._origins = origins
        self._id = ""
        self._response: JsonObject = {
            "id": "",
            "object": "response",
            "created_at": 0,
            "status": "in_progress",
            "background": False,
            "error": None,
            "incomplete_details": None,
            "model": model,
            "output": [],
            "previous_response_id": None,
            "store": False,
            "truncation": "disabled",
            "usage": None,
            **echoed,
        }
        self._items: list[JsonObject] = []
        self._growing: _Open | None = None  # the message, the reasoning or the call that was begun last
        self._calls: dict[int, _Open] = {}  # those that are not done
        self._stop = Stop.END
        self._usage = Usage()
        self._number = 0
        self._out: list[bytes] = []

    def begin(self, id: str, usage: Usage | None = None) -> None:
        self._id = id
        self._usage = usage or self._usage
        self._response["id"] = "resp_" + id
        self._event("response.created", {"response": self._response})
        self._event("response.in_progress", {"response": self._response})

    def text(self, text: str) -> None:
        if text:
            self._say("output_text", text)

    def refusal(self, text: str) -> None:
        if text:
            self._say("refusal", text)

    def reasoning(self, text: str) -> None:
        if not text:
            return
        growing = self._growing
        if growing is None or growing.channel != "reasoning_summary_text":
            growing = self._begin("reasoning_summary_text", {"type": "reasoning", "summary": []}, "rs_")
            part = {"type": "summary_text", "text": ""}
            self._of(growing, "response.reasoning_summary_part.added", {"summary_index": 0, "part": part})
        growing.pieces.append(text)
        self._of(growing, "response.reasoning_summary_text.delta", {"summary_index": 0, "delta": text})

    def seal(self, signature: str) -> None:
        growing = self._growing
        if growing is not None and growing.channel == "reasoning_summary_text":
            growing.item["encrypted_content"] = SIGNED + signature
            self._finish_growing()

    def sealed(self, data: str) -> None:
        self._begin("", {"type": "reasoning", "summary": [], "encrypted_content": SEALED + data}, "rs_")
        self._finish_growing()

    def call(self, index: int, id: str, name: str) -> None:
        origin = self._origins.get(name, responses_tools.Origin())
        item: JsonObject = {"call_id": id, "name": name}
        if origin.custom:
            item = {"type": "custom_tool_call", **item, "input": ""}
        else:
            item = {"type": "function_call", "status": "in_progress", **item, "arguments": ""}
        if origin.namespace:
            item["namespace"] = origin.namespace
        channel = "custom_tool_call_input" if origin.custom else "function_call_arguments"
        self._calls[index] = self._begin(channel, item, "ctc_" if origin.custom else "fc_")

    def arguments(self, index: int, text: str) -> None:
        call = self._calls.get(index)
        if call is None:
            if text.strip():
                raise Uninspectable("The answer went on with a tool call that it had ended.")
            return
        call.pieces.append(text)
        if text and call.channel == "function_call_arguments":
            self._of(call, "response.function_call_arguments.delta", {"delta": text})

    def stop(self, stop: Stop, detail: str = "") -> None:
        self._stop = stop
        if stop is Stop.REFUSED and detail:
            self.refusal(detail)

    def usage(self, usage: Usage) -> None:
        self._usage = usage

    def end(self) -> None:
        self._finish_growing()
        for index in list(self._calls):
            self._done_call(index)
        reason = _INCOMPLETE.get(self._stop)
        status = "incomplete" if reason else "completed"
        self._response |= {
            "status": status,
            "output": self._items,
            "incomplete_details": {"reason": reason} if reason else None,
            "usage": usage_doc(self._usage),
        }
        self._event("response." + status, {"response": self._response})

    def fail(self, failure: Failure) -> None:
        """An `error` event makes the SDK raise; a failed response tells clients that only know the life cycle."""
        error = to_openai(failure)
        code = error["code"] or "server_error"
        self._event("error", {"code": code, "message": error["message"], "param": None, "error": error})
        self._response |= {"status": "failed", "error": {"code": code, "message": error["message"]}}
        self._event("response.failed", {"response": self._response})

    def alive(self) -> None:
        self._out.append(b":\n\n")

    def take(self) -> bytes:
        out, self._out = self._out, []
        return b"".join(out)

    def _say(self, kind: str, text: str) -> None:
        """Visible text: a message of one part."""
        growing = self._growing
        if growing is None or growing.channel != kind:
            message = {"type": "message", "status": "in_progress", "role": "assistant", "content": []}
            growing = self._begin(kind, message, "msg_")
            self._of(growing, "response.content_part.added", {"content_index": 0, "part": _part(kind, "")})
        growing.pieces.append(text)
        delta: JsonObject = {"content_index": 0, "delta": text}
        if kind == "output_text":
            delta["logprobs"] = []
        self._of(growing, f"response.{kind}.delta", delta)

    def _begin(self, channel: str, item: JsonObject, prefix: str) -> _Open:
        self._finish_growing()
        index = len(self._items)
        item = {"id": f"{prefix}{self._id}_{index}", **item}
        self._items.append(item)
        self._event("response.output_item.added", {"output_index": index, "item": item})
        self._growing = _Open(index, item, channel)
        return self._growing

    def _finish_growing(self) -> None:
        growing, self._growing = self._growing, None
        if growing is None:
            return
        whole = "".join(growing.pieces)
        item, channel = growing.item, growing.channel
        if channel in ("output_text", "refusal"):
            part = _part(channel, whole)
            done: JsonObject = {"content_index": 0, "text" if channel == "output_text" else "refusal": whole}
            if channel == "output_text":
                done["logprobs"] = []
            self._of(growing, f"response.{channel}.done", done)
            self._of(growing, "response.content_part.done", {"content_index": 0, "part": part})
            item |= {"content": [part], "status": "completed"}
        elif channel == "reasoning_summary_text":
            part = {"type": "summary_text", "text": whole}
            self._of(growing, "response.reasoning_summary_text.done", {"summary_index": 0, "text": whole})
            self._of(growing, "response.reasoning_summary_part.done", {"summary_index": 0, "part": part})
            item["summary"] = [part]
        elif channel:
            index = next(index for index, call in self._calls.items() if call is growing)
            if is_object(whole):
                self._done_call(index)
            return
        self._event("response.output_item.done", {"output_index": growing.index, "item": item})

    def _done_call(self, index: int) -> None:
        call = self._calls.pop(index)
        whole = "".join(call.pieces)
        if call.channel == "custom_tool_call_input":
            whole = self._free_text(whole)
            self._of(call, "response.custom_tool_call_input.delta", {"delta": whole})
            self._of(call, "response.custom_tool_call_input.done", {"input": whole})
            call.item["input"] = whole
        else:
            members = {"name": call.item["name"], "arguments": whole}
            self._of(call, "response.function_call_arguments.done", members)
            cut = self._stop is Stop.LENGTH and not is_object(whole)
            call.item |= {"arguments": whole, "status": "incomplete" if cut else "completed"}
        self._event("response.output_item.done", {"output_index": call.index, "item": call.item})

    def _free_text(self, written: str) -> str:
        """The text that the model put into the function which stands for a custom tool. One cut off by the token limit
        is empty; anything else that is not such a text cannot be passed on."""
        try:
            free = json_body.decode(written.encode("utf-8", "replace")).get("input")
        except BadRequest:
            free = "" if self._stop is Stop.LENGTH else None
        if type(free) is not str:
            raise Uninspectable("The input of a custom tool call in the answer is not a text.")
        return free

    def _of(self, open_item: _Open, kind: str, members: JsonObject) -> None:
        """An event about one item."""
        self._event(kind, {"item_id": open_item.item["id"], "output_index": open_item.index, **members})

    def _event(self, kind: str, members: JsonObject) -> None:
        doc = {"type": kind, "sequence_number": self._number, **members}
        self._number += 1
        self._out.append(sse.encode(kind, json_body.encode(doc)))


class ResponsesDocument(ResponsesStream):
    """Implements `translation.assembly.Assembly` as one response."""

    def take(self) -> bytes:
        return json_body.encode(self._response)

    def alive(self) -> None:
        """Documents need no keeping alive."""

    def _event(self, kind: str, members: JsonObject) -> None:
        """Nobody hears it."""


def writing(call: LlmCall) -> Writing:
    """Of the request, a response repeats the settings, the instructions and the tools, so these are kept."""
    echoed = {name: default if call.doc.get(name) is None else call.doc[name] for name, default in _ECHOED.items()}
    origins = responses_tools.origins(call.doc)
    return Writing(
        partial(ResponsesDocument, call.model, echoed, origins),
        partial(ResponsesStream, call.model, echoed, origins),
        chat_assembly.failure_body,
    )


def usage_doc(usage: Usage) -> JsonObject:
    """Tokens as this API counts them: the input includes what was cached, the output what was reasoned."""
    read, written = usage.input_tokens or 0, usage.output_tokens or 0
    return {
        "input_tokens": read,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens or 0,
            "cache_write_tokens": usage.cache_write_tokens or 0,
        },
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
        "total_tokens": read + written,
    }


def _part(kind: str, text: str) -> JsonObject:
    if kind == "refusal":
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
