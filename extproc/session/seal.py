"""Handles that a server gives out, bound to the caller they were given to: session ids, task ids, request states.

A handle is no proof of who holds it (MCP's security best practices: bind them to the verified principal). So a handle
leaves with a code made from it, the server and the caller, and comes back only with that code: another caller's is as
unknown as one that never was. Nothing is remembered, so every worker, and every replica with the same key, can tell.
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from hmac import compare_digest, digest

_SIZE = 16  # bytes of the code: nobody guesses one, and a header stays short
_CODE = 22  # its characters
_MARK = "~"  # stands between a handle and its code; any handle may have it as well
_LONGEST = 65_536  # characters of a handle that is looked at

Opener = Callable[[str], str | None]
Closer = Callable[[str], str]


class Seal:
    """`key` is secret and at least 32 bytes; who has it can bind handles to anybody."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        if len(key) < 32:
            raise ValueError("a key of fewer than 32 bytes can be guessed")
        self._key = key

    def __repr__(self) -> str:
        return "Seal()"

    def closer(self, kind: str, server: str, caller: bytes) -> Closer:
        """What makes handles of a kind this caller's own. One that is sealed for another kind is not opened."""
        context = self._context(kind, server, caller)
        return lambda handle: f"{handle}{_MARK}{_code(context, handle)}"

    def opener(self, kind: str, server: str, caller: bytes) -> Opener:
        """What gives a handle as the server knows it; None for one that is not this caller's."""
        context = self._context(kind, server, caller)

        def opened(sealed: str) -> str | None:
            handle, mark, code = sealed[:_LONGEST].rpartition(_MARK)
            if not mark or len(code) != _CODE or len(sealed) > _LONGEST:
                return None
            return handle if compare_digest(code.encode("utf-8", "replace"), _code(context, handle).encode()) else None

        return opened

    def _context(self, kind: str, server: str, caller: bytes) -> bytes:
        """A key for one kind, server and caller, so that a handle's own code takes one hash."""
        said = b"\0".join((kind.encode(), server.encode(), caller))
        return digest(self._key, said, "sha256")


def _code(key: bytes, handle: str) -> str:
    made = digest(key, handle.encode("utf-8", "surrogatepass"), "sha256")[:_SIZE]
    return urlsafe_b64encode(made).decode().rstrip("=")
