"""Where the `tools` commands find definitions: a server, the saved result of tools/list, or a pin file."""

import asyncio
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click
import msgspec

from extproc.adapters.files import read_regular
from extproc.adapters.mcp_client import ListingError, list_tools
from extproc.errors import StartupError
from extproc.exchange.model import JsonObject
from extproc.tools.pins import MAX_FILE, parse

_F = TypeVar("_F", bound=Callable[..., Any])
_PAGES = 'It must be what tools/list gives: {"tools": [...]}, all pages of it in one list.'


@dataclass(frozen=True, slots=True)
class Source:
    """Tools, and the name their server is called by if nobody says otherwise."""

    tools: tuple[JsonObject, ...] = field(repr=False)
    server: str
    version: str = ""


def credentials(command: _F) -> _F:
    """The options with which a server is asked."""
    options = (
        click.option("--token", envvar="GATEREEVE_TOOLS_TOKEN", show_envvar=True, metavar="TOKEN",
                     help="Sent as Authorization: Bearer. Prefer the variable: others see a command's options."),
        click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'",
                     help="Sent with each request. Repeatable. 'X-Api-Key: env:NAME' takes the value from a variable."),
        click.option("--plain-http", is_flag=True, help="Send credentials over http:// also to other machines."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def load(source: str, token: str | None, headers: tuple[str, ...], plain_http: bool) -> Source:
    """The tools of SOURCE. Raises `StartupError` when they cannot be had, `PolicyError` for a bad pin file."""
    if source.lower().startswith(("http://", "https://")):
        try:
            listing = asyncio.run(list_tools(source, _headers(token, headers), plain=plain_http))
        except ListingError as error:
            raise StartupError(str(error)) from None
        return Source(listing.tools, listing.server or urlsplit(source).hostname or "server", listing.version)
    data = read(source)
    try:
        doc = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise StartupError(f"{source} is not JSON. {_PAGES}") from None
    server = "server" if source == "-" else Path(source).stem
    if isinstance(doc, dict) and isinstance(doc.get("tools"), dict):
        pins = parse(data, source)
        missing = [name for name, pin in pins.tools.items() if pin.definition is None]
        if missing:
            raise StartupError(f"{source} holds digests without definitions: give the server or its tools/list.")
        return Source(tuple(pin.definition for pin in pins.tools.values() if pin.definition is not None), pins.server)
    if isinstance(doc, dict) and isinstance(doc.get("result"), dict):
        doc = doc["result"]
    if isinstance(doc, dict) and doc.get("nextCursor") is not None:
        raise StartupError(f"{source} is one page of several. {_PAGES}")
    tools = doc.get("tools") if isinstance(doc, dict) else doc
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise StartupError(f"{source} holds no list of tools. {_PAGES}")
    return Source(tuple(tools), server)


def read(path: str) -> bytes:
    """A file's bytes, or those of standard input for "-"."""
    try:
        data = sys.stdin.buffer.read(MAX_FILE + 1) if path == "-" else read_regular(path, MAX_FILE)
    except (OSError, ValueError) as error:
        raise StartupError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'no regular file'}.") from None
    if len(data) > MAX_FILE:
        raise StartupError(f"{path} is larger than {MAX_FILE} bytes.")
    return data


def write(path: Path, text: str) -> None:
    """Replaces the file whole, or leaves it as it was. A new one is readable as the umask has it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
        handle, made = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
            Path(made).chmod(mode)
            Path(made).replace(path)
        except BaseException:
            Path(made).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StartupError(f"{path} cannot be written: {error.strerror}.") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _headers(token: str | None, given: tuple[str, ...]) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    for text in given:
        name, colon, value = text.partition(":")
        name, value = name.strip().lower(), value.strip()
        if not colon or not name or not value:
            raise click.BadParameter("A header is written 'NAME: VALUE'.", param_hint="--header")
        if value.startswith("env:"):
            variable = value.removeprefix("env:")
            value = os.environ.get(variable, "")
            if not value:
                raise click.BadParameter(f"The variable {variable} is not set.", param_hint="--header")
        headers[name] = value
    if token:
        headers["authorization"] = f"Bearer {token}"
    if not all(f"{name}{value}".isascii() and f"{name}{value}".isprintable() for name, value in headers.items()):
        raise click.BadParameter("A header or token holds characters that cannot be sent.", param_hint="--header")
    return headers
