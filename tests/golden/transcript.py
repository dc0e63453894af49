"""What the tests of answers share: a filter with hold-back, and what a client sees of a stream.

Loaded by path (tests are not a package). The client's view is built with the SSE decoder of OpenAI's own SDK, so that
our framing is not checked with itself.
"""

import json
from collections import defaultdict

from openai._streaming import SSEDecoder

SECRETS = {
    "SECRET-TOKEN": "[masked]",
    "4111111111111111": "[card]",
    "4111 1111 1111 1111": "[card]",
    "\U0001f511": "[key]",
}


class FakeStream:
    def __init__(self):
        self.held = ""

    def feed(self, text):
        text.encode("utf-8")  # what RE2 does: half a character is an error
        text = mask(self.held + text)
        for size in range(min(len(text), 19), 0, -1):
            if any(secret.startswith(text[-size:]) and len(secret) > size for secret in SECRETS):
                self.held = text[-size:]
                return text[:-size]
        self.held = ""
        return text

    def flush(self):
        held, self.held = self.held, ""
        return held


class FakeFilter:
    """Implements exchange.text.TextFilter for the literals in SECRETS."""

    def text(self, text, before=""):
        text.encode("utf-8")
        return mask(text)

    def stream(self, before=""):
        return FakeStream()


def mask(text):
    for secret, replacement in SECRETS.items():
        text = text.replace(secret, replacement)
    return text


def mask_value(value):
    """A parsed JSON value with every string, key and number masked."""
    if isinstance(value, str):
        return mask(whole_characters(value))
    if isinstance(value, dict):
        return {mask(whole_characters(key)): mask_value(child) for key, child in value.items()}
    if isinstance(value, list):
        return [mask_value(child) for child in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value if mask(repr(value)) == repr(value) else mask(repr(value))
    return value


def run(answer, chunks):
    """The bytes that a client gets."""
    return b"".join([answer.feed(chunk) for chunk in chunks]) + answer.finish()


def events(stream):
    """(event name, decoded data) of everything an SDK would see."""
    seen = []
    for event in SSEDecoder().iter_bytes(iter([stream])):
        if event.data and not event.data.startswith("[DONE]"):
            seen.append((event.event, json.loads(event.data)))
    return seen


def view(dialect, stream):
    """Every channel of a stream: place -> text joined over all events."""
    joined = defaultdict(str)
    for _, doc in events(stream):
        VIEWS[dialect](doc, joined)
    return {place: text for place, text in joined.items() if text}


def whole_characters(text):
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def same_view(dialect, stream, original):
    """Asserts that `stream` shows every channel of `original` masked: JSON channels by value, others by text."""
    got, raw = view(dialect, stream), view(dialect, original)
    assert got.keys() == {place for place, text in raw.items()}
    for place, text in raw.items():
        if place[-1] in ("arguments", "partial_json"):
            try:
                value = json.loads(whole_characters(text))
            except ValueError:
                assert not any(secret in got[place] for secret in SECRETS)
                continue
            assert json.loads(got[place]) == mask_value(value), place
        else:
            assert got[place] == mask(whole_characters(text)), place


def _chat(doc, joined):
    for choice in doc.get("choices") or []:
        _strings(choice.get("delta") or {}, (choice["index"],), joined)


def _completions(doc, joined):
    for choice in doc.get("choices") or []:
        joined[choice["index"], "text"] += choice["text"]


def _gemini(doc, joined):
    for candidate in doc.get("candidates") or []:
        index = candidate.get("index", 0)
        for part in (candidate.get("content") or {}).get("parts") or []:
            joined[index, "thought" if part.get("thought") else "text"] += part.get("text", "")
            joined[index, "code"] += part.get("executableCode", {}).get("code", "")
            call = part.get("functionCall", {})
            joined[index, "names"] += call.get("name", "")
            for piece in call.get("partialArgs", []):
                joined[index, piece["jsonPath"]] += piece.get("stringValue", str(piece.get("numberValue", "")))


def _cohere(doc, joined):
    message = (doc.get("delta") or {}).get("message") or {}
    joined["plan"] += message.get("tool_plan") or ""
    content, calls = message.get("content") or {}, message.get("tool_calls") or {}
    for key in ("text", "thinking"):
        joined[doc.get("index"), key] += content.get(key) or "" if content else ""
    if calls:
        joined[doc["index"], "arguments"] += calls["function"]["arguments"]


def _strings(node, path, joined):
    for key, value in node.items():
        if isinstance(value, str) and key not in ("id", "type", "role"):
            joined[(*path, key)] += value
        elif isinstance(value, dict):
            _strings(value, (*path, key), joined)
        elif isinstance(value, list):
            for position, item in enumerate(value):
                _strings(item, (*path, key, item.get("index", position)), joined)


def _anthropic(doc, joined):
    if doc["type"] == "content_block_start":
        for key in ("text", "thinking"):
            joined[doc["index"], key] += doc["content_block"].get(key) or ""
    elif doc["type"] == "content_block_delta":
        for key, value in doc["delta"].items():
            if isinstance(value, str) and key not in ("type", "signature"):
                joined[doc["index"], key] += value


def _responses(doc, joined):
    kind = doc["type"]
    if kind == "response.shell_call_command.added":  # what its deltas go on from
        doc = {**doc, "delta": doc["command"]}
        kind = "response.shell_call_command.delta"
    if not kind.endswith(".delta"):
        return
    place = (doc.get("output_index"), doc.get("content_index"), doc.get("summary_index"), doc.get("command_index"))
    name = "arguments" if kind.endswith("_arguments.delta") else kind
    if isinstance(doc["delta"], str):
        joined[(*place, kind, name)] += doc["delta"]
    else:
        for key, value in doc["delta"].items():
            joined[(*place, kind, key)] += value


VIEWS = {
    "openai-chat": _chat,
    "openai-completions": _completions,
    "openai-responses": _responses,
    "anthropic-messages": _anthropic,
    "gemini": _gemini,
    "cohere-chat": _cohere,
}
