"""Path containment: whether a path could lead anywhere but where its tool may go.

    Path(roots=("/srv/data",))("..%252f..%252fetc/passwd")  -> "a path that climbs ..."

Every spelling that some server or operating system would take for another is judged (`folding.readings`), in the POSIX
and in the Windows reading, and one bad reading refuses. Lexical: it asks no file system, so that links inside the roots
are the server's business; forms that are links everywhere (/proc/self/root, /dev/fd, .git files) are refused.
"""

from collections.abc import Iterable
from typing import Literal

from extproc.arguments.folding import CONTROL, readings
from extproc.arguments.places import (
    DEVICES,
    ENV_SAMPLES,
    ORDINARY,
    POSIX_PLACES,
    SCHEMES,
    SECRET_NAMES,
    SECRET_PAIRS,
    STORES,
    VARIABLES,
    WINDOWS_OTHERS,
    WINDOWS_PLACES,
)

Style = Literal["both", "posix", "windows"]

LONGEST = 32_767  # characters: the longest path of Windows, eight times that of Linux

LONG = "The path is longer than any system takes; send a shorter one."
CODED = "The path is encoded in a way that readers undo differently; send it plainly, in UTF-8."
CONTROLS = "The path holds control or direction characters; send it without them."
CLIMBS = "The path climbs out of where it starts; send one without '..'."
DISGUISED = "The path has dot segments in disguise; send it plainly, without '..'."
OUTSIDE = "The path is outside the directories this tool may use; send one inside them."
PLACE = "The path names a place where the machine keeps its secrets, devices or settings; this tool may not go there."
GUARDED = "The path names a file that holds secrets or runs code; this tool may not use it."
HOST = "The path names another host or a device name space; send a path on the tool's own file system."
DRIVE = "The path is relative to a drive; send it with a separator after the drive, or without a drive."
STREAM = "The path has a colon that can name a stream, a list or a scheme; send one plain path."
DEVICE = "The path ends in a device name; send another name."
SHORT = "The path has a short 8.3 name, which stands for another; send the long name."
HOME = "The path starts in another user's home or in one outside the roots; send it without '~'."
VARIABLE = "The path holds a variable or a substitution; send the path it stands for."
SCHEME = "The value is a URL of a kind this path argument does not take; send a path."

_SAFE = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-/.+@()[]= ,"
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_()")
_HEX = frozenset("0123456789abcdefABCDEF")
_UPPER = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_QUOTES = str.maketrans("", "", " '\"`[]{}^!\\,*")
_DOTTED = ".'\"`[{^ ?*\\"  # what a dot segment can begin with, bare or in disguise
_AROUND = " \t'\"`<>"
_MARKS = ("@/", "=/", ",/", ";/", "|/", "</", ">/", " /", "(/", "[/", "{/", "+/")
_CLOSING = ")]},;|> "

# A path taken apart: what it starts from ("" relative, "/", "c:/" or "//"), then its segments, empty and "." left out.
Parts = tuple[str, tuple[str, ...]]


class Path:
    """The check of one path. Called with a value it answers "" or a sentence; never raises on any string.

    `roots`: directories the path must stay in: absolute ones for absolute paths; relative ones, if there are any, for
    relative paths, which otherwise are free as long as they do not climb. Without roots, absolute paths are fine but
    for the machine's own places. `style`: whose reading counts. `secrets`: whether names such as id_rsa, .env or
    .git/hooks are refused, inside the roots too. Raises ValueError for a root that cannot be one.
    """

    __slots__ = ("_absolute", "_plain", "_posix", "_relative", "_roots", "_secrets", "_windows")

    def __init__(self, roots: Iterable[str] = (), style: Style = "both", *, secrets: bool = True) -> None:
        if style not in ("both", "posix", "windows"):
            raise ValueError("style must be both, posix or windows")
        self._windows = style != "posix"
        self._posix = style != "windows"
        self._secrets = secrets
        parsed = [_root(root, self._windows) for root in roots]
        self._roots = bool(parsed)
        self._absolute = [parts for parts in parsed if parts[0]]
        self._relative = [parts for parts in parsed if not parts[0]]
        self._plain = not parsed  # the quick way out knows no roots but these
        for start, segments in parsed:
            if start == "/" and not segments:
                self._plain = True

    def __call__(self, value: str) -> str:
        if not value.strip(_SAFE) and ".." not in value and "//" not in value and len(value) <= LONGEST:
            if (self._plain or value[:1] != "/") and self._quick(value):
                return ""
            return self._judge(value, value)
        if len(value) > LONGEST:
            return LONG
        found = readings(value)
        if found is None:
            return CODED
        obscure = len(found) > 1 or ("\\" in value and "/" in value)
        for reading in found:
            problem = self._judge(reading, "" if obscure else value)
            if problem:
                return problem
        return ""

    def _quick(self, value: str) -> bool:
        """Whether a value of safe characters, without `..`, surely is fine. False says nothing."""
        if self._relative or value[:1] in " @=,":
            return False
        low = value.lower()
        segments = low.split("/")
        if value[:1] == "/" and (segments[1] in _FIRST or len(segments[1]) == 1 or "[" in segments[1]):
            return False
        last = segments[-1]
        return (
            ".env" not in low
            and low[:1] != "-"
            and _WATCHED.isdisjoint(segments)
            and last.partition(".")[0].rstrip() not in DEVICES
            and " " not in (low[-1:], last[:1])
            and " /" not in low
            and "./" not in low
            and ".[" not in low
            and "[." not in low
            and ",/" not in low
            and "=/" not in low
            and "(/" not in low
            and "[/" not in low
            and low[-1:] not in "./"
        )

    def _judge(self, reading: str, plain: str) -> str:
        """One reading. `plain`: the value itself if it has no other reading, so that an honest `..` may stay in it."""
        if not reading.isprintable() and not CONTROL.isdisjoint(reading):
            return CONTROLS
        if not reading.isascii() and _broken(reading):
            return CODED
        text = reading.strip(_AROUND)
        problem = _variables(text) or self._scheme(text)
        if problem or _store(text):
            return problem or (OUTSIDE if self._roots else "")
        if text[:5].lower() == "file:":
            text = (text[7:] if text[7:8] == "/" else text[16:]).replace("|", ":")
            plain = ""
        if self._windows:
            problem = self._names(text.replace("\\", "/"), plain, windows=True)
        if not problem and self._posix and not (self._windows and "\\" not in text):
            problem = self._names(text, plain, windows=False)
        return problem or self._embedded(text)

    def _scheme(self, text: str) -> str:
        """What is wrong with a URL in the place of a path; `file:///` and the stores' own are paths."""
        head, colon, rest = text.partition(":")
        if not colon:
            return ""
        head = head.lower()
        if head == "file":
            slashes = rest.replace("\\", "/")
            canonical = (rest == slashes and rest[:3] == "///" != rest[1:4]) or rest[:12].lower() == "//localhost/"
            return "" if canonical else SCHEME
        if head in SCHEMES or (rest[:2] == "//" and head not in STORES):
            return SCHEME
        return ""

    def _names(self, text: str, plain: str, *, windows: bool) -> str:
        """The path of one system: where it starts, where each segment leads, where it ends."""
        start, rest = _start(text, windows)
        if start == "//" and not self._within((start, tuple(rest.lower().split("/")))):
            return HOST
        if start == ":":
            return DRIVE
        if text[:1] == "~":
            problem = self._home(rest)
            if problem:
                return problem
            if not self._roots:
                rest = rest.partition("/")[2] if rest[1:2] in ("", "/") else rest
        problem, trail = self._walk(rest.split("/"), plain, windows=windows)
        if problem:
            return problem
        low = tuple([segment.rstrip(" .").lower() for segment in trail] if windows else map(str.lower, trail))
        if windows and low and low[-1].partition(".")[0].rstrip() in DEVICES:
            return DEVICE
        return self._ends(start, trail, low)

    def _walk(self, segments: list[str], plain: str, *, windows: bool) -> tuple[str, list[str]]:
        """The segments that are left when each dot segment has been followed, or what is wrong with one of them."""
        trail: list[str] = []
        for number, segment in enumerate(segments):
            if segment in ("", "."):
                continue
            if "." in segment and segment[0] in _DOTTED and _dots(segment):
                if segment == "..." and plain and number + 1 == len(segments):
                    continue  # `./...`, all packages below, as Go writes it
                if segment != ".." or not plain:
                    return DISGUISED, trail
                if not trail:
                    return CLIMBS, trail
                trail.pop()
                continue
            if windows:
                problem = _odd(segment)
                if problem:
                    return problem, trail
            trail.append(segment)
        return "", trail

    def _ends(self, start: str, trail: list[str], low: tuple[str, ...]) -> str:
        if self._roots and (start or self._relative):
            if not self._within((start, low if start not in ("", "/") else tuple(trail))):
                return OUTSIDE
        elif start and _sensitive(low, start != "/", self._windows):
            return PLACE
        if start and ("proc" in low[:2] or "dev" in low[:2]) and _link(low):
            return PLACE
        return GUARDED if self._secrets and _secret(low) else ""

    def _within(self, parts: Parts) -> bool:
        """Whether a path lies in a root of its kind. POSIX roots keep their case, Windows ones have lost it."""
        start, segments = parts
        return any(
            start == root_start and segments[: len(root)] == root
            for root_start, root in (self._absolute if start else self._relative)
        )

    def _home(self, text: str) -> str:
        """`~` and `~user`: the home of the server's user is a place like others, that of somebody else is not."""
        user = text.partition("/")[0][1:]
        if self._roots:
            return "" if user[:1] == "$" else HOME
        return HOME if user and (user in "+-" or user.replace("_", "").replace("-", "").isalnum()) else ""

    def _embedded(self, text: str) -> str:
        """`@/etc/passwd`, `--file=/etc/passwd`, `a,/etc/passwd`: places behind the marks of command lines and lists."""
        if text[:1] == "-":
            text = "=/" + text.partition("/")[2]
        for mark in _MARKS:
            if mark in text:
                for piece in text.split(mark)[1:]:
                    segments = [segment for segment in piece[:80].lower().split("/") if segment not in ("", ".")]
                    if segments and _sensitive((*segments[:-1], segments[-1].rstrip(_CLOSING)), False, self._windows):
                        return PLACE
        return ""


def _start(text: str, windows: bool) -> tuple[str, str]:
    """Where a path starts, and the rest: "", "/", "c:/", "//" (a host), ":" (relative to a drive)."""
    if windows:
        if text[:2] == "//" or text[:4] == "/??/":
            return "//", text[2:]
        if text[1:2] == ":" and text[0].isascii() and text[0].isalpha():
            return (text[0].lower() + ":/", text[3:]) if text[2:3] == "/" else (":", "")
        if text[:1] == "/" and text[2:3] == ":" and text[1].isascii() and text[1].isalpha():
            return (text[1].lower() + ":/", text[4:]) if text[3:4] == "/" else (":", "")
    return ("/", text[1:]) if text[:1] == "/" else ("", text)


def _root(root: str, windows: bool) -> Parts:
    text = root.replace("\\", "/") if windows else root
    start, rest = _start(text, windows)
    segments = tuple(segment for segment in rest.split("/") if segment not in ("", "."))
    if not root or start == ":" or ".." in segments or root[0] in "~$%" or not root.isprintable():
        raise ValueError("a root must be a plain directory without '..', '~' or variables")
    if start not in ("", "/"):
        segments = tuple(segment.rstrip(" .").lower() for segment in segments)
    return start, segments


def _dots(segment: str) -> bool:
    """Whether some reader takes a segment for two dots or more: parameters, quotes, blanks and wildcards left out."""
    head = segment.partition(";")[0].partition("#")[0]
    for form in (head.partition("?")[0], head.replace("?", "."), head.partition(":")[0]):
        bare = form.translate(_QUOTES)
        if len(bare) > 1 and not bare.strip("."):
            return True
    return False


def _odd(segment: str) -> str:
    """What Windows reads into a segment: a stream, or a short name."""
    if ":" in segment:
        for piece in segment.split(":")[1:]:
            if piece[:1].isascii() and not (piece[:1] == " " or piece[:1].isdigit()):
                return STREAM
    if "~" in segment:
        name, _, digits = segment.partition("~")
        digits, _, extension = digits.rstrip(" .").partition(".")
        if name and digits.isdecimal() and len(name) + len(digits) < 8 and len(extension) <= 3 and "." not in name:
            return SHORT
    return ""


def _variables(text: str) -> str:
    """$NAME, ${...}, $(...), `...`, $env:NAME and %NAME%; a lower-case $name is a route or a class file."""
    if "`" in text:
        return VARIABLE
    if "$" in text:
        for piece in text.split("$")[1:]:
            if piece[:1] in ("{", "(") or piece[:4].lower() == "env:":
                return VARIABLE
            name = _word(piece)
            after = piece[len(name) : len(name) + 1]
            if _UPPER.issuperset(name) and (name.lower() in VARIABLES or (name and after in "/\\")):
                return VARIABLE
            if after in "/\\" and name.lower() in ("home", "pwd", "pshome", "profile", "psscriptroot"):
                return VARIABLE
    if "!" in text and any(name.lower() in VARIABLES for name in text.split("!")[1:-1]):
        return VARIABLE
    if "%" in text:
        for name in text.split("%")[1:-1]:
            if name.lower() in VARIABLES:
                return VARIABLE
            if name[:1].isalpha() and _WORD.issuperset(name) and not _HEX.issuperset(name[:2]):
                return VARIABLE
    return ""


def _word(piece: str) -> str:
    for number, character in enumerate(piece[:40]):
        if character not in _WORD or character in "()":
            return piece[:number]
    return piece[:40]


def _store(text: str) -> bool:
    """Whether a value is an object's URL: no path of this machine. Its key must not climb all the same."""
    head, separator, rest = text.partition("://")
    return bool(separator) and head.lower() in STORES and ".." not in rest.replace("\\", "/").split("/")


def _broken(text: str) -> bool:
    """Surrogates, and overlong UTF-8 that somebody read as Latin-1 (`\\xc0\\xae` for a dot)."""
    if ("\xc0" in text or "\xc1" in text) and any(
        "\x80" <= piece[:1] <= "\xbf" for mark in "\xc0\xc1" for piece in text.split(mark)[1:]
    ):
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _sensitive(low: tuple[str, ...], drive: bool, windows: bool) -> bool:
    """Whether the segments of an absolute path, in lower case, lead to the machine's own places."""
    low = _unmounted(low)
    if "/".join(low[:2]) in ORDINARY:
        return False
    if windows and not drive:
        if low and low[0] in WINDOWS_OTHERS:
            return True
        mounted = low[1:] if low[:1] in (("mnt",), ("cygdrive",)) else low
        if mounted and len(mounted[0]) == 1 and _in(mounted[1:], WINDOWS_PLACES):
            return True
    return (windows and _in(low, WINDOWS_PLACES)) or (not drive and _in(low, POSIX_PLACES))


def _unmounted(low: tuple[str, ...]) -> tuple[str, ...]:
    """The same place by the shortest of its macOS names, shell quotes and braces in its first segments undone."""
    if low[:1] == ("private",):
        low = low[1:]
    elif low[:3] == ("system", "volumes", "data"):
        low = low[3:]
    elif low[:1] == ("volumes",):
        low = low[2:]
    first = "".join(low[:2])
    if first.isalnum():
        return low
    alternatives = low[0].replace("{", "").replace("}", "").split(",") if low else []
    place = next((name for name in alternatives if name in POSIX_PLACES), "") or "".join(low[:1])
    if "*" in place or "?" in place:
        return ("dev", "*")  # a wildcard stands for any of the places
    return tuple(segment.translate(_QUOTES) for segment in (place, *low[1:3])) + low[3:]


def _in(low: tuple[str, ...], places: frozenset[str]) -> bool:
    return any("/".join(low[:depth]) in places for depth in (1, 2, 3))


def _link(low: tuple[str, ...]) -> bool:
    """Links that lead anywhere from everywhere, whatever the roots: a process's root, directory and descriptors."""
    place = _unmounted(low)
    return (place[:1] == ("proc",) and not {"root", "cwd", "fd", "exe", "map_files"}.isdisjoint(place[2:])) or (
        place[:1] == ("dev",) and place[1:2] in (("fd",), ("tcp",), ("udp",))
    )


def _secret(low: tuple[str, ...]) -> bool:
    for number, segment in enumerate(low):
        segment = segment.rstrip("~")
        if segment in SECRET_NAMES or segment[-4:] == ".env":
            return True
        follower = SECRET_PAIRS.get(segment)
        if follower is not None and (low[number + 1] if number + 1 < len(low) else "") in follower:
            return True
        if segment[:5] == ".env." and segment.rpartition(".")[2] not in ENV_SAMPLES:
            return True
    return False


_FIRST = {place.partition("/")[0] for place in POSIX_PLACES | WINDOWS_PLACES | WINDOWS_OTHERS} | {
    "private", "mnt", "cygdrive", "volumes",
}  # fmt: skip
_WATCHED = SECRET_NAMES | frozenset(SECRET_PAIRS) | {"."} | DEVICES
