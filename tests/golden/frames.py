"""Golden event streams as lines of JSON: {"event": type, "payload": ...}, "exception" or "error" likewise.

Loaded by path (tests are not a package). Bytes are written and read with botocore's reader as far as it goes, so that
our framing is not checked with itself alone: the reader here is botocore's.
"""

import json
from base64 import b64decode, b64encode

from botocore.eventstream import EventStreamBuffer

from extproc.exchange import eventstream


def write(text, *, chunks=False):
    """The bytes of a golden stream. With `chunks`, payloads of events are wrapped as InvokeModel wraps them."""
    out = []
    for line in text.splitlines():
        item = json.loads(line)
        kind = next(kind for kind in ("event", "exception", "error") if kind in item)
        payload = item.get("payload")
        if chunks and kind == "event":
            inner = json.dumps(payload, separators=(",", ":")).encode()
            payload = {"bytes": b64encode(inner).decode(), **({"p": item["p"]} if "p" in item else {})}
        headers = {":message-type": kind}
        if kind == "error":
            headers |= {":error-code": item["error"], ":error-message": item["message"]}
        else:
            headers |= {f":{kind}-type": item[kind], ":content-type": "application/json"}
        out.append(eventstream.encode(headers, b"" if payload is None else json.dumps(payload).encode()))
    return b"".join(out)


def read(raw, *, chunks=False):
    """A stream's messages as `write` takes them, decoded by botocore."""
    buffer = EventStreamBuffer()
    buffer.add_data(raw)
    out = []
    for message in buffer:
        kind = message.headers[":message-type"]
        item = {kind: message.headers[":error-code" if kind == "error" else f":{kind}-type"]}
        if kind == "error":
            item["message"] = message.headers[":error-message"]
        if message.payload:
            item["payload"] = json.loads(message.payload)
        if chunks and kind == "event":
            if "p" in item["payload"]:
                item["p"] = item["payload"]["p"]
            item["payload"] = json.loads(b64decode(item["payload"]["bytes"]))
        out.append(json.dumps(item, ensure_ascii=False))
    return "".join(line + "\n" for line in out)
