"""The SQL lexer against a real database: what passes as a read changes nothing in SQLite."""

import sqlite3
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from extproc.arguments.sql import CLASSES, Sql, SqlValue, classify

PIECES = st.sampled_from(
    [*" \n;'\"`[]()-/*#$\\,=", "--", "/*", "*/", "/*!", "''", "$$", "$a$", "\\'", "SELECT 1", "SELECT ", "a", "1",
     "DELETE FROM t", "INSERT INTO t VALUES (9)", "DROP TABLE t", "UPDATE t SET a = 9", "CREATE TABLE u (a)",
     "WITH x AS (", "INTO ", "FROM t", "EXPLAIN ", "PRAGMA user_version = 7", "BEGIN", "E'",
     "q'[", "\r", "\t", "\x00", "\ud800", "é"]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=10).map("".join)


def state(database: sqlite3.Connection) -> list:
    return [
        database.execute("SELECT * FROM sqlite_master").fetchall(),
        database.execute("PRAGMA user_version").fetchall(),
        database.execute("SELECT * FROM t").fetchall(),
    ]


@given(TEXTS)
def test_every_text_has_known_classes_and_no_check_raises(text):
    found = classify(text)
    assert found
    assert set(found) <= {*CLASSES, "unknown"}
    assert "unknown" not in found or Sql(classes=CLASSES, several=True)(text)
    SqlValue()(text)


@given(TEXTS)
def test_what_passes_as_a_read_changes_nothing_in_a_database(text):
    if Sql(several=True)(text) == "":
        database = sqlite3.connect(":memory:")
        database.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (1)")
        before = state(database)
        with suppress(sqlite3.Error, ValueError):
            database.executescript(text)
        assert state(database) == before
        database.close()


@given(TEXTS, st.sampled_from(["DELETE FROM t", "DROP TABLE t", "UPDATE t SET a = 9"]))
def test_a_write_that_a_database_runs_never_passes(text, write):
    for whole in (text + write, text + ";" + write, write + text):
        database = sqlite3.connect(":memory:")
        database.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (1)")
        before = state(database)
        with suppress(sqlite3.Error, ValueError):
            database.executescript(whole)
        try:
            changed = state(database) != before
        except sqlite3.Error:
            changed = True
        database.close()
        assert not changed or Sql(several=True)(whole)


@given(st.text(max_size=60))
def test_text_in_a_doubled_literal_is_a_read_or_not_certain(text):
    found = classify("SELECT '" + text.replace("'", "''") + "'")
    assert found in (("read",), ("unknown",))
