"""The paths of Google's model APIs: {prefix}/models/{model}:{method}.

The Gemini API has only a version before it; Vertex AI has project, location and publisher as well, or with an API key
(express mode) the publisher alone. Project and location of a client are not looked at further: where a call goes is
the policy's to say.
"""

from dataclasses import dataclass
from urllib.parse import parse_qsl

_VERSIONS = frozenset({"v1", "v1beta", "v1alpha", "v1beta1"})
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:@+")


@dataclass(frozen=True, slots=True)
class GooglePath:
    """`publisher` is "" for the Gemini API. `method` is "" where the path only names the model."""

    publisher: str
    model: str
    method: str


def decode(path: str) -> GooglePath | None:
    """A path without its query, or None if it is none of Google's or may be read in two ways."""
    parts = path.split("/")
    if len(parts) < 4 or parts[0] or parts[1] not in _VERSIONS or parts[-2] != "models":
        return None
    between = parts[2:-2]
    publisher = ""
    if between[:1] == ["projects"] and between[2:3] == ["locations"] and between[4:]:
        if not (_is_name(between[1]) and _is_name(between[3])):
            return None
        between = between[4:]
    if between:
        if len(between) != 2 or between[0] != "publishers" or between[1] not in ("google", "anthropic"):
            return None
        publisher = between[1]
    model, _, method = parts[-1].rpartition(":")
    if not model:
        model, method = method, ""
    return GooglePath(publisher, model, method) if _is_name(model) else None


def framing(query: str) -> str:
    """How a stream is asked for: "" is SSE, "array" everything else, which Google answers with a JSON array."""
    asked = [value for name, value in parse_qsl(query, keep_blank_values=True) if name.lstrip("$") == "alt"]
    return "" if asked == ["sse"] else "array"


def _is_name(text: str) -> bool:
    return bool(text) and _NAME.issuperset(text) and text not in (".", "..")
