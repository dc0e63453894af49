"""The class of SQL texts. Tricks by name are in the corpus; here stands what the lexer promises."""

import time

import pytest

from extproc.arguments.sql import MAX_LENGTH, Sql, SqlValue, classify

WRITES = ("DELETE FROM t", "UPDATE t SET a = 1", "INSERT INTO t VALUES (1)")


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        pytest.param("SELECT 1", ("read",), id="a read"),
        pytest.param("DELETE FROM t", ("write",), id="a write"),
        pytest.param("DROP TABLE t", ("ddl",), id="a change of the schema"),
        pytest.param("GRANT ALL ON t TO u", ("admin",), id="a right"),
        pytest.param("HELLO t", ("unknown",), id="no statement"),
        pytest.param("SELECT 1; DROP TABLE t", ("read", "ddl"), id="each statement has its class"),
        pytest.param("SELECT 1 DROP TABLE t EXEC p", ("admin",), id="the worst class counts"),
        pytest.param(";;SELECT 1;;", ("read",), id="empty statements are none"),
        pytest.param("CREATE TABLE t AS SELECT 1", ("ddl",), id="a table from a read"),
        pytest.param("SELECT * INTO t FROM u", ("write",), id="a read into a table"),
        pytest.param("SELECT 1 INTO OUTFILE 'x'", ("admin",), id="a read into a file"),
    ],
)
def test_each_statement_has_its_class(text, classes):
    assert classify(text) == classes


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize(
    "around",
    [
        pytest.param("{}", id="alone"),
        pytest.param("-- SELECT\n{}", id="after a line comment"),
        pytest.param("/* SELECT */{}", id="after a comment"),
        pytest.param("SELECT 1;{}", id="after a read"),
        pytest.param("SELECT 1 {}", id="without a semicolon"),
        pytest.param("SELECT ''{}", id="right behind a string"),
        pytest.param('SELECT ""{}', id="right behind a name"),
        pytest.param("SELECT ''''{}", id="behind a doubled quote"),
        pytest.param("SELECT '\\\\'{}", id="behind an escaped backslash"),
        pytest.param("SELECT '\\'{}--'", id="behind an escaped quote"),
        pytest.param("SELECT '\\'' {} --'", id="behind an escaped and a plain quote"),
        pytest.param("WITH a AS ({}) SELECT * FROM a", id="in a common table expression"),
        pytest.param("EXPLAIN ANALYZE {}", id="explained by running it"),
        pytest.param("({})", id="in brackets"),
        pytest.param("SELECT [a]{}", id="behind a name in brackets"),
        pytest.param("SELECT [a'] {} --']", id="behind a quote in brackets"),
        pytest.param("SELECT /*/*/ {} /*/*/", id="between comments that nest to some"),
        pytest.param("SELECT /*! {} */ 1", id="in a comment that is run"),
        pytest.param("SELECT $a$ $a${}", id="behind a dollar quote"),
        pytest.param("SELECT $a$ ;{} $a$", id="in a dollar quote, after a semicolon"),
        pytest.param("SELECT 1 # '\n{} -- '", id="behind a hash with a quote"),
        pytest.param("SELECT 1 --'\n{} --'", id="behind dashes with a quote"),
        pytest.param("SELECT 1 --\r{}\n", id="behind a comment that a carriage return ends"),
        pytest.param("SELECT `a`{}", id="behind a name in backticks"),
        pytest.param("SELECT E'\\'' {} --'", id="behind PostgreSQL's escapes"),
    ],
)
def test_no_wrapping_makes_a_write_a_read(write, around):
    assert Sql()(around.format(write))


@pytest.mark.parametrize("word", ["DELETE FROM t", "; DROP TABLE t", "INTO OUTFILE", "pg_sleep"])
@pytest.mark.parametrize("literal", ["'{}'", "'it''s {}'", "'\n{}'", "N'{}'", "E'{}'"])
def test_words_in_literals_do_nothing(word, literal):
    assert Sql()(f"SELECT {literal.format(word)} AS a") == ""


def test_classes_are_allowed_by_name_and_unknown_never_is():
    assert Sql(classes=("read", "write"))("DELETE FROM t") == ""
    assert Sql(classes=("write",))("SELECT 1")
    assert Sql(classes=("read", "write", "ddl", "admin", "unknown"), several=True)("HELLO")
    assert "several" in Sql()("SELECT 1; SELECT 2")
    assert Sql(several=True)("SELECT 1; SELECT 2") == ""
    assert "class ddl" in Sql(several=True)("SELECT 1; DROP TABLE t")


def test_no_message_quotes_the_text():
    for text in ("DROP TABLE hunter2", "hunter2", "SELECT 1; DROP TABLE hunter2", "SELECT 'hunter2"):
        assert "hunter2" not in Sql()(text)
    assert "hunter2" not in SqlValue()("hunter2' OR 1=1--")


@pytest.mark.parametrize(
    "piece", ["[", "#", "#\n", "'", "''", "\\", "\\'", "$a", "$a$ ", "--", "/*", "/**/", "(", "[a'", "a ", "-- x\n"]
)
def test_hostile_repetition_costs_linear_time(piece):
    for text in (piece, "SELECT " + piece):
        text = (text + piece * (MAX_LENGTH // len(piece)))[:MAX_LENGTH]
        begin = time.thread_time()
        classify(text)
        SqlValue()(text)
        assert time.thread_time() - begin < 1.5


def test_a_text_longer_than_is_judged_is_unknown():
    assert classify("SELECT 1" + " " * MAX_LENGTH) == ("unknown",)
    assert SqlValue()("' " * MAX_LENGTH)


@pytest.mark.parametrize(
    "text", ["", " ", ";", "--", "/**/", "'", '"', "`", "[", "$a$", "\0", "SELECT '\ud800'", "U&'x'", "q'x'"]
)
def test_what_cannot_be_read_is_unknown(text):
    assert classify(text) == ("unknown",)


def test_odd_values_for_statements_are_refused():
    assert SqlValue()("\ud800 ")
    assert SqlValue()("a\0")
