"""Every issuer's keys, warm: fetched once for all who wait, refreshed ahead of need, kept while an issuer is down.

`keys()` and `may_fetch()` are synchronous look-ups; only `fetch`, `refresh` and `run` await. A fetch that fails is a
state, not an exception: tokens are refused with keys-unavailable only when no keys young enough are left.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import httpx2
import structlog

from extproc.adapters.files import Signature, signature
from extproc.adapters.jwks import KeyFetchError, fetch_keys, http_client
from extproc.identity.keyset import KeySet
from extproc.identity.model import Issuer, KeySource

_FIRST_BACKOFF = 1.0  # seconds after a failed fetch, doubled up to the issuer's refetch_interval
_REFRESH_SPREAD = 0.1  # replicas refresh up to this share of the interval early, so that they do not come at once
_log = structlog.get_logger("gatereeve.keys")

_EntryKey = tuple[str, KeySource]  # one `iss` and source fetched once, however many IdentityProviders share them


@dataclass(slots=True)
class _Entry:
    """What is known of one issuer's keys. Times are the cache's clock, in seconds."""

    spread: float
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    keys: KeySet | None = None
    good_at: float = 0.0
    attempts: int = 0
    failures: int = 0
    not_before: float = 0.0  # no attempt sooner: backoff after failures
    asked_at: float | None = None  # when an unknown kid last caused a fetch
    problem: str = ""
    file: Signature | None = None


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """One issuer's keys, for readiness detail. `age` in seconds, None if they were never had."""

    issuer: str
    keys: int
    age: float | None
    problem: str


class KeyCache:
    """`clock` is monotonic seconds, `draw` gives numbers in [0, 1); `on_fetch(provider, outcome)` counts attempts,
    outcome "ok" or "error"."""

    def __init__(
        self,
        clock: Callable[[], float],
        draw: Callable[[], float],
        *,
        http: httpx2.AsyncClient | None = None,
        on_fetch: Callable[[str, str], None] | None = None,
    ) -> None:
        self._clock = clock
        self._draw = draw
        self._http = http
        self._on_fetch = on_fetch
        self._entries: dict[_EntryKey, _Entry] = {}

    def keys(self, issuer: Issuer) -> KeySet | None:
        """The keys to verify with now; None if there are none, or none younger than the issuer's `stale_for`."""
        entry = self._entries.get((issuer.issuer, issuer.keys))
        if entry is None or entry.keys is None or self._clock() - entry.good_at > issuer.stale_for:
            return None
        return entry.keys

    def may_fetch(self, issuer: Issuer) -> bool:
        """Whether `fetch` for a key that is missing would be worth awaiting. An unknown kid is what any stranger can
        send, so it causes at most one fetch per `refetch_interval`; those who come meanwhile share it."""
        entry = self._entries.get((issuer.issuer, issuer.keys))
        if entry is None or entry.lock.locked():
            return True
        now = self._clock()
        if now < entry.not_before:
            return False
        return entry.keys is None or entry.asked_at is None or now - entry.asked_at >= issuer.refetch_interval

    async def fetch(self, issuer: Issuer) -> None:
        """Fetch now because a key is missing, or wait for the fetch that is under way. Never raises on failure."""
        entry = self._entry(issuer)
        if not self.may_fetch(issuer):
            return
        if not entry.lock.locked() and entry.keys is not None:
            entry.asked_at = self._clock()
        await self._once(entry, issuer)

    async def refresh(self, issuers: Iterable[Issuer]) -> None:
        """Fetch what is due among `issuers`, all at once, and forget every other issuer."""
        wanted = {(issuer.issuer, issuer.keys): issuer for issuer in issuers}
        for gone in self._entries.keys() - wanted.keys():
            del self._entries[gone]
        due = [issuer for issuer in wanted.values() if await self._due(issuer)]
        async with asyncio.TaskGroup() as group:
            for issuer in due:
                group.create_task(self._once(self._entry(issuer), issuer))

    async def run(self, issuers: Callable[[], Iterable[Issuer]], *, every: float = 1.0) -> None:
        """Keep keys fresh until cancelled. `issuers` gives those of the policy in force."""
        while True:
            await self.refresh(issuers())
            await asyncio.sleep(every)

    async def close(self) -> None:
        if self._http is not None:
            await self._http.aclose()

    def status(self, issuers: Iterable[Issuer]) -> tuple[KeyStatus, ...]:
        """For readiness detail: nothing in it is secret."""
        now = self._clock()
        found = []
        for issuer in issuers:
            entry = self._entries.get((issuer.issuer, issuer.keys)) or _Entry(0.0)
            count = len(entry.keys.keys) if entry.keys else 0
            found.append(KeyStatus(issuer.name, count, now - entry.good_at if entry.keys else None, entry.problem))
        return tuple(found)

    def _entry(self, issuer: Issuer) -> _Entry:
        key = (issuer.issuer, issuer.keys)
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry(spread=1.0 - _REFRESH_SPREAD * self._draw())
        return entry

    async def _due(self, issuer: Issuer) -> bool:
        entry, now, source = self._entry(issuer), self._clock(), issuer.keys
        if now < entry.not_before:
            return False
        if entry.keys is None:
            return True
        if source.inline:
            entry.good_at = now  # a part of the policy does not age
            return False
        if source.file:
            found = await asyncio.to_thread(signature, source.file)
            if found is not None and found == entry.file and not entry.failures:
                entry.good_at = now  # looked at and unchanged is as good as read again
                return False
            return True
        return now - entry.good_at >= issuer.refresh * entry.spread

    async def _once(self, entry: _Entry, issuer: Issuer) -> None:
        """One fetch for all who wait. A lock and not a shared future: when the one who fetches is cancelled (its
        client went away), the next in line fetches instead of failing with it."""
        seen = entry.attempts
        async with entry.lock:
            if entry.attempts == seen:
                await self._attempt(entry, issuer)

    async def _attempt(self, entry: _Entry, issuer: Issuer) -> None:
        if self._http is None:
            self._http = http_client()
        # Looked at before reading: a change in between is then seen as one next time, never missed.
        before = await asyncio.to_thread(signature, issuer.keys.file) if issuer.keys.file else None
        try:
            keys = await fetch_keys(issuer, self._http)
        except KeyFetchError as error:
            entry.failures += 1
            wait = min(
                _FIRST_BACKOFF * 2.0 ** min(entry.failures - 1, 16), max(issuer.refetch_interval, _FIRST_BACKOFF)
            )
            entry.not_before = self._clock() + wait * (1.0 - self._draw() / 2)
            self._note(entry, issuer, str(error))
        else:
            changed = entry.keys is None or keys.skipped != entry.keys.skipped
            entry.keys, entry.good_at, entry.file = keys, self._clock(), before
            entry.failures, entry.not_before = 0, 0.0
            self._note(entry, issuer, "")
            if changed and keys.skipped:
                _log.warning("keys skipped", provider=issuer.name, skipped=keys.skipped[:8])
        entry.attempts += 1

    def _note(self, entry: _Entry, issuer: Issuer, problem: str) -> None:
        """Count the attempt; log only what is new, so that an issuer that is down for a day is not a full disk."""
        if self._on_fetch is not None:
            self._on_fetch(issuer.name, "error" if problem else "ok")
        if problem and problem != entry.problem:
            _log.warning("keys cannot be fetched", provider=issuer.name, problem=problem, stale=entry.keys is not None)
        elif entry.problem and not problem:
            _log.info("keys can be fetched again", provider=issuer.name)
        entry.problem = problem
