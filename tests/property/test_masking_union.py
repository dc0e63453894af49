"""Every character of every match is masked: the meaning of masking, written down a second time, slowly.

`reference` shares nothing with the package: Python's own `re` tries every rule at every place and every end, the
matches are gathered as a set of places, and only then labelled. Then the stream must equal it, for every cut.
"""

import re
from dataclasses import dataclass
from functools import cache
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from extproc.errors import RuleError
from extproc.masking import MaskFilter, Rule, RuleSet, StreamMasker, rules
from extproc.masking.checks import CHECKS


@pytest.fixture(params=[64, 0], ids=["asked at every place", "through the sieve"], autouse=True)
def enough(request, monkeypatch):
    """Both ways to search, whatever the length of a text."""
    monkeypatch.setattr("extproc.masking.search.ENOUGH", request.param)


RELAXED = settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))


@dataclass(frozen=True)
class Match:
    name: str
    action: str
    start: int
    end: int  # of the match itself
    reach: int  # with its tail or block


@cache
def pinned(expression, behind):
    """The expression where exactly `behind` characters follow: what `\\b` sees there is the text's own."""
    return re.compile(f"(?:{expression})(?=(?s:.{{{behind}}})\\Z)")


@cache
def anywhere(expression):
    return re.compile(expression)


def longest(expression, text, start):
    if anywhere(expression).match(text, start) is None:
        return -1
    ends = range(len(text), start, -1)
    return next((end for end in ends if pinned(expression, len(text) - end).match(text, start)), -1)


def valid(rule, expression, text, start):
    """The longest valid match."""
    if rule.keywords:
        before = text[:start].encode()[-64:].decode(errors="ignore").lower()
        if not any(word.lower() in before for word in rule.keywords):
            return -1
    end = longest(expression, text, start)
    if end < 0 or rule.check is None:
        return end
    ends = (e for e in range(end, start, -1) if pinned(expression, len(text) - e).match(text, start))
    return next((e for e in ends if CHECKS[rule.check](text[start:e])), -1)


def reached(rule, text, end):
    if tail := rule.tail:
        while end < len(text) and anywhere(f"(?a:{tail})").fullmatch(text[end]):
            end += 1
    if rule.until is None:
        return end
    limit = end
    while limit < len(text) and len(text[end:limit].encode()) < rule.until_max:
        limit += 1
    for begin in range(end, limit):
        if (stop := longest(rule.until, text, begin)) >= 0:
            return min(stop, limit)
    return limit


def matches_of(chosen, expressions, actions, text):
    found = []
    for start in range(len(text)):
        here = []
        for rule in chosen:
            end = valid(rule, expressions[rule.name], text, start)
            if end >= 0:
                here.append(Match(rule.name, actions.get(rule.name, rule.action), start, end, reached(rule, text, end)))
        found += sorted(here, key=lambda match: -match.end)
    return found


def shown(match, text):
    label = "" if match.action == "drop" else f"[masked:{match.name}]"
    if match.action == "partial" and match.end - match.start >= 8:
        return f"{label[:-1]}:{text[match.end - 4 : match.end]}]"
    return label


def alone(match, found, text):
    """Whether nothing that another match wants masked would be shown by showing this one in part."""
    return not any(
        other.start < match.end
        and other is not match
        and not (
            other.end <= match.end
            and (other.name == match.name or (other.action == "partial" and other.end - other.start >= 8))
        )
        for other in found
        if other.start >= match.start
    )


def reference(chosen, expressions, text, actions=None):
    """The output and the counts."""
    found = matches_of(chosen, expressions, actions or {}, text)
    masked = {place for match in found for place in range(match.start, match.reach)}
    labels: dict[int, list[str]] = {}
    counts: dict[str, int] = {}
    begun, last = -1, None
    for number, match in enumerate(found):
        opens = not any(other.reach > match.start for other in found[:number])
        if opens:
            begun = match.start
        if opens or (match.start < last.end < match.end and match.name != last.name):
            partial = opens and alone(match, found, text)
            label = shown(match, text) if partial else "" if match.action == "drop" else f"[masked:{match.name}]"
            labels.setdefault(begun, []).append(label)
            counts[match.name] = counts.get(match.name, 0) + 1
            last = match
    out = ""
    for place, character in enumerate(text):
        out += "".join(labels.get(place, [])) + ("" if place in masked else character)
    return out, counts


def streamed(compiled, pieces):
    masker = StreamMasker(compiled)
    out = "".join([masker.feed(piece) for piece in pieces])
    return out + masker.flush(), masker.counts


def whole(compiled, text):
    mask = MaskFilter(compiled)
    return mask.text(text), mask.counts


def agree_for_every_cut(compiled, text, expected):
    assert whole(compiled, text) == expected
    assert streamed(compiled, list(text)) == expected
    for first in range(len(text) + 1):
        for second in range(first, len(text) + 1):
            assert streamed(compiled, [text[:first], text[first:second], text[second:]]) == expected


# The shipped rules, in texts made so that their matches meet.

SHIPPED = rules()
COMPILED = RuleSet(SHIPPED)


def python(pattern):
    """The pattern for Python; one that ends without limit is its least, for its class is the rule's `tail` too."""
    pattern = re.sub(r"\{(\d+),\}\Z", r"{\1}", pattern)
    return "(?a:" + re.sub(r"\\x\{([0-9a-f]+)\}", lambda code: f"\\u{int(code[1], 16):04x}", pattern) + ")"


EXPRESSIONS = {rule.name: python(rule.pattern) for rule in SHIPPED}
MEETING = [
    "4111 1111 1111 1111", "4111111111111111", "378282246310005", "+1 415 555 2671", "415-555-2671", "(415) 555-2671",
    "+49 30 901820", "DE89 3704 0044 0532 0130 00", "NO9386011117947", "a@b.com", "123-45-6789", "ssn 536904399",
    "phone 4155552671", "tel: ", "AKIAIOSFODNN7EXAMPLE", "sk-ant-" + "a" * 20, "eyJhbGciOiJI.eyJz",
    "xoxb-123456789012-a",
    "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "ghp_" + "a" * 36,
]  # fmt: skip
GLUE = ["", "", "", " ", "-", "+", "4", "41", "@", ".", "é", "0"]
meeting = st.lists(
    st.tuples(st.sampled_from(MEETING), st.sampled_from(GLUE), st.integers(0, 12), st.integers(0, 12)),
    min_size=1,
    max_size=4,
).map(lambda parts: "".join(piece[front if back % 3 else 0 :] + glue for piece, glue, front, back in parts)[:110])


@settings(RELAXED, max_examples=150)
@given(meeting, st.sampled_from([{}, {"card": "partial", "phone": "partial"}, {"phone": "drop", "email": "partial"}]))
def test_the_shipped_rules_mask_the_union_of_all_their_matches(text, actions):
    compiled = RuleSet(SHIPPED, actions) if actions else COMPILED
    expected = reference(SHIPPED, EXPRESSIONS, text, actions)
    assert whole(compiled, text) == expected
    assert streamed(compiled, list(text)) == expected
    for cut in range(len(text) + 1):
        assert streamed(compiled, [text[:cut], text[cut:]]) == expected


# Generated rules: Python's `re` agrees with RE2 on this subset and alphabet.

ALPHABET = "ab-1 "
atoms = st.sampled_from(["a", "b", "1", "-", "[ab]", "[^a]", "\\d", "\\w", "."])
assertions = st.sampled_from(["\\b", "\\B", "^"])


def compound(inner):
    return st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: "".join(f"(?:{part})" for part in parts)),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: "(?:" + "|".join(parts) + ")"),
        st.tuples(inner, st.sampled_from(["?", "{2}", "{1,3}", "{0,2}", "{2,4}"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
        st.tuples(assertions, inner).map("".join),
        st.tuples(inner, st.sampled_from(["\\b", "\\B"])).map("".join),
    )


patterns = st.recursive(atoms, compound, max_leaves=6)


tails = st.sampled_from(["", "", "[ab]", "[^a]", "\\d"])
untils = st.sampled_from([None, None, None, "b-|b", "1{1,2}", "a\\b", "b1?a"])
checks = st.sampled_from([None, None, None, "luhn"])


@settings(RELAXED, max_examples=600)
@given(st.lists(patterns, min_size=1, max_size=3), st.text(alphabet=ALPHABET, max_size=8), st.data())
def test_generated_rules_agree_with_the_reference_for_every_cut(expressions, text, data):
    chosen, spelled, actions = [], {}, {}
    for number, expression in enumerate(expressions):
        # Matches do not come by chance: one is planted, whole or with its last character missing.
        example = data.draw(st.from_regex(re.compile(f"(?a:{expression})"), fullmatch=False, alphabet=ALPHABET))
        until = data.draw(untils)
        action = data.draw(st.sampled_from(["redact", "drop"] if until else ["redact", "partial", "partial", "drop"]))
        try:
            with patch.object(Rule, "_try_examples", lambda rule: None):  # none fits every keyword and check by chance
                rule = Rule(
                    f"r{number}",
                    "",
                    expression,
                    check=data.draw(checks),
                    tail="" if until else data.draw(tails),
                    until=until,
                    until_max=data.draw(st.integers(1, 9)),
                    keywords=data.draw(st.sampled_from([(), (), (), ("1",), ("ab", "- ")])),
                )
        except RuleError as error:
            assume("empty text" not in str(error))
            raise
        chosen.append(rule)
        spelled[rule.name], actions[rule.name] = f"(?a:{expression})", action
        text = data.draw(st.sampled_from([example + text, text + example, example[:-1] + text, text]))[:22]
    agree_for_every_cut(RuleSet(chosen, actions), text, reference(chosen, spelled, text, actions))
