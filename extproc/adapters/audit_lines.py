"""An audit entry as one line: JSON for machines, aligned text for the person at `gatereeve up`.

A line is always exactly one line, and safe to show in a terminal: whatever a client put into a name or a header comes
out escaped.
"""

from typing import Any

import msgspec

_encoder = msgspec.json.Encoder(enc_hook=lambda value: f"<{type(value).__name__}>")
_WIDTH = 160


def json_line(entry: dict[str, Any]) -> bytes:
    """The entry as JSON with a line end. Never raises: an entry that cannot be encoded is one that says so."""
    try:
        line = _encoder.encode(entry)
    except (TypeError, ValueError, RecursionError):  # a lone surrogate, an integer key: a bug elsewhere, not a gap here
        line = _encoder.encode({**{name: _plain(entry.get(name)) for name in _CORE}, "audit_error": "not encodable"})
    if not line.isascii() or b"\x7f" in line:
        line = _visible(line.decode("utf-8"), "\\u{:04x}").encode("utf-8")
    return line + b"\n"


def text_line(entry: dict[str, Any]) -> bytes:
    """The entry for a person: when, verdict, who, what, where to, why, how long, what was masked, id.

    An attempt decides nothing: it has its number for a verdict, nobody for a subject, and its outcome for a reason.
    """
    if entry.get("operation") == "attempt" and "outcome" in entry and "verdict" not in entry:
        entry = {**entry, **_attempt(entry)}
    where = _plain(entry.get("upstream_model"))  # an MCP call names its server already
    what = (
        f"{_what(entry)} -> {where}" if where and entry.get("verdict") not in ("deny", "hold", None) else _what(entry)
    )
    columns = (
        _cell(_plain(entry.get("ts"))[11:19], 8),
        _cell(_plain(entry.get("verdict")), 5),
        _cell(_plain(entry.get("subject")) or "-", 16),
        _cell(what, 38),
        _cell(_plain(entry.get("reason")), 22),
        _milliseconds(entry),
        _masked(entry),
        _plain(entry.get("id")),
    )
    line = "  ".join(part for part in columns if part)
    return _visible(line[:_WIDTH], "\\u{:04x}").encode("utf-8", "backslashreplace") + b"\n"


_CORE = ("ts", "id", "plane", "verdict", "reason", "rule", "subject", "issuer")


def _attempt(entry: dict[str, Any]) -> dict[str, Any]:
    """What stands in the columns of an attempt's line."""
    kind, _, provider = _plain(entry.get("upstream")).partition("/")
    model = _plain(entry.get("upstream_model"))
    status = entry.get("status")
    outcome = _plain(entry.get("reason")) or _plain(entry.get("outcome"))
    return {
        "verdict": f"try {_plain(entry.get('id')).rpartition('.')[2]}",
        "subject": " ",
        "operation": "",
        "upstream_model": f"{provider or kind}/{model}" if model else "",
        "reason": f"{outcome} {status}" if outcome == "served" else outcome,
    }


def _plain(value: Any) -> str:
    """A value as text that can be encoded; "" for None."""
    return "" if value is None else str(value).encode("utf-8", "backslashreplace").decode("utf-8")


def _visible(text: str, form: str) -> str:
    """Control and format characters (C1, DEL, line separators, bidirectional overrides) written as escapes. In JSON
    they can only stand inside strings, where the escape means the same character."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escape(c, form) for c in text)


def _escape(character: str, form: str) -> str:
    code = ord(character)
    if code > 0xFFFF:  # as JSON does: a surrogate pair
        code -= 0x10000
        return form.format(0xD800 + (code >> 10)) + form.format(0xDC00 + (code & 0x3FF))
    return form.format(code)


def _cell(text: str, width: int) -> str:
    text = _visible(text[: 2 * width], "\\u{:04x}")
    return text.ljust(width) if len(text) <= width else text[: width - 1] + "…"


def _what(entry: dict[str, Any]) -> str:
    names = ("server", "method", "name") if entry.get("plane") == "mcp" else ("operation", "model")
    parts = [entry.get(name) for name in names]
    return " ".join(_plain(part) for part in parts if part) or "-"


def _milliseconds(entry: dict[str, Any]) -> str:
    times = entry.get("ms")
    total = times.get("total") if isinstance(times, dict) else None
    return f"{total:8.1f}ms" if isinstance(total, int | float) else " " * 10


def _masked(entry: dict[str, Any]) -> str:
    masked = entry.get("masked")
    if not isinstance(masked, dict) or not masked:
        return ""
    return _cell("masked " + " ".join(f"{_plain(rule)}:{_plain(count)}" for rule, count in masked.items()), 44).rstrip()
