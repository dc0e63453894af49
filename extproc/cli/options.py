"""Options that several commands share, and how they read."""

import re  # sizes typed by the operator, not untrusted text
from collections.abc import Callable
from typing import Any, TypeVar

import click

_F = TypeVar("_F", bound=Callable[..., Any])
_UNITS = {"": 1, "B": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}


class Size(click.ParamType[int]):
    """Bytes, as a number or like `16MiB`."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d+)\s*([A-Za-z]*)", value.strip())
        if found is None or found[2].upper() not in _UNITS:
            self.fail(f"{value!r} is no size. Write bytes, or like 512KiB or 16MiB.", param, ctx)
        return int(found[1]) * _UNITS[found[2].upper()]


class Seconds(click.ParamType[float]):
    """A duration in seconds, as a number or like `30s`, `5m`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, (int, float)):
            return float(value)
        found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h)?", value.strip())
        if found is None:
            self.fail(f"{value!r} is no duration. Write seconds, or like 30s or 5m.", param, ctx)
        return float(found[1]) * {"s": 1, "m": 60, "h": 3600, None: 1}[found[2]]


def processor(command: _F) -> _F:
    """The options of `up` and `serve` alike."""
    options = (
        click.option("--workers", type=click.IntRange(1, 128), default=2, show_default=True, help="Processes."),
        click.option("--admin-port", type=click.IntRange(0, 65535), default=10901, show_default=True,
                     envvar="ADMIN_PORT", help="/healthz, /readyz and /metrics."),
        click.option("--admin-address", default="127.0.0.1", show_default=True,
                     help="Where the admin port listens. It shows names and counts, no secrets."),
        click.option("--audit", multiple=True, metavar="SINK",
                     help="Where audit records go: stdout:json, stdout:text, file:PATH ({index} is the worker's "
                          "number). Repeatable.  [default: stdout:json; stdout:text with --demo]"),
        click.option("--audit-max-bytes", type=Size(), default="100MiB", show_default=True,
                     help="Rotate an audit file at this size."),
        click.option("--audit-backups", type=click.IntRange(0, 1000), default=5, show_default=True,
                     help="Rotated audit files kept."),
        click.option("--drain", type=Seconds(), default="30s", show_default=True,
                     help="How long open streams may finish after SIGTERM."),
        click.option("--max-request", type=Size(), default="16MiB", show_default=True,
                     help="Largest request body; above it 413."),
        click.option("--max-answer", type=Size(), default="32MiB", show_default=True,
                     help="Largest answer that is masked in one piece; above it the answer is refused."),
        click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True),
        click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info",
                     show_default=True),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def idle_timeout(command: _F) -> _F:
    """The option of every command that configures Envoy."""
    option = click.option(
        "--idle-timeout",
        type=Seconds(),
        default="10m",
        show_default=True,
        help="Longest silence of a client or an upstream before the call is ended (504).",
    )
    return option(command)


def sinks(given: tuple[str, ...], default: str) -> tuple[str, ...]:
    """The audit sinks, checked. Raises a usage error that names the wrong one."""
    for sink in given:
        kind, _, rest = sink.partition(":")
        if not ((kind == "stdout" and rest in ("json", "text")) or (kind == "file" and rest)):
            raise click.BadParameter(f"{sink!r} is no sink. Write stdout:json, stdout:text or file:PATH.")
    return given or (default,)
