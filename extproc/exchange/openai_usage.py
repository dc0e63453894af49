"""Token usage of OpenAI's streams: asked of the upstream, and taken out again for a client that did not ask for it.

One boolean decides, `LlmCall.hide_usage`. `read` sets it for a stream whose client did not ask; `write` then asks, and
the answer's reader then hides. For a server that refuses `stream_options`, make the call with it False before both:
nothing is asked, nothing is hidden, and what the server tells unasked is still counted.

Knows neither masks nor frames. What it is given to change, it may change: a chunk, never a request.
"""

from extproc.exchange import fields
from extproc.exchange.keys import Keys
from extproc.exchange.model import JsonObject

OPTIONS = "stream_options"
_KEYS = Keys("include_usage")
_USAGE = b'"usage"'
# As nearly all servers write it. Quotes within a JSON string are escaped, so none of these stands in one.
_NULLS = (b',"usage":null', b', "usage": null')
# What a client is told in chunks without choices even if it asked for no usage.
_OWN_WORTH = ("error", "prompt_filter_results", "content_filter_results")


def hides(doc: JsonObject, *, stream: bool) -> bool:
    """Whether usage must be asked for and hidden. Raises `BadRequest` for options that are not what they must be, for
    some server might read them in another way."""
    options = doc.get(OPTIONS)
    if options is None:
        return stream
    if type(options) is not dict:
        fields.refuse(OPTIONS, "an object")
    _KEYS.check(options, OPTIONS)
    return stream and not fields.flag(options, "include_usage")


def asking(doc: JsonObject) -> JsonObject:
    """A shallow copy of a request that asks for usage, too; its other options stay."""
    return {**doc, OPTIONS: {**(doc.get(OPTIONS) or {}), "include_usage": True}}


def without_null(data: bytes) -> bytes | None:
    """A chunk without the `usage: null` that all chunks but the last one get, every other byte as it came; None if it
    has to be decoded to know. What follows closes nothing but the chunk itself, so the member is the chunk's own."""
    for null in _NULLS:
        at = data.find(null)
        if at < 0:
            continue
        rest = data[at + len(null) :]
        if rest[:1] in (b",", b"}") and rest.count(b"}") == 1 and not (b"{" in rest or b"]" in rest):
            return data[:at] + rest if data.count(_USAGE) == 1 else None
    return None


def take(chunk: JsonObject) -> bool:
    """Removes the usage of a chunk. Whether it was the chunk's only worth, so that none of it may pass."""
    told = chunk.pop("usage", None)
    return told is not None and not chunk.get("choices") and not any(chunk.get(key) for key in _OWN_WORTH)
