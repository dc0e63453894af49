"""What a model's tokens cost. A price is per million tokens of a kind; a cost is what one call's tokens come to."""

from dataclasses import dataclass

from extproc.exchange.model import Usage

_PER = 1_000_000
_DIGITS = 9
"""Digits kept after the point of a cost: a thousandth of what one token of the cheapest models costs."""


@dataclass(frozen=True, slots=True)
class Price:
    """In units of `currency` per million tokens. Reasoning is output; `cached_input` was read from a cache,
    `cache_write` was written into one."""

    input: float
    output: float
    cached_input: float
    cache_write: float
    currency: str

    def cost(self, usage: Usage) -> float | None:
        """What these tokens come to; None if the provider counted none, so that nothing unknown looks free.

        `Usage.input_tokens` includes what was cached and written. A provider that says otherwise is not believed to
        have read fewer than no fresh tokens.
        """
        if usage.input_tokens is None and usage.output_tokens is None:
            return None
        cached, written = usage.cached_tokens or 0, usage.cache_write_tokens or 0
        fresh = max((usage.input_tokens or 0) - cached - written, 0)
        total = (
            fresh * self.input
            + cached * self.cached_input
            + written * self.cache_write
            + (usage.output_tokens or 0) * self.output
        )
        return round(total / _PER, _DIGITS)
