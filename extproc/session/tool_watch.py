"""What an MCP server says, before it is filtered and masked: tools are learned and held against their approval, texts
are screened for orders to the model, results are kept to their size.

Changes messages in place. A list loses the entries that may not be seen; a result that may not pass becomes a failed
tool's, which models read and work around; nothing here ends a stream.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from extproc.exchange import json_body
from extproc.exchange.model import JsonObject, McpCall
from extproc.policy.runtime import McpServer
from extproc.policy.tool_rules import Treatment
from extproc.screening import FLAG, Kind, screen, strip
from extproc.session.ports import Tools

_LISTS = ("tools", "prompts", "resources", "resourceTemplates")
_ASKS = {"sampling/createMessage": "sampling", "elicitation/create": "elicitation", "roots/list": "roots"}
_SEEN = (
    "name", "title", "description", "inputSchema", "outputSchema", "annotations", "arguments", "uri", "uriTemplate"
)  # fmt: skip
_CALLED_BY = frozenset({"name", "uri", "uriTemplate"})  # what clients send back as it was
_GIVEN = ("content", "contents", "messages", "structuredContent", "completion")
_OPAQUE = ("nextCursor", "requestState")  # what clients bring back as it was
_ENVELOPE = frozenset({"jsonrpc", "id", "method"})
_MOST_TEXTS = 50_000  # strings of one definition or result that are screened; what is beyond is not looked at
_MORE = object()  # in the place of a key: there are more texts than that
_INCOMPLETE = "screening-incomplete"
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
        self.notes: tuple[str, ...] = server.rules.notes(call.name) if call.method == "tools/call" else ()
        self.score = 0
        self.signals: tuple[str, ...] = ()
        self.summary: dict[str, int] = {}

    def __call__(self, message: Any, size: int) -> bool:
        """Whether the message may go on; it has been changed then. `size`: the bytes it came in."""
        if type(message) is not dict:
            return True
        asked = self._denied(message)
        if asked:
            self._note(f"{asked}-not-passed")
            return False
        result = message.get("result")
        apart = _ENVELOPE
        if type(result) is dict:
            apart = _ENVELOPE | {"result"}
            self._result(result, size)
        return self._told({key: value for key, value in message.items() if key not in apart}, message)

    def _told(self, said: JsonObject, message: JsonObject) -> bool:
        """What a message says beside a result: an error, or the params of a notification or a request. Models and
        people read these, too. Whether it may go on."""
        error, params = said.get("error"), said.get("params")
        if type(params) is dict:
            self._without_denied(params)
        data = error.get("data") if type(error) is dict else None
        if type(data) is dict and "elicitations" in data and "elicitation" in self._server.rules.denied:
            del data["elicitations"]  # 2025-11-25: asked for by way of an error
            self._note("elicitation-not-passed")
        treatment = self._server.rules.screening.results
        if treatment == "off" or not said:
            return True
        grave = self._cleaned(said, message, "result", treatment)
        if treatment != "refuse" or grave < self._server.rules.screening.grave_result:
            return True
        self._note("message-refused")
        if "error" not in message:
            return False
        code = error.get("code") if type(error) is dict else None
        text = "The server's error gives orders to the model, so it was not passed on. [gatereeve: result-refused]"
        message["error"] = {"code": code if type(code) is int else -32603, "message": text}
        message.pop("params", None)
        return True

    def _result(self, result: JsonObject, size: int) -> None:
        apart = {key for key in _OPAQUE if type(result.get(key)) is str}
        listed = False
        for key in _LISTS:
            entries = result.get(key)
            if type(entries) is list:
                listed = True
                apart.add(key)
                result[key] = self._listed(key, entries)
        if type(result.get("instructions")) is str:
            apart.add("instructions")
            self._instructions(result)
        asked = self._without_denied(result)
        if asked and "taskId" not in result:  # who retries without an answer would be asked again, for ever
            self._replace(result, f"The server may not ask for what it asks for ({', '.join(asked)}).")
            return
        inner = result.get("result")  # tasks/get has the tool's own
        if type(inner) is dict:
            apart.add("result")
            self._result(inner, size)
        given = any(key in result for key in _GIVEN)
        if given:
            self._summarized(result)
        # Cut first: to look through what will not be passed takes seconds of everybody's.
        if size > self._server.rules.max_bytes and (given or not listed):
            self._sized(result)
        self._given(result, {key: value for key, value in result.items() if key not in apart})

    # -- what a server asks for ----------------------------------------------------------------------------------------

    def _denied(self, message: JsonObject) -> str:
        """What a request asks for that its server may not; "" for nothing of the kind."""
        method = message.get("method")
        asked = _ASKS.get(method, "") if type(method) is str else ""
        return asked if asked in self._server.rules.denied else ""

    def _without_denied(self, holder: JsonObject) -> tuple[str, ...]:
        """Takes the requests out of a result (2026-07-28, and tasks) that the server may not make; what they ask."""
        wanted = holder.get("inputRequests")
        if not self._server.rules.denied or type(wanted) is not dict:
            return ()
        found: list[str] = []
        for key, request in list(wanted.items()):
            asked = self._denied(request) if type(request) is dict else "unknown"
            if asked:
                del wanted[key]
                found.append(asked)
                self._note(f"{asked}-not-passed")
        return tuple(dict.fromkeys(found))

    # -- definitions ---------------------------------------------------------------------------------------------------

    def _listed(self, key: str, entries: list[Any]) -> list[Any]:
        objects = [entry for entry in entries if type(entry) is dict]
        if key == "tools":
            objects = self._named_once(objects)
            self._tools.learn(self._server.name, objects)
            objects = [tool for tool in objects if self._approved(tool)]
        treatment = self._server.rules.screening.descriptions
        if treatment == "off":
            return objects
        return [entry for entry in objects if self._described(entry, treatment)]

    def _named_once(self, tools: list[JsonObject]) -> list[JsonObject]:
        """One tool for each name, the last as in the catalogue: clients differ in which of two they would show."""
        by_name = {tool["name"]: tool for tool in tools if type(tool.get("name")) is str}
        if len(by_name) != len(tools):
            self._note("tools-listed-twice")
        return list(by_name.values())

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
        rules = self._server.rules
        seen = {name: entry[name] for name in _SEEN if name in entry}
        key = sha256(json_body.encode(seen)).digest()
        if rules.is_clean(key):  # lists say the same again and again, and to screen is ten times the rest
            return True
        grave = self._cleaned(seen, entry, "description", treatment)
        if grave < FLAG:
            rules.found_clean(key)
            return True
        if grave < rules.screening.grave_description or treatment != "refuse":
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

    def _given(self, result: JsonObject, said: JsonObject) -> None:
        """`said` is what of the result is looked at."""
        treatment = self._server.rules.screening.results
        if treatment == "off" or not said:
            return
        grave = self._cleaned(said, result, "result", treatment)
        if treatment == "refuse" and grave >= self._server.rules.screening.grave_result:
            self._note("result-refused")
            self._replace(result, "The tool's result gives orders to the model, so it was not passed on.")

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
        size = len(json_body.encode(result))
        if size <= rules.max_bytes:
            return
        texts = list(_blocks(result))
        total = sum(len(block["text"].encode("utf-8", "replace")) for block in texts)
        room = rules.max_bytes - (size - total) - len(_CUT) - 20
        if not rules.truncates or room < 0:
            self._note("result-too-large")
            self._replace(result, f"The tool's result is larger than policy lets pass ({rules.max_bytes} bytes).")
            return
        self._note("result-cut")
        left = total - room
        for block in texts:  # the first that does not fit says so; what comes after it is left out
            said = block["text"].encode("utf-8", "replace")
            if room < 0:
                block["text"] = ""
            elif len(said) > room:
                kept = said[:room].decode("utf-8", "ignore")
                block["text"] = kept + _CUT.format(left, total)
                room = 0
            room -= len(said)

    def _replace(self, result: JsonObject, message: str) -> None:
        kept: JsonObject = {key: result[key] for key in ("_meta", "ttlMs", "cacheScope") if key in result}
        if "resultType" in result or self._call.era == "modern":
            kept["resultType"] = "complete"
        result.clear()
        result.update(kept)
        said = f"{message} Go on without it. [gatereeve: result-refused]"
        method = self._call.method
        if method == "resources/read":
            result["contents"] = [{"uri": self._call.name, "mimeType": "text/plain", "text": said}]
        elif method == "prompts/get":
            result["description"], result["messages"] = said, []
        elif method == "completion/complete":
            result["completion"] = {"values": []}
        else:
            result["content"] = [{"type": "text", "text": said}]
            result["isError"] = True

    # -- texts ---------------------------------------------------------------------------------------------------------

    def _cleaned(self, node: Any, holder: Any, kind: Kind, treatment: Treatment) -> int:
        """Screens every text inside, strips those that are suspect where that is the treatment, and gives the highest
        score. More texts than are looked at count as the gravest."""
        grave = 0
        for place, key, text in _texts(node, holder):
            if key is _MORE:
                self._note(_INCOMPLETE)
                return 100
            score = self._screened(text, kind)
            grave = max(grave, score)
            kept = kind == "description" and place is holder and key in _CALLED_BY
            if score >= FLAG and treatment in ("strip", "refuse") and place is not None and not kept:
                place[key] = self._stripped(text)
        return grave

    def _screened(self, text: str, kind: Kind) -> int:
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
    what cannot be exchanged. `holder` is what `node` stands for where it is a selection of another object's members.
    Ends with the key _MORE if there are too many."""
    waiting: list[tuple[Any, Any]] = [(node, holder)]
    left = _MOST_TEXTS
    while waiting:
        node, holder = waiting.pop()
        members: Any = list(node.items()) if type(node) is dict else enumerate(node)
        for key, value in members:
            if left <= 0:
                yield None, _MORE, ""
                return
            if type(key) is str and _speaks(key):
                left -= 1
                yield None, key, key  # models read the names of properties, too
            if type(value) is str:
                if _speaks(value):
                    left -= 1
                    yield holder, key, value
            elif type(value) in (dict, list):
                waiting.append((value, value))


def _speaks(text: str) -> bool:
    """A few plain letters give no orders; control characters are what terminals obey."""
    return len(text) > _BRIEF or not text.isascii() or not text.isprintable()


def _blocks(result: JsonObject) -> Iterator[JsonObject]:
    """Everything in a result that has a text which can be cut: blocks of content, messages of a prompt, contents of a
    resource, and resources inside them."""
    for key in ("content", "contents", "messages"):
        blocks = result.get(key)
        for block in blocks if type(blocks) is list else ():
            inside = block.get("content") if type(block) is dict and key == "messages" else block
            inner = inside.get("resource") if type(inside) is dict else None
            for holder in (inside, inner):
                if type(holder) is dict and type(holder.get("text")) is str:
                    yield holder
