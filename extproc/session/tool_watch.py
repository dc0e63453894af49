"""What an MCP server says, before it is filtered and masked: tools are learned and held against their approval, texts
are screened for orders to the model, results are kept to their size.

Changes messages in place. A list loses the entries that may not be seen; a result that may not pass becomes a failed
tool's, which models read and work around; nothing here ends a stream.
"""

from collections.abc import Iterator
from typing import Any

from extproc.exchange import json_body
from extproc.exchange.model import JsonObject, McpCall
from extproc.policy.runtime import McpServer
from extproc.policy.tool_rules import Treatment
from extproc.screening import FLAG, screen, strip
from extproc.session.ports import Tools

_LISTS = ("tools", "prompts", "resources", "resourceTemplates")
_ASKS = {"sampling/createMessage": "sampling", "elicitation/create": "elicitation", "roots/list": "roots"}
_SEEN = ("name", "title", "description", "inputSchema", "outputSchema", "annotations", "arguments")
_MOST_TEXTS = 50_000  # strings of one definition that are screened; more make no definition of a tool
_KINDS = frozenset({"text", "image", "audio", "resource", "resource_link"})
_BRIEF = 16  # characters of plain ASCII that give no orders
_CUT = "\n[cut by gatereeve: {} of {} bytes are left out]"


class ToolWatch:
    """Serves one exchange. `notes` and `signals` are for the audit: what was done, and the highest score of what was
    screened with the names of its signals. `summary`: how many content blocks of each type a result had, and whether it
    was an error."""

    __slots__ = ("_call", "_server", "_tools", "_wall", "notes", "score", "signals", "summary")

    def __init__(self, server: McpServer, call: McpCall, tools: Tools, wall: float) -> None:
        self._server = server
        self._call = call
        self._tools = tools
        self._wall = wall
        self.notes: tuple[str, ...] = ()
        self.score = 0
        self.signals: tuple[str, ...] = ()
        self.summary: dict[str, int] = {}

    def __call__(self, message: Any, size: int) -> bool:
        """Whether the message may go on; it has been changed then. `size`: the bytes it came in."""
        if type(message) is not dict:
            return True
        asked = _ASKS.get(message.get("method", "")) if type(message.get("method")) is str else None
        if asked is not None and asked in self._server.rules.denied:
            self._note(f"{asked}-not-passed")
            return False
        result = message.get("result")
        if type(result) is dict:
            self._result(result, size)
        return True

    def _result(self, result: JsonObject, size: int) -> None:
        listed = False
        for key in _LISTS:
            entries = result.get(key)
            if type(entries) is list:
                listed = True
                result[key] = self._listed(key, entries)
        if type(result.get("instructions")) is str:
            self._instructions(result)
        if not listed and ("content" in result or "contents" in result or "messages" in result):
            self._given(result, size)
        inner = result.get("result")  # tasks/get has the tool's own
        if type(inner) is dict:
            self._result(inner, size)

    # -- definitions ---------------------------------------------------------------------------------------------------

    def _listed(self, key: str, entries: list[Any]) -> list[Any]:
        objects = [entry for entry in entries if type(entry) is dict]
        if key == "tools":
            self._tools.learn(self._server.name, objects)
            objects = [tool for tool in objects if self._approved(tool)]
        treatment = self._server.rules.screening.descriptions
        if treatment == "off":
            return objects
        return [entry for entry in objects if self._described(entry, treatment)]

    def _approved(self, tool: JsonObject) -> bool:
        approval = self._server.rules.approval
        if approval is None:
            return True
        standing = approval.standing(tool, self._wall)
        if standing != "approved":
            self._note("tool-changed" if standing == "changed" else "tool-not-approved")
        return not approval.refuses(standing)

    def _described(self, entry: JsonObject, treatment: Treatment) -> bool:
        """Whether a definition may be listed. It is stripped for those that strip, and for those that refuse what is
        grave and let the rest be seen."""
        grave = 0
        for holder, key, text in _texts({name: entry[name] for name in _SEEN if name in entry}, entry):
            score = self._screened(text, "description")
            grave = max(grave, score)
            named = holder is entry and key == "name"  # by which the tool is called
            if score >= FLAG and treatment in ("strip", "refuse") and holder is not None and not named:
                holder[key] = self._stripped(text)
        if grave < self._server.rules.screening.grave_description or treatment != "refuse":
            return True
        self._note("description-refused")
        return False

    def _instructions(self, result: JsonObject) -> None:
        treatment, text = self._server.rules.screening.descriptions, result["instructions"]
        if treatment == "off":
            return
        score = self._screened(text, "description")
        if treatment == "refuse" and score >= self._server.rules.screening.grave_description:
            del result["instructions"]
            self._note("instructions-refused")
        elif score >= FLAG and treatment != "flag":
            result["instructions"] = self._stripped(text)

    # -- results -------------------------------------------------------------------------------------------------------

    def _given(self, result: JsonObject, size: int) -> None:
        self._summarized(result)
        treatment = self._server.rules.screening.results
        grave = 0
        if treatment != "off":
            for holder, key, text in _texts(result, result):
                score = self._screened(text, "result")
                grave = max(grave, score)
                if score >= FLAG and treatment in ("strip", "refuse") and holder is not None:
                    holder[key] = self._stripped(text)
        if treatment == "refuse" and grave >= self._server.rules.screening.grave_result:
            self._note("result-refused")
            self._replace(result, "The tool's result gives orders to the model, so it was not passed on.")
            return
        if size > self._server.rules.max_bytes:
            self._sized(result)

    def _summarized(self, result: JsonObject) -> None:
        summary = self.summary
        blocks = result.get("content")
        for block in blocks if type(blocks) is list else ():
            kind = block.get("type") if type(block) is dict else None
            name = kind if type(kind) is str and kind in _KINDS else "other"
            summary[name] = summary.get(name, 0) + 1
        if result.get("structuredContent") is not None:
            summary["structured"] = summary.get("structured", 0) + 1
        if result.get("isError") is True:
            summary["errors"] = summary.get("errors", 0) + 1

    def _sized(self, result: JsonObject) -> None:
        rules = self._server.rules
        blocks = result.get("content")
        texts = [
            block
            for block in (blocks if type(blocks) is list else ())
            if type(block) is dict and type(block.get("text")) is str
        ]
        size = len(json_body.encode(result))
        if size <= rules.max_bytes:
            return
        room = rules.max_bytes - (size - sum(len(block["text"].encode()) for block in texts))
        if not rules.truncates or room < 0:
            self._note("result-too-large")
            self._replace(result, f"The tool's result is larger than policy lets pass ({rules.max_bytes} bytes).")
            return
        self._note("result-cut")
        for block in texts:
            said = block["text"].encode()
            kept = said[: max(room, 0)].decode("utf-8", "ignore")
            room -= len(said)
            if len(kept.encode()) < len(said):
                block["text"] = kept + _CUT.format(len(said) - len(kept.encode()), len(said))

    def _replace(self, result: JsonObject, message: str) -> None:
        kept: JsonObject = {key: result[key] for key in ("resultType", "_meta") if key in result}
        result.clear()
        result.update(kept)
        if self._call.method == "resources/read":
            result["contents"] = []
        elif self._call.method == "prompts/get":
            result["messages"] = []
        else:
            result["content"] = [{"type": "text", "text": f"{message} Go on without it. [gatereeve: result-refused]"}]
            result["isError"] = True

    # -- texts ---------------------------------------------------------------------------------------------------------

    def _screened(self, text: str, kind: Any) -> int:
        found = screen(text, kind)
        if found.score >= FLAG and found.score >= self.score:
            self.score = found.score
            self.signals = tuple(signal.name for signal in found.signals)
        return found.score

    def _stripped(self, text: str) -> str:
        cleaned, notes = strip(text)
        for note in notes:
            self._note(f"stripped-{note}")
        return cleaned

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes = (*self.notes, note)


Place = tuple[Any, Any, str]


def _texts(node: Any, holder: Any) -> Iterator[Place]:
    """Every string inside that may say something, with the object or list that holds it and its key there; None holds
    what cannot be exchanged.
    `holder` is what `node` stands for where it is a selection of another object's members."""
    waiting: list[tuple[Any, Any]] = [(node, holder)]
    left = _MOST_TEXTS
    while waiting and left > 0:
        node, holder = waiting.pop()
        members: Any = list(node.items()) if type(node) is dict else enumerate(node)
        for key, value in members:
            if type(key) is str and (len(key) > _BRIEF or not key.isascii()):
                yield None, key, key  # models read the names of properties, too
            if type(value) is str:
                if len(value) > _BRIEF or not value.isascii():
                    left -= 1
                    yield holder, key, value
            elif type(value) in (dict, list):
                waiting.append((value, value))
