"""Caps on arguments: how much they may be, and which numbers and values a named one may take.

    Size(depth=8).excess(arguments)         -> Excess("/a/0", "...")
    Number(maximum=100)("1e3")              -> "The number is above ..."
    OneOf(("eu-west-1",))("us-east-1")      -> "The value is not ..."

What can be read in two ways counts as what is worse, and what cannot be read as a number is refused: a tool that takes
"150%" or "10k" decides for itself what that is, so the cap would hold nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from extproc.exchange.model import JsonObject

LONGEST_NUMBER = 64  # characters of a number in a string, digits of an integer
_EXPONENT = 400  # beyond any float: 1e308 is the largest
_BITS = 3 * LONGEST_NUMBER

NO_NUMBER = "The value is not a plain number; send digits, without units, separators or words."
TOO_LONG = "The number is longer than any amount needs; send a smaller one."
NOT_FINITE = "The number is not finite; send a finite one."
ABOVE = "The number is above what this argument may be; send at most {}."
BELOW = "The number is below what this argument may be; send at least {}."
OTHER = "The value is not one of those this argument may take; send one that policy allows."


class Excess(NamedTuple):
    """Arguments that are too much: where (JSON pointer) and the sentence."""

    where: str
    message: str


@dataclass(frozen=True, slots=True)
class Size:
    """How much the arguments of one call may be. All are at least 1.

    `total`: bytes of all keys and strings as UTF-8, of numbers about their digits, 1 for each container. `string`:
    characters of one string or key. `items`: members of one array or object. `depth`: containers within each other,
    the arguments themselves not counted.
    """

    total: int = 1 << 20
    string: int = 1 << 18
    items: int = 10_000
    depth: int = 32

    def __post_init__(self) -> None:
        if min(self.total, self.string, self.items, self.depth) < 1:
            raise ValueError("a cap on size must be at least 1")

    def excess(self, arguments: JsonObject) -> Excess | None:
        """The first thing that is too much, None if nothing is. Stops there; never deeper than `depth` allows."""
        total = 0
        rest: list[tuple[Any, int, tuple[Any, ...]]] = [(arguments, 0, ())]
        while rest:
            value, depth, where = rest.pop()
            if isinstance(value, str):
                size = self._length(value)
            elif isinstance(value, (dict, list)):
                size = 1
                if len(value) > self.items:
                    return Excess(_pointer(where), f"A list or object has more than {self.items} members; send fewer.")
                if depth > self.depth:
                    return Excess(_pointer(where), f"Values are nested deeper than {self.depth}; send a flatter one.")
                if isinstance(value, dict):
                    for key, member in value.items():
                        length = self._length(key)
                        if length < 0:
                            return Excess(_pointer(where), f"A key is longer than {self.string} characters.")
                        size += length
                        rest.append((member, depth + 1, (where, key)))
                else:
                    rest.extend((member, depth + 1, (where, place)) for place, member in enumerate(value))
            else:
                size = value.bit_length() * 3 // 10 + 1 if isinstance(value, int) else 8
            if size < 0:
                return Excess(_pointer(where), f"The text is longer than {self.string} characters; send a shorter one.")
            total += size
            if total > self.total:
                return Excess("", f"The arguments are larger than {self.total} bytes together; send less.")
        return None

    def _length(self, text: str) -> int:
        """Bytes of a text, -1 if it is too long."""
        if len(text) > self.string:
            return -1
        return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


class Number:
    """A cap on one numeric argument: called with any JSON value it answers "" or a sentence, never raises.

    Bounds are inclusive. Null is the absence of a value; an array is judged member by member; true and false, objects
    and what is not plainly a number are refused. Text counts if it is a number: "+1e3" is one, "150%" counts as 150 and
    as 1.5, "10k", "1_000", "0x10" and "1,000" are none.
    """

    __slots__ = ("_maximum", "_minimum")

    def __init__(self, minimum: float | None = None, maximum: float | None = None) -> None:
        self._minimum = None if minimum is None else Decimal(str(minimum))
        self._maximum = None if maximum is None else Decimal(str(maximum))
        bounds = [bound for bound in (self._minimum, self._maximum) if bound is not None]
        if not bounds or not all(bound.is_finite() for bound in bounds) or bounds[0] > bounds[-1]:
            raise ValueError("a numeric cap needs a finite minimum or maximum, in order")

    def __call__(self, value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, list):
            return next(filter(None, map(self._one, value)), "")
        return self._one(value)

    def _one(self, value: Any) -> str:
        if isinstance(value, bool):
            return NO_NUMBER
        if isinstance(value, int):
            return TOO_LONG if value.bit_length() > _BITS else self._bounded(Decimal(value))
        if isinstance(value, float):
            number = Decimal(str(value))  # the digits that were sent, not the binary fraction
            return self._bounded(number) if number.is_finite() else NOT_FINITE
        return self._text(value) if isinstance(value, str) else NO_NUMBER

    def _text(self, text: str) -> str:
        text = text.strip(" ")
        if len(text) > LONGEST_NUMBER:
            return TOO_LONG
        percent = text[-1:] == "%"
        if percent:
            text = text[:-1].rstrip(" ")
        if text.lower().lstrip("+-") in ("inf", "infinity", "nan", "∞"):
            return NOT_FINITE
        if not text or text.strip("+-.eE0123456789"):
            return NO_NUMBER
        try:
            number = Decimal(text)
        except InvalidOperation:
            return NO_NUMBER
        if number.adjusted() > _EXPONENT or number.adjusted() < -_EXPONENT:
            return TOO_LONG
        return self._bounded(number) or (self._bounded(number / 100) if percent else "")

    def _bounded(self, number: Decimal) -> str:
        if self._maximum is not None and number > self._maximum:
            return ABOVE.format(_shown(self._maximum))
        if self._minimum is not None and number < self._minimum:
            return BELOW.format(_shown(self._minimum))
        return ""


def _shown(bound: Decimal | None) -> str:
    """A bound as people write it: 10, not 10.0."""
    return "" if bound is None else format(bound.normalize(), "f")


class OneOf:
    """The values one argument may take: called with any JSON value it answers "" or a sentence, never raises.

    Types count: "1", 1 and true are three values. Text is compared as it is. Null is the absence of a value; an array
    is judged member by member; objects are refused.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Iterable[str | float | bool]) -> None:
        self._values = frozenset((_kind(value), value) for value in values)
        if not self._values:
            raise ValueError("allowed values must be at least one")

    def __call__(self, value: Any) -> str:
        if value is None:
            return ""
        members = value if isinstance(value, list) else (value,)
        for member in members:
            if not isinstance(member, (str, int, float)) or (_kind(member), member) not in self._values:
                return OTHER
        return ""


def _kind(value: object) -> str:
    """Text, truth or number: 1 and 1.0 are one JSON number."""
    return "text" if isinstance(value, str) else "truth" if isinstance(value, bool) else "number"


def _pointer(where: tuple[Any, ...]) -> str:
    """The JSON pointer (RFC 6901) of a place: its holder's place and its own key, told only for what is refused."""
    steps: list[str] = []
    while where:
        where, key = where
        steps.append(str(key)[:64].replace("~", "~0").replace("/", "~1"))
    return "".join("/" + step for step in reversed(steps))
