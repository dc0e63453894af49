import json

import pytest

from extproc.exchange.json_text import JsonTextStream, mask_json_text

TEXTS = [
    pytest.param('{"a":"SECRET-TOKEN"}', '{"a":"[masked]"}', id="a value"),
    pytest.param('{"SECRET-TOKEN":1}', '{"[masked]":1}', id="a key"),
    pytest.param('{"a":"SECR\\u0045T\\u002dTOKEN"}', '{"a":"[masked]"}', id="a secret written with escapes"),
    pytest.param('{"a":"SECRET","b":"-TOKEN"}', '{"a":"SECRET","b":"-TOKEN"}', id="two values are two texts"),
    pytest.param('["\\ud83d\\udd11"]', '["[key]"]', id="a surrogate pair in escapes"),
    pytest.param('["\\ud83d x"]', '["\ufffd x"]', id="half a surrogate pair"),
    pytest.param('["\ud83d', '["\ufffd', id="half a character at the end"),
    pytest.param('["\ud83d\udd11"]', '["[key]"]', id="a surrogate pair as raw halves"),
    pytest.param('["\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001é"]', '["\\"\\\\/\\b\\f\\n\\r\\t\\u0001é"]', id="all escapes"),
    pytest.param('{"n": 4111111111111111 }', '{"n": "[card]" }', id="a number becomes a string"),
    pytest.param("4111111111111111", '"[card]"', id="a number alone"),
    pytest.param("[1,-2.5e+10,true,false,null, 3]", "[1,-2.5e+10,true,false,null, 3]", id="other atoms"),
    pytest.param("[41111111,11111111]", "[41111111,11111111]", id="two numbers are two texts"),
    pytest.param('{"a":"SECR', '{"a":"SECR', id="a string without its end"),
    pytest.param('{"a":"x\\u00', '{"a":"x\\\\u00', id="an escape without its end"),
    pytest.param('["\\x SECRET-TOKEN \\u00zz"]', '["\\\\x [masked] \\\\u00zz"]', id="unknown escapes are literal"),
    pytest.param('["a\nSECRET-TOKEN"]', '["a\\n[masked]"]', id="a raw newline in a string"),
    pytest.param("SECRET-TOKEN, SECRET-TOKEN", "[masked], [masked]", id="no JSON at all"),
    pytest.param("4111 1111 1111 1111", "[card]", id="a number that goes on as text"),
    pytest.param("{'a': 'SECRET-TOKEN'}", "{'a': '[masked]'}", id="single quotes"),
    pytest.param('{a: "\\u0053ECRET-TOKEN"}', '{a: "[masked]"}', id="strings after the first error"),
    pytest.param('{"a": truSECRET-TOKEN}', '{"a": tru[masked]}', id="a broken literal"),
    pytest.param("[" + "1" * 600 + ",4111111111111111]", "[" + "1" * 600 + ",[card]]", id="a number too long to hold"),
    pytest.param('x "a" 4111111111111111', 'x "a" [card]', id="structure is not trusted again after a string"),
    pytest.param("", "", id="nothing"),
    pytest.param(" \n ", " \n ", id="blanks"),
]


@pytest.mark.parametrize(("text", "expected"), TEXTS)
def test_json_text_is_masked_the_same_for_every_cut(fake, text, expected):
    assert mask_json_text(fake, text) == expected
    stream = JsonTextStream(fake)
    for cut in range(len(text) + 1):
        assert stream.feed(text[:cut]) + stream.feed(text[cut:]) + stream.flush() == expected, "and new after flush"
    assert "".join([stream.feed(char) for char in text]) + stream.flush() == expected


def test_blanks_without_end_flow(fake):
    stream = JsonTextStream(fake)
    stream.feed('{"a":1,')
    assert stream.feed(" " * 10_000) == " " * 10_000


def test_valid_json_stays_valid_and_is_masked_by_value(fake, transcript):
    value = {'a"b\\': ["SECRET-TOKEN", {"SECRET-TOKEN": 4111111111111111}], "\u2028": None, "e": "\x00\x1f\x7f"}
    text = json.dumps(value)
    assert json.loads(mask_json_text(fake, text)) == transcript.mask_value(value)
