"""Matches that meet: all of the union is masked, and the labels say what was in it."""

import pytest

from extproc.masking import MaskFilter, Rule, RuleSet, StreamMasker, rules

SHIPPED = RuleSet(rules())
AB = Rule("ab", "", "x?ab1{4}", positives=("ab1111",))
ONES = Rule("ones", "", "1{4}-2{4,8}", positives=("1111-2222",))
TAILED = Rule("tailed", "", "tt", tail="[a-z]", positives=("tt",))
BLOCK = Rule("block", "", "<<", until=">>", until_max=12, positives=("<<",))


def both_ways(compiled, text):
    mask, masker = MaskFilter(compiled), StreamMasker(compiled)
    out = mask.text(text)
    assert "".join([masker.feed(character) for character in text]) + masker.flush() == out
    assert masker.counts == mask.counts
    return out


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("+1 415 4111 1111 1111 1111", "[masked:phone][masked:card]", id="a telephone number into a card"),
        pytest.param("415-555-4111 1111 1111 1111", "[masked:phone][masked:card]", id="the same with separators"),
        pytest.param("4111 1111 1111 1111@b.com", "[masked:card][masked:email]", id="a card into an address"),
        pytest.param("sk-ant-" + "a" * 80 + "@b.com!", "[masked:anthropic-key]!", id="a key's tail into an address"),
        pytest.param("4111111111111111 5555555555554444", "[masked:card] [masked:card]", id="two side by side"),
    ],
)
def test_a_match_that_runs_into_another_does_not_break_it(text, expected):
    assert both_ways(SHIPPED, text) == expected


@pytest.mark.parametrize(
    ("text", "expected", "counts"),
    [
        pytest.param("ab1111-2222.", "[masked:ab][masked:ones].", {"ab": 1, "ones": 1}, id="each leaves its label"),
        pytest.param("ab1111ab1111", "[masked:ab][masked:ab]", {"ab": 2}, id="side by side are two"),
        pytest.param("xab1111", "[masked:ab]", {"ab": 1}, id="inside another is none"),
        pytest.param("ttab1111-2222.", "[masked:tailed].", {"tailed": 1}, id="what starts in a tail has no label"),
        pytest.param("<<a>>1-", "[masked:block]1-", {"block": 1}, id="a block ends"),
        pytest.param("<<ab1>>11", "[masked:block]11", {"block": 1}, id="no match across the end"),
        pytest.param("<<12345<<78901>>z", "[masked:block]z", {"block": 1}, id="a block in a block has its own length"),
        pytest.param("<<1234567tt>>cd.", "[masked:block]cd.", {"block": 1}, id="a tail in a block ends by itself"),
        pytest.param("<<>>tt", "[masked:block][masked:tailed]", {"block": 1, "tailed": 1}, id="behind a block"),
    ],
)
def test_what_the_labels_of_a_union_are(text, expected, counts):
    compiled = RuleSet([AB, ONES, TAILED, BLOCK])
    mask = MaskFilter(compiled)
    assert both_ways(compiled, text) == expected
    mask.text(text)
    assert mask.counts == counts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("1111-22222222.", "[masked:ones:2222].", id="alone it shows its last characters"),
        pytest.param("ab1111-22222222.", "[masked:ab][masked:ones].", id="begun in another it does not"),
        pytest.param("1111-2222222tt.", "[masked:ones:2222][masked:tailed].", id="another behind it"),
    ],
)
def test_partial_shows_nothing_that_another_match_wants_masked(text, expected):
    assert both_ways(RuleSet([AB, ONES, TAILED, BLOCK], {"ones": "partial"}), text) == expected


def test_partial_is_redacted_when_another_rule_takes_its_last_characters():
    late = Rule("late", "", "2z", positives=("2z",))
    inner = Rule("inner", "", "-2", positives=("-2",))
    assert both_ways(RuleSet([ONES, late], {"ones": "partial"}), "1111-22222z") == "[masked:ones][masked:late]"
    assert both_ways(RuleSet([ONES, inner], {"ones": "partial"}), "1111-22222z") == "[masked:ones]z"


def test_drop_leaves_nothing_and_the_rest_of_a_union_its_labels():
    assert both_ways(RuleSet([AB, ONES], {"ab": "drop"}), "<ab1111-2222>") == "<[masked:ones]>"
    assert both_ways(RuleSet([AB, ONES], {"ab": "drop", "ones": "drop"}), "<ab1111-2222>") == "<>"


def test_a_private_key_hidden_behind_another_begin_marker_is_masked_to_its_own_end():
    filler = "A" * 32_700
    key = "-----BEGIN PRIVATE KEY-----\n" + "SECRET" * 200 + "\n-----END PRIVATE KEY-----"
    text = "-----BEGIN PRIVATE KEY-----" + filler + key + "ok"
    assert MaskFilter(SHIPPED).text(text) == "[masked:private-key]ok"
    masker = StreamMasker(SHIPPED)
    assert "".join([masker.feed(text[at : at + 100]) for at in range(0, len(text), 100)]) + masker.flush() == (
        "[masked:private-key]ok"
    )


def test_what_is_masked_already_does_not_wait():
    masker = StreamMasker(SHIPPED)
    assert masker.feed("sk-ant-" + "a" * 100) == "[masked:anthropic-key]"
    assert masker.held == 0  # the last letters may still begin an address, which would be masked from `@` on
    assert masker.feed("@b") == ""
    assert masker.held == 2
    assert masker.feed(" ") == "@b "


def test_a_shorter_match_inside_does_not_end_the_tail_of_the_longer():
    compiled = RuleSet([Rule("run", "", "abcd|b", tail="[a-z]", positives=("abcd", "b"))])
    assert both_ways(compiled, "abcdefg hi") == "[masked:run] hi"
    masker = StreamMasker(compiled)
    assert [masker.feed("abcde"), masker.feed("fg "), masker.feed("hi")] == ["[masked:run]", " ", "hi"]


SEEN = Rule("seen", "", "[a-z]{2,9}@x", positives=("ab@x",))
KNOT = Rule("knot", "", "c@xy{3}", positives=("c@xyyy",))
LONG = Rule("long", "", "bc@", tail="[xyz]", positives=("bc@",))


@pytest.mark.parametrize(
    ("chosen", "text", "expected"),
    [
        pytest.param([SEEN], "aabc@x aabc@x.", "[masked:seen] [masked:seen].", id="what starts and ends inside"),
        pytest.param(
            [SEEN, KNOT], "aabc@xyyy.", "[masked:seen][masked:knot].", id="what starts inside and ends behind"
        ),
        pytest.param([SEEN, KNOT], "aabc@xyy.", "[masked:seen]yy.", id="what only seems to end behind"),
        pytest.param([SEEN, LONG], "aabc@xyzzy.", "[masked:seen].", id="what ends inside and has a tail"),
        pytest.param(
            [SEEN, KNOT], "aabc@x\u00e9 c@xyyy", "[masked:seen]\u00e9 [masked:knot]", id="two bytes behind it"
        ),
        pytest.param([SEEN], "aabc@x", "[masked:seen]", id="nothing behind it"),
    ],
)
def test_only_what_changes_nothing_is_left_out_of_a_match(chosen, text, expected):
    assert both_ways(RuleSet(chosen), text) == expected
