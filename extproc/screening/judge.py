"""The verdict on a text: three passes that find nothing in most texts, then closer looks at what it found.

A text that only talks about prompt injection quotes its phrases; what is quoted there weighs less. That is a discount
for security articles and can be had by an attacker too, so it lowers a score and never removes a signal, and it is not
given to descriptions.
"""

from collections.abc import Callable, Iterable
from functools import cache
from itertools import islice

from extproc.screening import (
    direction,
    encoded,
    errands,
    exfiltration,
    homoglyphs,
    invisible,
    languages,
    markup,
    orders,
    roles,
    terminal,
)
from extproc.screening.model import CLEAN, Kind, Rule, Screened, Sight, Sign, screened
from extproc.screening.patterns import Pattern, Phrases, phrase
from extproc.screening.patterns import encoded as as_bytes

HIDDEN = Sign("hidden-orders", "What it hides from its reader gives the model orders.", description=80, result=72)
WRITTEN = Sign("encoded-orders", "Decoded, a part of it gives the model orders.", description=75, result=60)
DISGUISED = Sign("disguised-orders", "Orders are written with disguised or split letters.", description=70, result=55)

_LOOKS: tuple[tuple[tuple[str, ...], Callable[[str], Sight], Sign], ...] = (
    (invisible.GATE, invisible.look, HIDDEN),
    (terminal.GATE, terminal.look, HIDDEN),
    (markup.GATE, markup.look, HIDDEN),
    (homoglyphs.GATE, homoglyphs.look, HIDDEN),
    (exfiltration.GATE, exfiltration.look, WRITTEN),
    (encoded.GATE, encoded.look, WRITTEN),
)
_RULE_GROUPS = (  # what is looked for in one pass; by measurement, see `Phrases`
    (*languages.RULES, *roles.RULES),
    (*orders.RULES, *direction.RULES),
    errands.RULES,
)
_RULES: tuple[Rule, ...] = tuple(rule for group in _RULE_GROUPS for rule in group)
# Pattern number to rule (>= 0) or closer look (-1 - its place). The looks' patterns come first, with the first group.
_GATES = [gate for gates, *_ in _LOOKS for gate in gates]
_OWNER = [-1 - number for number, (gates, *_) in enumerate(_LOOKS) for _ in gates]
_OWNER += [number for number, rule in enumerate(_RULES) for _ in rule.patterns]
_GROUPS = [[phrase(pattern) for rule in group for pattern in rule.patterns] for group in _RULE_GROUPS]
_ALL = Phrases(_GATES + _GROUPS[0], *_GROUPS[1:])

_ABOUT = Pattern(
    r"prompt[\s-]?injections?|injection attacks?|jail-?break(?:s|ing)?\b|tool poisoning|\battackers?\b|\badversar(?:y|ies|ial)\b|\bred[\s-]team|\bOWASP\b|\bmalicious (?:instructions?|prompts?|content)|\bexfiltration\b|\battacks? (?:such as|like|vector)|\bguardrails? (?:test|detect)|\bclassifier\b"  # noqa: E501
)
_LEAD = Pattern(
    r"\b(?:to|that|as|like|of|say|says|saying|said|and|or|would|will|can|could|may|might|them|it|models?|agents?|assistants?|LLMs?|with|into|which|for|against|about|example)\s+(?:\w+\s+){0,2}$|(?:^|[\s(])'[^'\n]{0,80}$|[“«「『„‘][^”»」』“’\n]{0,80}$"
)
_MENTIONED = 0.4  # what a signal weighs where the text talks about it
_OCCURRENCES = 32  # so many are looked at before a text counts as using a phrase, not mentioning it
_HIDDEN_COUNTS = 20  # the least inner score at which hidden text counts as orders


def screen(text: str, kind: Kind) -> Screened:
    """How much the text looks like orders to a model. Pure; time and memory are linear in the text.

    `kind`: "description" for what a server says about itself and its tools, "result" for what a tool returned.
    """
    data = as_bytes(text)
    hits = _ALL.hits(data)
    if not hits and text.isascii():
        return CLEAN
    owners = {_OWNER[hit] for hit in hits}
    found: list[tuple[Sign, int]] = []
    seen = data
    if not text.isascii() or any(owner in (-1, -2) for owner in owners):
        folded = homoglyphs.fold(terminal.strip(text))
        if (seen := as_bytes(folded)) != data:
            more = {_OWNER[hit] for hit in _ALL.hits(seen)} - owners
            if orders_ := {owner for owner in more if owner >= 0}:
                open_ = {_OWNER[hit] for hit in _ALL.hits(as_bytes(homoglyphs.plain(text)))}
                if orders_ - open_ or _styled(text):
                    found.append((DISGUISED, DISGUISED.weight(kind)))
            owners |= more
    found += _spoken(owners, (data, seen), kind)
    for owner in owners:
        if owner < 0:
            _, look, sign = _LOOKS[-1 - owner]
            found += _looked(look(text), sign, kind)
    return screened(found)


def _spoken(owners: Iterable[int], views: tuple[bytes, bytes], kind: Kind) -> list[tuple[Sign, int]]:
    """The signs of the rules among the owners, lighter where the text only mentions the phrase."""
    signs = [owner for owner in owners if owner >= 0]
    about = bool(signs) and kind == "result" and _ABOUT.found(views[1])
    found = []
    for owner in signs:
        sign = _RULES[owner].sign
        weight = sign.weight(kind)
        if about and all(_mentioned(owner, view) for view in dict.fromkeys(views)):
            weight = round(weight * _MENTIONED)
        found.append((sign, weight))
    return found


def _mentioned(owner: int, view: bytes) -> bool:
    """Whether each occurrence of the rule stands in quotation marks or behind "to", "that" and the like."""
    places = [begin for begin, _ in islice(_pattern(owner).places(view), _OCCURRENCES + 1)]
    if len(places) > _OCCURRENCES:
        return False
    return all(_led(view[max(0, begin - 160) : begin].rpartition(b"\n")[2]) for begin in places)


def _led(before: bytes) -> bool:
    """Whether what stands before a phrase on its line makes it a quotation: an open quotation mark, or "such as"."""
    return before.count(b'"') % 2 == 1 or before.count(b"`") % 2 == 1 or _LEAD.found(before)


@cache
def _pattern(owner: int) -> Pattern:
    """A rule's phrases as one pattern. Bounded: one for each rule."""
    return Pattern("|".join(f"(?:{phrase(pattern)})" for pattern in _RULES[owner].patterns))


def _looked(sight: Sight, sign: Sign, kind: Kind) -> list[tuple[Sign, int]]:
    found = [(seen, seen.weight(kind)) for seen in sight.signs]
    for text in sight.hidden:
        inner = _within(text, kind)
        if screened(inner).score >= _HIDDEN_COUNTS:
            found += ((sign, sign.weight(kind)), *inner)
    return found


def _within(text: str, kind: Kind) -> list[tuple[Sign, int]]:
    """The rules that a hidden text breaks. No closer look at it: what is decoded once is not decoded again."""
    data = as_bytes(text)
    hits = {_OWNER[hit] for hit in _ALL.hits(data)}
    if not text.isascii():
        hits |= {_OWNER[hit] for hit in _ALL.hits(as_bytes(homoglyphs.fold(text)))}
    return [(_RULES[owner].sign, _RULES[owner].sign.weight(kind)) for owner in hits if owner >= 0]


_STYLED = Pattern(r"[\x{1d400}-\x{1d7ff}\x{24b6}-\x{24e9}\x{ff21}-\x{ff5a}\x{1f130}-\x{1f189}]{3}")


def _styled(text: str) -> bool:
    """Whether letters are written in mathematical, enclosed or full-width forms."""
    return _STYLED.found(as_bytes(text))
