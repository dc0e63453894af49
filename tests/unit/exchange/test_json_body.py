import json
import tracemalloc

import pytest

from extproc.errors import BadRequest, Uninspectable
from extproc.exchange import json_body

DEEP = json_body.MAX_DEPTH


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"", "body-missing", id="an empty body is missing"),
        pytest.param(b" \r\n", "body-missing", id="blanks are no body"),
        pytest.param(b"{", "body-not-json", id="a truncated object"),
        pytest.param(b'{"a":1}x', "body-not-json", id="trailing characters"),
        pytest.param(b'{"a":NaN}', "body-not-json", id="NaN is not JSON"),
        pytest.param(b'{"a":Infinity}', "body-not-json", id="Infinity is not JSON"),
        pytest.param(b'{"a":1e400}', "body-not-json", id="a number beyond a double"),
        pytest.param(b'{"a":' + b"9" * 6000 + b"}", "body-not-json", id="an integer of 6000 digits"),
        pytest.param(b'{"a":"\\ud800"}', "body-not-json", id="half a surrogate pair in a request"),
        pytest.param(b'{"a":"\xff"}', "body-not-json", id="bytes that are not UTF-8"),
        pytest.param(b"\xef\xbb\xbf{}", "body-not-json", id="a byte order mark"),
        pytest.param(b"[1]", "body-shape", id="an array"),
        pytest.param(b'"text"', "body-shape", id="a string"),
        pytest.param(b"null", "body-shape", id="null"),
        pytest.param(b'{"a":' + b"[" * 100_000, "body-too-deep", id="deeper than the decoder can go"),
        pytest.param(b'{"a":' * DEEP + b"{}" + b"}" * DEEP, "body-too-deep", id="one level too deep"),
    ],
)
def test_a_body_that_cannot_be_judged_is_refused_without_being_quoted(body, reason):
    with pytest.raises(BadRequest) as caught:
        json_body.decode(body)
    assert (caught.value.reason, caught.value.status) == (reason, 400)
    assert caught.value.__cause__ is None
    assert "6000" not in caught.value.message


def test_the_deepest_body_allowed_is_decoded_however_many_brackets_its_text_has():
    body = b'{"a":' * (DEEP - 1) + b'"' + b"[" * 500 + b'"' + b"}" * (DEEP - 1)
    assert json_body.encode(json_body.decode(body)) == body


def test_key_order_and_large_integers_survive():
    body = b'{"z":1,"a":123456789012345678901234567890,"m":{"y":0.1,"b":[true,null]}}'
    assert json_body.encode(json_body.decode(body)) == body


def test_of_duplicate_keys_the_last_is_judged_and_the_only_one_sent():
    doc = json_body.decode(b'{"model":"cheap","x":1,"model":"dear"}')
    assert doc["model"] == "dear"
    assert json_body.encode(doc).count(b"model") == 1


def test_an_answer_may_hold_half_a_surrogate_pair_and_it_is_written_back_as_an_escape():
    body = b'{"content":"a\\ud83d","n":12345678901234567890123}'
    doc = json_body.decode_any(body)
    assert doc["content"] == "a\ud83d"
    assert json.loads(json_body.encode(doc)) == json.loads(body)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html>", id="HTML"),
        pytest.param(b'{"a":"\\ud800","b":NaN}', id="NaN on the slow path"),
        pytest.param(b'{"a":"\\ud800","b":1e400}', id="a huge number on the slow path"),
        pytest.param(b'{"a":"\\ud800","b":' + b"9" * 6000 + b"}", id="a huge integer on the slow path"),
        pytest.param(b'{"a":"\\ud800' + b"\xff" + b'"}', id="bad UTF-8 on the slow path"),
        pytest.param(b"[" * 100_000, id="too deep"),
        pytest.param(b'["\\ud800",' + b"[" * 100_000, id="too deep on the slow path"),
        pytest.param(b"[" * 300 + b"]" * 300, id="deeper than the limit"),
    ],
)
def test_an_answer_that_cannot_be_read_is_uninspectable(body):
    with pytest.raises(Uninspectable):
        json_body.decode_any(body)


MANY = json_body.MAX_CONTAINERS


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"a":[' + b"{}," * MANY + b"1]}", id="empty objects"),
        pytest.param(b'{"a":[' + b"[]," * MANY + b"1]}", id="empty arrays"),
        pytest.param(b'{"a":[' + b"1," * (json_body.MAX_VALUES + 1) + b"1]}", id="numbers"),
        pytest.param(b'{"a":[' + b'"",' * (json_body.MAX_VALUES + 1) + b"1]}", id="strings"),
        pytest.param(b'{"\\"":[' + b'{"\\\\":1},' * MANY + b"1]}", id="objects between escaped quotes"),
    ],
)
def test_a_body_of_too_many_parts_is_refused_before_it_is_decoded(body, monkeypatch):
    def decoder(_):
        raise AssertionError("decoded")

    monkeypatch.setattr(json_body, "_decode", decoder)
    with pytest.raises(BadRequest) as caught:
        json_body.decode(body)
    assert (caught.value.reason, caught.value.status) == ("body-too-large", 413)
    with pytest.raises(Uninspectable) as unread:
        json_body.decode_any(body)
    assert unread.value.reason == "answer-too-large"


def test_what_stands_in_strings_is_no_part_however_much_of_it_there_is():
    text = '{"a": [1, "\\"]' * MANY
    body = json.dumps({"text": text, "more": [1, 2, {}]}).encode()
    assert json_body.decode(body)["text"] == text
    assert json_body.decode_any(body)["text"] == text


def test_a_decoded_body_is_bounded_in_memory():
    body = b'{"a":[' + b'{"a":1},' * (MANY - 3) + b"1" + b',"xy"' * (json_body.MAX_VALUES - MANY) + b"]}"
    tracemalloc.start()
    doc = json_body.decode(body)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert doc
    assert size < 160 << 20
