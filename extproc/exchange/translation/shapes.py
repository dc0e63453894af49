"""Shapes that several readers meet: data URLs, optional numbers and texts. What is wrong is refused by its name."""

from typing import Any

from extproc.errors import BadRequest
from extproc.exchange import json_body
from extproc.exchange.fields import refuse
from extproc.exchange.model import JsonObject


def number(doc: JsonObject, key: str) -> float | None:
    """An optional finite number; null is absent."""
    value = doc.get(key)
    if value is None:
        return None
    if type(value) is not int and type(value) is not float:
        refuse(key, "a number")
    return value


def text(node: JsonObject, key: str, where: str) -> str:
    """An optional string; null is absent."""
    value = node.get(key)
    if value is None:
        return ""
    if type(value) is not str:
        refuse(f"{where}{key}", "a string")
    return value


def data_url(url: str, where: str) -> tuple[str, str]:
    """The media type and the base64 of a data URL."""
    head, comma, data = url.partition(",")
    media_type, _, encoding = head[5:].partition(";")
    if not comma or encoding.lower() != "base64" or not media_type or not data:
        refuse(where, "a data URL in base64 with its media type")
    return media_type.lower(), data


def texts(value: Any, where: str) -> list[str]:
    """A string or a list of strings; null is none."""
    if value is None:
        return []
    if type(value) is str:
        return [value]
    if type(value) is not list or not all(type(item) is str for item in value):
        refuse(where, "a string or a list of strings")
    return value


def optional(node: JsonObject, key: str, kind: type, where: str) -> Any:
    """An optional member of one type; null is absent."""
    value = node.get(key)
    if value is not None and type(value) is not kind:
        refuse(f"{where}{key}", {bool: "a boolean", dict: "an object", list: "a list", str: "a string"}[kind])
    return value


def is_object(written: str) -> bool:
    """Whether the text of a call's input is complete."""
    try:
        json_body.decode(written.encode("utf-8", "replace"))
    except BadRequest:
        return False
    return True
