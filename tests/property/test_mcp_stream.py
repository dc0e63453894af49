"""MCP streams cut anywhere, and hostile messages: the same bytes come out, and no secret does."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.errors import Uninspectable
from extproc.exchange import mcp
from extproc.exchange.model import McpCall
from extproc.exchange.refusal import Reason, Refusal

SECRET = "4111111111111111"
CALL = McpCall("demo", "request", "tools/call", "x", 1)


class Cards:
    def text(self, text, before=""):
        return text.replace(SECRET, "[card]")

    def stream(self, before=""):
        raise AssertionError("MCP masks whole texts")


def reader():
    return mcp.answer(CALL, Cards(), lambda kind, name: name != "hidden")


def run(pieces):
    """What came out, and whether the stream was refused."""
    answer, out = reader(), b""
    try:
        for piece in pieces:
            out += answer.feed(piece)
        out += answer.finish()
    except Uninspectable:
        return out, True, answer.notes
    return out, False, answer.notes


TRANSCRIPT = (
    b"\xef\xbb\xbfid: 1\nretry: 10\ndata:\n\n"
    b': 4111111111111111\r\n\r\nevent: message\r\ndata: {"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"hidden"},'
    b'{"name":"b"}],"content":[{"type":"text","text":"caf\xc3\xa9 4111111111111111"}]}}\r\n\r\n'
    b'id: 2\ndata: {"method":"notifications/message",\ndata: "params":{"data":4111111111111111}}\n\n'
    b'event: note\ndata: pay 4111111111111111\n\ndata: {"id":2,"error":{"message":"411111111111'
)


def test_every_cut_of_a_stream_in_two_gives_the_same_bytes():
    whole = run([TRANSCRIPT])
    assert SECRET.encode() not in whole[0]
    assert b"hidden" not in whole[0]
    assert whole[0].count(b"[card]") == 4
    assert whole[1:] == (False, ("cut-off-event-dropped",))
    for cut in range(len(TRANSCRIPT) + 1):
        assert run([TRANSCRIPT[:cut], TRANSCRIPT[cut:]]) == whole
    assert run([bytes([byte]) for byte in TRANSCRIPT]) == whole


def test_every_cut_of_an_unreadable_stream_lets_the_same_bytes_out():
    stream = TRANSCRIPT.replace(b'"params"', b"params")
    whole = run([stream])
    assert whole[1] is True
    for cut in range(len(stream) + 1):
        out, refused, notes = run([stream[:cut], stream[cut:]])
        # a line feed whose carriage return came before the cut belongs to what was refused
        assert (out.rstrip(b"\r\n"), refused, notes) == (whole[0].rstrip(b"\r\n"), *whole[1:])


PAGE = b'{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"hidden"}]}}'
MARKS = st.sampled_from([b"", b"", b"\xef\xbb\xbf", b"\xef\xbb\xbf\xef\xbb\xbf", b"\0", b" ", b"data: "])
FIELDS = st.sampled_from([b"data: ", b"data: ", b"data:", b"DATA: ", b"event: ", b"id: ", b"retry: ", b": ", b""])
VALUES = st.sampled_from([PAGE, PAGE, PAGE[:20], PAGE[20:], b"", b"foo", b"message", b"7", b"data: " + PAGE])
ENDS = st.sampled_from([b"\n", b"\n\n", b"\r", b"\r\n", b"\r\n\r\n", b"\ndata: \n"])
LINES = st.tuples(MARKS, FIELDS, VALUES, ENDS).map(b"".join)


def lenient(stream):
    """Every JSON that the most forgiving reader could find: marks dropped, fields in any case, cut at any block."""
    stream = stream.replace(b"\xef\xbb\xbf", b"").replace(b"\0", b"").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    for block in stream.split(b"\n\n"):
        fields = [line.strip().partition(b":") for line in block.split(b"\n")]
        data = b"\n".join(value.strip() for name, _, value in fields if name.strip().lower() == b"data")
        try:
            yield json.loads(data)
        except ValueError:
            continue


@settings(max_examples=1500, deadline=None)
@given(st.lists(LINES, max_size=6).map(b"".join))
def test_no_reader_however_forgiving_sees_a_hidden_tool_in_a_stream(stream):
    for mask in (Cards(), None):
        answer = mcp.answer(CALL, mask, lambda kind, name: name != "hidden")
        out = b""
        try:
            out = answer.feed(stream)
            out += answer.finish()
        except Uninspectable:
            pass
        assert not [doc for doc in lenient(out) if isinstance(doc, dict) and "hidden" in json.dumps(doc)]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
    | st.just(SECRET) | st.just(int(SECRET)) | st.just(float(SECRET)),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.text(max_size=6)
        | st.sampled_from(["result", "params", "content", "type", "data", "tools", "name", "inputSchema", "properties",
                           "_meta", "blob", "resource", "inputRequests", "messages", "task", "error", SECRET]),
        inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


def leaks(node):
    """Whether the secret is left in any string, key or number."""
    if isinstance(node, dict):
        return any(SECRET in key or leaks(value) for key, value in node.items())
    if isinstance(node, list):
        return any(leaks(item) for item in node)
    if isinstance(node, str):
        return SECRET in node
    return node == int(SECRET)


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_whatever_the_shape_of_a_message_no_secret_is_left_in_it(message):
    seen = json.loads(reader().document(json.dumps(message).encode()))
    assert not leaks(seen)


@settings(max_examples=100, deadline=None)
@given(st.lists(JSON, max_size=4), st.lists(st.integers(min_value=1, max_value=40), min_size=1, max_size=30))
def test_random_cuts_of_random_messages_give_the_same_bytes(batch, sizes):
    stream = b"".join(b"data: " + json.dumps(message).encode() + b"\n\n" for message in batch)
    pieces, at = [], 0
    while at < len(stream):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(stream[at : at + size])
        at += size
    assert run(pieces) == run([stream])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_hostile_bytes_are_read_or_refused_and_nothing_else(body):
    for headers in ({}, {"mcp-protocol-version": "2026-07-28"}):
        try:
            call = mcp.read("demo", body, headers)
        except mcp.BadMessage:
            continue
        assert json.loads(mcp.write(call)) == call.doc
    run([body])


@settings(max_examples=200, deadline=None)
@given(
    st.text(st.characters(exclude_categories=["Cs"])) | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
def test_hostile_ids_are_echoed_and_break_nothing(id_):
    body = json.dumps({"jsonrpc": "2.0", "id": id_, "method": "tools/call", "params": {"name": "x"}}).encode()
    call = mcp.read("demo", body, {})
    refusal = Refusal.of(Reason.TOOL_NOT_ALLOWED)
    assert json.loads(mcp.refusal(refusal, call).body)["id"] == id_
    event = mcp.error_event(refusal, call)
    assert (event.count(b"\n"), event.count(b"\r")) == (5, 0)


@pytest.mark.parametrize("depth", [10, 150, 199, 201, 5000])
@pytest.mark.parametrize("path", ["structuredContent", "content", "result", "inputRequests", "tools", "vendor"])
def test_deep_nesting_is_masked_or_refused(depth, path):
    for open_, close in (("[", "]"), (f'{{"{path}":', "}"), ('{"properties":', "}")):
        body = f'{{"result":{{"{path}":{open_ * depth}"{SECRET}"{close * depth}}}}}'.encode()
        try:
            seen = reader().document(body)
        except Uninspectable:
            assert depth > 150
        else:
            assert SECRET.encode() not in seen
