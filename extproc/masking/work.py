"""How much work an exchange's texts may still cost. Counted in places looked at, never in time: the same text is
refused on every machine or on none.

Almost every text costs next to nothing. What is written to look like the beginning of a secret at every place costs
microseconds a place, and meanwhile nobody else is served: so there is an end to it.
"""

from extproc.errors import Uninspectable

LIMIT = 300_000  # steps; the worst take 3 to 5 microseconds each, and lines of nothing but secrets 8 a line
FAILED = 3  # steps of a candidate that fails its check, which is Python's work
SIEVED = 16  # digits that the sieve reads in the time of a step


class Work:
    """`steps` done since the last `renew`, at most `limit`."""

    __slots__ = ("limit", "steps")

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self.steps = 0

    def spend(self, steps: int = 1) -> None:
        """Raises `Uninspectable` beyond the limit, and from then on at every call until `renew`."""
        self.steps += steps
        if self.steps > self.limit:
            raise Uninspectable("To inspect it is too much work.")
