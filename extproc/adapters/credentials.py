"""Warm secrets for upstreams: from the policy, the environment, or files that are rotated under us.

Implements `session.ports.Credentials`. `header` is a look-up and never touches a disk; `refresh` and `run` do, in a
thread. No secret is ever part of a repr, a log line or a status: those name the source and what is wrong with it.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from extproc.adapters.files import Signature, read_regular, signature
from extproc.policy.runtime import CredentialSource, Policy

MAX_SECRET = 16 * 1024  # bytes; the largest real ones are cloud tokens of 2 KiB
_log = structlog.get_logger("gatereeve.credentials")


@dataclass(frozen=True, slots=True)
class CredentialStatus:
    """One credential, for readiness detail. `problem` is "" when all is well; `ready` can be true beside a problem
    while the last good secret is still used."""

    name: str
    ready: bool
    problem: str


@dataclass(slots=True)
class _Warm:
    """What is known of one source. `good_at`: when the secret was last seen to be right, in the clock's seconds."""

    header: tuple[str, str] | None = field(default=None, repr=False)
    problem: str = "not read yet"
    good_at: float = 0.0
    file: Signature | None = None


class _Unusable(Exception):
    """What was read cannot be a secret; the message says why and quotes nothing."""


class WarmCredentials:
    """`environ` is copied once. `clock` is monotonic seconds. When a file vanishes or turns bad, its last good secret
    is used for `grace` more seconds: a rotation in two steps must not cut traffic, a revoked one must not live on."""

    def __init__(self, environ: Mapping[str, str], clock: Callable[[], float], *, grace: float = 300.0) -> None:
        self._environ = dict(environ)
        self._clock = clock
        self._grace = grace
        self._warm: dict[CredentialSource, _Warm] = {}

    def __repr__(self) -> str:
        return f"WarmCredentials({len(self._warm)} sources)"

    def header(self, source: CredentialSource) -> tuple[str, str] | None:
        """(lower-case header name, value), or None when the secret cannot be had now."""
        warm = self._warm.get(source)
        if warm is None:
            if source.file:  # only `refresh` may read: it is called with a policy before that policy is used
                return None
            warm = self._warm[source] = self._fixed(source)
        return warm.header

    async def refresh(self, policy: Policy) -> None:
        """Warm every credential the policy names, and read again the files that changed. Those of earlier policies
        are kept for `grace` seconds, because exchanges that began under them may still ask."""
        wanted = {u.credential for u in policy.upstreams if u.credential is not None}
        now = self._clock()
        for source in wanted:
            if source not in self._warm:
                self._warm[source] = _Warm() if source.file else self._fixed(source)
        files = {source: self._warm[source].file for source in wanted if source.file}
        if files:
            for source, found in (await asyncio.to_thread(_look, files)).items():
                self._settle(source, found)
        for source in wanted:
            if not source.file:
                self._warm[source].good_at = now
        for source in [s for s, warm in self._warm.items() if s not in wanted and now - warm.good_at > self._grace]:
            del self._warm[source]

    async def run(self, policy: Callable[[], Policy | None], *, every: float = 1.0) -> None:
        """Keep the credentials of the policy in force warm until cancelled."""
        while True:
            current = policy()
            if current is not None:
                await self.refresh(current)
            await asyncio.sleep(every)

    def status(self) -> tuple[CredentialStatus, ...]:
        """For readiness detail: names and problems, never values."""
        return tuple(
            CredentialStatus(source.name, warm.header is not None, warm.problem) for source, warm in self._warm.items()
        )

    def _fixed(self, source: CredentialSource) -> _Warm:
        warm = _Warm(problem="", good_at=self._clock())
        try:
            if source.env and source.env not in self._environ:
                raise _Unusable("is not set")
            text = self._environ[source.env] if source.env else source.value
            warm.header = _header(source, text.encode("utf-8", "surrogateescape"))
        except _Unusable as why:
            warm.problem = f"environment variable {source.env} {why}" if source.env else f"the value {why}"
            _log.warning("credential unavailable", name=source.name, problem=warm.problem)
        return warm

    def _settle(self, source: CredentialSource, found: "_Look") -> None:
        warm, now, before = self._warm[source], self._clock(), self._warm[source].problem
        if found.unchanged:
            if not warm.problem:
                warm.good_at = now
                return
        else:
            warm.file = found.file
            warm.problem = found.problem
            if not found.problem:
                warm.header, warm.good_at = found.header, now
        if warm.problem and warm.header is not None and now - warm.good_at > self._grace:
            warm.header = None
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
    header: tuple[str, str] | None = field(default=None, repr=False)
    problem: str = ""


def _look(files: Mapping[CredentialSource, Signature | None]) -> dict[CredentialSource, _Look]:
    """Stat every file and read those that changed. Runs in a thread."""
    return {source: _look_at(source, known) for source, known in files.items()}


def _look_at(source: CredentialSource, known: Signature | None) -> _Look:
    now = signature(source.file)
    if now is not None and now == known:
        return _Look(now, unchanged=True)
    try:
        return _Look(now, header=_header(source, read_regular(source.file, MAX_SECRET)))
    except OSError as error:
        return _Look(None, problem=f"{source.file} cannot be read ({type(error).__name__})")
    except _Unusable as why:
        return _Look(now, problem=f"{source.file} {why}")


def _header(source: CredentialSource, raw: bytes) -> tuple[str, str]:
    if len(raw) > MAX_SECRET:
        raise _Unusable(f"is longer than {MAX_SECRET} bytes")
    raw = raw.rstrip(b"\r\n")  # editors and `echo` end files with one
    if not raw.strip():
        raise _Unusable("is empty")
    # RFC 9110 5.5: anything else could end the header and begin another.
    if any(byte < 0x20 or byte > 0x7E for byte in raw):
        raise _Unusable("has characters that no header may carry")
    return source.header, source.format.replace("{}", raw.decode("ascii"))
