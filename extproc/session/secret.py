"""The credential that was injected into a request, kept out of its answer.

Upstreams echo what they refuse ("bad key sk-..."), and the client must not learn what only the gateway may know: so the
secret is looked for in everything that leaves, whether or not the policy masks anything. A match is replaced by a label
of the same length, so that neither lengths nor what else was masked change.

It knows a secret as it is, as JSON writes it and as URLs do. It does not see one that an upstream encodes in another
way. `Hider` sees bytes, and so no secret that a framing cuts (over several events) or wraps (base64, checksums):
`secret_filter` looks into the texts themselves.
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import AnyStr, Generic
from urllib.parse import quote

from extproc.policy.runtime import CredentialSource

SHORTEST = 8  # characters: anything shorter stands in ordinary text, and is no secret

Secrets = bytes | tuple[bytes, ...]
"""One secret or several, of a request. An empty one is none."""

_LABEL = "[masked:credential]"
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")  # nobody writes them otherwise
_WRITERS = (("<>&", "\\u{:04x}"), ("<>&='", "\\u{:04x}"), ("<>&+'", "\\u{:04X}"))  # Go, Gson, .NET
_IN_URLS = ("", "/", "!'()*")  # what is left as it is: by most, in paths, by JavaScript
_NEAR = 4  # characters whose place in a secret tells whether it can have begun


def secret_of(source: CredentialSource, value: str) -> bytes:
    """The secret within the header value that carries it; b"" for one that is too short to be looked for."""
    before, _, after = source.format.partition("{}")
    return looked_for(value.removeprefix(before).removesuffix(after))


def looked_for(secret: str) -> bytes:
    """A secret as it is handed to all that hide it; b"" for one that is too short to be looked for."""
    return secret.encode("latin-1", "replace") if len(secret) >= SHORTEST else b""


def spellings(secrets: Secrets) -> tuple[bytes, ...]:
    """The secrets as they are, and as JSON and URLs may have them. Longer ones come first: one may be a part of
    another."""
    found: dict[str, None] = {}
    for secret in (secrets,) if isinstance(secrets, bytes) else secrets:
        if secret:
            found.update(dict.fromkeys(_spelled(secret.decode("latin-1"))))
    return tuple(spelling.encode() for spelling in sorted(found, key=len, reverse=True))


def _spelled(text: str) -> Iterator[str]:
    yield text
    if _PLAIN.issuperset(text):
        return
    quoted = json.dumps(text)[1:-1]
    yield quoted
    yield quoted.replace("/", "\\/")
    for special, form in _WRITERS:
        yield "".join([form.format(ord(c)) if c in special else c for c in quoted])
    for safe in _IN_URLS:
        url = quote(text, safe=safe)
        yield url
        first, *escaped = url.split("%")
        yield first + "".join([f"%{part[:2].lower()}{part[2:]}" for part in escaped])


def hidden(secrets: Secrets, value: str) -> str:
    """A header's value without the secrets."""
    for needle in text_needles(secrets):
        value = value.replace(needle.secret, needle.label)
    return value


class Needle(Generic[AnyStr]):
    """One spelling and its label. Never changes, and serves every exchange that has the secret."""

    __slots__ = ("begins", "label", "last", "secret")

    def __init__(self, secret: AnyStr, label: AnyStr) -> None:
        self.secret: AnyStr = secret
        self.label: AnyStr = label
        self.last = frozenset[int | str](secret[:-1])  # only after one of these can the secret have begun
        self.begins: tuple[AnyStr, ...] = tuple(secret[:size] for size in range(min(_NEAR, len(secret)) - 1, 0, -1))


@lru_cache(maxsize=64)
def needles(secrets: Secrets) -> tuple[Needle[bytes], ...]:
    """What to look for in bytes."""
    return tuple(Needle(spelling, _label(len(spelling)).encode()) for spelling in spellings(secrets))


@lru_cache(maxsize=64)
def text_needles(secrets: Secrets) -> tuple[Needle[str], ...]:
    """What to look for in texts."""
    return tuple(Needle(spelling.decode(), _label(len(spelling.decode()))) for spelling in spellings(secrets))


def _label(size: int) -> str:
    return _LABEL.ljust(size, "*") if size >= len(_LABEL) else "*" * size


class Hider:
    """Bytes that come in pieces leave without the secrets. For every way of cutting them the result is the same, and
    never more than the longest spelling's length waits for each. After `flush` it is new again. `found` counts."""

    __slots__ = ("_streams",)

    def __init__(self, secrets: Secrets) -> None:
        self._streams = tuple([Search(needle) for needle in needles(secrets)])

    @property
    def found(self) -> int:
        return sum(stream.found for stream in self._streams)

    def feed(self, data: bytes) -> bytes:
        for stream in self._streams:
            data = stream.feed(data)
        return data

    def flush(self) -> bytes:
        return flush(self._streams, b"")


class Search(Generic[AnyStr]):
    """One spelling in one text, or in bytes, that come in pieces. `found` goes on counting after `flush`."""

    __slots__ = ("_held", "_needle", "found")

    def __init__(self, needle: Needle[AnyStr]) -> None:
        self._needle: Needle[AnyStr] = needle
        self._held: AnyStr = needle.secret[:0]
        self.found = 0

    def feed(self, data: AnyStr) -> AnyStr:
        needle = self._needle
        if self._held:
            data = self._held + data
            self._held = data[:0]
        if not data:
            return data
        secret, begin = needle.secret, 0
        if secret in data:
            self.found += data.count(secret)
            begin = _behind(data, secret)
        hold = len(data)
        if data[-1] in needle.last:
            hold = _begun(needle, data, max(begin, hold - len(secret) + 1))
            if hold < len(data):
                self._held = data[hold:]
                data = data[:hold]
        return data.replace(secret, needle.label) if begin else data

    def flush(self) -> AnyStr:
        rest, self._held = self._held, self._held[:0]
        return rest


def flush(streams: tuple[Search[AnyStr], ...], rest: AnyStr) -> AnyStr:
    """What waits in streams that feed each other. `rest` is empty."""
    for stream in streams:
        rest = (stream.feed(rest) if rest else rest) + stream.flush()
    return rest


def _behind(data: AnyStr, secret: AnyStr) -> int:
    """Where the last match ends, of those that do not overlap: read from the left, as `replace` does."""
    end, at = 0, data.find(secret)
    while at >= 0:
        end = at + len(secret)
        at = data.find(secret, end)
    return end


def _begun(needle: Needle[AnyStr], data: AnyStr, begin: int) -> int:
    """Where the longest suffix from `begin` on starts with which the secret may begin; the end if none does."""
    secret, size = needle.secret, len(data)
    first = secret[:1]
    at = data.find(first, begin)
    if at >= 0 and size - at >= _NEAR and data[-_NEAR:] not in secret:
        for short in needle.begins:  # nearly always: so few characters that none of them is worth a search
            if data.endswith(short):
                return size - len(short)
        return size
    while at >= 0 and not secret.startswith(data[at:]):
        at = data.find(first, at + 1)
    return at if at >= 0 else size
