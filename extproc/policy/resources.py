"""Lists of MCP resources: who may read an address must not depend on how the address is written.

A resource has as many addresses as its server has ways of reading one: `note://%73ecret/1`, `note://u@secret:80/1`
and `note://x/../secret/1` may all be `note://secret/1`. So an address that two readers could read differently is in
doubt, and doubt denies; deny lists match every reading that is left; allow lists match the address as it is written.
Knows no server's own rules, and never changes the address that is sent on.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

from extproc.policy.names import Names

_HEX = frozenset("0123456789abcdefABCDEF")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")  # RFC 3986, 2.3
_LEVELS = 4  # percent encodings within one another that are still followed
_SEPARATORS = str.maketrans(dict.fromkeys("?#:=&@,", "/"))  # wherever some server may begin a path
_PORTS = {"http": ":80", "https": ":443", "ws": ":80", "wss": ":443", "ftp": ":21"}


class AllowedResources(Names):
    """Addresses as the policy writes them. Scheme and host have no case; a user name counts only where the pattern
    has one, a port always."""

    __slots__ = ("_bare", "_users")

    def __init__(self, patterns: Iterable[str]) -> None:
        super().__init__(patterns)
        written = [_Parts(pattern) for pattern in self.patterns]
        self._users = Names(parts.full for parts in written if parts.user)
        self._bare = Names(parts.full for parts in written if not parts.user)

    def __call__(self, name: str) -> bool:
        if not self.patterns or not is_plain(name):
            return False
        parts = _Parts(name)
        return self._bare(parts.bare) or (parts.user and self._users(parts.full))


class DeniedResources(Names):
    """Addresses in every reading: without case, user, port, query, doubled slashes and percent encodings."""

    __slots__ = ("_keys",)

    def __init__(self, patterns: Iterable[str]) -> None:
        super().__init__(patterns)
        keys: list[str] = []
        for pattern in self.patterns:
            scheme, first, rest = _squeezed(unquote(pattern))
            port = _PORTS.get(scheme, "")
            keys.append(_joined(scheme, first.removesuffix(port) if port else first, rest))
        self._keys = Names(keys)

    def __call__(self, name: str) -> bool:
        if not self.patterns:
            return False
        levels = _levels(name)
        return levels is None or any(self._keys(reading) for level in levels for reading in _readings(level))


def is_plain(uri: str) -> bool:
    """Whether every reader finds the same resource at an address: no dot segments, no backslashes, nothing percent
    encoded that need not be, nothing that does not print."""
    return _levels(uri) is not None


class _Parts:
    """An address with scheme and host in small letters. `bare` is it without user."""

    __slots__ = ("bare", "full", "user")

    def __init__(self, text: str) -> None:
        scheme, found, rest = text.partition("://")
        if not found or not scheme or any(sign in scheme for sign in "/?#@"):
            self.full = self.bare = text
            self.user = False
            return
        end = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
        user, at, host = rest[:end].rpartition("@")
        known, star, open_ = host.partition("*")  # behind a wildcard in a pattern the path may have begun
        self.user = at != ""
        self.bare = f"{scheme.lower()}://{known.lower()}{star}{open_}{rest[end:]}"
        self.full = self.bare if not at else f"{scheme.lower()}://{user}@{known.lower()}{star}{open_}{rest[end:]}"


def _levels(uri: str) -> list[str] | None:
    """The address and what it says when it is decoded once, twice and so on; None if it is in doubt."""
    if not uri or uri != uri.strip() or not _has_plain_host(uri):
        return None
    levels: list[str] = []
    level = uri
    while True:
        if "\\" in level or not level.isprintable() or _has_dots(level):
            return None
        levels.append(level)
        if "%" not in level:
            return levels
        pairs = [piece[:2] for piece in level.split("%")[1:]]
        encoded = [pair for pair in pairs if len(pair) == 2 and _HEX.issuperset(pair)]
        if len(encoded) < len(pairs) and len(levels) == 1:
            return None
        if not encoded:  # a decoded % stands for itself
            return levels
        if len(levels) == _LEVELS or any(chr(int(pair, 16)) in _UNRESERVED for pair in encoded):
            return None
        try:
            level = unquote(level, errors="strict")
        except UnicodeDecodeError:
            return None


def _has_plain_host(uri: str) -> bool:
    _, found, rest = uri.partition("//")
    end = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
    authority = rest[:end]
    return not found or (authority.isascii() and "%" not in authority and authority.count("@") < 2)


def _has_dots(text: str) -> bool:
    """Dot segments, wherever a path could begin. Parameters and blanks behind the dots are dropped by some readers."""
    if "." not in text:
        return False
    return any(part.partition(";")[0].strip() in (".", "..") for part in text.translate(_SEPARATORS).split("/"))


def _readings(text: str) -> Iterator[str]:
    """What readers may make of one decoded address, in the form that deny lists have."""
    cut = min((at for at in map(text.find, "?#;") if at >= 0), default=len(text))
    for whole in (text, text[:cut]) if cut < len(text) else (text,):
        scheme, first, rest = _squeezed(whole)
        host = first.rpartition("@")[2]
        for start in {first, host, _without_port(first), _without_port(host)}:
            key = _joined(scheme, start, rest)
            yield key
            yield key + "/"


def _squeezed(text: str) -> tuple[str, str, str]:
    """Scheme, host (or what stands in its place) and path, without case, doubled slashes and blanks around parts."""
    folded = unicodedata.normalize("NFC", text).casefold()
    scheme, colon, rest = folded.partition(":")
    if not colon or "/" in scheme:
        scheme, rest = "", folded
    first, *path = [part for piece in rest.split("/") if (part := piece.strip())] or [""]
    return scheme, first, "/".join(path)


def _joined(scheme: str, first: str, rest: str) -> str:
    return (
        f"{scheme}:{first.rstrip('.')}{'/' if rest else ''}{rest}" if scheme else f"{first}{'/' if rest else ''}{rest}"
    )


def _without_port(host: str) -> str:
    """Also without what is no port: some readers stop at the first colon."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
