"""Access tokens that are kept warm: fetched ahead of time, used until they expire, and never a second longer.

A `WarmToken` is loaded in a thread and looked at on the request path, which never waits for it. What gets a new token
is a function of the cloud's own (`gcp_tokens`, `azure_tokens`). No token is part of a repr, a log line or a problem.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from extproc.errors import CredentialUnavailable, StartupError
from extproc.session.ports import Injected, Outgoing
from extproc.session.secret import SHORTEST

AHEAD = 300.0  # seconds before its end that a token is asked for anew; half its life if that is less
MARGIN = 5.0  # seconds: what is sent must arrive before the token ends
MAX_TOKEN = 16 * 1024  # characters
LONGEST_WAIT = 60.0  # seconds between two attempts that fail
_log = structlog.get_logger("gatereeve.tokens")


@dataclass(frozen=True, slots=True)
class Token:
    """What an exchange gave. `lifetime` is in seconds, from when it was asked for."""

    value: str = field(repr=False)
    lifetime: float


class Pace:
    """When to try next, in the clock's seconds: at once, then as told, and after failures ever later. `chance` gives
    numbers in [0, 1): gateways that started together must not ask together."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._failures = 0
        self._next = float("-inf")

    def due(self, now: float) -> bool:
        return now >= self._next

    def succeeded(self, now: float, wait: float, spread: float) -> None:
        """The next is due after `wait` seconds, or up to `spread` earlier."""
        self._failures = 0
        self._next = now + wait - spread * self._chance()

    def failed(self, now: float) -> None:
        wait = min(LONGEST_WAIT, 2.0 ** min(self._failures, 10))
        self._failures += 1
        self._next = now + wait * (1.0 + self._chance()) / 2


class WarmToken:
    """One source's token. `fetch` blocks, and raises `CredentialUnavailable` or `StartupError` with a text that may be
    shown. `clock` is monotonic seconds, `wall` Unix time: a token has ended when either says so, because the one does
    not run while a machine sleeps, and the other may be set back. Whoever calls `load` sees to it that only one is
    under way."""

    def __init__(
        self,
        name: str,
        fetch: Callable[[], Token],
        clock: Callable[[], float],
        chance: Callable[[], float],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._fetch = fetch
        self._clock = clock
        self._wall = wall
        self._pace = Pace(chance)
        # With its end by both clocks. One value, so that no reader sees a half of it.
        self._held: tuple[Injected, float, float] | None = None
        self._problem = "not asked for yet"

    def __repr__(self) -> str:
        return f"WarmToken({self.name!r})"

    @property
    def ready(self) -> bool:
        held = self._held
        return held is not None and self._clock() < held[1] and self._wall() < held[2]

    @property
    def problem(self) -> str:
        """What is wrong, "" if nothing. There can be a problem while the last good token is still used."""
        return self._problem or ("" if self.ready else "it has expired")

    def inject(self, _request: Outgoing) -> Injected | None:
        held = self._held
        return held[0] if held is not None and self._clock() < held[1] and self._wall() < held[2] else None

    def due(self, now: float) -> bool:
        return self._pace.due(now) or (not self._problem and not self.ready)

    def load(self) -> None:
        """Fetch a token. Blocks for as long as the network does, so it belongs into a thread. Never raises: `problem`
        tells."""
        asked, asked_at, before = self._clock(), self._wall(), self._problem
        try:
            token = self._fetch()
            injected, lifetime = _injected(token.value), token.lifetime
            if not MARGIN < lifetime < float("inf"):
                raise CredentialUnavailable("the token given had expired already")
        except (CredentialUnavailable, StartupError) as error:
            self._failed(str(error), before)
        except Exception as error:  # noqa: BLE001  (a cloud's library raises what its parsers, keys and transports
            # raise; the message may quote an answer or a file, so that only the kind of the error is told)
            self._failed(f"the token cannot be fetched ({type(error).__name__})", before)
        else:
            ahead = min(AHEAD, lifetime / 2)
            self._pace.succeeded(asked, lifetime - ahead, ahead / 4)
            self._held = (injected, asked + lifetime - MARGIN, asked_at + lifetime - MARGIN)
            self._problem = ""
            if before:
                _log.info("token fetched", name=self.name)

    def _failed(self, problem: str, before: str) -> None:
        self._pace.failed(self._clock())
        self._problem = problem
        if problem != before:
            _log.warning("token unavailable", name=self.name, problem=problem, last_one_used=self.ready)


def _injected(value: str) -> Injected:
    # RFC 6750 2.1, and RFC 9110 5.5: anything else could end the header and begin another.
    if not 0 < len(value) <= MAX_TOKEN or any(not "\x21" <= char <= "\x7e" for char in value):
        raise CredentialUnavailable("the token given is not one")
    secret = value.encode("ascii") if len(value) >= SHORTEST else b""
    return Injected((("authorization", f"Bearer {value}"),), secret)
