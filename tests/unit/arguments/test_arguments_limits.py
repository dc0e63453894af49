"""How much arguments may be, and which numbers and values one of them may take."""

import math

import pytest

from extproc.arguments import limits as said
from extproc.arguments.limits import Number, OneOf, Size


def nested(depth: int) -> dict:
    value: dict = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("size", "arguments", "where"),
    [
        pytest.param(Size(), {"a": [1, "x", None, True, 1.5, {"b": "y"}]}, None, id="ordinary arguments"),
        pytest.param(Size(), {}, None, id="none at all"),
        pytest.param(Size(string=3), {"a": {"b": "four"}}, "/a/b", id="a long text"),
        pytest.param(Size(string=4), {"a": "four"}, None, id="a text of just that length"),
        pytest.param(Size(string=3), {"a": {"long": 1}}, "/a", id="a long key"),
        pytest.param(Size(items=2), {"a": {"b": [1, 2, 3]}}, "/a/b", id="a long list"),
        pytest.param(Size(items=2), {"a": [1, 2]}, None, id="a list of just that length"),
        pytest.param(Size(items=2), {"a": 1, "b": 2, "c": 3}, "", id="too many arguments"),
        pytest.param(Size(depth=3), nested(3), None, id="just that deep"),
        pytest.param(Size(depth=3), nested(4), "/a/a/a/a", id="too deep"),
        pytest.param(Size(), nested(5_000), "/a" * 33, id="far too deep, without recursion"),
        pytest.param(Size(total=10), {"a": "0123456789"}, "", id="too large together"),
        pytest.param(Size(total=10), {"a": "ééééé"}, "", id="bytes, not characters"),
        pytest.param(Size(total=12), {"a": "ééééé"}, None, id="bytes that fit"),
        pytest.param(Size(total=20), {"a": 10**100}, "", id="a long number counts its digits"),
        pytest.param(Size(), {"a": "\ud800"}, None, id="a lone surrogate is counted, not raised"),
        pytest.param(Size(items=1), {"a/b~c": [1, 2]}, "/a~1b~0c", id="a pointer escapes its keys"),
    ],
)
def test_sizes(size, arguments, where):
    excess = size.excess(arguments)
    assert (excess and excess.where) == where
    assert excess is None or excess.message.endswith(".")


@pytest.mark.parametrize("field", ["total", "string", "items", "depth"])
def test_a_cap_of_nothing_is_refused(field):
    with pytest.raises(ValueError, match="at least 1"):
        Size(**{field: 0})


CAP = Number(1, 100)
ABOVE, BELOW = said.ABOVE.format(100), said.BELOW.format(1)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        *(
            (value, "")
            for value in (1, 100, 50.5, "1", "100", " 7 ", "+5", "1e2", "1.0E1", "100%", None, [1, 2], [], "0100")
        ),
        *(
            (value, ABOVE)
            for value in (101, 100.00000001, "101", "1e3", "150%", [1, 101], "9" * 60, 10**50, "1E+300", "100.0000001")
        ),
        *((value, BELOW) for value in (0, -5, "0", "-1e2", 0.999, "1e-5", "50%", "-0", -(10**50))),
        *(
            (value, said.NOT_FINITE)
            for value in (math.inf, -math.inf, math.nan, "inf", "-Infinity", "NaN", "INF%", "∞")
        ),
        *((value, said.TOO_LONG) for value in (10**60, "9" * 65, "1e401", "1e999999999", "1e-999999999", -(10**4_000))),
        *(
            (value, said.NO_NUMBER)
            for value in (
                *(
                    True,
                    False,
                    {},
                    {"a": 1},
                    [[1]],
                    "",
                    " ",
                    "ten",
                    "10k",
                    "5Gi",
                    "1_0",
                    "1,0",
                    "0x10",
                    "10 %%",
                    "%",
                    "1 0",
                ),
                *("１０", "٣", "1e", "--1", "1.2.3", "10\n", "10\0", "e5", "10;", "snan", "²", "½"),
            )
        ),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_a_number_is_held_to_its_cap_or_refused(value, message):
    assert CAP(value) == message


def test_one_bound_is_enough_and_exact():
    assert Number(maximum=0.1)(0.1) == ""
    assert Number(maximum=0.1)(0.1000001) != ""
    assert Number(maximum=0.1)("0.1") == ""
    assert Number(minimum=0)(10**50) == ""
    assert Number(maximum=0)(-(10**50)) == ""


@pytest.mark.parametrize("bounds", [(None, None), (2, 1), (None, math.inf), (math.nan, None)])
def test_a_cap_that_can_be_none_is_refused(bounds):
    with pytest.raises(ValueError, match="numeric cap"):
        Number(*bounds)


REGIONS = OneOf(("eu-west-1", 1, True))


@pytest.mark.parametrize("value", ["eu-west-1", 1, 1.0, True, None, ["eu-west-1", 1], []])
def test_a_value_that_is_allowed_passes(value):
    assert REGIONS(value) == ""


@pytest.mark.parametrize(
    "value", ["EU-WEST-1", "eu-west-1 ", "1", "true", 2, False, 0, {}, {"a": 1}, [["eu-west-1"]], ["eu-west-1", "x"]]
)
def test_a_value_that_is_not_allowed_is_refused(value):
    assert REGIONS(value) == said.OTHER


def test_allowed_values_must_be_some():
    with pytest.raises(ValueError, match="at least one"):
        OneOf(())
