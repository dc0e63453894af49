"""Answers of MCP servers: what is hidden, how streams keep their form, and what may not pass."""

import json

import pytest
from mcp_types import ListToolsResult
from mcp_types.methods import parse_server_result

from extproc.errors import Uninspectable
from extproc.exchange import mcp
from extproc.exchange.mcp_answer import McpAnswer
from extproc.exchange.model import McpCall

CALL = McpCall("demo", "request", "tools/list", "", 1)
MODERN = McpCall("demo", "request", "tools/list", "", 1, "modern", "2026-07-28")
STREAM = McpCall("demo", "stream", "")
SECRET = "a@b.c"


class Mail:
    def text(self, text, before=""):
        return text.replace(SECRET, "[mail]")

    def stream(self, before=""):
        raise AssertionError("MCP masks whole texts")


def only(*allowed):
    return lambda kind, name: (kind, name) in allowed


def result(value, **more):
    return {"jsonrpc": "2.0", "id": 1, "result": value, **more}


def event(message, head=b"event: message\n"):
    return head + b"data: " + json.dumps(message).encode() + b"\n\n"


def messages(stream):
    return [json.loads(line[6:]) for line in stream.split(b"\n") if line.startswith(b"data: ")]


@pytest.mark.parametrize(
    ("key", "kind", "name"),
    [
        ("tools", "tool", "name"),
        ("prompts", "prompt", "name"),
        ("resources", "resource", "uri"),
        ("resourceTemplates", "resource_template", "uriTemplate"),
    ],
)
@pytest.mark.parametrize("as_stream", [False, True], ids=["JSON", "SSE"])
def test_a_list_shows_only_what_is_visible(key, kind, name, as_stream):
    page = result({key: [{name: "a", "x": 1}, {name: "b"}, {name: "c"}], "nextCursor": ""})
    answer = mcp.answer(CALL, None, only((kind, "a"), (kind, "c"), ("other", "b")))
    if as_stream:
        (seen,) = messages(answer.feed(event(page)) + answer.finish())
    else:
        seen = json.loads(answer.document(json.dumps(page).encode()))
    assert seen == result({key: [{name: "a", "x": 1}, {name: "c"}], "nextCursor": ""})


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param({}, id="no name"),
        pytest.param({"name": 1}, id="a name that is no string"),
        pytest.param({"name": ["ok"]}, id="a list of names"),
        pytest.param("ok", id="a string"),
        pytest.param([{"name": "ok"}], id="a list"),
        pytest.param(None, id="null"),
    ],
)
def test_an_entry_whose_name_cannot_be_told_is_hidden(entry):
    answer = mcp.answer(CALL, None, lambda kind, name: True)
    seen = json.loads(answer.document(json.dumps(result({"tools": [entry, {"name": "ok"}]})).encode()))
    assert seen["result"]["tools"] == [{"name": "ok"}]


def test_a_list_that_is_no_list_shows_nothing():
    answer = mcp.answer(CALL, None, lambda kind, name: True)
    assert json.loads(answer.document(b'{"result":{"tools":{"name":"x"}}}'))["result"]["tools"] == []


def test_a_page_that_becomes_empty_keeps_its_cursor():
    page = result({"tools": [{"name": "a"}], "nextCursor": "n"})
    seen = json.loads(mcp.answer(CALL, None, only()).document(json.dumps(page).encode()))
    assert seen["result"] == {"tools": [], "nextCursor": "n"}


def test_every_list_in_a_stream_is_filtered_whoever_asked_for_it():
    stream = event({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}})
    stream += event(result({"tools": [{"name": "hidden"}]}, id=99)) + event([result({"prompts": [{"name": "hidden"}]})])
    out = mcp.answer(STREAM, None, only()).feed(stream)
    assert b"hidden" not in out
    assert len(messages(out)) == 3


def test_duplicate_keys_cannot_show_what_was_hidden():
    body = b'{"result":{"tools":[{"name":"hidden"}],"tools":[]},"result":{}}'
    assert b"hidden" not in mcp.answer(CALL, None, only()).document(body)


@pytest.mark.parametrize(
    ("call", "value", "scope"),
    [
        pytest.param(CALL, {"tools": []}, None, id="handshake, none given"),
        pytest.param(CALL, {"tools": [], "cacheScope": "public"}, "private", id="handshake, public"),
        pytest.param(MODERN, {"tools": []}, "private", id="modern, none given"),
        pytest.param(MODERN, {"tools": [], "cacheScope": "public", "ttlMs": 5}, "private", id="modern, public"),
        pytest.param(MODERN, {"contents": [], "cacheScope": "public"}, "private", id="a resource that may be masked"),
        pytest.param(MODERN, {"content": []}, None, id="a tool's result is not cached"),
    ],
)
def test_what_was_made_for_one_caller_is_not_shared(call, value, scope):
    for mask, visible in ((Mail(), None), (None, lambda kind, name: True)):
        seen = json.loads(mcp.answer(call, mask, visible).document(json.dumps(result(value)).encode()))
        assert seen["result"].get("cacheScope") == scope


@pytest.mark.parametrize("version", ["2025-06-18", "2025-11-25", "2026-07-28"])
def test_a_filtered_list_is_still_what_the_sdk_expects(version):
    call = MODERN if version == "2026-07-28" else CALL
    tools = [{"name": n, "inputSchema": {"type": "object", "properties": {"q": {"type": "string"}}}} for n in "ab"]
    page = {"tools": tools, "nextCursor": "2"}
    if call is MODERN:
        page |= {"ttlMs": 0, "cacheScope": "public", "resultType": "complete"}
    seen = json.loads(mcp.answer(call, Mail(), only(("tool", "b"))).document(json.dumps(result(page)).encode()))
    listed = parse_server_result("tools/list", version, seen["result"])
    assert isinstance(listed, ListToolsResult)
    assert [tool.name for tool in listed.tools] == ["b"]
    assert listed.next_cursor == "2"


def test_without_mask_and_filter_bytes_pass_unchanged():
    answer = mcp.answer(CALL, None, None)
    assert answer.document(b"{not json") == b"{not json"
    assert (answer.feed(b"data: {nor"), answer.finish()) == (b"data: {nor", b"")
    assert (answer.model, answer.finish_reasons, answer.notes) == ("", (), ())


def test_an_answer_without_a_body_passes():
    answer = mcp.answer(CALL, Mail(), only())
    assert (answer.document(b""), answer.feed(b""), answer.finish()) == (b"", b"", b"")


@pytest.mark.parametrize("body", [b"{", b"<html>", b"\xff", b"[" * 400 + b"]" * 400, b'{"a":NaN}'], ids=repr)
@pytest.mark.parametrize(("mask", "visible"), [(Mail(), None), (None, only())], ids=["masked", "filtered"])
def test_an_answer_that_cannot_be_read_does_not_pass(body, mask, visible):
    with pytest.raises(Uninspectable):
        mcp.answer(CALL, mask, visible).document(body)


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(b"id: 1\nretry: 500\ndata: \n\n", id="a priming event with empty data"),
        pytest.param(b": ping - 12:00\n", id="a comment"),
        pytest.param(b"retry: 500\n\n", id="retry alone"),
        pytest.param(b'event: message\nid: 5\ndata: {"jsonrpc":"2.0"}\n\n', id="a message with an id"),
        pytest.param(b': ping\nevent: message\nid: 1/2\nretry: 9\ndata: {"a":1}\n\n', id="everything at once"),
    ],
)
def test_what_is_no_text_of_a_stream_stays(stream):
    answer = mcp.answer(CALL, Mail(), only())
    assert answer.feed(stream) + answer.finish() == stream


PAGE = json.dumps(result({"tools": [{"name": "hidden", "description": SECRET}]})).encode()


@pytest.mark.parametrize(
    ("stream", "seen"),
    [
        pytest.param(b"id: 1\ndata:\n\n", b"id: 1\ndata: \n\n", id="empty data without a blank"),
        pytest.param(b'data: {"a":1}\r\n\r\n', b'data: {"a":1}\n\n', id="line ends of HTTP"),
        pytest.param(b'data:{"a":1}\rid: 7\r\r', b'id: 7\ndata: {"a":1}\n\n', id="line ends of old, another order"),
        pytest.param(b'id: 1\nid: 2\nevent: a\nevent: message\ndata: {"a":1}\n\n',
                     b'event: message\nid: 2\ndata: {"a":1}\n\n', id="fields that come twice"),
        pytest.param(b'data: {"a":1}\n\n\xef\xbb\xbfdata: ' + PAGE + b"\n\n", b'data: {"a":1}\n\n\n',
                     id="a byte order mark inside the stream"),
        pytest.param(b"\xef\xbb\xbf\xef\xbb\xbfdata: " + PAGE + b"\n\n", b"\n", id="two byte order marks at the start"),
        pytest.param(b"\0data: " + PAGE + b"\n\n", b"\n", id="a field after a NUL"),
        pytest.param(b" data: " + PAGE + b"\n\n", b"\n", id="a field after a blank"),
        pytest.param(b"DATA: " + PAGE + b"\n\n", b"\n", id="a field in capitals"),
        pytest.param(b"a@b.c: x\na@b.c\n\n", b"\n", id="fields nobody knows"),
        pytest.param(b"retry: 4111111111111111\n\n", b"\n", id="a retry of a thousand centuries"),
        pytest.param(b"retry: 1 a@b.c\n\n", b"\n", id="a retry that is no number"),
        pytest.param(b"retry: \xd9\xa1\n\n", b"\n", id="a retry in other digits"),
        pytest.param(b'id: 1\0\ndata: {"a":1}\n\n', b'data: {"a":1}\n\n', id="an id with a NUL"),
        pytest.param(b'id\ndata: {"a":1}\n\n', b'id: \ndata: {"a":1}\n\n', id="an id that ends resuming"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("mask", [Mail(), None], ids=["masked", "filtered"])
def test_a_block_is_made_anew_from_the_fields_that_clients_know(stream, seen, mask):
    answer = mcp.answer(CALL, mask, only())
    assert answer.feed(stream) + answer.finish() == seen


@pytest.mark.parametrize("mask", [Mail(), None], ids=["masked", "filtered"])
def test_text_of_an_event_cannot_become_an_event_of_its_own(mask):
    answer = mcp.answer(CALL, mask, only())
    out = answer.feed(b"event: foo\ndata: x\ndata: \ndata: data: " + PAGE + b"\n\n")
    assert out.startswith(b"event: foo\ndata: x\ndata: \ndata: data: {")
    assert out.count(b"\n\n") == 1


def test_a_mask_that_writes_line_ends_makes_no_event_of_them():
    class Breaking(Mail):
        def text(self, text, before=""):
            return text.replace(SECRET, "\n\ndata: x\r\r")

    answer = mcp.answer(CALL, Breaking(), None)
    out = answer.feed(b": a@b.c\nevent: a@b.c\nid: a@b.c\ndata: pay a@b.c\n\n")
    assert b"\r" not in out
    assert [line.partition(b":")[0] for line in out.split(b"\n")] == [
        b"", b"event", b"id", b"data", b"data", b"data", b"data", b"data", b"", b"",
    ]  # fmt: skip


@pytest.mark.parametrize("mask", [Mail(), None], ids=["masked", "filtered"])
def test_data_behind_a_byte_order_mark_does_not_pass_whatever_the_event_is_called(mask):
    answer = mcp.answer(CALL, mask, only())
    assert answer.feed(b"event: ping\ndata: \xef\xbb\xbf" + PAGE + b"\n\n") == b""
    with pytest.raises(Uninspectable):
        answer.finish()


def test_a_byte_order_mark_ends_here_because_it_would_hide_the_first_field():
    answer = mcp.answer(CALL, Mail(), None)
    assert answer.feed(b'\xef\xbb\xbf: ping\n\ndata: {"x":1}\n\n') == b': ping\n\ndata: {"x":1}\n\n'


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(event(result({"content": [{"type": "text", "text": SECRET}]})), id="a message"),
        pytest.param(event({"method": "x", "params": {"data": SECRET}}, b""), id="a message without event name"),
        pytest.param(event({"params": {"data": SECRET}}, b"id: 1\n"), id="a message with an id"),
        pytest.param(b'data: {"params":\ndata: {"data":"a@b.c"}}\n\n', id="data on two lines"),
        pytest.param(b'data:{"params":{"data":"a@b.c"}}\r\n\r\n', id="no blank after the colon"),
        pytest.param(b'id: {"params":{"data":"a"}}\ndata: {"params":{"data":"a@b.c"}}\n\n', id="an id like the data"),
        pytest.param(b": for a@b.c\n\n", id="a comment"),
        pytest.param(b"event: a@b.c\ndata: {}\n\n", id="an event's name"),
        pytest.param(b"id: to/a@b.c\ndata: {}\n\n", id="an event's id"),
        pytest.param(b"event: other\ndata: mail to a@b.c\n\n", id="text in an event of another name"),
        pytest.param(b'event: other\ndata: {"x":"a@b.c"}\n\n', id="JSON in an event of another name"),
        pytest.param(b'data: {"params":{"data":"a@b.c"}}\n', id="an event whose blank line never came"),
    ],
)
def test_the_text_of_a_stream_is_masked(stream):
    answer = mcp.answer(STREAM, Mail(), None)
    out = answer.feed(stream) + answer.finish()
    assert SECRET.encode() not in out
    assert b"[mail]" in out


@pytest.mark.parametrize(
    "address",
    [
        pytest.param(b"/messages/?session_id=0a-f%20&b=(1)", id="a path of the same origin"),
        pytest.param(b"http://attacker.example/steal", id="another origin"),
        pytest.param(b"//attacker.example/steal", id="another host"),
        pytest.param(b'"/messages"', id="a path in JSON"),
        pytest.param(b"\xff", id="no UTF-8"),
    ],
)
@pytest.mark.parametrize("mask", [Mail(), None], ids=["masked", "filtered"])
def test_the_transport_of_2024_ends_with_a_sentence_that_names_it(address, mask):
    answer = mcp.answer(STREAM, mask, only())
    assert answer.feed(b"event: endpoint\ndata: " + address + b"\n\n") == b""
    with pytest.raises(Uninspectable, match="HTTP\\+SSE of 2024-11-05"):
        answer.finish()


def test_an_endpoint_event_has_no_place_in_the_answer_to_a_post():
    answer = mcp.answer(CALL, Mail(), None)
    assert SECRET.encode() not in answer.feed(b"event: endpoint\ndata: /m?a@b.c\n\n")


def test_what_stands_before_an_unreadable_event_is_given_out_and_then_the_stream_ends():
    answer = mcp.answer(CALL, Mail(), None)
    good = b'data: {"jsonrpc":"2.0"}\n\n'
    assert answer.feed(good + b"data: {broken\n\n" + good) == good
    with pytest.raises(Uninspectable):
        answer.feed(good)
    with pytest.raises(Uninspectable):
        answer.finish()


def test_a_stream_that_ends_in_an_unreadable_event_says_so_at_its_end():
    answer = mcp.answer(CALL, Mail(), None)
    assert answer.feed(b"data: {broken\n\n") == b""
    with pytest.raises(Uninspectable):
        answer.finish()


def test_an_event_that_was_cut_off_is_dropped_with_a_note():
    answer = mcp.answer(CALL, Mail(), None)
    assert answer.feed(b'data: {"params":{"data":"a@b') == b""
    assert answer.finish() == b""
    assert answer.notes == ("cut-off-event-dropped",)


@pytest.mark.parametrize("step", [7, 10_000], ids=["in pieces", "at once"])
def test_an_event_over_the_cap_does_not_pass(step):
    answer = McpAnswer(CALL, Mail(), None, max_event=1000)
    stream = event(result({"content": [{"type": "text", "text": "x" * 2000}]}))
    with pytest.raises(Uninspectable):
        drain(answer, [stream[at : at + step] for at in range(0, len(stream), step)])


def drain(answer, pieces):
    for piece in pieces:
        assert answer.feed(piece) == b""
    answer.finish()
