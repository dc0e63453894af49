"""Warm credentials for upstreams: secrets, AWS signatures, Google's and Azure's access tokens.

Implements `session.ports.Credentials`. `inject` is a look-up (and for AWS a signature) and touches neither disk nor
network; `refresh` and `run` do, in threads. Secrets come from the policy, the environment, or files that are rotated
under us; what a cloud hands out is asked for ahead of time. No secret is ever part of a repr, a log line or a status:
those name the source and what is wrong with it.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from extproc.adapters import azure_tokens, gcp_tokens
from extproc.adapters.aws_keys import AwsKeys
from extproc.adapters.files import Signature, read_regular, signature
from extproc.adapters.tokens import Pace, Token, WarmToken
from extproc.policy.runtime import AwsSource, AzureSource, Credential, CredentialSource, GcpSource, Policy
from extproc.session.ports import Injected, Outgoing
from extproc.session.secret import secret_of

MAX_SECRET = 16 * 1024  # bytes; the largest real ones are cloud tokens of 2 KiB
KEYS_EVERY = 30.0  # seconds between two looks for AWS keys: well below the time botocore refreshes them ahead
_log = structlog.get_logger("gatereeve.credentials")


@dataclass(frozen=True, slots=True)
class CredentialStatus:
    """One credential, for readiness detail. `problem` is "" when all is well; `ready` can be true beside a problem
    while the last good secret is still used."""

    name: str
    ready: bool
    problem: str


class _Credential(Protocol):
    """What is known of one source."""

    @property
    def ready(self) -> bool: ...

    @property
    def problem(self) -> str: ...

    def inject(self, request: Outgoing, /) -> Injected | None: ...


class _Fetched(_Credential, Protocol):
    """One that must be fetched. `load` blocks, never raises, and runs once at a time."""

    def due(self, now: float) -> bool: ...

    def load(self) -> None: ...


@dataclass(slots=True)
class _Warm:
    """A secret that is sent as it is. `good_at`: when it was last seen to be right, in the clock's seconds."""

    injected: Injected | None = field(default=None, repr=False)
    problem: str = "not read yet"
    good_at: float = 0.0
    file: Signature | None = None

    @property
    def ready(self) -> bool:
        return self.injected is not None

    def inject(self, _request: Outgoing) -> Injected | None:
        return self.injected  # made when the secret was read


class _Signing:
    """AWS's keys, and what is signed with them."""

    def __init__(self, source: AwsSource, clock: Callable[[], float], chance: Callable[[], float]) -> None:
        self._keys = AwsKeys(source.name, profile=source.profile, instance=source.instance)
        self._region, self._service = source.region, source.service
        self._clock = clock
        self._pace = Pace(chance)

    @property
    def ready(self) -> bool:
        return self._keys.ready

    @property
    def problem(self) -> str:
        return self._keys.problem

    def inject(self, request: Outgoing) -> Injected | None:
        return self._keys.inject(request, self._region, self._service)

    def due(self, now: float) -> bool:
        return self._pace.due(now)

    def load(self) -> None:
        self._keys.load()
        if self._keys.problem:
            self._pace.failed(self._clock())
        else:
            self._pace.succeeded(self._clock(), KEYS_EVERY, KEYS_EVERY / 4)


class Unusable(Exception):
    """What was read cannot be a secret; the message says why and quotes nothing."""


class WarmCredentials:
    """`environ` is copied once (botocore reads the process's own). `clock` is monotonic seconds. When a file vanishes
    or turns bad, its last good secret is used for `grace` more seconds: a rotation in two steps must not cut traffic, a
    revoked one must not live on. `patience` is how long `refresh` waits for what has to be fetched, in seconds."""

    def __init__(
        self,
        environ: Mapping[str, str],
        clock: Callable[[], float],
        *,
        grace: float = 300.0,
        patience: float = 3.0,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._environ = dict(environ)
        self._clock = clock
        self._grace = grace
        self._patience = patience
        self._chance = chance
        self._known: dict[Credential, _Credential] = {}
        self._secrets: dict[Credential, _Warm] = {}  # of `_known`, those that are read
        self._fetched: dict[Credential, _Fetched] = {}  # and those that are fetched
        self._wanted_at: dict[Credential, float] = {}
        self._fetching: dict[Credential, Future[None]] = {}
        # Of its own: endpoints that do not answer must not hold up whoever else needs a thread.
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="credentials")

    def __repr__(self) -> str:
        return f"WarmCredentials({len(self._known)} sources)"

    def inject(self, source: Credential, request: Outgoing) -> Injected | None:
        """What authenticates `request`, or None when it cannot be had now."""
        known = self._known.get(source)
        if known is None:
            # Only `refresh` may read or fetch: it is called with a policy before that policy is used.
            if not isinstance(source, CredentialSource) or source.file:
                return None
            known = self._know(source)
        return known.inject(request)

    async def refresh(self, policy: Policy) -> None:
        """Warm every credential the policy names: read the files that changed, fetch what is due. What does not come
        within `patience` is fetched on behind, and cannot be had until then. Credentials of earlier policies are kept
        for `grace` seconds, because exchanges that began under them may still ask."""
        self._start(policy)
        await self._read(policy)
        waited_for = [
            asyncio.wrap_future(future)
            for source, future in self._fetching.items()
            if not future.done() and not self._fetched[source].ready
        ]
        if waited_for:
            await asyncio.wait(waited_for, timeout=self._patience)

    async def run(self, policy: Callable[[], Policy | None], *, every: float = 1.0) -> None:
        """Keep the credentials of the policy in force warm until cancelled."""
        while True:
            current = policy()
            if current is not None:
                self._start(current)
                await self._read(current)
            await asyncio.sleep(every)

    def status(self) -> tuple[CredentialStatus, ...]:
        """For readiness detail: names and problems, never values."""
        return tuple(CredentialStatus(source.name, known.ready, known.problem) for source, known in self._known.items())

    def _start(self, policy: Policy) -> None:
        """Know what the policy names, forget what is no longer wanted, and begin to fetch what is due."""
        now = self._clock()
        for source in {u.credential for u in policy.upstreams if u.credential is not None}:
            if source not in self._known:
                self._know(source)
            self._wanted_at[source] = now
            fetched = self._fetched.get(source)
            under_way = self._fetching.get(source)
            if fetched is not None and (under_way is None or under_way.done()) and fetched.due(now):
                self._fetching[source] = self._threads.submit(fetched.load)
        for source in [source for source, at in self._wanted_at.items() if now - at > self._grace]:
            self._known.pop(source, None)
            self._secrets.pop(source, None)
            self._fetched.pop(source, None)
            self._fetching.pop(source, None)
            del self._wanted_at[source]

    def _know(self, source: Credential) -> _Credential:
        self._wanted_at[source] = self._clock()
        if isinstance(source, CredentialSource):
            warm = self._secrets[source] = _Warm() if source.file else self._fixed(source)
            self._known[source] = warm
            return warm
        fetched: _Fetched
        if isinstance(source, AwsSource):
            fetched = _Signing(source, self._clock, self._chance)
        else:
            fetched = WarmToken(source.name, _fetcher(source, self._environ), self._clock, self._chance)
        self._known[source] = self._fetched[source] = fetched
        return fetched

    async def _read(self, policy: Policy) -> None:
        files = {
            source: self._secrets[source].file
            for source in (u.credential for u in policy.upstreams)
            if isinstance(source, CredentialSource) and source.file
        }
        if files:
            for source, found in (await asyncio.to_thread(_look, files)).items():
                if source in self._secrets:  # not forgotten meanwhile
                    self._settle(source, found)

    def _fixed(self, source: CredentialSource) -> _Warm:
        warm = _Warm(problem="", good_at=self._clock())
        try:
            if source.env and source.env not in self._environ:
                raise Unusable("is not set")
            text = self._environ[source.env] if source.env else source.value
            warm.injected = injected(source, text.encode("utf-8", "surrogateescape"))
        except Unusable as why:
            warm.problem = f"environment variable {source.env} {why}" if source.env else f"the value {why}"
            _log.warning("credential unavailable", name=source.name, problem=warm.problem)
        return warm

    def _settle(self, source: CredentialSource, found: "_Look") -> None:
        warm, now, before = self._secrets[source], self._clock(), self._secrets[source].problem
        if found.unchanged:
            if not warm.problem:
                warm.good_at = now
                return
        else:
            warm.file = found.file
            warm.problem = found.problem
            if not found.problem:
                warm.injected, warm.good_at = found.injected, now
        if warm.problem and warm.injected is not None and now - warm.good_at > self._grace:
            warm.injected = None
            _log.error("credential no longer used", name=source.name, problem=warm.problem)
        elif warm.problem and warm.problem != before:
            _log.warning("credential cannot be read", name=source.name, problem=warm.problem)
        elif before and not warm.problem:
            _log.info("credential read", name=source.name)


@dataclass(frozen=True, slots=True)
class _Look:
    """What one look at a file found."""

    file: Signature | None
    unchanged: bool = False
    injected: Injected | None = field(default=None, repr=False)
    problem: str = ""


def _look(files: Mapping[CredentialSource, Signature | None]) -> dict[CredentialSource, _Look]:
    """Stat every file and read those that changed. Runs in a thread."""
    return {source: _look_at(source, known) for source, known in files.items()}


def _look_at(source: CredentialSource, known: Signature | None) -> _Look:
    now = signature(source.file)
    if now is not None and now == known:
        return _Look(now, unchanged=True)
    try:
        return _Look(now, injected=injected(source, read_regular(source.file, MAX_SECRET)))
    except OSError as error:
        return _Look(None, problem=f"{source.file} cannot be read ({type(error).__name__})")
    except Unusable as why:
        return _Look(now, problem=f"{source.file} {why}")


def injected(source: CredentialSource, raw: bytes) -> Injected:
    """What a secret as it was read makes of a request's headers. Raises `Unusable`."""
    if len(raw) > MAX_SECRET:
        raise Unusable(f"is longer than {MAX_SECRET} bytes")
    raw = raw.rstrip(b"\r\n")  # editors and `echo` end files with one
    if not raw.strip():
        raise Unusable("is empty")
    # RFC 9110 5.5: anything else could end the header and begin another.
    if any(byte < 0x20 or byte > 0x7E for byte in raw):
        raise Unusable("has characters that no header may carry")
    value = source.format.replace("{}", raw.decode("ascii"))
    return Injected(((source.header, value),), secret_of(source, value))


def _fetcher(source: GcpSource | AzureSource, environ: Mapping[str, str]) -> Callable[[], Token]:
    if isinstance(source, GcpSource):
        return gcp_tokens.fetcher(source, environ)
    return azure_tokens.fetcher(source, environ)
