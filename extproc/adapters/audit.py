"""The audit trail: one entry per exchange, written by a thread of its own.

`emit` never blocks and never raises: an entry is accepted into a bounded queue or counted as dropped. What was
accepted is written before `close` returns. A sink that fails (disk full) loses its lines loudly: counted and logged.
"""

import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, Protocol

import structlog

Entry = dict[str, Any]

_PAUSE = 0.05  # seconds between looks at the queue: waking for every entry would fight the event loop for the GIL
_BATCH = 256
_log = structlog.get_logger("gatereeve.audit")


class Sink(Protocol):
    """Where entries go. Called by the writer's thread only."""

    def write(self, entries: Sequence[Entry]) -> None:
        """All of them, in order. Raises OSError when it cannot; then none or some were written."""
        ...

    def close(self) -> None: ...


class AuditWriter:
    """`on_lost(n)` is told how many entries were dropped or could not be written (from any thread)."""

    def __init__(
        self, sinks: Sequence[Sink], *, capacity: int = 10_000, on_lost: Callable[[int], None] | None = None
    ) -> None:
        self.dropped = 0  # not accepted: the queue was full, or the writer closed
        self.failed = 0  # accepted, but a sink could not write it
        self._sinks = tuple(sinks)
        self._capacity = capacity
        self._on_lost = on_lost
        self._queue: SimpleQueue[Entry] = SimpleQueue()
        self._wake = threading.Event()
        self._written = threading.Condition()
        self._accepted = 0
        self._done = 0
        self._closed = False
        self._broken: set[int] = set()
        self._thread = threading.Thread(target=self._run, name="gatereeve-audit", daemon=True)
        self._thread.start()

    def emit(self, entry: Entry) -> None:
        """Accept an entry, which must not be changed afterwards. Called from one thread (the event loop's)."""
        if self._closed or self._queue.qsize() >= self._capacity:
            self.dropped += 1
            if self._on_lost is not None:
                self._on_lost(1)
            return
        self._accepted += 1
        self._queue.put(entry)

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until everything accepted so far was handed to the sinks; False if that took longer than `timeout`
        seconds."""
        goal = self._accepted
        self._wake.set()
        with self._written:
            return self._written.wait_for(lambda: self._done >= goal, timeout)

    def close(self, timeout: float = 5.0) -> bool:
        """Write what was accepted, then stop. False if that took longer than `timeout` seconds."""
        self._closed = True
        self._wake.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            closing = self._closed  # read before the queue: nothing is accepted after it was set
            while batch := self._take():
                for index, sink in enumerate(self._sinks):
                    self._write(index, sink, batch)
                with self._written:
                    self._done += len(batch)
                    self._written.notify_all()
            if closing:
                break
            self._wake.wait(_PAUSE)
            self._wake.clear()
        for sink in self._sinks:
            sink.close()

    def _take(self) -> list[Entry]:
        batch: list[Entry] = []
        try:
            while len(batch) < _BATCH:
                batch.append(self._queue.get_nowait())
        except Empty:
            pass
        return batch

    def _write(self, index: int, sink: Sink, batch: list[Entry]) -> None:
        try:
            sink.write(batch)
        except Exception as error:  # noqa: BLE001 - one odd entry must not end the thread, and with it every audit
            self.failed += len(batch)
            if self._on_lost is not None:
                self._on_lost(len(batch))
            if index not in self._broken:  # said once, not once per batch: the log may be on the same full disk
                self._broken.add(index)
                _log.error("audit cannot be written", sink=type(sink).__name__, error=type(error).__name__)
        else:
            if index in self._broken:
                self._broken.discard(index)
                _log.info("audit is written again", sink=type(sink).__name__, failed=self.failed)
