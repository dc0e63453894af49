"""What makes a conversation the same one."""

from typing import Any

import pytest

from extproc.exchange.model import LlmCall
from extproc.exchange.opening import opening

SYSTEM = {"role": "system", "content": "Be brief."}
FIRST = {"role": "user", "content": "What is a reeve?"}
LATER = [{"role": "assistant", "content": "An officer."}, {"role": "user", "content": "Of whom?"}]


def key(doc: dict[str, Any]) -> bytes:
    return opening(LlmCall("openai-chat", "chat", "m", doc=doc))


@pytest.mark.parametrize(
    ("begun", "grown"),
    [
        pytest.param({"messages": [SYSTEM, FIRST]}, {"messages": [SYSTEM, FIRST, *LATER]}, id="messages"),
        pytest.param(
            {"system": "Be brief.", "messages": [FIRST]},
            {"system": "Be brief.", "messages": [FIRST, *LATER], "temperature": 1, "stream": True},
            id="other settings",
        ),
        pytest.param(
            {"instructions": "Be brief.", "input": [FIRST]},
            {"instructions": "Be brief.", "input": [FIRST, *LATER, {"type": "function_call_output", "output": "x"}]},
            id="input items",
        ),
        pytest.param(
            {"systemInstruction": {"parts": [{"text": "Be brief."}]}, "contents": [{"parts": [{"text": "Hi"}]}]},
            {
                "systemInstruction": {"parts": [{"text": "Be brief."}]},
                "contents": [{"parts": [{"text": "Hi"}]}, {"role": "model", "parts": [{"text": "Hello"}]}],
            },
            id="contents without a role",
        ),
        pytest.param(
            {"prompt_cache_key": "k", "messages": [FIRST]},
            {"prompt_cache_key": "k", "messages": LATER},
            id="a key of the client's own",
        ),
    ],
)
def test_a_conversation_stays_the_same_as_it_grows(begun: dict[str, Any], grown: dict[str, Any]):
    assert key(begun) == key(grown)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"messages": [SYSTEM, {"role": "user", "content": "What is a bailiff?"}]}, id="another question"),
        pytest.param({"messages": [{"role": "system", "content": "Be long."}, FIRST]}, id="other instructions"),
        pytest.param({"messages": [FIRST]}, id="no instructions"),
        pytest.param({"prompt_cache_key": "k", "messages": [SYSTEM, FIRST]}, id="a key"),
        pytest.param({"prompt": "What is a reeve?"}, id="a prompt"),
        pytest.param({}, id="nothing"),
    ],
)
def test_another_beginning_is_another_conversation(other: dict[str, Any]):
    assert key(other) != key({"messages": [SYSTEM, FIRST]})


def test_parts_do_not_run_into_one_another():
    assert key({"system": "ab", "prompt": "c"}) != key({"system": "a", "prompt": "bc"})


@pytest.mark.parametrize(
    "doc",
    [
        pytest.param({"messages": "no list"}, id="a text for messages"),
        pytest.param({"messages": [None, 1, "x", [], {}]}, id="messages that are none"),
        pytest.param({"messages": {}}, id="an object for messages"),
        pytest.param({"messages": [{"role": 7, "content": None}]}, id="a role that is none"),
        pytest.param({"prompt_cache_key": 5, "prompt": "x"}, id="a key that is none"),
        pytest.param({"prompt_cache_key": "\ud800"}, id="half a character in the key"),
        pytest.param({"system": "\ud800", "prompt": "\udfff"}, id="half a character"),
        pytest.param({"system": 10**400, "messages": []}, id="a huge number"),
    ],
)
def test_it_is_found_in_anything(doc: dict[str, Any]):
    assert isinstance(key(doc), bytes)


def test_it_is_small_whatever_is_sent():
    long = "x" * 1_000_000
    assert len(key({"system": long, "messages": [{"role": "user", "content": long}]})) < 20_000
    assert len(key({"prompt_cache_key": long})) == 4096


@pytest.mark.parametrize("name", ["prompt", "input"])
@pytest.mark.parametrize("one", [1, "text", [1]], ids=["tokens", "texts", "lists of tokens"])
def test_what_is_no_conversation_is_not_walked_through(name: str, one: object):
    """A million tokens to embed would else take a second of everybody's time."""
    few, many = key({name: [one]}), key({name: [one] * 1_000_000})
    assert few == many


def test_instructions_in_many_turns_before_the_first_of_a_users_are_read_in_part():
    turn = {"role": "system", "content": "x"}
    assert key({"messages": [turn] * 64}) == key({"messages": [turn] * 50_000})
    assert key({"messages": [turn] * 63}) != key({"messages": [turn] * 64})
