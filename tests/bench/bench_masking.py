"""What masking costs: `python tests/bench/bench_masking.py`. Microseconds, the minimum of repeats."""

import timeit

from extproc.masking import MaskFilter, RuleSet, rules

PROSE = (
    "The committee met on Tuesday to discuss the budget, and after a long debate the members agreed that the new "
    "library should open in spring. Ms. Rivera, who chairs the group, said that the roof needs work before winter; "
    "others asked whether the 12 volunteers could help with it. Nobody objected. "
)
DELTAS = [PROSE[at : at + size] for at, size in zip(range(0, 200, 10), [5, 8, 12, 20, 7] * 4, strict=True)]
TOKENS = [f" {word}" for word in PROSE.split()]
KILOBYTE = (PROSE * 4)[:1024]
TWO_SECRETS = ("Write to jane.doe@example.com about the card 4111 1111 1111 1111. " + PROSE * 4)[:1024]
SECRETS = "Pay 4111 1111 1111 1111, mail john@example.com or +1 415 555 2671, key sk-abcdefghijklmnopqrstuvwxyz. "
HOSTILE = "4 " * 1000  # a card number in single digits begins at every second character


def cost(step, number: int = 2000) -> float:
    return min(timeit.repeat(step, number=number, repeat=7)) / number * 1e6


def figures() -> dict[str, float]:
    compiled = RuleSet(rules())
    stream = MaskFilter(compiled, limit=1 << 60).stream()  # these texts are read more often than any exchange may

    def feed(pieces):
        def run():
            for piece in pieces:
                stream.feed(piece)

        return cost(run, 300) / len(pieces)

    mask = MaskFilter(compiled, limit=1 << 60)
    return {
        "feed: delta of 5-20 characters of prose": feed(DELTAS),
        "feed: one word of prose": feed(TOKENS),
        "feed: 8 characters of text full of secrets": feed([SECRETS[at : at + 8] for at in range(0, len(SECRETS), 8)]),
        "text: one short word": cost(lambda: mask.text("stop")),
        "text: 1 KB of prose": cost(lambda: mask.text(KILOBYTE)),
        "text: 1 KB with 2 secrets": cost(lambda: mask.text(TWO_SECRETS)),
        "text: one character of 4 4 4 4 ...": cost(lambda: mask.text(HOSTILE), 3) / len(HOSTILE),
        "text: 100 characters with 4 secrets": cost(lambda: mask.text(SECRETS)),
        "MaskFilter and one stream": cost(lambda: MaskFilter(compiled).stream()),
        "compile all shipped rules": cost(lambda: RuleSet(rules()), 2),
    }


if __name__ == "__main__":
    for name, value in figures().items():
        print(f"{value:10.2f} µs  {name}")
