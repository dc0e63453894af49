"""The tools of an OpenAI Responses request, as functions that every model takes, and the way back.

A custom tool takes free text: it becomes a function with one string, `input`. A namespace only groups names: its
tools stand alone, and calls get the namespace back. Names must therefore differ across namespaces.
"""

from dataclasses import dataclass

from extproc.exchange import fields
from extproc.exchange.model import JsonObject
from extproc.exchange.translation.conversation import Tool
from extproc.exchange.translation.loss import Loss, untranslatable
from extproc.exchange.translation.shapes import optional

_FREE_TEXT: JsonObject = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
    "additionalProperties": False,
}
_KNOWN = frozenset({"type", "name", "description", "parameters", "strict"})


@dataclass(frozen=True, slots=True)
class Origin:
    """How the client declared a tool."""

    custom: bool = False
    namespace: str = ""


def read(holder: JsonObject, where: str, loss: Loss) -> tuple[list[Tool], dict[str, Origin]]:
    """The tools in `holder["tools"]`, and by name what they were. Raises `BadRequest` for those a provider runs."""
    tools: list[Tool] = []
    origins: dict[str, Origin] = {}
    _read(holder, where, "", loss, tools, origins)
    return tools, origins


def origins(doc: JsonObject) -> dict[str, Origin]:
    """The same of a whole request, once it has been read."""
    loss = Loss({})
    found = read(doc, "tools", loss)[1]
    items = doc.get("input")
    for item in items if type(items) is list else ():
        if type(item) is dict and item.get("type") == "additional_tools":
            found |= read(item, "tools", loss)[1]
    return found


def _read(
    holder: JsonObject, where: str, namespace: str, loss: Loss, tools: list[Tool], origins: dict[str, Origin]
) -> None:
    for position, tool in enumerate(fields.objects(holder, "tools", where)):
        here = f"{where}[{position}]"
        kind = fields.name(tool, here, "type")
        if kind == "namespace":
            if namespace:
                untranslatable(f"{here}.type")
            loss.rest(tool, ("type", "name", "tools"), "tools[].namespace.")
            _read(tool, f"{here}.tools", fields.name(tool, here), loss, tools, origins)
            continue
        if kind not in ("function", "custom"):
            untranslatable(f"{here}.type", "Use function tools.")
        name = fields.name(tool, here)
        if name in origins:
            untranslatable(f"{here}.name twice", "Give tools different names.")
        origins[name] = Origin(kind == "custom", namespace)
        loss.unless(tool, {"defer_loading": False, "async": False, "format": {"type": "text"}}, "tools[].")
        loss.rest(tool, _KNOWN | {"defer_loading", "async", "format"}, "tools[].")
        description = optional(tool, "description", str, f"{here}.")
        if kind == "custom":
            tools.append(Tool(name, description, _FREE_TEXT))
        else:
            parameters = optional(tool, "parameters", dict, f"{here}.")
            tools.append(Tool(name, description, parameters, optional(tool, "strict", bool, f"{here}.")))
