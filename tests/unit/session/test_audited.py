"""A call's arguments in the audit: nothing of a secret is told, wherever it stands."""

import json

import pytest

from extproc.session import audited

KEY = "AKIAIOSFODNN7EXAMPLE"
CARD = "4111 1111 1111 1111"


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"text": KEY}, id="alone"),
        pytest.param({"text": f"first line\n{KEY}"}, id="behind a line end"),
        pytest.param({"text": f"a\t{KEY}\r\nb"}, id="between a tab and a line end"),
        pytest.param({"text": f"a\0{KEY}\0b"}, id="between NULs"),
        pytest.param({KEY: 1}, id="as a name"),
        pytest.param({"list": ["a", [{"deep": KEY}]]}, id="deep inside"),
        pytest.param({"password": KEY}, id="under a name that is masked anyway"),
    ],
)
def test_a_key_is_masked_wherever_it_stands(given):
    assert KEY not in audited.arguments(given)


@pytest.mark.parametrize(
    "name", ["password", "apiKey", "API_KEY", "db_password", "Authorization", "auth-token", "jwt2"]
)
@pytest.mark.parametrize(
    "value", ["hunter2", 1234, ["hunter2"], {"value": "hunter2"}], ids=["text", "number", "list", "object"]
)
def test_what_its_name_calls_a_secret_is_not_told(name, value):
    assert audited.arguments({name: value, "after": "told"}) == json.dumps(
        {name: "[masked:secret]", "after": "told"}, separators=(",", ":")
    )


@pytest.mark.parametrize("name", ["max_tokens", "token_count", "key", "secretary", "passwordless_login"])
def test_other_names_are_told_with_their_values(name):
    assert audited.arguments({name: "plain"}) == f'{{"{name}":"plain"}}'


def test_numbers_that_are_cards_are_masked_and_others_are_told():
    told = json.loads(audited.arguments({"card": int(CARD.replace(" ", "")), "count": 3, "share": 0.5, "on": True}))
    assert told["card"].startswith("[masked")
    assert told["count"] == 3
    assert told["share"] == 0.5
    assert told["on"] is True


def test_an_integer_of_any_length_is_told_briefly():
    assert audited.arguments({"n": 10**5000}) == '{"n":"[long number]"}'


def test_long_arguments_are_cut():
    assert len(audited.arguments({"text": "word " * 2000})) == 2048 + 3
