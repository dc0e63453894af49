"""A rule that exists works; a rule that cannot be trusted says why, and never what secret it holds."""

import pytest

from extproc.errors import RuleError
from extproc.masking import MaskFilter, Rule, RuleSet, literal_rule


def masked(text, *rules, actions=None):
    return MaskFilter(RuleSet(rules, actions)).text(text)


@pytest.mark.promise("masking.own-rules")
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"pattern": "x1"}, "no positive example", id="no examples at all"),
        pytest.param(
            {"pattern": "x1", "positives": ("x1", "SECRET")},
            "positive example 2 is not matched",
            id="a positive not matched",
        ),
        pytest.param(
            {"pattern": "x1", "positives": ("x1",), "negatives": ("y", "SECRET x1")},
            "negative example 2 is matched",
            id="a negative matched",
        ),
        pytest.param({"pattern": "x*y*", "positives": ("x",)}, "empty text", id="a match may be empty"),
        pytest.param({"pattern": "(?:x+y+)+z", "positives": ("xyz",)}, "can be held back", id="nested without bound"),
        pytest.param(
            {"pattern": "x{900}y{900}z{900}w{900}v{900}", "positives": ("x",)}, "4500 characters", id="too long"
        ),
        pytest.param(
            {"pattern": "(x", "positives": ("x",)}, "character 3: a '(' without its ')'", id="group left open"
        ),
        pytest.param({"pattern": "x)", "positives": ("x",)}, "a ')' without its '('", id="group never opened"),
        pytest.param({"pattern": "x+?", "positives": ("x",)}, "lazy quantifier", id="lazy"),
        pytest.param({"pattern": "x++", "positives": ("x",)}, "possessive", id="possessive"),
        pytest.param({"pattern": "(?=x)", "positives": ("x",)}, "look-around", id="look-ahead"),
        pytest.param({"pattern": "(?<!x)y", "positives": ("y",)}, "look-around", id="look-behind"),
        pytest.param({"pattern": "(x)\\1", "positives": ("xx",)}, "\\1 is not supported", id="back-reference"),
        pytest.param({"pattern": "[x", "positives": ("x",)}, "ends too early", id="class left open"),
        pytest.param({"pattern": "[z-a]", "positives": ("x",)}, "RE2 does not accept", id="class backwards"),
        pytest.param({"pattern": "x{2,1}", "positives": ("x",)}, "end is before", id="repetition backwards"),
        pytest.param({"pattern": "x{,3}", "positives": ("x",)}, "begins no repetition", id="brace as text"),
        pytest.param({"pattern": "*x", "positives": ("x",)}, "nothing before", id="nothing to repeat"),
        pytest.param({"pattern": "\\b+x", "positives": ("x",)}, "cannot be repeated", id="assertion repeated"),
        pytest.param({"pattern": "(" * 40 + "x" + ")" * 40, "positives": ("x",)}, "nested groups", id="too deep"),
        pytest.param(
            {"pattern": "x", "positives": ("x",), "check": "nope"}, "no check is called that", id="unknown check"
        ),
        pytest.param({"pattern": "x", "positives": ("x",), "action": "hide"}, "no such action", id="unknown action"),
        pytest.param(
            {"pattern": "x", "positives": ("x",), "until": "y", "action": "partial"}, "block", id="partial block"
        ),
        pytest.param({"pattern": "x", "positives": ("x",), "until": "y", "tail": "z"}, "exclude", id="tail and until"),
        pytest.param({"pattern": "x+", "positives": ("x",), "until": "y"}, "begin marker", id="unbounded begin marker"),
        pytest.param({"pattern": "x", "positives": ("x",), "until": "y*"}, "empty text", id="empty end marker"),
        pytest.param(
            {"pattern": "x", "positives": ("x",), "until": "y", "until_max": 0}, "at least 1", id="empty block"
        ),
        pytest.param(
            {"pattern": "x", "positives": ("x",), "tail": "ab"}, "one character class", id="tail of two characters"
        ),
        pytest.param({"pattern": "x", "positives": ("x",), "keywords": ("",)}, "keyword", id="empty keyword"),
        pytest.param({"pattern": "x", "positives": ("x",), "keywords": ("k" * 65,)}, "keyword", id="keyword too long"),
    ],
)
def test_a_rule_that_cannot_be_trusted_is_refused_by_name(fields, message):
    with pytest.raises(RuleError) as caught:
        Rule("mine", "", **fields)
    assert str(caught.value).startswith("rule 'mine': ")
    assert message in str(caught.value)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "Card", "a b", "[x]"])
def test_a_name_that_would_make_a_bad_label_is_refused(name):
    with pytest.raises(RuleError, match="a name has"):
        Rule(name, "", "x", positives=("x",))


def test_a_keyword_has_to_stand_near():
    rule = Rule("pin", "", r"\b\d{4}\b", keywords=("pin",), positives=("pin 1234",), negatives=("year 1234",))
    assert (
        masked("PIN: 1234, year 2026" + "." * 60 + " 5678", rule)
        == "PIN: [masked:pin], year [masked:pin]" + "." * 60 + " 5678"
    )


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        pytest.param("redact", "<[masked:id]>", id="redact"),
        pytest.param("partial", "<[masked:id:5678]>", id="partial keeps the last four"),
        pytest.param("drop", "<>", id="drop"),
    ],
)
def test_what_takes_the_place_of_a_match(action, expected):
    rule = Rule("id", "", r"\d{4,8}", positives=("12345678",))
    assert masked("<12345678>", rule, actions={"id": action}) == expected


def test_partial_shows_nothing_of_a_short_match():
    rule = Rule("id", "", r"\d{4,8}", action="partial", positives=("12345678",))
    assert masked("<1234567>", rule) == "<[masked:id]>"


def test_partial_counts_characters_not_bytes():
    rule = Rule("id", "", "[é中]{8}", action="partial", positives=("éééééééé",))
    assert masked("éééé中中é中!", rule) == "[masked:id:中中é中]!"


@pytest.mark.promise("masking.own-rules")
def test_a_literal_list_is_matched_exactly_or_in_any_case():
    assert masked("Zoë.* zoë.*", literal_rule("word", ["Zoë.*"])) == "[masked:word] zoë.*"
    assert (
        masked("Zoë.* ZOË.* zoex", literal_rule("word", ["Zoë.*"], ignore_case=True))
        == "[masked:word] [masked:word] zoex"
    )


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        pytest.param([], "the list is empty", id="empty list"),
        pytest.param(["TOPSECRET", " "], "entry 2 of the list is empty", id="blank entry"),
        pytest.param(["TOPSECRET", "x\ud800"], "entry 2", id="unpaired surrogate"),
        pytest.param(["TOPSECRET" * 1000], "9000 characters", id="entry too long"),
    ],
)
def test_a_bad_literal_list_is_refused_without_showing_an_entry(texts, message):
    with pytest.raises(RuleError) as caught:
        literal_rule("words", texts)
    assert message in str(caught.value)
    assert "TOPSECRET" not in str(caught.value)


def test_no_repr_shows_a_pattern_a_literal_or_an_example():
    rules = (literal_rule("a", ["TOPSECRET"]), Rule("b", "", "TOPSECRET", positives=("TOPSECRET",), negatives=("x",)))
    compiled = RuleSet(rules)
    masker = MaskFilter(compiled).stream()
    masker.feed("TOPSECRE")
    assert "TOPSECRE" not in repr((rules, compiled, masker, MaskFilter(compiled)))


def test_a_literal_list_of_ten_thousand_compiles_and_matches_the_longest():
    rule = literal_rule("users", [f"user-{number:05d}" for number in range(10_000)] + ["user-00001-admin"])
    masker = MaskFilter(RuleSet([rule])).stream()
    out = "".join(masker.feed(character) for character in "x user-00001-admin user-99999 user-00002")
    assert out + masker.flush() == "x [masked:users] user-99999 [masked:users]"


@pytest.mark.parametrize("ignore_case", [False, True])
def test_a_list_of_texts_that_begin_alike_matches_each_and_nothing_between(ignore_case):
    texts = ["ab", "abc", "abcdef", "Abx", "é", "éa", "b" * 60, "b" * 61, "b" * 100 + "c"]
    compiled = RuleSet([literal_rule("w", texts, ignore_case=ignore_case)])
    for text in texts:
        assert MaskFilter(compiled).text(text) == "[masked:w]"
    assert MaskFilter(compiled).text("a b abcde e" + "b" * 59) == "a b [masked:w]de e" + "b" * 59
    assert (MaskFilter(compiled).text("ABX") == "[masked:w]") is ignore_case
