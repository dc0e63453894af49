"""What screening says about a text: signals with their reasons, and the score they add up to.

No value here ever quotes the text: a reason may be logged, shown and audited.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

Kind = Literal["description", "result"]

FLAG = 30  # from here on a text is worth a note: a harmless one gets here rarely
REFUSE = 70  # from here on it is refused by default: one grave signal of a description, two of a result


class Signal(NamedTuple):
    """One thing that was found. `name` is from a closed list (docs/screening.md), `reason` a sentence."""

    name: str
    reason: str


class Screened(NamedTuple):
    """`score`: 0 (nothing) to 100; `signals`: gravest first, each name once."""

    score: int
    signals: tuple[Signal, ...]


class Sign(NamedTuple):
    """A row of data: a signal and what it weighs (0 to 100) in a tool's description and in a tool's result.

    Descriptions weigh more. They are short, written for a purpose, and the model reads them before every choice;
    a result may be any page of the world.
    """

    name: str
    reason: str
    description: int
    result: int

    def weight(self, kind: Kind) -> int:
        return self.description if kind == "description" else self.result


class Rule(NamedTuple):
    """A sign that phrases alone decide. `patterns`: in the notation of `extproc.screening.patterns.phrase`."""

    sign: Sign
    patterns: tuple[str, ...]


class Sight(NamedTuple):
    """What a closer look found: signs, and texts that a reader does not see, to be screened in their turn."""

    signs: tuple[Sign, ...] = ()
    hidden: tuple[str, ...] = ()


CLEAN = Screened(0, ())


def screened(found: Iterable[tuple[Sign, int]]) -> Screened:
    """The score of signs with their weights: 1 - (1 - a)(1 - b)..., each name once with its greatest weight.

    So two weak signals make a stronger one, none lowers another, and the order does not matter.
    """
    gravest: dict[str, tuple[int, Sign]] = {}
    for sign, weight in found:
        if weight > gravest.get(sign.name, (0, sign))[0]:
            gravest[sign.name] = (weight, sign)
    if not gravest:
        return CLEAN
    doubt = 1.0
    for weight, _ in gravest.values():
        doubt *= 1 - weight / 100
    ordered = sorted(gravest.values(), key=lambda pair: (-pair[0], pair[1].name))
    return Screened(round(100 * (1 - doubt)), tuple(Signal(sign.name, sign.reason) for _, sign in ordered))
