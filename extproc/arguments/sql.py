"""SQL texts: what class of statement they are, told by a lexer that takes no side between dialects.

The server's dialect is not known, and dialects disagree about where comments and strings end. What they read in
different ways is class "unknown", and so is what cannot be read at all: both are refused, whatever is allowed. Words
that begin a statement count wherever they stand outside quotes, because Transact-SQL needs no semicolon between
statements and common table expressions may write.

`Sql` judges a value that is a statement. `SqlValue` judges a value that somebody puts into a statement, where only
patterns can be looked for; it is off unless declared.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple
from unicodedata import normalize
from urllib.parse import unquote

import re2

CLASSES = ("read", "write", "ddl", "admin")
"""The classes that may be allowed, in the order of their power. The fifth, "unknown", never is."""

MAX_LENGTH = 65_536
"""Characters of a statement that is judged."""

_RANK = {"read": 0, "write": 1, "ddl": 2, "admin": 3, "unknown": 4}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What a statement is by its first word.
_FIRST = {
    word: kind
    for kind, words in {
        "read": "SELECT WITH VALUES TABLE SHOW DESCRIBE DESC EXPLAIN FROM",
        "write": "INSERT UPDATE DELETE MERGE REPLACE UPSERT",
        "ddl": "CREATE ALTER DROP TRUNCATE RENAME COMMENT REINDEX REFRESH",
        "admin": "GRANT REVOKE DENY SET RESET BEGIN START COMMIT ROLLBACK SAVEPOINT RELEASE ABORT END LOCK UNLOCK "
        "VACUUM ANALYZE CLUSTER ATTACH DETACH PRAGMA USE KILL SHUTDOWN FLUSH PURGE HANDLER INSTALL "
        "UNINSTALL LOAD IMPORT EXPORT BACKUP RESTORE DBCC RECONFIGURE LISTEN NOTIFY UNLISTEN DISCARD "
        "PREPARE DEALLOCATE DECLARE FETCH MOVE CLOSE CHECKPOINT REASSIGN SECURITY COPY DO CALL EXEC "
        "EXECUTE DELIMITER SOURCE OPTIMIZE REPAIR CHANGE STOP XA IF WHILE PRINT WAITFOR GO BULK RAISERROR "
        "THROW CACHE UNCACHE PUT GET REMOVE",
    }.items()
    for word in _words(words)
}
# Words that say more than the first one, wherever they stand.
_ANYWHERE = {
    word: kind
    for kind, words in {
        "write": "INSERT UPDATE DELETE MERGE INTO",
        "ddl": "DROP ALTER CREATE TRUNCATE",
        "admin": "GRANT REVOKE EXEC EXECUTE WAITFOR DBCC RECONFIGURE OUTFILE DUMPFILE KILL SHUTDOWN USE",
    }.items()
    for word in _words(words)
}
# Of these, what is a function's name (MySQL, Excel-like dialects) or a join's hint when this follows.
_INNOCENT = {"INSERT": ("(",), "TRUNCATE": ("(",), "MERGE": ("JOIN",), "USE": ("INDEX", "KEY")}
# Two words that together begin a statement of Transact-SQL or a locking clause.
_PAIRS = {
    ("FOR", "SHARE"): "write", ("SHARE", "MODE"): "write", ("FOR", "KEY"): "write", ("BACKUP", "DATABASE"): "admin",
    ("BACKUP", "LOG"): "admin", ("RESTORE", "DATABASE"): "admin", ("RESTORE", "LOG"): "admin",
    ("SHUTDOWN", "WITH"): "admin",
    ("BULK", "INSERT"): "admin", ("SET", "ROLE"): "admin", ("SET", "SESSION"): "admin", ("LOAD", "DATA"): "admin",
    ("TO", "PROGRAM"): "admin", ("FROM", "PROGRAM"): "admin", ("COPY", "("): "admin", ("DECLARE", "@"): "admin",
}  # fmt: skip
# Functions that read or write files, run programs, reach other hosts, change the session or only waste time.
_ACTING = _words(
    "pg_read_file pg_read_binary_file pg_ls_dir pg_ls_logdir pg_ls_waldir pg_ls_tmpdir pg_stat_file pg_write_file "
    "pg_file_write pg_file_unlink pg_file_rename pg_file_read lo_import lo_export lo_from_bytea lo_put lo_unlink "
    "lo_create pg_sleep pg_sleep_for pg_sleep_until pg_terminate_backend pg_cancel_backend pg_reload_conf set_config "
    "pg_rotate_logfile pg_switch_wal pg_promote pg_notify setval nextval query_to_xml query_to_xmlschema table_to_xml "
    "cursor_to_xml database_to_xml schema_to_xml pg_advisory_lock pg_advisory_xact_lock pg_create_restore_point "
    "pg_logdir_ls pg_execute_server_program load_file sleep benchmark get_lock release_lock sys_exec sys_eval sys_get "
    "sys_set master_pos_wait load_extension writefile readfile edit fts3_tokenizer zipfile openrowset openquery "
    "opendatasource openxml fn_trace_gettable fn_get_audit_file fn_xe_file_target_read_file httpuritype bfilename "
    "read_csv read_csv_auto read_parquet parquet_scan read_json read_json_auto read_ndjson read_text read_blob "
    "sniff_csv glob getenv url file s3 hdfs remote remotesecure mysql postgresql sqlite jdbc odbc executable mongodb "
    "redis system shell cmdshell java_method reflect dictget randomblob zeroblob pg_stat_reset "
    "external_query file_read file_write csvread csvwrite link_schema xmltype extractvalue updatexml"
)
# Of these, names that columns have as well: only a call counts.
_ONLY_CALLED = _words(
    "sleep edit url file s3 remote system shell reflect mysql postgresql sqlite jdbc odbc redis mongodb glob hdfs "
    "executable"
)
_ACTING_PREFIXES = (
    *(
        "xp_",
        "dblink",
        "utl_",
        "dbms_",
        "pg_read_",
        "pg_ls_",
        "pg_logical_",
        "pg_create_",
        "pg_drop_",
        "pg_replication_",
    ),
    *("pg_import_", "pg_export_", "pg_wal_", "pg_backup_", "pg_start_", "pg_stop_", "pg_stat_reset"),
)
_PRAGMAS = _words("TABLE_INFO TABLE_XINFO TABLE_LIST INDEX_LIST INDEX_INFO INDEX_XINFO FOREIGN_KEY_LIST DATABASE_LIST")
_NO_COMMENT = frozenset(";'\"`/*(#\\$[")
_NO_DOLLAR = frozenset("();'\"`/*#\\-[")


class _Unknown(Exception):
    """Dialects read this differently, or it cannot be read."""


class _Token(NamedTuple):
    kind: str  # "word", "name" (a quoted one), "string", or the character itself
    text: str  # upper case for words, lower case for names and strings


@dataclass(frozen=True, slots=True)
class Sql:
    """A value that is an SQL text."""

    classes: tuple[str, ...] = ("read",)
    several: bool = False
    """Whether one text may hold several statements."""

    def __call__(self, value: str) -> str:
        found = classify(value)
        if "unknown" in found:
            return "The text cannot be read with certainty as SQL; send one plain statement without comments."
        if len(found) > 1 and not self.several:
            return "The text holds several statements; send one at a time."
        for kind in found:
            if kind not in self.classes:
                return f"The text is a statement of class {kind}, and only {', '.join(self.classes)} is allowed here."
        return ""


def classify(text: str) -> tuple[str, ...]:
    """The class of each statement of a text, in order; ("unknown",) when it cannot be read. Raises nothing."""
    if len(text) > MAX_LENGTH:
        return ("unknown",)
    try:
        tokens = list(_tokens(_plain(text), 0, True))
    except _Unknown:
        return ("unknown",)
    statements: list[list[_Token]] = [[]]
    for token in tokens:
        if token.kind == ";":
            statements.append([])
        else:
            statements[-1].append(token)
    return tuple(_class(statement) for statement in statements if statement) or ("unknown",)


def _class(statement: list[_Token]) -> str:
    first = next((at for at, token in enumerate(statement) if token.kind != "("), 0)
    word = statement[first].text if statement[first].kind == "word" else ""
    worst = _FIRST.get(word, "unknown")
    if word == "PRAGMA":
        worst = "read" if _reads_pragma(statement[first + 1 :]) else "admin"
    listing = word in ("SHOW", "DESCRIBE", "DESC")  # SHOW CREATE TABLE creates nothing
    for at, token in enumerate(statement):
        follows = statement[at + 1] if at + 1 < len(statement) else _Token("", "")
        found = _acts(token, follows) or _reads_file(token, follows)
        if not found and token.kind == "word" and not listing and (at == 0 or statement[at - 1].kind != "."):
            found = _ANYWHERE.get(token.text, "")
            if found and follows.text in _INNOCENT.get(token.text, ()):
                found = ""
            found = found or _PAIRS.get((token.text, follows.text[:1] if follows.text[:1] == "@" else follows.text), "")
        if found and _RANK[found] > _RANK[worst]:
            worst = found
    return worst


def _acts(token: _Token, follows: _Token) -> str:
    if token.kind not in ("word", "name"):
        return ""
    name = token.text.lower()
    if name in _ACTING:
        return "admin" if name not in _ONLY_CALLED or follows.kind == "(" else ""
    return "admin" if name.startswith(_ACTING_PREFIXES) or (name.startswith("lo_") and follows.kind == "(") else ""


def _reads_file(token: _Token, follows: _Token) -> str:
    """`FROM 'x.csv'`, `JOIN "/etc/passwd"`: some databases read files, and other hosts, by naming them as tables."""
    if token.text not in ("FROM", "JOIN") or token.kind != "word":
        return ""
    named = follows.text
    if follows.kind == "name":
        return "admin" if "/" in named or "\\" in named else ""
    telling = any(each in named for each in "./\\:*") and any(each.isalpha() for each in named)
    return "admin" if follows.kind == "string" and telling else ""


def _reads_pragma(rest: list[_Token]) -> bool:
    return any(token.text in _PRAGMAS for token in rest[:3]) and all(token.kind != "=" for token in rest)


# --- the lexer


def _plain(text: str) -> str:
    """The text, if no character of it turns into a sign of SQL's when a database converts it."""
    if text.isascii():
        if "\0" in text or "\x1a" in text or "\x08" in text:
            raise _Unknown
        return text
    for each in text:
        if each > "\x7f" and normalize("NFKC", each)[:1] in "'\"`;-/*#\\()=" + "\u02bc":
            raise _Unknown
        if each == "\0" or "\ud800" <= each <= "\udfff":
            raise _Unknown
    return text


def _tokens(text: str, at: int, outer: bool) -> Iterator[_Token]:
    """All tokens of a text. Raises `_Unknown`. Every reading a dialect may have is the same one, or a part of it."""
    end, bracketed, hashed = len(text), 0, 0
    while at < end:
        each = text[at]
        if each.isspace():
            at += 1
        elif each.isalnum() or each in "_@":
            close = _word(text, at)
            yield _Token("word", text[at:close].upper())
            at = close
        elif each in "'\"`":
            close = _closing(text, at)
            yield _Token("string" if each == "'" else "name", text[at + 1 : close].lower())
            at = close + 1
        elif text.startswith("--", at):
            at = _line_comment(text, at)
        elif text.startswith("/*", at):
            at = _block_comment(text, at)
        elif each == "$":
            close = _dollar(text, at)
            yield _Token("string", "")
            at = close
        else:
            if each == "#" and outer and at >= hashed:
                hashed = _hash(text, at)
            elif each == "\\":
                raise _Unknown  # a meta command of a client, or an escape
            elif each == "[" and outer and at >= bracketed:
                bracketed = _bracket(text, at)
                name = text[at + 1 : bracketed].lower().strip()
                yield _Token("name", name)
                if name.isidentifier():  # to those who take it for a subscript no keyword is one
                    at = bracketed + 1
                    continue
            yield _Token(each, each)
            at += 1


def _word(text: str, at: int) -> int:
    """Where a word ends. Raises for prefixes that change how the string behind them is read."""
    close = at + 1
    while close < len(text) and (text[close].isalnum() or text[close] in "_$@"):
        close += 1
    word = text[at:close].upper()
    if text[close : close + 1] == "'" and word in ("Q", "NQ"):
        raise _Unknown  # Oracle's q'[...]' ends elsewhere than other strings
    if word == "U" and text[close : close + 2] in ("&'", '&"'):
        raise _Unknown  # escapes to PostgreSQL, an operator to others
    return close


def _closing(text: str, at: int) -> int:
    """Where a quoted text ends. A backslash before a quote ends it in some dialects and not in others."""
    quote, close = text[at], at
    while True:
        close = text.find(quote, close + 1)
        if close < 0:
            raise _Unknown
        behind = close
        while text[behind - 1] == "\\" and behind - 1 > at:
            behind -= 1
        if (close - behind) % 2 and quote != "`":
            raise _Unknown
        if text[close + 1 : close + 2] != quote:
            return close
        close += 1


def _line_comment(text: str, at: int) -> int:
    close = text.find("\n", at)
    close = len(text) if close < 0 else close
    if "\r" in text[at : close - 1]:  # some end a line there
        raise _Unknown
    # MySQL wants a space after the dashes; without one the rest of the line counts there.
    if text[at + 2 : at + 3].strip() and not _NO_COMMENT.isdisjoint(text[at + 2 : close]):
        raise _Unknown
    return close


def _block_comment(text: str, at: int) -> int:
    close = text.find("*/", at + 2)
    if close < 0 or text[at + 2 : at + 3] == "!" or text[at + 2 : at + 4].upper() == "M!":  # run by MySQL, MariaDB
        raise _Unknown
    if "/*" in text[at + 2 : close]:  # nests in PostgreSQL and SQL Server, not in MySQL and SQLite
        raise _Unknown
    return close + 2


def _hash(text: str, at: int) -> int:
    """A comment to MySQL, an operator or a table's name to others: the rest of the line is read on, and must end
    outside quotes."""
    close = text.find("\n", at)
    close = len(text) if close < 0 else close
    if "--" in text[at:close]:
        raise _Unknown
    for _ in _tokens(text[at + 1 : close], 0, False):
        pass
    return close


def _dollar(text: str, at: int) -> int:
    """`$1`, `$tag$...$tag$`: quotes to PostgreSQL, words to others, so nothing that matters to them may be inside."""
    tag = at + 1
    while text[tag : tag + 1].isalnum() or text[tag : tag + 1] == "_":
        tag += 1
    if text[tag : tag + 1] != "$" or text[at + 1 : at + 2].isdigit():
        return tag
    close = text.find(text[at : tag + 1], tag + 1)
    if close < 0:
        raise _Unknown
    inside = text[tag + 1 : close]
    if not _NO_DOLLAR.isdisjoint(inside) or "INTO" in inside.upper():
        raise _Unknown
    return close + tag + 1 - at


def _bracket(text: str, at: int) -> int:
    """`[...]` is a name to some and a subscript to others: both must end at the same place."""
    close = text.find("]", at)
    if close < 0 or any(each in text[at:close] for each in ("--", "/*", "#", "$")):
        raise _Unknown
    for _ in _tokens(text[at + 1 : close], 0, False):
        pass
    return close


# --- values inside statements

_OPERAND = r"(?:-?\d+|'[^']*'?|\"[^\"]*\"?|true|false|null|0x[0-9a-f]+)"
_COMPARES = r"(?:=|<|>|!=|\blike\b|\brlike\b|\bregexp\b|\bin\b|\bbetween\b|\bis\b)"
_INJECTED = re2.compile(
    "|".join(
        (
            # A quote ends the value, and what follows is an operator with something to work on, or a comment.
            r"(?i)['\"`]\s*\)*\s*(?:\bor\b|\band\b|\bxor\b|\|\||&&|\bhaving\b|\bwhere\b)[^'\"]*(?:[=<>(@#]|--|/\*|\b(?:is|like|in|between)\b)",
            r"['\"`]\s*\)*\s*(?:like|rlike|regexp|between|in|is|div|mod)\b\s*(?:not\s+)?(?:null|true|['\"\d(])",
            r"['\"`]\s*\)*\s*(?:\bunion\b|order\s+by\b|group\s+by\b|limit\s+\d|procedure\s+\w+\s*\(|into\s+(?:@|out|dump))",
            r"['\"`]\s*\)*\s*(?:;|--|#|/\*|\|\||&&|=\s*['\"\d(]|<>|!=|[+^*]\s*['\"\d(@])",
            # A condition that is always true, or a comment behind a number.
            r"(?:\bor|\band|\bxor|\|\||&&)\s*\(*\s*(?:not\s+)?"
            + _OPERAND
            + r"\s*\)*\s*(?:"
            + _COMPARES
            + r"|--|#|;|/\*)",
            r"^\s*-?\d+\s*\)*\s*(?:or|and|\|\||&&)\s+(?:true|exists|not|\(|\w+\s*\()",
            r"^\s*-?\d+\s*\)*\s+(?:procedure\s+\w+\s*\(|rlike\b|regexp\b|like\s|having\s|order\s+by\b|group\s+by\b)",
            r"^\s*-?\d+\s*\)*\s*(?:--|;\s*\w|/\*|#\s*$)|\border\s+by\s+\d+\s*(?:--|#)|\bhaving\s+\d+\s*=",
            # Statements.
            r"\bunion\b[\s(]*(?:all|distinct)?[\s(]*\bselect\b|\bunion\s*(?:all|distinct)?\s*values\s*\(",
            r";\s*(?:(?:drop|alter|create|truncate)\s+(?:table|database|schema|view|index|user|role|login|function|procedure|trigger)"
            r"|delete\s+from|insert\s+into|merge\s+into|update\s+\S+\s+set|select\s+[\d'\"@(*]|select\s[^;]*\bfrom|exec(?:ute)?[\s(]"
            r"|declare\s+@|shutdown\b|copy\s+\S+\s+(?:to|from)|call\s+\w+\s*\(|grant\s+\w+\s+(?:on|to)\b|attach\s+database|begin\s)",
            r"\(\s*select\b[^)]*\bfrom\b|\bcase\s+when\b.*\bthen\b|/\*!",
            r"\b(?:pg_sleep|sleep|benchmark|load_file|xp_\w+|utl_http\.\w+|dbms_\w+\.\w+|extractvalue|updatexml|lo_import"
            r"|randomblob|load_extension)\s*\(|\bwaitfor\s+delay\b|\binto\s+(?:out|dump)file\b",
        )
    )
)
_INJECTS = "The value looks like SQL that would end the value and change the statement; send the plain value."


@dataclass(frozen=True, slots=True)
class SqlValue:
    """A value that is put into a statement by pasting. Looks for patterns, so it finds what is known, not all."""

    def __call__(self, value: str) -> str:
        if value.isascii() and value.isalnum():
            return ""
        if len(value) > MAX_LENGTH:
            return f"The value is longer than the {MAX_LENGTH} characters a value for SQL may have."
        if any("\ud800" <= each <= "\udfff" for each in value) or "\0" in value:
            return "The value holds characters that no SQL text has; send plain text."
        for text in _readings(value):
            if "\0" in text or text.endswith("\\") or _INJECTED.search(text):
                return _INJECTS
        return ""


def _readings(value: str) -> Iterator[str]:
    """A value as readers may see it: signs of percent encoding undone, comments gone or a space."""
    seen: list[str] = []
    text = value if value.isascii() else normalize("NFKC", value).replace("\u02bc", "'").replace("\u2019", "'")
    for _ in range(3):
        if text in seen:
            break
        seen.append(text)
        yield text
        if "/*" in text and "*/" in text:
            yield _uncommented(text, " ")
            yield _uncommented(text, "")
        text = unquote(text.replace("+", " "), errors="replace") if "%" in text else text


def _uncommented(text: str, instead: str) -> str:
    made: list[str] = []
    at = 0
    while True:
        begin = text.find("/*", at)
        close = text.find("*/", begin + 2) if begin >= 0 else -1
        if close < 0:
            return "".join(made) + text[at:]
        made += (text[at:begin], instead)
        at = close + 2
