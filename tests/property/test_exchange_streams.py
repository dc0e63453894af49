"""For every way of cutting text into deltas and bytes into chunks, a client sees each channel masked as a whole."""

import importlib.util
import json
from contextlib import suppress
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.errors import BadRequest, Uninspectable
from extproc.exchange import json_body, sse
from extproc.exchange.classify import DIALECTS
from extproc.exchange.json_text import JsonTextStream, mask_json_text
from extproc.exchange.model import LlmCall, Place

CALL = LlmCall("", "chat", "m")  # of which readers want nothing here

_spec = importlib.util.spec_from_file_location(
    "exchange_transcript_property", Path(__file__).parents[1] / "golden" / "transcript.py"
)
transcript = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(transcript)

SECRETS = list(transcript.SECRETS)
FRAGMENTS = [*SECRETS, "SECRET", "-TOKEN", "S", "4111", "1" * 12, " ", "\ud83d", "\udd11", "\\u0053", "ECRET"]
FRAGMENTS += [*'"\\{}[],:1-ex\né', "true"]
texts = st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join)
json_values = st.recursive(
    st.none() | st.booleans() | texts | st.integers() | st.sampled_from([4111111111111111, 1.5, -2e10]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def pieces(draw, whole):
    """`whole` cut anywhere."""
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    return [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]


def event(doc):
    """As upstreams write it: escapes where UTF-8 has no word."""
    name = doc.get("type", "") if "choices" not in doc else ""
    return sse.encode(name, json.dumps(doc).encode())


def interleaved(draw, channels):
    """Pieces of several channels in some order that keeps each channel's own: (channel, piece)."""
    queues = {name: pieces(draw, text) for name, text in channels.items()}
    order = draw(st.permutations([name for name, queue in queues.items() for _ in queue]))
    return [(name, queues[name].pop(0)) for name in order]


@st.composite
def chat_streams(draw):
    channels = {}
    for choice in range(draw(st.integers(1, 2))):
        channels[choice, "content"] = draw(texts)
        channels[choice, "reasoning"] = draw(texts)
        channels[choice, "tool"] = json.dumps(draw(json_values), ensure_ascii=draw(st.booleans()))
    events = []
    for (choice, name), piece in interleaved(draw, channels):
        delta = {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} if name == "tool" else {name: piece}
        events.append({"id": "c", "choices": [{"index": choice, "delta": delta, "finish_reason": None}]})
    for choice in {choice for choice, _ in channels} if draw(st.booleans()) else ():
        events.append({"id": "c", "choices": [{"index": choice, "delta": {}, "finish_reason": "stop"}]})
    return b"".join(map(event, events)) + (b"data: [DONE]\n\n" if draw(st.booleans()) else b"")


@st.composite
def anthropic_streams(draw):
    channels = {
        (0, "thinking_delta", "thinking"): draw(texts),
        (1, "text_delta", "text"): draw(texts),
        (2, "input_json_delta", "partial_json"): json.dumps(draw(json_values), ensure_ascii=draw(st.booleans())),
        (3, "future_delta", "future"): draw(texts),
    }
    events = [
        {"type": "content_block_delta", "index": index, "delta": {"type": kind, field: piece}}
        for (index, kind, field), piece in interleaved(draw, channels)
    ]
    if draw(st.booleans()):
        events += [{"type": "content_block_stop", "index": index} for index in range(4)]
    if draw(st.booleans()):
        events.append({"type": "message_stop"})
    return b"".join(map(event, events))


@st.composite
def responses_streams(draw):
    channels = {
        (0, "response.output_text"): draw(texts),
        (1, "response.function_call_arguments"): json.dumps(draw(json_values), ensure_ascii=draw(st.booleans())),
        (2, "response.reasoning_summary_text"): draw(texts),
        (3, "response.future"): draw(texts),
    }
    member = {"response.output_text": "text", "response.function_call_arguments": "arguments"}
    events = [
        {"type": f"{kind}.delta", "output_index": index, "content_index": 0, "delta": piece}
        for (index, kind), piece in interleaved(draw, channels)
    ]
    if draw(st.booleans()):
        for (index, kind), text in channels.items():
            where = {"output_index": index, "content_index": 0}
            events.append({"type": f"{kind}.done", **where, member.get(kind, "text"): text})
    if draw(st.booleans()):
        events.append({"type": "response.completed", "response": {"id": "r", "output": []}})
    for number, doc in enumerate(events):
        doc["sequence_number"] = number
    return b"".join(map(event, events))


@st.composite
def gemini_streams(draw):
    channels = {(index, thought): draw(texts) for index in (0, 1) for thought in (False, True)}
    premature = draw(st.booleans())
    events = []
    for (index, thought), piece in interleaved(draw, channels):
        part = {"text": piece, "thought": True} if thought else {"text": piece}
        candidate = {"content": {"role": "model", "parts": [part]}, "index": index}
        if premature:
            candidate["finishReason"] = "STOP"
        events.append({"candidates": [candidate], "modelVersion": "m"})
    if draw(st.booleans()):
        events.append({"candidates": [{"index": index, "finishReason": "STOP"} for index in (0, 1)]})
    if draw(st.booleans()):
        events.append({"usageMetadata": {"promptTokenCount": 1}})
    return b"".join(map(event, events))


def check(name, stream, chunks):
    out = transcript.run(DIALECTS[name].answer(CALL, transcript.FakeFilter()), chunks)
    assert out == transcript.run(DIALECTS[name].answer(CALL, transcript.FakeFilter()), [stream])
    transcript.same_view(name, out, stream)
    return out


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_openai_chat(data):
    stream = data.draw(chat_streams())
    check("openai-chat", stream, pieces(data.draw, stream))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_anthropic_messages(data):
    stream = data.draw(anthropic_streams())
    check("anthropic-messages", stream, pieces(data.draw, stream))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_openai_responses_whose_numbers_stay_consecutive_and_repeats_equal_their_deltas(data):
    stream = data.draw(responses_streams())
    out = check("openai-responses", stream, pieces(data.draw, stream))
    docs = [doc for _, doc in transcript.events(out)]
    assert [doc["sequence_number"] for doc in docs] == list(range(len(docs)))
    shown = {place[4]: text for place, text in transcript.view("openai-responses", out).items()}
    for doc in docs:
        if doc["type"].endswith(".done"):
            whole = doc.get("text", doc.get("arguments"))
            assert shown.get(doc["type"].removesuffix(".done") + ".delta", "") == whole


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_gemini_which_may_say_stop_before_it_stops(data):
    stream = data.draw(gemini_streams())
    out = check("gemini", stream, pieces(data.draw, stream))

    def ends(stream):
        docs = [doc for _, doc in transcript.events(stream)]
        return {c["index"] for doc in docs for c in doc.get("candidates", []) if "finishReason" in c}

    assert ends(out) == ends(stream)


@settings(max_examples=400, deadline=None)
@given(texts, st.data())
def test_any_text_is_masked_alike_for_every_cut_of_a_json_channel(text, data):
    stream = JsonTextStream(transcript.FakeFilter())
    out = "".join([stream.feed(piece) for piece in pieces(data.draw, text)]) + stream.flush()
    assert out == mask_json_text(transcript.FakeFilter(), text)
    out.encode("utf-8")


@settings(max_examples=200, deadline=None)
@given(json_values, st.booleans())
def test_json_stays_json_and_is_masked_by_value(value, escape):
    text = json.dumps(value, ensure_ascii=escape)
    read = json.loads(transcript.whole_characters(text))
    assert json.loads(mask_json_text(transcript.FakeFilter(), text)) == transcript.mask_value(read)


LINES = [b"data: x", b"\r", b"\n", b"\r\n", b":c", b"event: e", b"\xef\xbb\xbf", b"\xff", b"id"]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(LINES)), st.data())
def test_sse_framing_is_the_same_for_every_cut(parts, data):
    stream = b"".join(parts)

    def read(chunks):
        reader = sse.SseReader()
        events = [event for chunk in chunks for event in reader.feed(chunk)]
        return [
            (event.event, event.data)
            for event in events + reader.finish()
            if not event.comment and event.data is not None
        ]

    assert read(pieces(data.draw, stream)) == read([stream])


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80) | texts.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_hostile_bytes_raise_nothing_but_our_own_errors(body):
    for decode, error in ((json_body.decode, BadRequest), (json_body.decode_any, Uninspectable)):
        with suppress(error):
            json_body.encode(decode(body))
    for dialect in DIALECTS.values():
        answer = dialect.answer(CALL, transcript.FakeFilter())
        with suppress(Uninspectable):
            answer.feed(b"data: " + body)
            answer.feed(b"\n\n" + body)
        answer.finish()
        assert dialect.answer(CALL, None).feed(body) == body


KEYS = ["type", "choices", "delta", "index", "content", "message", "usage", "response", "item", "part", "error", "tool",
        "content_block", "output_index", "tool_calls", "function", "name", "finish_reason", "model", "input", "tools",
        "messages", "tool_changes", "mcp_servers", "arguments", "x", "candidates", "parts", "text", "functionCall",
        "partialArgs", "stringValue", "finishReason", "usageMetadata", "promptFeedback", "generationConfig",
        "functionDeclarations", "generateContentRequest", "thought", "data", "embedding"]  # fmt: skip
KINDS = ["", "response.x.delta", "response.x.done", "response.output_item.added", "content_block_start",
         "content_block_delta", "message_start", "error"]  # fmt: skip
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(DIALECTS)), anything, st.sampled_from(KINDS))
def test_documents_of_any_shape_raise_nothing_but_our_own_errors(name, doc, kind):
    body = json.dumps(doc).encode()
    for mask in (None, transcript.FakeFilter()):
        try:
            DIALECTS[name].answer(CALL, mask).document(body)
        except Uninspectable:
            assert mask
        if isinstance(doc, dict):
            body = json.dumps({**doc, "type": kind} if kind else doc).encode()
        answer = DIALECTS[name].answer(CALL, mask)
        try:
            answer.feed(b"data: " + body + b"\n\ndata: " + body + b"\n\n")
        except Uninspectable:
            assert mask
        answer.finish()
    if isinstance(doc, dict):
        with suppress(BadRequest):
            DIALECTS[name].read("chat", doc, Place("m"))


class Near:
    """A filter that masks a number only behind a word, and so shows what stands before each text."""

    def __init__(self, before=""):
        self.held = before
        self.out = len(before)

    def text(self, text, before=""):
        return self.stream(before).whole(text)

    def stream(self, before=""):
        return Near(before[-20:])

    def whole(self, text):
        return self.feed(text) + self.flush()

    def feed(self, text):
        self.held += text
        return ""

    def flush(self):
        before, text = self.held[: self.out], self.held[self.out :]
        self.held, self.out = "", 0
        return text.replace("7", "<7>") if "ssn" in before else text


near_texts = st.lists(st.sampled_from(["ssn", "7", '"', ":", ",", "x" * 9, "\\u0073", "sn", "{", "[", " ", "\ud83d"]))


@settings(max_examples=400, deadline=None)
@given(near_texts.map("".join), st.data())
def test_what_stands_before_a_value_in_a_json_channel_is_the_same_for_every_cut(text, data):
    stream = JsonTextStream(Near())
    out = "".join([stream.feed(piece) for piece in pieces(data.draw, text)]) + stream.flush()
    assert out == mask_json_text(Near(), text)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(['{"ssn":%s}', '{"ssn" : [%s]}', '{"a":"x","s\\u0073n":{"b":%s}}', "[ssn: %s]", "ssn %s"]),
    st.data(),
)
def test_a_json_channel_sees_the_key_of_each_value(shape, data):
    for value in ("7", '"7"'):
        if value == "7" and shape[-3:] in ("%s]", " %s"):
            continue  # loose text knows its own words
        stream = JsonTextStream(Near())
        out = "".join([stream.feed(piece) for piece in pieces(data.draw, shape % value)]) + stream.flush()
        assert "<7>" in out
        unkeyed = shape.replace("ssn", "xyz").replace("s\\u0073n", "x") % value
        assert "<7>" not in mask_json_text(Near(), unkeyed)


# Any sequence of events, of any shape: what a client may join, place by place, holds no secret.
CUTS = ["SECRET-", "TOKEN", "SECRET-TOKEN", "SECR", "ET-TOKEN", "SECRET", "-TOKEN", "4111 1111", " 1111 1111", "x", ""]
cut_texts = st.sampled_from(CUTS)
NAMES = [
    "content",
    "x",
    "text",
    "data",
    "signature",
    "arguments",
    "annotations",
    "partial_json",
    "stdout",
    "item",
    "name",
]
foreign = st.recursive(
    cut_texts,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, min_size=1, max_size=2)
    ),
    max_leaves=4,
)
foreign_objects = st.dictionaries(st.sampled_from(NAMES), foreign, min_size=1, max_size=3)
indexes = st.dictionaries(st.sampled_from(["index", "output_index", "content_index"]), st.integers(0, 1), max_size=2)
EVENTS = {
    "openai-chat": st.one_of(
        st.builds(lambda more, delta: {"choices": [{**more, "delta": delta}]}, indexes, foreign_objects),
        st.builds(
            lambda more, call: {"choices": [{"index": 0, "delta": {"tool_calls": [{**call, **more}]}}]},
            indexes,
            foreign_objects,
        ),
        st.builds(lambda more: {"choices": [], **more}, foreign_objects),
        st.just({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
        st.just({"error": {"message": "x"}}),
    ),
    "anthropic-messages": st.builds(
        lambda kind, more, where, delta: {**more, "type": kind, **where, "delta": delta, "content_block": delta},
        st.sampled_from(["content_block_delta", "content_block_start", "content_block_stop", "message_start", "x"]),
        foreign_objects,
        indexes,
        foreign_objects,
    ),
    "openai-responses": st.builds(
        lambda kind, more, where, delta: {**more, "type": kind, **where, "delta": delta},
        st.sampled_from(["response.output_text.delta", "response.output_text.done", "response.x.delta", "response.x"]),
        foreign_objects,
        indexes,
        cut_texts | foreign_objects,
    ),
    "cohere-chat": st.builds(
        lambda kind, more, where, message: {**more, "type": kind, **where, "delta": {"message": message}},
        st.sampled_from(["content-start", "content-delta", "content-end", "tool-call-delta", "message-end", "x"]),
        foreign_objects,
        indexes,
        st.dictionaries(st.sampled_from(["content", "tool_calls", "tool_plan", "x"]), foreign_objects, max_size=2),
    ),
    "gemini": st.one_of(
        st.builds(
            lambda where, part: {"candidates": [{**where, "content": {"parts": [part]}}]}, indexes, foreign_objects
        ),
        foreign_objects,
    ),
}


def leaves_of(node, path, joined):
    if isinstance(node, str):
        joined[path] = joined.get(path, "") + node
    elif isinstance(node, dict):
        for key, value in node.items():
            leaves_of(value, (*path, key), joined)
    elif isinstance(node, list):
        for position, item in enumerate(node):
            index = item.get("index", position) if isinstance(item, dict) else position
            leaves_of(item, (*path, index), joined)


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(sorted(EVENTS)), st.data())
def test_no_secret_is_cut_across_events_of_any_shape_in_any_order(name, data):
    docs = data.draw(st.lists(EVENTS[name], min_size=2, max_size=6))
    answer = DIALECTS[name].answer(CALL, transcript.FakeFilter())
    out = b""
    try:
        for doc in docs:
            out += answer.feed(b"data: " + json.dumps(doc).encode() + b"\n\n")
        out += answer.finish()
    except Uninspectable:
        pass
    joined = {}
    for _, doc in transcript.events(out):
        where = tuple(doc.get(key) for key in ("index", "output_index", "content_index"))
        leaves_of(doc, (doc.get("type"), *where), joined)
    for text in joined.values():
        assert not any(secret in text for secret in SECRETS), (joined, docs)
