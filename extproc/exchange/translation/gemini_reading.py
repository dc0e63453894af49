"""Reads answers of Gemini's generateContent, whole and streamed, into an assembly. One candidate: nobody can ask for
more through another API."""

from typing import Any

from extproc.errors import Uninspectable
from extproc.exchange import json_body
from extproc.exchange.model import JsonObject, Usage
from extproc.exchange.sse_answer import count
from extproc.exchange.translation import gemini_call_id
from extproc.exchange.translation.assembly import Assembly, Failure, Stop
from extproc.exchange.translation.failures import unread
from extproc.exchange.translation.gemini_call_id import CallId

_REFUSED = frozenset(
    {
        "SAFETY",
        "RECITATION",
        "LANGUAGE",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "MODEL_ARMOR",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "IMAGE_OTHER",
        "NO_IMAGE",
    }
)
_FAILED = frozenset(
    {
        "MALFORMED_FUNCTION_CALL",
        "MALFORMED_RESPONSE",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
    }
)
_STATUS = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}


def failure(doc: JsonObject, status: int = 0) -> Failure:
    """Google's error. `status` 0: tell it from the code or its name."""
    error = doc.get("error")
    if type(error) is not dict:
        return unread(status or 500)
    code, name, message = error.get("code"), error.get("status"), error.get("message")
    name = name if type(name) is str else ""
    if not status:
        status = code if type(code) is int and 400 <= code < 600 else _STATUS.get(name, 500)
    return Failure(status, message if type(message) is str else unread(status).message, name)


class GeminiReading:
    """Implements `translation.assembly.Reading`. Why the answer ended is told at its end, because some models say STOP
    in every chunk."""

    def __init__(self, into: Assembly) -> None:
        self._into = into
        self._usage = Usage()
        self._id: str | None = None  # None until the answer has begun
        self._calls = 0
        self._reason = ""
        self._detail = ""
        self._over = False

    def document(self, doc: JsonObject) -> None:
        self._chunk(doc)
        if not self._reason:
            raise Uninspectable("The answer has no end.")
        if self._reason in _FAILED:
            raise Uninspectable("The model made an answer that its own API could not read. Try again.")
        self.finish()

    def event(self, name: str, doc: JsonObject) -> None:  # noqa: ARG002  (these events have no names)
        if self._over:
            return
        if "error" in doc:
            self._over = True
            self._into.fail(failure(doc))
            return
        self._chunk(doc)

    def done(self) -> None:
        """This API has no such marker."""

    def finish(self) -> None:
        if self._over or not self._reason:
            return
        self._over = True
        if self._reason in _FAILED:
            self._into.fail(Failure(502, "The model made an answer that its own API could not read.", self._reason))
            return
        self._into.stop(self._stop(), self._detail)
        self._into.usage(self._usage)
        self._into.end()

    def _chunk(self, doc: JsonObject) -> None:
        self._count(doc.get("usageMetadata"))
        if self._id is None:
            self._id = _text(doc, "responseId")
            self._into.begin(self._id, self._usage)
        feedback = doc.get("promptFeedback")
        if type(feedback) is dict and type(feedback.get("blockReason")) is str:
            self._reason = "SAFETY"
            self._detail = _text(feedback, "blockReasonMessage")
        candidates = doc.get("candidates")
        for candidate in candidates if type(candidates) is list else ():
            if type(candidate) is not dict:
                raise Uninspectable("A candidate of the answer is not an object.")
            self._candidate(candidate)

    def _candidate(self, candidate: JsonObject) -> None:
        content = candidate.get("content")
        parts = content.get("parts") if type(content) is dict else None
        for part in parts if type(parts) is list else ():
            if type(part) is not dict:
                raise Uninspectable("A part of the answer is not an object.")
            self._part(part)
        reason = _text(candidate, "finishReason")
        if reason and reason != "FINISH_REASON_UNSPECIFIED":
            self._reason = reason
            self._detail = _text(candidate, "finishMessage") if reason in _REFUSED else ""

    def _part(self, part: JsonObject) -> None:
        text, call = part.get("text"), part.get("functionCall")
        if type(call) is dict:
            self._call(call, _text(part, "thoughtSignature"))
        elif type(text) is str:
            if part.get("thought") is True:
                self._into.reasoning(text)
            else:
                self._into.text(text)
        elif any(key not in ("thought", "thoughtSignature") for key in part):
            raise Uninspectable("The answer has a part that the client's API has no place for.")

    def _call(self, call: JsonObject, signature: str) -> None:
        """Calls come whole: arguments in pieces are only sent to who asks for them."""
        args = call.get("args", {})
        if type(args) is not dict or "partialArgs" in call:
            raise Uninspectable("A function call of the answer has no whole arguments.")
        index = self._calls
        self._calls += 1
        known = CallId(_text(call, "id"), signature)
        self._into.call(index, gemini_call_id.write(known, self._id or "", index), _text(call, "name"))
        self._into.arguments(index, json_body.encode(args).decode("utf-8"))

    def _stop(self) -> Stop:
        if self._reason == "MAX_TOKENS":
            return Stop.LENGTH
        if self._reason in _REFUSED:
            return Stop.REFUSED
        return Stop.TOOLS if self._calls else Stop.END

    def _count(self, usage: Any) -> None:
        """The last numbers stand. Thoughts are not among the candidates' tokens, but they are output."""
        own = self._usage
        prompt, tools = count(usage, "promptTokenCount"), count(usage, "toolUsePromptTokenCount")
        if prompt is not None or tools is not None:
            own.input_tokens = (prompt or 0) + (tools or 0)
        said, thoughts = count(usage, "candidatesTokenCount"), count(usage, "thoughtsTokenCount")
        if said is not None or thoughts is not None:
            own.output_tokens = (said or 0) + (thoughts or 0)
            own.reasoning_tokens = thoughts
        cached = count(usage, "cachedContentTokenCount")
        own.cached_tokens = own.cached_tokens if cached is None else cached


def _text(node: JsonObject, key: str) -> str:
    value = node.get(key)
    return value if type(value) is str else ""
