"""AWS event-stream messages: bytes to messages and back, for any way of cutting the bytes.

    total length u32 | headers length u32 | CRC of these 8 bytes | headers | payload | CRC of all before; big-endian

Both checksums are checked before anything inside is believed, and computed anew for what is written. Lengths are
bounded before memory is held for them. It never decodes a payload. Every byte that goes in comes out in exactly one
message's `raw`.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from zlib import crc32

from extproc.errors import Uninspectable

CONTENT_TYPE = "application/vnd.amazon.eventstream"
MAX_HEADERS = 128 * 1024
MAX_PAYLOAD = 24 * 1024 * 1024
"""Bytes, as AWS and its SDKs bound them."""

_PRELUDE = struct.Struct(">III")
_LENGTHS = struct.Struct(">II")
_U32 = struct.Struct(">I")
_U16 = struct.Struct(">H")
_OVERHEAD = 16  # prelude and last checksum
_STRING = 7
# Bytes of a value by its type: booleans, byte, short, integer, long, timestamp, uuid. 6 and 7 tell their own length.
_FIXED = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
_CACHED = 256  # bytes of a headers block that is worth remembering: every event of a kind has the same


@dataclass(slots=True)
class Message:
    """One message. `headers` are those whose value is a string; `others` tells whether there were more."""

    headers: Mapping[str, str]
    payload: bytes
    raw: bytes
    others: bool = False


class EventStreamReader:
    """Cuts a byte stream into messages. `feed` any number of times, then `finish` once."""

    __slots__ = ("_have", "_need", "_parts")

    def __init__(self) -> None:
        self._parts: list[bytes] = []  # joined only once a message is whole, so never quadratic
        self._have = 0
        self._need = _PRELUDE.size

    def feed(self, chunk: bytes) -> list[Message]:
        """The messages that `chunk` completes. Raises `Uninspectable` for whatever is not well-formed."""
        messages: list[Message] = []
        if not chunk:
            return messages
        self._have += len(chunk)
        self._parts.append(chunk)
        if self._have < self._need:
            return messages
        data = b"".join(self._parts) if len(self._parts) > 1 else chunk
        start, size = 0, len(data)
        self._need = _PRELUDE.size
        while size - start >= _PRELUDE.size:
            total, of_headers = _lengths(data, start)
            if size - start < total:
                self._need = total
                break
            messages.append(_message(data, start, total, of_headers))
            start += total
        self._have = size - start
        self._parts = [data[start:]] if self._have else []
        return messages

    def finish(self) -> list[Message]:
        """Nothing: a message is whole or it is none. Raises `Uninspectable` if the stream ended inside one."""
        if self._have:
            raise Uninspectable("The answer ended inside a message.")
        return []


def encode(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message whose headers are all strings."""
    return seal(headers_block(headers), payload)


def headers_block(headers: Mapping[str, str]) -> bytes:
    """The bytes of headers whose values are all strings, for `seal`."""
    out = []
    for name, value in headers.items():
        key, text = name.encode(), value.encode()
        out.append(b"%c%b%c%b%b" % (len(key), key, _STRING, _U16.pack(len(text)), text))
    return b"".join(out)


def seal(block: bytes, payload: bytes) -> bytes:
    """One message around a headers block: lengths and both checksums."""
    lengths = _LENGTHS.pack(_OVERHEAD + len(block) + len(payload), len(block))
    head = lengths + _U32.pack(crc32(lengths))
    body = b"%b%b%b" % (head, block, payload)
    return body + _U32.pack(crc32(body))


def _lengths(data: bytes, start: int) -> tuple[int, int]:
    total, of_headers, checksum = _PRELUDE.unpack_from(data, start)
    if crc32(data[start : start + 8]) != checksum:
        raise Uninspectable("A message of the answer has a wrong checksum.")
    if of_headers > MAX_HEADERS or total < of_headers + _OVERHEAD:
        raise Uninspectable("A message of the answer has impossible lengths.")
    if total - of_headers - _OVERHEAD > MAX_PAYLOAD:
        raise Uninspectable("A message of the answer is larger than this gateway inspects.")
    return total, of_headers


def _message(data: bytes, start: int, total: int, of_headers: int) -> Message:
    raw = data if total == len(data) else data[start : start + total]
    (checksum,) = _U32.unpack_from(raw, total - 4)
    if crc32(memoryview(raw)[:-4]) != checksum:
        raise Uninspectable("A message of the answer has a wrong checksum.")
    begin = _PRELUDE.size + of_headers
    block = raw[_PRELUDE.size : begin]
    headers, others = _known_headers(block) if of_headers <= _CACHED else _headers(block)
    return Message(headers, raw[begin:-4], raw, others)


def _headers(block: bytes) -> tuple[Mapping[str, str], bool]:
    """The string headers of a block, and whether it has any of another type. A name that comes twice is refused:
    readers disagree on which counts."""
    found: dict[str, str] = {}
    names: set[bytes] = set()
    at, end = 0, len(block)
    try:
        while at < end:
            begin = at + 1
            at = begin + block[at]
            name, kind = block[begin:at], block[at]
            at += 1
            if kind in _FIXED:
                at += _FIXED[kind]
            elif kind in (6, _STRING):
                begin = at + 2
                at = begin + _U16.unpack_from(block, at)[0]
                if kind == _STRING and at <= end:
                    found[name.decode()] = block[begin:at].decode()
            else:
                raise _malformed()
            if at > end or not name or name in names:
                raise _malformed()
            names.add(name)
    except (IndexError, ValueError, struct.error):
        raise _malformed() from None
    return MappingProxyType(found), len(found) != len(names)


_known_headers = lru_cache(maxsize=256)(_headers)


def _malformed() -> Uninspectable:
    return Uninspectable("A message of the answer has malformed headers.")
