"""The credential that was injected into a request, kept out of its answer.

Upstreams echo what they refuse ("bad key sk-..."), and the client must not learn what only the gateway may know: so the
secret's bytes are looked for in everything that leaves, whether or not the policy masks anything. A match is replaced
by a label of the same length, so that neither lengths nor what else was masked change.

It sees bytes: the secret as it is and as JSON writes it. It does not see one that an upstream encodes in another way,
or hands out in pieces (for example over several events).
"""

import json

from extproc.policy.runtime import CredentialSource

SHORTEST = 8  # characters: anything shorter stands in ordinary text, and is no secret
_LABEL = b"[masked:credential]"
_ESCAPED = frozenset("\"\\/<>&=+'")  # what some JSON writer or other writes as an escape
_WRITERS = (("<>&", "\\u{:04x}"), ("<>&='", "\\u{:04x}"), ("<>&+'", "\\u{:04X}"))  # Go, Gson, .NET


def secret_of(source: CredentialSource, value: str) -> bytes:
    """The secret within the header value that carries it; b"" for one that is too short to be looked for."""
    before, _, after = source.format.partition("{}")
    secret = value.removeprefix(before).removesuffix(after)
    return secret.encode("latin-1", "replace") if len(secret) >= SHORTEST else b""


def spellings(secret: bytes) -> tuple[bytes, ...]:
    """The secret as it is, and as JSON may have it."""
    text = secret.decode("latin-1")
    if not secret or _ESCAPED.isdisjoint(text):
        return (secret,) if secret else ()
    quoted = json.dumps(text)[1:-1]
    every = [text, quoted, quoted.replace("/", "\\/")]
    every += ["".join(form.format(ord(c)) if c in escaped else c for c in quoted) for escaped, form in _WRITERS]
    return tuple(dict.fromkeys(spelling.encode() for spelling in every))


def hidden(secret: bytes, value: str) -> str:
    """A header's value without the secret."""
    text = secret.decode("latin-1")
    return value.replace(text, _LABEL.decode()) if secret and text in value else value


class Hider:
    """Bytes that come in pieces leave without the secret. For every way of cutting them the result is the same, and
    never more than the secret's length waits. After `flush` it is new again. `found` counts."""

    __slots__ = ("_streams",)

    def __init__(self, secret: bytes) -> None:
        self._streams = tuple(_One(spelling) for spelling in spellings(secret))

    @property
    def found(self) -> int:
        return sum(stream.found for stream in self._streams)

    def feed(self, data: bytes) -> bytes:
        for stream in self._streams:
            data = stream.feed(data)
        return data

    def flush(self) -> bytes:
        rest = b""
        for stream in self._streams:
            rest = (stream.feed(rest) if rest else b"") + stream.flush()
        return rest


class _One:
    """One spelling."""

    __slots__ = ("_held", "_label", "_last", "_secret", "found")

    def __init__(self, secret: bytes) -> None:
        size = len(secret)
        self._secret = secret
        self._label = _LABEL.ljust(size, b"*") if size >= len(_LABEL) else b"*" * size
        self._last = frozenset(secret[:-1])  # only after one of these can a secret have begun
        self._held = b""
        self.found = 0

    def feed(self, data: bytes) -> bytes:
        if self._held:
            data = self._held + data
            self._held = b""
        if not data:
            return data
        secret, size, begin = self._secret, len(self._secret), 0
        out: list[bytes] = []
        while (at := data.find(secret, begin)) >= 0:
            out += (data[begin:at], self._label)
            begin = at + size
            self.found += 1
        hold = self._begun(data, max(begin, len(data) - size + 1)) if data[-1] in self._last else len(data)
        self._held = data[hold:]
        if not out and hold == len(data):
            return data
        out.append(data[begin:hold])
        return b"".join(out)

    def _begun(self, data: bytes, begin: int) -> int:
        """Where the longest suffix from `begin` on starts with which the secret may begin; the end if none does."""
        secret = self._secret
        at = data.find(secret[:1], begin)
        while at >= 0 and not secret.startswith(data[at:]):
            at = data.find(secret[:1], at + 1)
        return at if at >= 0 else len(data)

    def flush(self) -> bytes:
        rest, self._held = self._held, b""
        return rest
