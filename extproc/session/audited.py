"""A tool call's arguments as the audit tells them: masked by every built-in rule, and nothing of what its name calls a
secret.

Texts are masked as they are, before they become JSON: there a line end is an `n` that stands before what follows it,
so that no rule would know where a word begins. Names are masked as texts; what comes out is JSON again, cut where it is
too long.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

from extproc.arguments.defaults import words_of
from extproc.exchange import json_body
from extproc.exchange.model import JsonObject
from extproc.masking import MaskFilter, RuleSet, rules

_MOST = 2048  # characters
_HIDDEN = "[masked:secret]"
_LONG = "[long number]"
_BETWEEN = "\0"  # between texts, so that all are masked at once; one inside a text becomes a blank
_HUGE = 1 << 8_192  # longer integers are not written out
# fmt: off
_NAMES = frozenset((
    "password", "passwd", "passphrase", "pwd", "secret", "secrets", "token", "authorization", "credential",
    "credentials", "cookie", "cookies", "apikey", "accesskey", "privatekey", "secretkey", "bearer", "jwt", "otp",
))
# fmt: on


def arguments(given: JsonObject) -> str:
    """At most 2,048 characters and three dots."""
    texts = [text.replace(_BETWEEN, " ") for text in _texts(given)]
    masked = MaskFilter(_every_rule()).text(_BETWEEN.join(texts)).split(_BETWEEN)
    if len(masked) != len(texts):  # something found went from one text into the next
        masked = [MaskFilter(_every_rule()).text(text) for text in texts]
    told = json_body.encode(_told(given, iter(masked))).decode("utf-8", "replace")
    return told if len(told) <= _MOST else told[:_MOST] + "..."


def _texts(node: Any) -> Iterator[str]:
    """Names, texts and numbers, in order, without what is secret by its name."""
    if type(node) is dict:
        for key, value in node.items():
            yield key
            if not _secret(key):
                yield from _texts(value)
    elif type(node) is list:
        for item in node:
            yield from _texts(item)
    elif type(node) is str:
        yield node
    elif type(node) in (int, float):
        yield _number(node)


def _told(node: Any, masked: Iterator[str]) -> Any:
    """The same with the masked texts in their places."""
    if type(node) is dict:
        return {next(masked): _HIDDEN if _secret(key) else _told(value, masked) for key, value in node.items()}
    if type(node) is list:
        return [_told(item, masked) for item in node]
    if type(node) is str:
        return next(masked)
    if type(node) in (int, float):
        told = next(masked)
        return node if told == _number(node) and told != _LONG else told
    return node


def _number(node: float) -> str:
    return repr(node) if -_HUGE < node < _HUGE else _LONG


def _secret(name: str) -> bool:
    """By its last word (`apiToken`), or its last two (`api_key`)."""
    words = words_of(name)
    return bool(words) and (words[-1] in _NAMES or "".join(words[-2:]) in _NAMES)


@cache
def _every_rule() -> RuleSet:
    return RuleSet(rules())
