"""What of an MCP message is text, and what survives because the protocol needs it."""

import base64
import json

import pytest

from extproc.errors import Uninspectable
from extproc.exchange import mcp
from extproc.exchange.mcp_mask import put
from extproc.exchange.model import McpCall

CARD = "4111111111111111"
CALL = McpCall("demo", "request", "tools/call", "x", 1)
BASE64 = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ4111111111111111AAAA"


class Cards:
    """Masks one card number, and everything else that a test names."""

    def __init__(self, *more):
        self.secrets = (CARD, *more)

    def text(self, text, before=""):
        for secret in self.secrets:
            text = text.replace(secret, "[masked]")
        return text

    def stream(self, before=""):
        raise AssertionError("MCP masks whole texts")


def masked(message, mask=None):
    answer = mcp.answer(CALL, mask or Cards(), None)
    return json.loads(answer.document(json.dumps(message).encode())), answer.notes


def result(value):
    return {"jsonrpc": "2.0", "id": 1, "result": value}


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(result({"content": [{"type": "text", "text": CARD}]}), id="a text block"),
        pytest.param(result({"content": [{"type": "text", "text": json.dumps({"n": CARD})}]}), id="JSON in text"),
        pytest.param(result({"content": [{"type": "text", "text": "a", "extra": CARD}]}), id="an unknown member"),
        pytest.param(result({"content": [{"type": "new", "data": CARD * 4}]}), id="data of a block of unknown type"),
        pytest.param(result({"content": [{"type": "image", "data": CARD}]}), id="a card that poses as an image"),
        pytest.param(result({"content": [{"type": "image", "data": f"see {CARD} and so on, and on, and on"}]}),
                     id="text that poses as an image"),
        pytest.param(result({"content": [{"type": CARD}]}), id="a type that is no type"),
        pytest.param(result({"content": [{"type": [CARD]}]}), id="a type that is a list"),
        pytest.param(result({"content": [{"type": "text", "mimeType": f"text/{CARD}"}]}), id="a media type"),
        pytest.param(result({"content": [{"type": "resource", "resource": {"uri": "x:", "text": CARD}}]}),
                     id="an embedded resource"),
        pytest.param(result({"content": [{"type": "resource_link", "uri": f"x://{CARD}", "name": CARD}]}), id="a link"),
        pytest.param(result({"content": CARD}), id="content that is a string"),
        pytest.param(result({"content": [[CARD]]}), id="content in a list in a list"),
        pytest.param(result({"content": {"type": "text", "text": CARD}}), id="content that is one block"),
        pytest.param(result({"contents": [{"uri": "x:", "text": CARD}]}), id="a resource"),
        pytest.param(result({"contents": [{"uri": "x:", "blob": CARD}]}), id="a card that poses as a blob"),
        pytest.param(result({"messages": [{"role": "user", "content": {"type": "text", "text": CARD}}]}), id="prompt"),
        pytest.param(result({"messages": [{"role": CARD, "content": []}]}), id="a role that is no role"),
        pytest.param(result({"description": CARD}), id="a description"),
        pytest.param(result({"instructions": CARD}), id="instructions"),
        pytest.param(result({"serverInfo": {"name": CARD, "version": CARD}}), id="the server's own name"),
        pytest.param(result({"capabilities": {"experimental": {CARD: {}}}}), id="a capability"),
        pytest.param(result({"completion": {"values": [CARD]}}), id="a completion"),
        pytest.param(result({"structuredContent": {"a": [{"b": CARD}]}}), id="structured content"),
        pytest.param(result({"structuredContent": {CARD: 1}}), id="a key of structured content"),
        pytest.param(result({"structuredContent": CARD}), id="structured content that is a string"),
        pytest.param(result({"structuredContent": {"id": CARD, "nextCursor": CARD, "type": CARD, "name": CARD}}),
                     id="structured content with names of the protocol"),
        pytest.param(result({"structuredContent": {"n": int(CARD)}}), id="a card that is an integer"),
        pytest.param(result({"structuredContent": {"n": float(CARD)}}), id="a card that is a fraction"),
        pytest.param(result({"structuredContent": {"n": -int(CARD)}}), id="a card that is negative"),
        pytest.param(result({"total": int(CARD), "size": int(CARD), "ttlMs": int(CARD)}), id="a card as a limit"),
        pytest.param(result({"tools": [{"name": CARD}]}), id="a tool's name that is a number"),
        pytest.param(result({"tools": [{"name": f"to {CARD}"}]}), id="a tool's name that is no name"),
        pytest.param(result({"tools": [{"name": "a", "title": CARD, "description": CARD}]}), id="a tool's description"),
        pytest.param(
            result({"tools": [{"name": "a", "inputSchema": {
                "type": "object", "description": CARD, CARD: 1, "required": [CARD],
                "properties": {CARD: {"enum": [CARD], "default": int(CARD), "const": CARD, "type": CARD}},
                "items": [{"title": CARD}], "$defs": {CARD: {"examples": [CARD], "format": CARD}},
                "maximum": int(CARD), "additionalProperties": {"pattern": CARD},
            }}]}), id="a schema"),
        pytest.param(result({"task": {"taskId": "t", "status": CARD, "statusMessage": CARD, "createdAt": CARD}}),
                     id="a task"),
        pytest.param(result({"result": {"content": [{"type": "text", "text": CARD}]}}), id="a task's own result"),
        pytest.param(result({"inputRequests": {"q": {"method": "elicitation/create", "params": {"message": CARD}}}}),
                     id="an input request"),
        pytest.param(result({"nextCursor": {"a": CARD}, "requestState": [CARD]}), id="tokens that are no tokens"),
        pytest.param(result({"_meta": {"vendor/x": CARD, CARD: 1, "progressToken": [CARD]}}), id="metadata"),
        pytest.param(result(CARD), id="a result that is a string"),
        pytest.param(result([CARD]), id="a result that is a list"),
        pytest.param(result(int(CARD)), id="a result that is a number"),
        pytest.param(result({"vendor": {"deep": [{"er": CARD}]}, CARD: None}), id="unknown members of a result"),
        pytest.param({"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": CARD, "data": [CARD]}}, id="error"),
        pytest.param({"jsonrpc": "2.0", "id": 1, "error": {"code": int(CARD), "message": ""}}, id="an error's code"),
        pytest.param({"jsonrpc": "2.0", "id": 1, "error": CARD}, id="an error that is a string"),
        pytest.param({"jsonrpc": CARD, "id": [CARD], "method": CARD, CARD: {CARD: CARD}}, id="the envelope"),
        pytest.param({"jsonrpc": "2.0", "method": "notifications/progress",
                      "params": {"progressToken": 1, "progress": 1, "message": CARD}}, id="progress"),
        pytest.param({"jsonrpc": "2.0", "method": "notifications/message",
                      "params": {"level": "info", "logger": CARD, "data": {"type": CARD}}}, id="a log message"),
        pytest.param({"jsonrpc": "2.0", "id": 1, "method": "sampling/createMessage",
                      "params": {"systemPrompt": CARD, "messages": [{"role": "user", "content": [
                          {"type": "tool_result", "toolUseId": "t", "content": [{"type": "text", "text": CARD}]},
                          {"type": "tool_use", "id": "t", "name": "a", "input": {"id": CARD}}]}]}}, id="sampling"),
        pytest.param({"jsonrpc": "2.0", "id": 1, "method": "elicitation/create",
                      "params": {"message": CARD, "url": f"https://x/{CARD}",
                                 "requestedSchema": {"properties": {"a": {"title": CARD}}}}}, id="elicitation"),
        pytest.param([result({"content": [{"type": "text", "text": CARD}]})], id="a batch"),
        pytest.param(CARD, id="a string"),
        pytest.param(int(CARD), id="a number"),
        pytest.param([[[CARD]]], id="lists"),
    ],
)  # fmt: skip
def test_text_is_masked_wherever_it_stands(message):
    seen, notes = masked(message)
    assert CARD not in json.dumps(seen)
    assert "4111111111111111" not in repr(seen)
    assert "[masked]" in json.dumps(seen)
    assert notes == ()


TOKEN = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"
CURSOR = "eyJvZmZzZXQiOjUwfQ=="
TASK = "786512e2-9e0d-44bd-8f29-789f320fe840"


@pytest.mark.parametrize(
    "message",
    [
        pytest.param({**result({}), "id": CURSOR}, id="the id of another request"),
        pytest.param(result({"nextCursor": CURSOR, "taskId": TASK}), id="cursor and task"),
        pytest.param({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": "p/1"}},
                     id="progress token"),
        pytest.param({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 3}},
                     id="the id of a cancelled request"),
        pytest.param({"jsonrpc": "2.0", "id": "s1", "method": "roots/list"}, id="the id of a server's request"),
    ],
)  # fmt: skip
def test_opaque_tokens_come_back_as_they_were(message):
    assert masked(message, Cards(TOKEN)) == (message, ())


@pytest.mark.parametrize("id_", [CARD, int(CARD), TOKEN, 10**40], ids=repr)
def test_the_callers_own_id_comes_back_whatever_it_looks_like(id_):
    answer = mcp.answer(McpCall("demo", "request", "tools/call", "x", id_), Cards(TOKEN), None)
    message = {"jsonrpc": "2.0", "id": id_, "result": {}}
    assert json.loads(answer.document(json.dumps(message).encode())) == message


@pytest.mark.parametrize("secret", [CARD, TOKEN], ids=["a card", "a token"])
@pytest.mark.parametrize(
    "place",
    [
        pytest.param(lambda secret: {**result({}), "id": secret}, id="an id that is not the caller's"),
        pytest.param(lambda secret: result({"nextCursor": secret}), id="a cursor"),
        pytest.param(lambda secret: result({"taskId": secret}), id="a task"),
        pytest.param(lambda secret: result({"requestState": secret}), id="a state"),
        pytest.param(lambda secret: result({"requestState": f"{secret}.{secret}"}), id="a state in two parts"),
        pytest.param(lambda secret: result({"createdAt": secret, "lastUpdatedAt": secret}), id="a time"),
        pytest.param(lambda secret: result({"content": [{"annotations": {"lastModified": secret}}]}), id="a change"),
        pytest.param(lambda secret: result({"tools": [{"name": secret}]}), id="a tool"),
        pytest.param(lambda secret: result({"tools": [{"name": f"read_{secret}"}]}), id="a tool that reads it"),
        pytest.param(lambda secret: result({"prompts": [{"arguments": [{"name": secret}]}]}), id="a prompt"),
        pytest.param(lambda secret: result({"capabilities": {f"x-{secret}": {}}}), id="a capability"),
        pytest.param(lambda secret: {"jsonrpc": "2.0", "method": f"notifications/{secret}"}, id="a method"),
        pytest.param(lambda secret: result({"_meta": {"traceparent": secret, "tracestate": secret}}), id="a trace"),
        pytest.param(lambda secret: result({"_meta": {"io.modelcontextprotocol/subscriptionId": secret}}),
                     id="a subscription"),
        pytest.param(lambda secret: {"jsonrpc": "2.0", "method": "notifications/progress",
                                     "params": {"progressToken": secret}}, id="progress"),
        pytest.param(lambda secret: {"jsonrpc": "2.0", "method": "notifications/cancelled",
                                     "params": {"requestId": secret}}, id="a cancelled request"),
        pytest.param(lambda secret: {"jsonrpc": "2.0", "id": 1, "method": "elicitation/create",
                                     "params": {"elicitationId": secret}}, id="a question"),
        pytest.param(lambda secret: result({"content": [{"type": "tool_use", "id": secret, "name": secret}]}),
                     id="the use of a tool"),
    ],
)  # fmt: skip
def test_what_only_claims_to_be_the_protocols_own_is_masked(place, secret):
    seen, notes = masked(place(secret), Cards(TOKEN))
    assert secret not in json.dumps(seen)
    assert "[masked]" in json.dumps(seen)
    assert notes == ()


@pytest.mark.parametrize("number", [int(CARD), float(CARD)])
@pytest.mark.parametrize("key", ["nextCursor", "taskId", "requestState"])
def test_an_opaque_token_that_is_a_number_is_masked_as_one(key, number):
    assert masked(result({key: number}))[0] == result({key: "[masked]"})


@pytest.mark.parametrize("time", ["2025-11-25T10:30:00Z", "2025-11-25T10:30:00.123456+00:00", "2025-11-25"])
def test_a_time_stays_a_time_even_if_a_rule_matches_its_digits(time):
    message = result({"taskId": "t", "createdAt": time, "lastUpdatedAt": time})
    assert masked(message, Cards("2025-11-25", "2025")) == (message, ())


@pytest.mark.parametrize(
    "time",
    [
        "411111111111111",
        "2025-11-25T10:30:00,411111111111111",
        "4111W11",
        "2025-11-25 4111111111111111",
        "2025-13-25T10:30:00Z",
        "2025-11-25T10:30:00.4111111111111111Z",
    ],
)
def test_what_is_no_time_is_text(time):
    message = result({"createdAt": time})
    assert masked(message, Cards("4111", "2025-13"))[0] != message


def test_a_signed_state_passes_and_is_noted_because_a_masked_one_ends_the_dialogue():
    state = "eyJhbGciOiJIUzI1NiJ9.eyJzdGVwIjoxLCJhIjoiYmNkZWZnaGlqa2xtIn0.c2lnbmF0dXJlLXNpZ25hdHVyZS1zaWc"
    message = result({"requestState": state})
    assert masked(message, Cards(state)) == (message, ("state-not-inspected",))
    assert masked(result({"nextCursor": state}), Cards(state))[0] == result({"nextCursor": "[masked]"})


@pytest.mark.parametrize(
    "word",
    ["text", "type", "object", "properties", "result", "content", "2.0", "user", "image/png", "read_note", "info"],
)
def test_a_rule_that_matches_a_word_of_the_protocol_breaks_no_message(word):
    message = result(
        {
            "content": [{"type": "text"}, {"type": "image", "mimeType": "image/png"}],
            "messages": [{"role": "user", "content": {"type": "text"}}],
            "tools": [{"name": "read_note", "inputSchema": {"type": "object", "properties": {}, "minimum": 2.0}}],
            "cacheScope": "private",
        }
    )
    assert masked(message, Cards(word)) == (message, ())
    log = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info"}}
    assert masked(log, Cards(word)) == (log, ())


@pytest.mark.parametrize(
    "content",
    [
        pytest.param({"content": [{"type": "image", "data": BASE64, "mimeType": "image/png"}]}, id="an image"),
        pytest.param({"content": [{"type": "audio", "data": BASE64, "mimeType": "audio/wav"}]}, id="audio"),
        pytest.param({"content": [{"type": "resource", "resource": {"uri": "x:", "blob": BASE64}}]}, id="a blob"),
        pytest.param({"contents": [{"uri": "x:", "blob": BASE64}] * 2}, id="two blobs"),
    ],
)
def test_what_is_not_text_passes_and_is_noted_once(content):
    assert masked(result(content)) == (result(content), ("binary-not-inspected",))


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(lambda data: {"contents": [{"uri": "x:", "blob": data}]}, id="a file"),
        pytest.param(lambda data: {"content": [{"type": "image", "data": data}]}, id="a drawing"),
        pytest.param(
            lambda data: {"content": [{"type": "resource", "resource": {"blob": data}}]}, id="a file in a tool's result"
        ),
    ],
)
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_text_in_base64_is_masked_in_base64(place, encode):
    told = encode(f"Grüße! The card that you asked for??? is {CARD}.".encode()).decode()
    hidden = base64.b64encode("Grüße! The card that you asked for??? is [masked].".encode()).decode()
    assert masked(result(place(told))) == (result(place(hidden)), ())
    harmless = encode("Nothing to see here, and that for long enough??? üüü".encode()).decode()
    assert masked(result(place(harmless))) == (result(place(harmless)), ())


def test_a_masked_number_becomes_a_string_and_other_numbers_stay_numbers():
    seen, _ = masked(result({"structuredContent": {"card": int(CARD), "n": 5, "big": 10**30, "f": 1.5, "t": True}}))
    content = seen["result"]["structuredContent"]
    assert content == {"card": "[masked]", "n": 5, "big": 10**30, "f": 1.5, "t": True}
    assert type(content["t"]) is bool


def test_keys_that_become_alike_by_masking_all_stay():
    seen, _ = masked(result({"structuredContent": {CARD: 1, "5555": 2, "x": 3}}), Cards("5555"))
    assert seen["result"]["structuredContent"] == {"[masked]": 1, "[masked] (2)": 2, "x": 3}


class Keyed(Cards):
    """Masks nine digits behind a word that says what they are."""

    def text(self, text, before=""):
        return "[masked]" if text == "536904399" and "ssn" in before[-24:] else text


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"ssn": "536904399"}, id="a string"),
        pytest.param({"ssn": 536904399}, id="a number"),
        pytest.param({"ssn": ["536904399"]}, id="a list"),
        pytest.param({"ssn": {"value": "536904399"}}, id="an object"),
        pytest.param({"ssn": [[{"a": [536904399.0]}]]}, id="everything in everything"),
        pytest.param([{"x": 1}, {"ssn": "536904399"}], id="an object of a list"),
    ],
)
@pytest.mark.parametrize(
    "place",
    [
        pytest.param(lambda value: result({"structuredContent": value}), id="structured content"),
        pytest.param(lambda value: result({"_meta": {"vendor/x": value}}), id="metadata"),
        pytest.param(lambda value: result({"vendor": value}), id="an unknown member"),
        pytest.param(
            lambda value: {"jsonrpc": "2.0", "error": {"code": 1, "message": "", "data": value}}, id="an error"
        ),
        pytest.param(lambda value: result({"serverInfo": {"x": value}}), id="a map"),
    ],
)
def test_a_value_is_masked_by_the_keys_that_lead_to_it(place, value):
    seen, _ = masked(place(value), Keyed())
    assert "[masked]" in json.dumps(seen)
    assert "536904399" not in json.dumps(seen)


def test_an_unknown_member_is_the_key_of_its_value():
    seen, _ = masked(result({"ssn": "536904399", "structuredContent": {"x": "536904399", "ssn": "1"}}), Keyed())
    assert seen["result"] == {"ssn": "[masked]", "structuredContent": {"x": "536904399", "ssn": "1"}}


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        pytest.param(r'{"to":"ada\u0040x.io"}', '{"to":"[masked]"}', id="an escaped sign"),
        pytest.param(r' [ "\u0061da@x.io", 1 ]', '["[masked]",1]', id="an escaped letter"),
        pytest.param(r'{"\u0061da@x.io":1}', '{"[masked]":1}', id="in a key"),
        pytest.param(r'{"a":"{\"to\":\"ada\\u0040x.io\"}"}', r'{"a":"{\"to\":\"[masked]\"}"}', id="JSON in JSON"),
        pytest.param(r'{"to":"eva\u0040x.io"}', r'{"to":"eva\u0040x.io"}', id="nothing to mask, nothing changed"),
        pytest.param(r'{"to":"ada@x.io \u00e9"', r'{"to":"[masked] \u00e9"', id="broken JSON is text"),
        pytest.param("{" + r'"\ud83d":"ada\u0040x.io"}', r'{"\ud83d":"[masked]"}', id="half a character"),
        pytest.param("[" * 300 + r"\u0040", "[" * 300 + r"\u0040", id="too deep to be read"),
    ],
)
def test_text_that_is_json_is_masked_as_what_its_escapes_say(text, seen):
    message, _ = masked(result({"content": [{"type": "text", "text": text}]}), Cards("ada@x.io"))
    assert message["result"]["content"][0]["text"] == seen


@pytest.mark.parametrize("depth", [1, 60, 190])
@pytest.mark.parametrize("levels", range(1, 7))
def test_json_in_json_is_masked_at_two_levels_and_refused_below(depth, levels):
    text = r'["ada\u0040x.io"]'
    for _ in range(levels - 1):
        text = "[" * depth + json.dumps(text) + "]" * depth
    content = {}
    for _ in range(depth // 2):
        content = {"content": [content]}
    message = result({**content, "structuredContent": json.loads("[" * depth + json.dumps(text) + "]" * depth)})
    answer = mcp.answer(CALL, Cards("ada@x.io"), None)
    if levels > 2:
        with pytest.raises(Uninspectable):
            answer.document(json.dumps(message).encode())
    else:
        assert b"[masked]" in answer.document(json.dumps(message).encode())


class Counted(dict):
    asked = 0

    def __contains__(self, key):
        Counted.asked += 1
        return super().__contains__(key)


def test_many_keys_that_become_alike_are_told_apart_in_linear_time():
    target, numbers = Counted(), {}
    for value in range(5000):
        put(target, numbers, "[masked]", value)
        put(target, numbers, f"[masked] ({value})", value)
    assert len(target) == 10_000
    assert Counted.asked < 50_000


def test_schema_and_required_are_masked_alike_so_that_the_schema_stays_in_one_piece():
    schema = {"properties": {"a@b.c": {"$ref": "#/$defs/a@b.c"}}, "required": ["a@b.c"], "$defs": {"a@b.c": {}}}
    seen, _ = masked(result({"tools": [{"name": "t", "inputSchema": schema}]}), Cards("a@b.c"))
    assert seen["result"]["tools"][0]["inputSchema"] == {
        "properties": {"[masked]": {"$ref": "#/$defs/[masked]"}},
        "required": ["[masked]"],
        "$defs": {"[masked]": {}},
    }
