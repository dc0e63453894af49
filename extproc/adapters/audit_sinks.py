"""Where audit lines go: a rotated file, or the process's standard output.

Several worker processes may share one file or one output: a line is never torn by another's. Nothing here decides
what a line says (`audit_lines`), or runs on the event loop (`audit`).
"""

import errno
import fcntl
import os
import select
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from extproc.adapters.audit_lines import json_line

Line = Callable[[dict[str, Any]], bytes]

_OWNER_ONLY = 0o600
_PATIENCE = 5.0  # seconds a reader of a pipe may let us wait before its lines count as lost


class _Lock:
    """Mutual exclusion between processes, by a file each of them opens itself: a lock on an inherited descriptor is
    shared with whoever inherited it too, and so excludes nobody."""

    def __init__(self, path: Path | None) -> None:
        self._fd = -1 if path is None else os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _OWNER_ONLY)

    @contextmanager
    def held(self) -> Iterator[None]:
        if self._fd < 0:
            yield
            return
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class FileSink:
    """JSON lines in `path`, readable by the owner only. When it would pass `max_bytes` it becomes `path.1`, the older
    ones move on, and those beyond `backups` are deleted. A lock file `path.lock` stands beside it."""

    def __init__(self, path: Path, *, max_bytes: int = 100 * 1024 * 1024, backups: int = 5) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._backups = backups
        self._lock = _Lock(path.with_name(path.name + ".lock"))
        self._fd = self._open()

    def write(self, entries: Sequence[dict[str, Any]]) -> None:
        with self._lock.held():
            self._follow()
            pending: list[bytes] = []
            size = os.fstat(self._fd).st_size
            for line in map(json_line, entries):
                if size and size + len(line) > self._max_bytes:
                    self._append(b"".join(pending))
                    pending.clear()
                    self._rotate()
                    size = 0
                pending.append(line)
                size += len(line)
            self._append(b"".join(pending))

    def close(self) -> None:
        os.close(self._fd)
        self._lock.close()

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(self._path, flags, _OWNER_ONLY)

    def _follow(self) -> None:
        """Open the file anew if another process rotated it, or someone deleted it."""
        ours = os.fstat(self._fd)
        try:
            theirs = self._path.lstat()
        except FileNotFoundError:
            theirs = None
        if theirs is None or (ours.st_dev, ours.st_ino) != (theirs.st_dev, theirs.st_ino):
            fresh = self._open()
            os.close(self._fd)
            self._fd = fresh

    def _rotate(self) -> None:
        names = [self._path, *(self._path.with_name(f"{self._path.name}.{n}") for n in range(1, self._backups + 1))]
        for older, newer in zip(reversed(names[1:]), reversed(names[:-1]), strict=True):
            if newer.exists():
                newer.replace(older)
        if not self._backups:
            self._path.unlink(missing_ok=True)
        self._follow()

    def _append(self, data: bytes) -> None:
        before = os.fstat(self._fd).st_size
        try:
            _write_all(self._fd, data)
        except OSError:
            os.ftruncate(self._fd, before)  # half a line would spoil the next one too
            raise


class StreamSink:
    """Lines on an open descriptor (standard output). `line` makes JSON or text of an entry. Writes of up to PIPE_BUF
    bytes are atomic by themselves; `lock`, a path shared by all workers, makes longer ones whole too."""

    def __init__(self, fd: int, line: Line = json_line, *, lock: Path | None = None) -> None:
        self._fd = fd
        self._line = line
        self._lock = _Lock(lock)

    def write(self, entries: Sequence[dict[str, Any]]) -> None:
        pending = b""
        with self._lock.held():
            for line in map(self._line, entries):
                if pending and len(pending) + len(line) > select.PIPE_BUF:
                    _write_all(self._fd, pending)
                    pending = b""
                pending += line
            _write_all(self._fd, pending)

    def close(self) -> None:
        self._lock.close()  # the descriptor is not ours to close


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:  # somebody made the terminal or pipe non-blocking
            if not select.select([], [fd], [], _PATIENCE)[1]:
                raise OSError(errno.EAGAIN, "the reader does not read") from None
