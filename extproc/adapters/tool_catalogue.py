"""Definitions of tools that MCP servers listed: `session.ports.Tools`, shared by the worker processes of one host.

A tools/call may reach another worker than the tools/list before it, and has to be held against the tool's schema all
the same. So each worker writes what it learns to one file for each server, and looks once a second whether another one
did. Files are replaced whole. Of two workers that write at once one loses, sees that when it looks next, and writes
again with both: what was learned stays in memory until it stands in the file.

By name the newest definition counts, and how many different ones were seen is counted. Looking up and learning never
touch the disk, and never wait. Not kept: `_meta` and `icons` (see `tools.definition`), and what is larger than
MAX_DEFINITION: such a tool is unknown from then on, also if a smaller definition was known before.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import msgspec
import structlog

from extproc.adapters.files import Signature, read_regular, signature
from extproc.exchange.model import JsonObject
from extproc.policy.tool_rules import NOT_KEPT
from extproc.tools.definition import LEFT_OUT, MAX_DEFINITION, DefinitionError, definition, digest

MAX_TOOLS = 20_000
"""Tools of one server; beyond, those that were not listed for the longest time are forgotten."""

MAX_BYTES = 64 * 1024 * 1024
"""Bytes of one server's definitions together; beyond, the same."""

MAX_VARIANTS = 64
"""Different definitions of one tool that are counted."""

_MAX_FILE = 2 * MAX_BYTES
_MAX_NAME = 1024  # characters
_MAX_UNCOUNTED = 2 * MAX_TOOLS
_MAX_DECODED = 20_000
_MAX_DECODED_BYTES = 32 * 1024 * 1024  # as JSON; in memory some five times as much
_VERSION = 1
_NOT_KEPT = b"null"  # in the place of a definition
_LATER = 0.001  # seconds

_encode = msgspec.json.Encoder().encode
_log = structlog.get_logger(__name__)


class _Tool(msgspec.Struct, forbid_unknown_fields=True):
    """A tool in the file. `at` is when it was listed last, in Unix seconds."""

    at: float
    digests: list[str]
    definition: msgspec.Raw


class _File(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    server: str
    tools: dict[str, _Tool]


_decode_file = msgspec.json.Decoder(_File).decode


@dataclass(slots=True)
class _Known:
    raw: bytes
    at: float
    digests: set[str]


class _Server:
    """What is known of one server. `seen` is the file's state when it was read or written last."""

    __slots__ = ("bytes", "dirty", "path", "seen", "tools", "uncounted", "warned")

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.tools: dict[str, _Known] = {}
        self.bytes = 0
        self.dirty = False
        self.seen: Signature | None = None
        self.uncounted: list[tuple[str, bytes]] = []
        self.warned = False

    def put(self, name: str, raw: bytes, at: float, digests: set[str]) -> None:
        known = self.tools.get(name)
        if known is None:
            self.tools[name] = _Known(raw, at, digests)
            self.bytes += len(raw)
        else:
            self.bytes += len(raw) - len(known.raw)
            known.raw, known.at = raw, at
            known.digests |= digests

    def drop(self, name: str) -> None:
        known = self.tools.pop(name, None)
        if known is not None:
            self.bytes -= len(known.raw)

    def trim(self) -> None:
        """Forgets the oldest until nine tenths of what is allowed are left."""
        if len(self.tools) <= MAX_TOOLS and self.bytes <= MAX_BYTES:
            return
        self.dirty = True
        for name in sorted(self.tools, key=lambda name: self.tools[name].at):
            self.drop(name)
            if len(self.tools) <= MAX_TOOLS * 9 // 10 and self.bytes <= MAX_BYTES * 9 // 10:
                break


class ToolCatalogue:
    """`servers` gives the names of the servers in force: others are neither learned nor read. `folder` is for this
    alone and made if it is not there; without it nothing is shared. For one thread."""

    def __init__(
        self,
        servers: Callable[[], Collection[str]],
        folder: Path | str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._servers = servers
        self._folder = None if folder is None else Path(folder)
        self._clock = clock
        self._known: dict[str, _Server] = {}
        self._decoded: dict[tuple[str, str], tuple[bytes, JsonObject | None]] = {}
        self._decoded_bytes = 0

    def definition(self, server: str, tool: str) -> JsonObject | None:
        """The newest definition that was seen (of one that cannot be kept only the name), None if none was. Not to be
        changed by the caller. While it stays the newest, it is nearly always the same object: what is compiled from it
        can be kept by its identity."""
        known = self._find(server, tool)
        if known is None:
            return None
        decoded = self._decoded.get((server, tool))
        if decoded is None or decoded[0] is not known.raw:
            if len(self._decoded) >= _MAX_DECODED or self._decoded_bytes > _MAX_DECODED_BYTES:
                self._decoded.clear()
                self._decoded_bytes = 0
            # One that was too large to be kept is known to be there, and to be no definition that anybody approved.
            decoded = known.raw, _object(known.raw) or {"name": tool, NOT_KEPT: True}
            self._decoded_bytes += len(known.raw)
            self._decoded[server, tool] = decoded
        return decoded[1]

    def variants(self, server: str, tool: str) -> int:
        """How many different definitions of this tool were ever listed, up to MAX_VARIANTS. Lags a second behind."""
        known = self._find(server, tool)
        return 0 if known is None else max(1, len(known.digests))

    def learn(self, server: str, tools: Sequence[JsonObject]) -> None:
        """A list, or a page of one, that a server gave out. What has no name or no JSON form is passed over."""
        if server not in self._servers():
            return
        state = self._state(server)
        known, now = state.tools, self._clock()
        for tool in tools:
            name = tool.get("name") if type(tool) is dict else None
            if type(name) is not str or not name or len(name) > _MAX_NAME:
                continue
            if not LEFT_OUT.isdisjoint(tool):
                tool = definition(tool)
            raw = _raw(tool)
            found = known.get(name)
            if found is not None:
                if found.raw == raw:
                    found.at = max(now, found.at)
                    continue
                now = max(now, found.at + _LATER)  # newer than what we know, also if a clock was wrong
            state.put(name, raw, now, set())
            state.dirty = True
            if raw is _NOT_KEPT:
                _log.warning("tool definition not kept", server=server, limit=MAX_DEFINITION,
                             problem="too large, or no JSON")  # fmt: skip
            elif len(state.uncounted) < _MAX_UNCOUNTED:
                state.uncounted.append((name, raw))
        state.trim()

    async def run(self, *, every: float = 1.0) -> None:
        """Shares and learns until cancelled, beginning at once."""
        while True:
            await self.poll()
            await asyncio.sleep(every)

    async def poll(self) -> None:
        """One look at the files, and the writing of what they lack."""
        servers = self._servers()
        for server in [name for name in self._known if name not in servers]:
            del self._known[server]
        for server in list(servers):
            state = self._state(server)
            await self._count(state)
            if state.path is not None:
                await self._read(server, state)
                if state.dirty:
                    await self._write(server, state)

    async def _count(self, state: _Server) -> None:
        uncounted, state.uncounted = state.uncounted, []
        if not uncounted:
            return
        for name, found in await asyncio.to_thread(_digests, uncounted):
            known = state.tools.get(name)
            if known is not None and found not in known.digests and len(known.digests) < MAX_VARIANTS:
                known.digests.add(found)
                state.dirty = True

    async def _read(self, server: str, state: _Server) -> None:
        assert state.path is not None
        now, found = await asyncio.to_thread(_read, state.path, server, state.seen)
        if isinstance(found, str):
            _log.error("tool definitions dropped", path=str(state.path), problem=found, remedy="none: learned anew")
            state.dirty = bool(state.tools)
        elif found is not None:
            _merge(state, found)
        elif now is None and state.seen is not None:  # it was taken away
            state.dirty = bool(state.tools)
        state.seen = now

    async def _write(self, server: str, state: _Server) -> None:
        assert state.path is not None
        state.dirty = False
        tools = {
            name: _Tool(known.at, sorted(known.digests), msgspec.Raw(known.raw)) for name, known in state.tools.items()
        }
        try:
            state.seen = await asyncio.to_thread(_write, state.path, _File(_VERSION, server, tools))
        except OSError as error:
            state.dirty = True  # the next second tries again
            if not state.warned:
                state.warned = True
                _log.error("tool definitions not shared", path=str(state.path), problem=error.strerror,
                           remedy="the folder must be writable and have room")  # fmt: skip
        else:
            state.warned = False

    def _find(self, server: str, tool: str) -> _Known | None:
        state = self._known.get(server)
        return None if state is None else state.tools.get(tool)

    def _state(self, server: str) -> _Server:
        state = self._known.get(server)
        if state is None:
            path = None if self._folder is None else self._folder / _file_name(server)
            state = self._known[server] = _Server(path)
        return state


def _raw(tool: JsonObject) -> bytes:
    """The definition in the bytes in which it is kept."""
    try:
        raw = _encode(tool)
    except (UnicodeEncodeError, TypeError, RecursionError, msgspec.MsgspecError):
        return _NOT_KEPT
    return raw if len(raw) <= MAX_DEFINITION else _NOT_KEPT


def _merge(state: _Server, found: _File) -> None:
    """What others wrote. Marks the state when the file lacks something of ours."""
    for name, theirs in found.tools.items():
        raw, digests = bytes(theirs.definition), set(theirs.digests[:MAX_VARIANTS])
        ours = state.tools.get(name)
        if ours is None or (ours.raw != raw and (theirs.at, raw) > (ours.at, ours.raw)):
            state.put(name, raw, theirs.at, digests)
        else:
            state.dirty |= ours.raw != raw
            ours.at = max(ours.at, theirs.at)
            ours.digests |= digests
        merged = state.tools[name].digests
        state.dirty |= not merged <= digests and len(digests) < MAX_VARIANTS
    state.dirty |= any(name not in found.tools for name in state.tools)
    state.trim()


def _digests(tools: list[tuple[str, bytes]]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, raw in tools:
        tool = _object(raw)
        try:
            if tool is not None:
                found.append((name, digest(tool)))
        except DefinitionError:
            continue
    return found


def _object(raw: bytes) -> JsonObject | None:
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None
    return value if type(value) is dict else None


def _read(path: Path, server: str, seen: Signature | None) -> tuple[Signature | None, _File | str | None]:
    """The file's state, and its content if that is another than `seen`: a problem in words if it cannot be believed.
    Such a file is removed."""
    now = signature(path)
    if now is None or now == seen:
        return now, None
    try:
        there = path.lstat()
        data = read_regular(path, _MAX_FILE)
    except OSError as error:
        return now, f"cannot be read ({error.strerror or error})"
    problem = "is too large" if len(data) > _MAX_FILE else ""
    if there.st_uid != os.geteuid() or there.st_mode & 0o022:
        problem = "could have been written by others"
    if not problem:
        try:
            found = _decode_file(data)
        except (msgspec.MsgspecError, RecursionError):
            problem = "is damaged"
        else:
            problem = _problem(found, server)
            if not problem:
                return now, found
    path.unlink(missing_ok=True)
    return None, problem


def _problem(found: _File, server: str) -> str:
    if found.version != _VERSION or found.server != server:
        return "is another version's, or another server's"
    if len(found.tools) > MAX_TOOLS or any(
        len(bytes(tool.definition)) > MAX_DEFINITION for tool in found.tools.values()
    ):
        return "holds more than is kept"
    return ""


def _write(path: Path, content: _File) -> Signature:
    """Replaces the file, so that a reader sees the old or the new one. For this user alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    data = _encode(content)
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
    made = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        mine = signature(made)
        assert mine is not None
        made.replace(path)
    except BaseException:
        made.unlink(missing_ok=True)
        raise
    return mine


def _file_name(server: str) -> str:
    """A name that no two servers share and no server can choose a place with."""
    plain = "".join(char for char in server if char.isascii() and (char.isalnum() or char in "-_"))[:64]
    return f"{plain}-{sha256(server.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}.json"
