import threading

import structlog

from extproc.adapters.audit import AuditWriter


class Memory:
    def __init__(self, gate=None, error=None):
        self.entries, self.gate, self.error, self.closed = [], gate, error, False

    def write(self, entries):
        if self.gate is not None:
            self.gate.wait()
        if self.error is not None:
            raise self.error
        self.entries.extend(entries)

    def close(self):
        self.closed = True


def test_everything_accepted_is_written_in_order_before_close_returns():
    sink = Memory()
    writer = AuditWriter([sink])
    for n in range(5000):
        writer.emit({"n": n})
    assert writer.close(10)
    assert [e["n"] for e in sink.entries] == list(range(5000))
    assert sink.closed
    assert (writer.dropped, writer.failed) == (0, 0)


def test_flush_waits_for_what_was_accepted_and_says_when_it_could_not():
    gate = threading.Event()
    sink = Memory(gate)
    writer = AuditWriter([sink])
    writer.emit({"n": 1})
    assert not writer.flush(0.05)
    gate.set()
    assert writer.flush(10)
    assert sink.entries == [{"n": 1}]
    writer.close()


def test_a_full_queue_drops_and_counts_and_never_blocks():
    gate, lost = threading.Event(), []
    sink = Memory(gate)
    writer = AuditWriter([sink], capacity=10, on_lost=lost.append)
    for n in range(1000):
        writer.emit({"n": n})
    accepted = 1000 - writer.dropped
    assert writer.dropped > 0
    assert sum(lost) == writer.dropped
    gate.set()
    assert writer.close(10)
    assert len(sink.entries) == accepted, "what was accepted was written"


def test_what_comes_after_close_is_counted_as_dropped():
    writer = AuditWriter([Memory()])
    writer.close()
    writer.emit({})
    assert writer.dropped == 1


def test_an_entry_that_breaks_a_sink_does_not_end_the_audit():
    sink = Memory(error=AttributeError("a bug"))
    with structlog.testing.capture_logs():
        writer = AuditWriter([sink])
        writer.emit({"n": 1})
        assert writer.flush(10)
        sink.error = None
        writer.emit({"n": 2})
        assert writer.close(10)
    assert sink.entries == [{"n": 2}]
    assert writer.failed == 1


def test_a_full_disk_is_counted_logged_once_and_does_not_stop_the_other_sink():
    bad, good, lost = Memory(error=OSError(28, "no space left, says /secret")), Memory(), []
    with structlog.testing.capture_logs() as logs:
        writer = AuditWriter([bad, good], on_lost=lost.append)
        for n in range(3):
            writer.emit({"n": n})
            assert writer.flush(10)
        bad.error = None
        writer.emit({"n": 3})
        assert writer.close(10)
    assert writer.failed == sum(lost) == 3
    assert len(good.entries) == 4
    assert bad.entries == [{"n": 3}]
    assert [log["event"] for log in logs] == ["audit cannot be written", "audit is written again"]
    assert "secret" not in str(logs)
