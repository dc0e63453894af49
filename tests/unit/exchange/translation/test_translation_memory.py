"""A reply lives as long as its answer streams, so it must not keep the client's request alive."""

import gc
import types

import pytest

from extproc.exchange.classify import DIALECTS
from extproc.exchange.model import Place
from extproc.exchange.translation.registry import TRANSLATIONS

MARK = "a word of the client's "
LONG = MARK * (1_000_000 // len(MARK))
SHARED = (type, types.ModuleType, types.BuiltinFunctionType, types.MethodDescriptorType)
SAID = [{"role": "user", "content": LONG}, {"role": "assistant", "content": [{"type": "text", "text": MARK + "2"}]}]
CONTENTS = {"contents": [{"role": "user", "parts": [{"text": LONG}]}]}
REQUESTS = {
    "openai-chat": {"model": "m", "messages": SAID, "stream": True, "stream_options": {"include_usage": True}},
    "openai-responses": {"model": "m", "input": SAID, "tools": [{"type": "function", "name": "f"}]},
    "openai-completions": {"model": "m", "prompt": LONG},
    "openai-embeddings": {"model": "m", "input": LONG},
    "anthropic-messages": {"model": "m", "max_tokens": 9, "messages": SAID, "thinking": {"type": "adaptive"}},
    "gemini": CONTENTS,
    "vertex-gemini": CONTENTS,
}


def reachable(root):
    """Every object that `root` keeps alive by itself. What all of the program shares (types, modules, the globals of
    functions) is not followed."""
    seen, todo = {}, [root]
    while todo:
        node = todo.pop()
        if id(node) in seen or isinstance(node, SHARED):
            continue
        seen[id(node)] = node
        if isinstance(node, types.FunctionType):
            todo += [node.__closure__, node.__defaults__, node.__kwdefaults__]
        else:
            todo += gc.get_referents(node)
    return list(seen.values())


def kept(call, reply):
    found = reachable(reply)
    return [node for node in found if node is call or node is call.doc or (isinstance(node, str) and MARK in node)]


@pytest.mark.parametrize("pair", TRANSLATIONS, ids="-to-".join)
def test_a_reply_keeps_nothing_of_the_conversation(pair):
    call = DIALECTS[pair[0]].read("chat", REQUESTS[pair[0]], Place("m", True) if "gemini" in pair[0] else Place())
    translation = TRANSLATIONS[pair]
    translation.request(call, "upstream")
    assert kept(call, translation.answer(call)) == []


def test_the_walk_finds_what_a_closure_keeps():
    call = DIALECTS["openai-chat"].read("chat", REQUESTS["openai-chat"])
    assert call.doc in kept(call, {"x": [lambda: call]})
    assert LONG in kept(call, {"x": [lambda: call]})
