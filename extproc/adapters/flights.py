"""Answers by key that are kept for a while and asked for once at a time, whoever waits for them.

For one event loop. What asks blocks, in a thread of its own; whoever waits may go away without ending it for others,
and nobody waits for longer than `patience`. What an answer is, and whom it may be given to, is the key's affair: a key
must hold everything that tells one caller from another.
"""

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from extproc.exchange.refusal import Reason, Refusal
from extproc.session.ports import Injected

K = TypeVar("K", bound=Hashable)

LATE = "The credential for this MCP server did not come in time. Try again."


@dataclass(frozen=True, slots=True)
class Landed:
    """An answer, and for how many seconds from now it holds (0: for those who wait for it only)."""

    answer: Injected | Refusal = field(repr=False)
    lifetime: float


class Flights(Generic[K]):
    """`clock` is monotonic seconds. At most `capacity` answers are kept; the oldest goes first."""

    def __init__(
        self, threads: ThreadPoolExecutor, clock: Callable[[], float], *, capacity: int = 10_000, patience: float = 12.0
    ) -> None:
        self._threads = threads
        self._clock = clock
        self._capacity = capacity
        self._patience = patience
        self._held: dict[K, tuple[Injected | Refusal, float]] = {}
        self._aloft: dict[K, asyncio.Future[Landed]] = {}

    def __repr__(self) -> str:
        return f"Flights({len(self._held)} kept, {len(self._aloft)} under way)"

    def get(self, key: K) -> Injected | Refusal | None:
        """The answer that is kept, None if there is none (any more)."""
        held = self._held.get(key)
        if held is None:
            return None
        if self._clock() < held[1]:
            return held[0]
        del self._held[key]
        return None

    def forget(self, key: K) -> None:
        """Ask anew next time."""
        self._held.pop(key, None)

    async def ask(self, key: K, load: Callable[[], Landed]) -> Injected | Refusal:
        """The answer that `load` gives, or gives to somebody else who asked for the same before."""
        flight = self._aloft.get(key)
        if flight is None:
            known = self.get(key)  # it may have landed since the caller looked
            if known is not None:
                return known
            flight = asyncio.wrap_future(self._threads.submit(load))
            self._aloft[key] = flight
            flight.add_done_callback(lambda landed: self._land(key, landed))
        # Not awaited itself: to cancel one who waits would cancel it for all.
        await asyncio.wait({flight}, timeout=self._patience)
        if not flight.done():
            return Refusal.of(Reason.CREDENTIAL_UNAVAILABLE, message=LATE)
        if flight.cancelled() or flight.exception() is not None:
            return Refusal.of(Reason.CREDENTIAL_UNAVAILABLE)
        return flight.result().answer

    def _land(self, key: K, flight: "asyncio.Future[Landed]") -> None:
        del self._aloft[key]
        if flight.cancelled() or flight.exception() is not None:
            return
        landed = flight.result()
        if landed.lifetime <= 0:
            return
        self._held.pop(key, None)
        while len(self._held) >= self._capacity:
            del self._held[next(iter(self._held))]
        self._held[key] = (landed.answer, self._clock() + landed.lifetime)
