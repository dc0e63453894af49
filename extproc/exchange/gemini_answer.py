"""Answers of Gemini's generateContent: streamed as SSE, whole, or as a JSON array of chunks read in one piece.

Text parts of one candidate continue each other across chunks and within a whole answer, because that is how clients
join them; text and thoughts are two channels. Pieces of a streamed argument (`partialArgs`) are channels by call and
JSON path. All else arrives whole.

A candidate's channels end with its finishReason. But some models say STOP in every chunk, so a chunk with a
finishReason is held until the next one, or the end, tells whether it was the last: if more parts come, the premature
finishReason is taken back, to be said at the end; if not, the chunk takes what the channels still hold.
"""

from dataclasses import dataclass, field
from typing import Any

from extproc.errors import Uninspectable
from extproc.exchange import json_body, sse
from extproc.exchange.channel import Channel, TextChannel
from extproc.exchange.leaves import Leaves, Shape
from extproc.exchange.model import JsonObject
from extproc.exchange.seams import Place
from extproc.exchange.sse_answer import SseAnswer, count
from extproc.exchange.text import TextFilter

_SIGNATURE = "thoughtSignature"
_SHAPE = Shape(
    containers=frozenset(
        {
            "candidates",
            "content",
            "parts",
            "functionCall",
            "functionResponse",
            "partialArgs",
            "inlineData",
            "fileData",
            "executableCode",
            "codeExecutionResult",
            "toolCall",
            "toolResponse",
            "safetyRatings",
            "citationMetadata",
            "citations",
            "citationSources",
            "groundingMetadata",
            "searchEntryPoint",
            "groundingChunks",
            "web",
            "retrievedContext",
            "maps",
            "groundingSupports",
            "segment",
            "retrievalMetadata",
            "urlContextMetadata",
            "urlMetadata",
            "promptFeedback",
            "usageMetadata",
            "promptTokensDetails",
            "cacheTokensDetails",
            "candidatesTokensDetails",
            "toolUsePromptTokensDetails",
            "modelStatus",
            "error",
        }
    ),
    structural=frozenset(
        {
            "role",
            "finishReason",
            "category",
            "probability",
            "severity",
            "modality",
            "mimeType",
            "language",
            "outcome",
            "responseId",
            "modelVersion",
            "createTime",
            "blockReason",
            "trafficType",
            "serviceTier",
            "urlRetrievalStatus",
            "nullValue",
            "status",
            "id",
        }
    ),
    texts=frozenset(
        {
            "text",
            "thought",
            "name",
            "args",
            "jsonPath",
            "stringValue",
            "numberValue",
            "boolValue",
            "willContinue",
            "response",
            "fileUri",
            "displayName",
            "code",
            "output",
            "uri",
            "title",
            "license",
            "renderedContent",
            "webSearchQueries",
            "groundingChunkIndices",
            "confidenceScores",
            "retrievedUrl",
            "finishMessage",
            "blockReasonMessage",
            "message",
            "details",
            "blocked",
        }
    ),
    numbers=frozenset(
        {
            "startIndex",
            "endIndex",
            "partIndex",
            "index",
            "tokenCount",
            "avgLogprobs",
            "probabilityScore",
            "severityScore",
            "promptTokenCount",
            "candidatesTokenCount",
            "thoughtsTokenCount",
            "cachedContentTokenCount",
            "toolUsePromptTokenCount",
            "totalTokenCount",
            "totalTokens",
        }
    ),
    opaque=frozenset({("parts", _SIGNATURE), ("inlineData", "data"), ("searchEntryPoint", "sdkBlob")}),
    dropped=frozenset({"logprobsResult"}),
)
_FINISH = ("finishReason", "finishMessage")
_SKELETON = ("usageMetadata", "modelVersion", "responseId", "createTime")
_TEXT, _THOUGHT = "text", "thought"


@dataclass(slots=True)
class _Candidate:
    """What is open in one candidate: text, thoughts, and the arguments of the call that is being streamed."""

    texts: dict[str, Channel] = field(default_factory=dict)
    arguments: dict[str, Channel] = field(default_factory=dict)


class GeminiAnswer(SseAnswer):
    """Implements `exchange.model.Answer`."""

    def __init__(self, mask: TextFilter | None) -> None:
        super().__init__(mask, _SHAPE)
        self._open: dict[int, _Candidate] = {}
        self._reasons: dict[int, str] = {}
        self._held: JsonObject | None = None
        self._early: dict[int, JsonObject] = {}  # finishReasons that were taken back, by candidate
        self._last: JsonObject = {}

    def document(self, body: bytes) -> bytes:
        """A whole answer. An array holds the chunks of a stream, or the error that took its place."""
        if body.lstrip()[:1] != b"[":
            return super().document(body)
        if self._leaves is None:
            self._observe_array(body)
            return body
        docs: list[JsonObject] = []
        for doc in _objects(body):
            self.observe(doc)
            docs += self._chunk(self._leaves, doc)
        return json_body.encode(docs + self._release(None))

    def _observe_array(self, body: bytes) -> None:
        """Reads what can be read; nothing is guarded here, so nothing may fail."""
        try:
            docs = _objects(body)
        except Uninspectable:
            return
        for doc in docs:
            self.observe(doc)

    def worth_reading(self, data: bytes) -> bool:
        return not self.model or b'"usageMetadata"' in data or b'"finishReason"' in data or b'"blockReason"' in data

    def observe(self, doc: JsonObject) -> None:
        model = doc.get("modelVersion")
        if type(model) is str and model:
            self.model = model
        usage = doc.get("usageMetadata")
        if type(usage) is dict:
            self._count(usage)
        elif "totalTokens" in doc:  # the answer of countTokens
            self.usage.input_tokens = count(doc, "totalTokens")
        feedback = doc.get("promptFeedback")
        blocked = feedback.get("blockReason") if type(feedback) is dict else None
        if type(blocked) is str and blocked:
            self.finish_reasons = (blocked,)
        candidates = doc.get("candidates")
        for candidate in candidates if type(candidates) is list else ():
            reason = candidate.get("finishReason") if type(candidate) is dict else None
            if type(reason) is str and reason:
                self._reasons[_index(candidate)] = reason
                self.finish_reasons = tuple(self._reasons[index] for index in sorted(self._reasons))

    def mask_document(self, leaves: Leaves, doc: JsonObject) -> JsonObject:
        chunks = [*self._chunk(leaves, doc), *self._release(None)]
        if len(chunks) != 1:
            chunks[0] = _merged(chunks)
        return chunks[0]

    def mask_event(self, leaves: Leaves, name: str, doc: JsonObject) -> bytes:
        return b"".join([sse.encode(name, json_body.encode(out)) for out in self._chunk(leaves, doc)])

    def tails(self) -> bytes:
        return b"".join([sse.encode("", json_body.encode(out)) for out in self._release(None)])

    # --- chunks ------------------------------------------------------------------------------------------------

    def _chunk(self, leaves: Leaves, doc: JsonObject) -> list[JsonObject]:
        """What may leave now that `doc` is here: the chunk that was held, and this one unless it is held itself."""
        candidates = doc.get("candidates")
        read = type(candidates) is list
        out: list[JsonObject] = []
        if doc.get("error"):
            out = self._release(None)
        elif self._held is not None:
            out = self._release(doc)
        finished = False
        if type(candidates) is list:
            for position, candidate in enumerate(candidates):
                if type(candidate) is not dict:
                    raise Uninspectable("A candidate of the answer is not an object.")
                candidates[position] = self._candidate(leaves, candidate)
                finished = finished or bool(candidate.get("finishReason"))
        masked = leaves.known(doc, "", "candidates" if read else "", ("",))
        if read:
            self._last = masked
        if finished:
            self._held = masked
            return out
        out.append(masked)
        return out

    def _candidate(self, leaves: Leaves, candidate: JsonObject) -> JsonObject:
        content = candidate.get("content")
        here: Place = ("candidate", _index(candidate))
        if type(content) is dict:
            parts = content.get("parts")
            if type(parts) is list:
                state = self._open.get(_index(candidate))
                if state is None:
                    state = self._open[_index(candidate)] = _Candidate()
                for position, part in enumerate(parts):
                    if type(part) is not dict:
                        raise Uninspectable("A part of the answer is not an object.")
                    parts[position] = self._part(leaves, part, state, (*here, "parts", position))
            skip = "parts" if type(parts) is list else ""
            candidate["content"] = leaves.known(content, "content", skip, (*here, "content"))
        return leaves.known(candidate, "candidates", "content" if type(content) is dict else "", here)

    def _part(self, leaves: Leaves, part: JsonObject, state: _Candidate, here: Place) -> JsonObject:
        text = part.get("text")
        spoken = type(text) is str and bool(text)
        if spoken:
            part["text"] = ""  # keeps its place, and is not masked twice
        call = part.get("functionCall")
        called = type(call) is dict
        if type(call) is dict:
            part["functionCall"] = self._call(leaves, call, state, (*here, "functionCall"))
        masked = leaves.known(part, "parts", "functionCall" if called else "", here)
        if spoken:
            kind = _THOUGHT if part.get("thought") is True else _TEXT
            channel = state.texts.get(kind)
            if channel is None:
                assert self._mask is not None
                channel = state.texts[kind] = Channel(TextChannel(self._mask), kind)
            masked["text"] = channel.feed(str(text))
        return masked

    def _call(self, leaves: Leaves, call: JsonObject, state: _Candidate, here: Place) -> JsonObject:
        """A function call: whole, or the next pieces of its arguments."""
        pieces = call.get("partialArgs")
        streamed = type(pieces) is list
        if type(pieces) is list:
            for position, piece in enumerate(pieces):
                if type(piece) is not dict:
                    raise Uninspectable("A piece of a call's arguments is not an object.")
                pieces[position] = self._piece(leaves, piece, state, (*here, position))
        if call.get("willContinue") is not True and state.arguments:
            tails = [(path, channel.close()) for path, channel in state.arguments.items()]
            state.arguments = {}
            added = [{"jsonPath": path, "stringValue": tail} for path, tail in tails if tail]
            if added:
                call["partialArgs"] = [*(pieces if type(pieces) is list else ()), *added]
                streamed = True
        return leaves.known(call, "functionCall", "partialArgs" if streamed else "", here)

    def _piece(self, leaves: Leaves, piece: JsonObject, state: _Candidate, here: Place) -> JsonObject:
        number = piece.get("numberValue")
        if number is not None:
            masked = leaves.free(number)
            if type(masked) is str:  # a mask is no number
                piece = {("stringValue" if key == "numberValue" else key): value for key, value in piece.items()}
                piece["stringValue"] = masked
            return leaves.known(piece, "partialArgs", "", here)
        text = piece.get("stringValue")
        if type(text) is not str:
            return leaves.known(piece, "partialArgs", "", here)
        piece["stringValue"] = ""
        masked = leaves.known(piece, "partialArgs", "", here)
        path = str(masked.get("jsonPath"))
        channel = state.arguments.get(path)
        if channel is None:
            assert self._mask is not None
            channel = state.arguments[path] = Channel(TextChannel(self._mask), path)
        text = channel.feed(text)
        if piece.get("willContinue") is not True:
            text += channel.close()
        masked["stringValue"] = text
        return masked

    def _release(self, following: JsonObject | None) -> list[JsonObject]:
        """The held chunk, if any. If `following` brings more, its finishReasons are taken back, else its candidates
        take their tails. At the end (None) what is left comes in a chunk of its own."""
        held, self._held = self._held, None
        going_on = _speaks(following)
        for candidate in held["candidates"] if held is not None else ():
            if not candidate.get("finishReason"):
                continue
            index = _index(candidate)
            if going_on:
                self._early[index] = {key: candidate.pop(key) for key in _FINISH if key in candidate}
            else:
                self._early.pop(index, None)
                _append(candidate, self._close(index))
        out = [held] if held is not None else []
        if following is None:
            left: list[JsonObject] = []
            for index in sorted({*self._open, *self._early}):
                parts, early = self._close(index), self._early.pop(index, {})
                if parts or early:
                    left.append({"content": {"role": "model", "parts": parts}, **early, "index": index})
            if left:
                out.append({"candidates": left, **{key: self._last[key] for key in _SKELETON if key in self._last}})
        return out

    def _close(self, index: int) -> list[JsonObject]:
        """Parts with what a candidate's channels still hold. More text for them is refused from here on."""
        state = self._open.get(index)
        if state is None:
            return []
        parts: list[JsonObject] = []
        for kind in (_THOUGHT, _TEXT):
            channel = state.texts.get(kind)
            tail = channel.close() if channel is not None else ""
            if tail:
                parts.append({"text": tail, "thought": True} if kind == _THOUGHT else {"text": tail})
        left = [(path, channel.close()) for path, channel in state.arguments.items()]
        state.arguments = {}
        pieces = [{"jsonPath": path, "stringValue": tail} for path, tail in left if tail]
        if pieces:
            parts.append({"functionCall": {"partialArgs": pieces}})
        return parts

    def _count(self, usage: JsonObject) -> None:
        """The last numbers stand: they are cumulative. Thoughts are not among the candidates' tokens."""
        own = self.usage
        prompt, tool = count(usage, "promptTokenCount"), count(usage, "toolUsePromptTokenCount")
        if prompt is not None or tool is not None:
            own.input_tokens = (prompt or 0) + (tool or 0)
        answer, thoughts = count(usage, "candidatesTokenCount"), count(usage, "thoughtsTokenCount")
        if answer is not None or thoughts is not None:
            before = own.reasoning_tokens or 0
            answer = max((own.output_tokens or 0) - before, 0) if answer is None else answer
            own.reasoning_tokens = own.reasoning_tokens if thoughts is None else thoughts
            own.output_tokens = answer + (own.reasoning_tokens or 0)
        cached = count(usage, "cachedContentTokenCount")
        own.cached_tokens = own.cached_tokens if cached is None else cached


def _index(candidate: JsonObject) -> int:
    index = candidate.get("index", 0)
    return index if type(index) is int else 0


def _speaks(doc: JsonObject | None) -> bool:
    """Whether a chunk brings parts."""
    candidates = doc.get("candidates") if doc is not None else None
    for candidate in candidates if type(candidates) is list else ():
        content = candidate.get("content") if type(candidate) is dict else None
        if type(content) is dict and content.get("parts"):
            return True
    return False


def _append(candidate: JsonObject, tails: list[JsonObject]) -> None:
    """Puts tails into a candidate: onto its last part if that is plain text of the same kind, else as parts."""
    if not tails:
        return
    content = candidate.get("content")
    if type(content) is not dict:
        content = candidate["content"] = {"role": "model"}
    parts = content.get("parts")
    if type(parts) is not list:
        parts = content["parts"] = []
    for tail in tails:
        last: Any = parts[-1] if parts else None
        if last is not None and "text" in tail and _continues(last, "thought" in tail):
            last["text"] += tail["text"]
        else:
            parts.append(tail)


def _continues(part: JsonObject, thought: bool) -> bool:
    """Whether text of this kind may be appended to a part. A signature is the end of what it signs."""
    text = part.get("text")
    return type(text) is str and bool(text) and (part.get("thought") is True) is thought and _SIGNATURE not in part


def _merged(chunks: list[JsonObject]) -> JsonObject:
    """A whole answer without finishReason: its tails go where they belong."""
    doc, tail = chunks
    for added in tail["candidates"]:
        for candidate in doc["candidates"]:
            if _index(candidate) == added["index"]:
                _append(candidate, added["content"]["parts"])
    return doc


def _objects(body: bytes) -> list[JsonObject]:
    docs = json_body.decode_any(body)
    if type(docs) is not list or not all(type(doc) is dict for doc in docs):
        raise Uninspectable("The answer is not a list of JSON objects.")
    return docs
