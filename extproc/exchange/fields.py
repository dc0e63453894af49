"""Single fields of a request, read strictly: what cannot be judged is refused, with the field's name.

Two things are refused although the API itself may not know them. A key that some reader takes for a judged one (see
`keys`). And what gateways and routers behind us obey (LiteLLM, OpenRouter): other models, another address, other keys.
"""

from typing import Any, NoReturn

from extproc.errors import BadRequest
from extproc.exchange.keys import Keys
from extproc.exchange.model import JsonObject
from extproc.exchange.refusal import Reason

MAX_MODEL = 256
"""Characters of a model name."""

_ELSEWHERE = (
    "models",
    "fallbacks",
    "context_window_fallbacks",
    "content_policy_fallbacks",
    "model_list",
    "route",
    "api_base",
    "api_key",
    "base_url",
    "custom_llm_provider",
    "extra_body",
    "extra_headers",
    "user_config",
)


def top(*judged: str) -> Keys:
    """The keys of a request that must be spelled exactly: the dialect's judged ones, and those that are refused."""
    return Keys("model", "stream", "tools", *judged, *_ELSEWHERE)


def check(doc: JsonObject, judged: Keys, where: str = "") -> None:
    """Refuses disguised keys and those that lead elsewhere. `judged` comes from `top`; `where` is the path of `doc`."""
    judged.check(doc, where)
    for key in _ELSEWHERE:
        if key in doc:
            path = f"{where}.{key}" if where else key
            raise BadRequest(
                Reason.BODY_SHAPE.value,
                f"The field {path} is not accepted: it could lead the call to another model or address than the one "
                "that was judged. Leave it out.",
                400,
            )


def served(tool: JsonObject, kind: str, where: str) -> str:
    """A server tool's name for policy: its kind, and the model it names for itself, which was not judged either."""
    if tool.get("model") is None:
        return kind
    return f"{kind}:{name(tool, where, 'model')}"


def model(doc: JsonObject) -> str:
    """The model's name: a string of 1 to MAX_MODEL characters."""
    name = doc.get("model")
    if type(name) is not str or not name or len(name) > MAX_MODEL:
        refuse("model", f"a string of 1 to {MAX_MODEL} characters")
    return name


def flag(doc: JsonObject, key: str) -> bool:
    """An optional boolean; null is absent."""
    value = doc.get(key)
    if value is None:
        return False
    if type(value) is not bool:
        refuse(key, "a boolean")
    return value


def number(doc: JsonObject, *keys: str) -> int | None:
    """The largest of optional non-negative integers that mean the same, or None. The largest, because which one
    the upstream obeys is not ours to guess."""
    found: int | None = None
    for key in keys:
        value = doc.get(key)
        if value is None:
            continue
        if type(value) is not int or value < 0:
            refuse(key, "a non-negative integer")
        found = value if found is None else max(found, value)
    return found


def objects(doc: JsonObject, key: str, where: str = "") -> list[JsonObject]:
    """An optional list of objects; null is absent."""
    value = doc.get(key)
    if value is None:
        return []
    if type(value) is not list or not all(type(item) is dict for item in value):
        refuse(where or key, "a list of objects")
    return value


def name(entry: Any, where: str, key: str = "name") -> str:
    """A required non-empty string member of an object."""
    value = entry.get(key) if type(entry) is dict else None
    if type(value) is not str or not value:
        refuse(f"{where}.{key}", "a non-empty string")
    return value


def refuse(where: str, wanted: str) -> NoReturn:
    """Raises `BadRequest` (body-shape). `where` is a path of our own making and never quotes the body."""
    raise BadRequest(Reason.BODY_SHAPE.value, f"The field {where} must be {wanted}.", 400)
