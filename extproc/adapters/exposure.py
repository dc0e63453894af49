"""Who has seen sensitive data lately: `session.ports.Exposure`, shared by the worker processes of one host.

One mapped file, no lock on the way. Every process owns a *lane* and is the only one that ever writes there, so no write
can undo another's; a reader looks into all lanes and takes the highest. The file holds no name: a caller is a keyed
hash, and the key is made with the file.

Nothing is ever forgotten before its time, also where there is no room: a lane's *bucket* that is full raises its
*floor*, which counts for every caller whose hash falls into that bucket, until its last entry would have expired. So a
table that is too small refuses too much, never too little.

    page 0    magic, shape, lanes in use, key, checksum
    bucket    for each lane 4 words: the floors of levels 1 to 3, and one unused
              for each lane 8 tags (62 bits of the hash, 2 bits level), then their 8 expiries
    expiry    Unix time in seconds, 32 bits, and 32 bits that prove that tag and time belong together

A word is 8 bytes and aligned, which today's machines write whole. Where one should be read half written after all, its
proof fails, and then it counts as valid: too much for a microsecond, never too little.
"""

import fcntl
import hashlib
import math
import mmap
import os
import secrets
import stat
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog

from extproc.errors import StartupError

LEVELS = 3
LANES = 64  # processes that can have the file open at once, and so workers of a host
BUCKETS = 2048
WAYS = 8  # entries of a lane's bucket: 16,384 a lane, one per caller and level

_PAGE = 4096
_HEAD = struct.Struct("=16sIIII32s")  # magic, order of bytes, lanes, buckets, ways, key; then a checksum
_CHECK = 16
_MAGIC = b"gatereeve expo 1"
_USED = (_PAGE - 8) // 8  # the word that counts the lanes that were ever used
_FLOOR = 32
_LANE = WAYS * 16
_BUCKET = LANES * (_FLOOR + _LANE)
_SIZE = _PAGE + BUCKETS * _BUCKET
_GRACE = 60  # seconds for which an expired entry keeps its place, in case the clock is set back a little
_LATEST = 2**32 - 1
_NOTHING = bytes(LANES * _LANE)

_log = structlog.get_logger("gatereeve.exposure")


class MemoryExposure:
    """The same for a single process, forgotten with it: for tests and for `check`."""

    def __init__(self) -> None:
        self._until: dict[tuple[bytes, int], float] = {}
        self._full = 1024

    def touched(self, key: bytes, level: int, wall: float, ttl: float) -> None:
        """See `SharedExposure`."""
        if level <= 0 or not ttl > 0:
            return
        entry = (key, min(level, LEVELS))
        self._until[entry] = max(self._until.get(entry, 0.0), wall + ttl)
        if len(self._until) > self._full:
            self._until = {entry: until for entry, until in self._until.items() if until + _GRACE > wall}
            self._full = 2 * len(self._until) + 1024

    def level(self, key: bytes, wall: float) -> int:
        """See `SharedExposure`."""
        until = self._until
        for level in range(LEVELS, 0, -1):
            if until.get((key, level), 0.0) > wall:
                return level
        return 0


class SharedExposure:
    """The mapped file at `path`, made if it is not there, with lane files beside it. For one thread of one process, and
    not to be carried over a fork. Raises `StartupError` when it cannot be had."""

    __slots__ = ("_base", "_key", "_lane", "_lock", "_map", "_pid", "_words", "path")

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        try:
            with _locked(self.path.with_name(self.path.name + ".lock")):
                self._map, self._key = _opened(self.path)
                self._words = memoryview(self._map).cast("Q")
                self._lock, self._lane = _lane(self.path)
                self._words[_USED] = max(self._words[_USED], self._lane + 1)
        except OSError as error:
            raise StartupError(
                f"The file of exposures {self.path} cannot be used ({error.strerror}): its folder must be writable for "
                f"this user and have room for {_SIZE >> 20} MiB."
            ) from None
        self._base = hashlib.blake2b(key=self._key, digest_size=16)
        self._pid = os.getpid()

    def close(self) -> None:
        """Gives the lane back. What was written stays."""
        self._words.release()
        self._map.close()
        os.close(self._lock)

    def touched(self, key: bytes, level: int, wall: float, ttl: float) -> None:
        """The caller `key` has seen data of `level` (1 to 3; 0 is nothing to remember), which counts for `ttl` seconds
        from `wall`, the Unix time. Expiry is rounded up to the second."""
        if level <= 0 or not ttl > 0:
            return
        assert self._pid == os.getpid(), "two processes would write in one lane"
        bucket, plain = self._place(key)
        until = min(math.ceil(min(wall + ttl, _LATEST)), _LATEST)
        tag = plain | min(level, LEVELS)
        words = self._words
        tags = (bucket + LANES * _FLOOR + self._lane * _LANE) // 8
        free = -1
        for at in range(tags, tags + WAYS):
            found = words[at]
            word = words[at + WAYS]
            if found == tag:
                if not _true(word, tag) or word >> 32 < until:
                    words[at + WAYS] = _word(until, tag)
                return
            if free < 0 and (found == 0 or (_true(word, found) and (word >> 32) + _GRACE < wall)):
                free = at
        if free >= 0:
            words[free] = 0  # nobody's while its expiry changes
            words[free + WAYS] = _word(until, tag)
            words[free] = tag
            return
        floor = (bucket + self._lane * _FLOOR) // 8 + (tag & 3) - 1
        word = words[floor]
        if not _true(word, tag & 3) or word >> 32 < until:
            words[floor] = _word(until, tag & 3)

    def level(self, key: bytes, wall: float) -> int:
        """The highest level that still counts for the caller, 0 for none."""
        bucket, plain = self._place(key)
        shared = self._map
        used = min(self._words[_USED], LANES)
        begin = bucket + LANES * _FLOOR
        lanes = shared[begin : begin + used * _LANE]
        floors = shared[bucket : bucket + used * _FLOOR]
        least = 0
        if not _NOTHING.startswith(floors):
            for at, word in enumerate(memoryview(floors).cast("Q")):
                if word and (at & 3) + 1 > least and _held(word, (at & 3) + 1, wall):
                    least = (at & 3) + 1
        if not _NOTHING.startswith(lanes):
            for level in range(LEVELS, least, -1):
                tag = plain | level
                if any(_held(word, tag, wall) for word in _entries(lanes, tag)):
                    return level
        return min(least, LEVELS)

    def _place(self, key: bytes) -> tuple[int, int]:
        """The caller's bucket, as an offset, and its tag without a level."""
        hashed = self._base.copy()
        hashed.update(key)
        digest = hashed.digest()
        bucket = int.from_bytes(digest[:4], "little") % BUCKETS
        return _PAGE + bucket * _BUCKET, int.from_bytes(digest[8:], "little") & ~3


def _entries(lanes: bytes, tag: int) -> Iterator[int]:
    """The words of expiry of a tag in all lanes of a bucket."""
    sought = tag.to_bytes(8, sys.byteorder)
    at = lanes.find(sought)
    while at >= 0:
        if at % 8 == 0 and at % _LANE < _LANE // 2:
            yield int.from_bytes(lanes[at + WAYS * 8 : at + WAYS * 8 + 8], sys.byteorder)
        at = lanes.find(sought, at + 1)


def _word(until: int, tag: int) -> int:
    return until << 32 | _proof(until, tag)


def _proof(until: int, tag: int) -> int:
    """Differs for each time and tag, and in many bits for a time that is half another."""
    mixed = (until * 0x9E3779B97F4A7C15 ^ tag) * 0xD6E8FEB86659FD93 & 0xFFFFFFFFFFFFFFFF
    return (mixed >> 32 ^ mixed) & 0xFFFFFFFF


def _true(word: int, tag: int) -> bool:
    return word & 0xFFFFFFFF == _proof(word >> 32, tag)


def _held(word: int, tag: int, wall: float) -> bool:
    """Whether it counts: it has not expired, or nobody can tell."""
    return word >> 32 > wall or not _true(word, tag)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Alone among the processes that open the file. Never held while calls are served."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _lane(path: Path) -> tuple[int, int]:
    """The descriptor of a lane's file, and the lane: the first that no living process has. The kernel gives it back."""
    for lane in range(LANES):
        lock = os.open(
            path.with_name(f"{path.name}.lane-{lane}"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
        else:
            return lock, lane
    raise StartupError(f"The file of exposures {path} is open in {LANES} processes already: give others their own.")


def _opened(path: Path) -> tuple[mmap.mmap, bytes]:
    """The file mapped, and its key. One that is not ours, or damaged, gives way to a new one."""
    problem = "it is not there"
    for _ in range(2):
        try:
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            pass
        except OSError as error:
            problem = f"it cannot be opened ({error.strerror})"
        else:
            try:
                problem = _problem(file)
                if not problem:
                    shared = mmap.mmap(file, _SIZE)
                    return shared, _HEAD.unpack_from(shared)[-1]
            finally:
                os.close(file)
        _replace(path, problem)
    raise OSError(0, problem)


def _problem(file: int) -> str:
    """Why a file cannot be believed, "" if it can. Its size is asked first: beyond its end, a mapping kills."""
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        return "it is not a file of this user alone"
    if found.st_size != _SIZE:
        return "it has another size"
    head = os.pread(file, _HEAD.size + _CHECK, 0)
    if head[: _HEAD.size + _CHECK] != _header(_HEAD.unpack_from(head)[-1]):
        return "its beginning is damaged, or another version's"
    return ""


def _header(key: bytes) -> bytes:
    head = _HEAD.pack(_MAGIC, 0x01020304, LANES, BUCKETS, WAYS, key)
    return head + hashlib.blake2b(head, digest_size=_CHECK).digest()


def _replace(path: Path, problem: str) -> None:
    """A new file in the place of what is there, if anything is. It has all its blocks: a full disk is found out now,
    and not by a signal in the middle of a call."""
    if os.path.lexists(path):
        _log.error("exposures forgotten", path=str(path), problem=problem, remedy="restart all workers of this host")
    else:
        _log.info("exposures begin anew", path=str(path))
    made = path.with_name(path.name + ".new")
    with suppress(FileNotFoundError):
        made.unlink()
    file = os.open(made, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file, 0, _SIZE)
        else:
            os.ftruncate(file, _SIZE)
        os.pwrite(file, _header(secrets.token_bytes(32)), 0)
    finally:
        os.close(file)
    made.replace(path)
