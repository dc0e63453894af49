"""Values that reach a shell or a program: what would make them more than the one value they should be.

Three checks for three places. `Command` is for a value that is put into a shell line, whose quoting is not known:
nothing with a meaning to any shell passes. `CommandLine` is for a value that is the whole line: quotes are understood,
and one simple command passes. `Argument` is for a value that becomes one entry of a program's arguments: it must not
be an option, nor a file to read options from.

POSIX shells, cmd.exe and PowerShell are all meant, because the server does not say which one it uses. Encoded forms
(percent, `\\x`, `\\u`, octal, compatibility characters) are undone first. Linear time; no value is ever quoted.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from unicodedata import normalize
from urllib.parse import unquote

import re2

MAX_LENGTH = 32_768
"""Characters of a value that is judged; cmd.exe takes 8,191 and Linux 131,072 for one argument."""

_BREAKS = "\n\r\x0b\x0c\x00\x85\u2028\u2029"
_SEPARATORS = frozenset(";&|<>")
_QUOTES = frozenset("'\"")
_TYPED_QUOTES = frozenset("\u2018\u2019\u201a\u201b\u201c\u201d\u201e")  # quotes to PowerShell
_DASHES = frozenset("-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d\xad")  # an option's dash to some code page
_HIDDEN = frozenset(map(chr, (0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF)))
_CONTROLS = frozenset(chr(code) for code in (*range(9), *range(11, 32), 127))
_ENTRY_SIGNS = ("-", "\0", "::", "%", "\\", "core.")  # what `Argument` looks for beyond the first character
# A value without any of these, in ASCII, is words and nothing else.
_TELLING = frozenset("\n;&|<>`$(){}!^%\\#'\"*?[]=") | _CONTROLS

_NESTED = re2.compile(
    r"(?i)(?:^|[\s/\\])(?:(?:ba|da|z|k|c|tc|a|fi)?sh|busybox|pwsh|powershell(?:\.exe)?)\s(?:.*\s)?-[a-z]*c(?:ommand)?(?:\s|$)"
    r"|(?:^|[\s/\\])(?:pwsh|powershell)(?:\.exe)?\s(?:.*\s)?[-/]e(?:c|nc|ncodedcommand)?\s"
    r"|(?:^|[\s/\\])cmd(?:\.exe\s*|\s+)(?:/[a-z:]+\s+)*/[ckr]"
    r"|\s-(?:exec|execdir|ok|okdir)\s"
    r"|^\s*(?:(?:sudo|env|nohup|time|exec|command|builtin)\s+)*(?:eval|iex|invoke-expression|invoke-command|icm)(?:\s|$)"
)
_EXPANSION = re2.compile(r"\$[\w{(\['\"@*#?$!-]")
_INSIDE_DOUBLE = re2.compile(r"\$[\w{(\[@*#?$!-]|`|%[A-Za-z_][\w()]{2,}(?::[^%]*)?%")
_CMD = re2.compile(r"%[A-Za-z_][\w()]{2,}(?::[^%]*)?%|\^[\w\s&|<>^\"(]*[A-Za-z&|<>^\"(]|![A-Za-z_!$?{-]")
_BRACES = re2.compile(r"\{[^{}\s]*(?:,|\.\.)[^{}\s]*\}")
_LOADED = re2.compile(
    r"(?:^|[\s;'\"])(?:LD_[A-Z_]+|DYLD_[A-Z_]+|PATH|IFS|ENV|BASH_ENV|BASH_FUNC_\S*|SHELLOPTS|BASHOPTS|PS4|PROMPT_COMMAND"
    r"|GIT_[A-Z_]*(?:SSH|EXEC|DIFF|PAGER|EDITOR|ASKPASS|CONFIG|PROXY)[A-Z_0-9]*|(?:GIT_|MAN)?PAGER|EDITOR|VISUAL|BROWSER"
    r"|NODE_OPTIONS|PYTHON(?:STARTUP|PATH|HOME|INSPECT|WARNINGS)|PERL5?(?:OPT|LIB|DB)|RUBY(?:OPT|LIB)"
    r"|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|LESSOPEN|LESSCLOSE|COMSPEC|PSModulePath)\+?="
)
_ENCODED_BREAK = re2.compile(r"[;|`\n\r\x00]|\$[({]|&&")
_OPTIONS = re2.compile(
    r"(?i)(?:^|[\s='\"])(?:-o\s*(?:ProxyCommand|LocalCommand|PermitLocalCommand|KnownHostsCommand)"
    r"|--(?:upload-pack|receive-pack|use-compress-program|checkpoint-action|to-command|rsh|exec(?:-batch)?)(?:[\s=]|$)"
    r"|(?:-c\s*)?core\.(?:sshCommand|gitProxy|fsmonitor|pager|editor|hooksPath)\s*=)"
)
_FILE = re2.compile(r"(?i)^@(?:[/.~\\-]|[a-z]:|[^\s/@]+\.(?:rsp|txt|json|conf|cfg|ini|ya?ml|xml|pem|key|env|csv|log)$)")
_PLAIN_NUMBER = re2.compile(r"^[+-]?\.?[0-9][0-9.,:eE+\s()/-]*%?$")

_TOO_LONG = f"The value is longer than the {MAX_LENGTH} characters a command may have."
_NOT_TEXT = "The value holds characters that are no valid Unicode; send plain text."
_INVISIBLE = "The value holds control or invisible characters; send plain text."
_BREAK = "The value holds a line break or NUL, which ends a command; send one line."
_SEPARATOR = "The value holds ; & | < or >, which join commands or redirect to files; send one simple command or value."
_SUBSTITUTES = (
    "The value holds a substitution or variable ($, backtick), which a shell would run or expand; send the plain value."
)
_GROUPS = "The value holds brackets that a shell would run or expand; send the plain value."
_QUOTED = "The value holds quotes, which can end the quotes of the surrounding line; send the value without them."
_UNBALANCED = "The value holds a quote that is not closed; close it."
_ESCAPES = "The value ends with a backslash, which takes away the meaning of what follows; leave it out."
_COMMENTS = "The value holds a comment sign (#), which cuts off the rest of the line; leave it out."
_WINDOWS = "The value holds %, ^ or ! in a form that cmd.exe or a shell's history expands; send the plain value."
_ENCODES = "The value holds shell characters in an encoded form; send the plain value."
_NESTS = "The value starts another shell or evaluates text as a command; name the program itself."
_ASSIGNS = "The value sets an environment variable that changes which programs run; leave it out."
_GLOBS = "The value holds a wildcard, which the policy does not allow here; name the files."
_PROGRAM = "The value does not begin with a program that the policy allows; use an allowed one by its plain name."
_OPTION = (
    "The value begins with a dash or plus sign, so the program would take it as an option; send a value that does not."
)
_OPTION_WITHIN = "The value holds an option that makes a program run a command; leave it out."
_RESPONSE = "The value begins with @ and a file, which programs read in its place; send the value itself."
_HELPER = "The value names a transport or host that makes a program run a command; send a plain address."


@dataclass(frozen=True, slots=True)
class Command:
    """A value that is put into a shell line somewhere: nothing in it may mean anything to a shell."""

    globs: bool = True
    """Whether the wildcards * ? [ ] may be there."""

    def __call__(self, value: str) -> str:
        if value.isascii() and _TELLING.isdisjoint(value) and len(value) <= MAX_LENGTH:
            return _NESTS if _NESTED.search(value) else ""
        text, problem = _canonical(value)
        if problem:
            return problem
        if not _QUOTES.isdisjoint(text) or not _TYPED_QUOTES.isdisjoint(value):
            return _SUBSTITUTES if _EXPANSION.search(text) else _QUOTED
        return _bare(text, self.globs) or _ending(text) or (_GROUPS if _BRACES.search(text) else "")


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A value that is a whole shell line: one simple command, with quoted arguments if need be."""

    programs: tuple[str, ...] = ()
    """The programs that may be run, by plain name; empty for any."""
    globs: bool = True
    cmd: bool = False
    """Whether the line goes to cmd.exe: single quotes do not quote there, and a line break always ends the command."""

    def __call__(self, value: str) -> str:
        if value.isascii() and _TELLING.isdisjoint(value) and len(value) <= MAX_LENGTH:
            return _NESTS if _NESTED.search(value) else self._program(value)
        text, problem = _canonical(value, breaks=not self.cmd)
        if problem:
            return problem
        for escapes in (False, True) if "\\" in text else (False,):
            problem = self._reading(text, escapes)
            if problem:
                return problem
        return ""

    def _reading(self, text: str, escapes: bool) -> str:
        """What is wrong with the line for a shell in which a backslash makes a quote plain, or for one where not."""
        bare, double, closed = _unquoted(text, not self.cmd, escapes)
        if not closed:
            return _UNBALANCED
        if _INSIDE_DOUBLE.search(double):
            return _SUBSTITUTES
        if not _TYPED_QUOTES.isdisjoint(bare):
            return _QUOTED
        if bare.lstrip().startswith("{"):
            return _GROUPS
        if escapes and (len(bare) - len(bare.rstrip("\\"))) % 2:
            return _ESCAPES
        return _bare(bare, self.globs) or _nested(text, bare) or self._program(bare)

    def _program(self, line: str) -> str:
        if not self.programs:
            return ""
        words = line.split(None, 1)
        return "" if words and words[0] in self.programs else _PROGRAM


@dataclass(frozen=True, slots=True)
class Argument:
    """A value that becomes one entry of a program's arguments, without a shell."""

    def __call__(self, value: str) -> str:
        if value.isascii() and value[:1].isalnum() and not any(each in value for each in _ENTRY_SIGNS):
            return ""
        if "\0" in value or "%00" in value:
            return _BREAK
        if not _encodable(value):
            return _NOT_TEXT
        for text in (value, *_decoded(value)):
            problem = _as_entry(text.strip().lstrip("'\""))
            if problem:
                return problem
        return ""


def _as_entry(text: str) -> str:
    folded = text if text.isascii() else normalize("NFKC", text)
    if _PLAIN_NUMBER.search(folded):
        return ""
    if text[:1] in _DASHES or folded[:1] in ("-", "+"):
        return _OPTION
    if _FILE.search(folded):
        return _RESPONSE
    lower = folded.lower()
    if lower.startswith(("ext::", "fd::")) or "://-" in folded or "@-" in folded:
        return _HELPER
    return _OPTION_WITHIN if _OPTIONS.search(folded) else ""


def _canonical(value: str, breaks: bool = False) -> tuple[str, str]:
    """The text a shell may come to see, and what forbids it at once. `breaks`: line breaks are judged later."""
    if len(value) > MAX_LENGTH:
        return value, _TOO_LONG
    if not _encodable(value):
        return value, _NOT_TEXT
    text = value
    if not value.isascii():
        if not _HIDDEN.isdisjoint(value) or any("\U000e0000" <= each <= "\U000e007f" for each in value):
            return value, _INVISIBLE
        text = normalize("NFKC", value)
    if "\0" in text or (not breaks and any(each in text for each in _BREAKS)):
        return text, _BREAK
    if not _CONTROLS.isdisjoint(text.replace("\r", "") if breaks else text):
        return text, _INVISIBLE
    for decoded in _decoded(text):
        if len(_ENCODED_BREAK.findall(decoded)) > len(_ENCODED_BREAK.findall(text)):
            return text, _ENCODES
    return text, ""


def _decoded(text: str) -> Iterable[str]:
    """What other readers may make of a text: percent signs undone (twice, if need be), escapes undone."""
    if "%" in text:
        once = unquote(text, errors="replace")
        if once != text:
            yield once
            twice = unquote(once, errors="replace")
            if twice != once:
                yield twice
    if "\\" in text:
        plain = _unescaped(text)
        if plain != text:
            yield plain


def _unescaped(text: str) -> str:
    """`\\x3b`, `\\u003b`, `\\073` and `\\n` undone."""
    pieces = text.split("\\")
    made = [pieces[0]]
    for piece in pieces[1:]:
        for prefix, length, base in (("x", 2, 16), ("u", 4, 16), ("", 3, 8)):
            digits = piece[len(prefix) : len(prefix) + length]
            if piece.startswith(prefix) and len(digits) == length and _is_number(digits, base):
                made.append(chr(int(digits, base) % 0xD800) + piece[len(prefix) + length :])
                break
        else:
            made.append("\\" + piece)
    return "".join(made)


def _is_number(digits: str, base: int) -> bool:
    return (
        digits.isascii()
        and digits.isalnum()
        and all(each in "0123456789abcdefABCDEF"[: 8 if base == 8 else 22] for each in digits)
    )


def _bare(text: str, globs: bool) -> str:
    """What is wrong with text outside quotes."""
    if not _SEPARATORS.isdisjoint(text):
        return _SEPARATOR
    if "`" in text or _EXPANSION.search(text):
        return _SUBSTITUTES
    if "(" in text or ")" in text:
        return _GROUPS
    if any(each in text for each in _BREAKS):
        return _BREAK
    if _CMD.search(text):
        return _WINDOWS
    if _LOADED.search(text):
        return _ASSIGNS
    if _NESTED.search(text):
        return _NESTS
    return "" if globs or not any(each in text for each in "*?[]") else _GLOBS


def _ending(text: str) -> str:
    if (len(text) - len(text.rstrip("\\"))) % 2:
        return _ESCAPES
    return _COMMENTS if text.startswith("#") or " #" in text or "\t#" in text else ""


def _nested(text: str, bare: str) -> str:
    """Words may be glued from quoted pieces (`b"as"h -c`): judged with the quotes taken away as well."""
    if bare == text:
        return ""
    plain = text.replace("'", "").replace('"', "").replace("\\", "")
    return _NESTS if _NESTED.search(plain) else _ASSIGNS if _LOADED.search(plain) else ""


def _unquoted(text: str, single: bool, escapes: bool) -> tuple[str, str, bool]:
    """The text outside quotes, that inside double quotes, and whether every quote is closed.

    What was quoted leaves a mark of one character, so that words stay words. `escapes`: a backslash makes a quote
    plain, as in POSIX shells; in cmd.exe and PowerShell it does not. `single`: single quotes quote.
    """
    bare: list[str] = []
    double: list[str] = []
    at, end = 0, len(text)
    while at < end:
        each = text[at]
        if each == '"' or (each == "'" and single):
            close = at + 1
            while close < end and text[close] != each:
                close += 2 if escapes and each == '"' and text[close] == "\\" else 1
            if close >= end:
                return "", "", False
            if bare and bare[-1] == "$":
                double.append("$(")  # $'...' and $"..." are decoded or translated: told as a substitution
            if each == '"':
                double.append(text[at + 1 : close] + " ")
            bare.append("\x1f")
            at = close + 1
        elif escapes and each == "\\" and text[at + 1 : at + 2] in ("'", '"'):
            at += 2
        else:
            bare.append(each)
            at += 1
    return "".join(bare), "".join(double), True


def _encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
