"""The paths of Bedrock's runtime: /model/{modelId}/{operation}.

The model's id is percent-encoded (ARNs have slashes, versions have colons), decoded exactly once, and encoded anew in
one canonical way for the upstream: the signature covers the path, and whoever decodes twice finds another model.
"""

from urllib.parse import quote, unquote

PREFIX = "/model/"
MAX_ID = 256
"""Characters of a model's id. AWS's longest ARNs of models and inference profiles stay below it."""

_RAW = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:@+%")
_ID = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:@+/")
_HEX = frozenset("0123456789abcdefABCDEF")


def encode(model: str, operation: str) -> str:
    """The path of an operation. Everything but RFC 3986's unreserved characters is encoded, as AWS SDKs do it."""
    return f"{PREFIX}{quote(model, safe='')}/{operation}"


def decode(path: str) -> tuple[str, str] | None:
    """(model's id, operation) of a path without its query, or None if it is none of Bedrock's or may be read in two
    ways: an id with an escape left in it, an empty, `.` or `..` segment, or characters no id has."""
    parts = path.split("/")
    if len(parts) != 4 or parts[0] or parts[1] != "model" or not parts[2] or not _RAW.issuperset(parts[2]):
        return None
    encoded = parts[2]
    if "%" in encoded and not _escapes_whole(encoded):
        return None
    model = unquote(encoded)
    if len(model) > MAX_ID or not _ID.issuperset(model):
        return None
    if any(segment in ("", ".", "..") for segment in model.split("/")):
        return None
    return model, parts[3]


def _escapes_whole(text: str) -> bool:
    """Whether every `%` has its two digits."""
    return all(len(piece) >= 2 and _HEX.issuperset(piece[:2]) for piece in text.split("%")[1:])
