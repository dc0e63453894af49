"""The string leaves of a JSON document: all of them are masked, except those a dialect knows to be structure.

The rule is turned round on purpose. A list of fields to mask leaks the field that is added next month; a list of
fields to leave alone only masks too much. And a name such as `id` is structure only where the API puts it: inside
anything a model, a tool or a user shaped (tool input, schemas, metadata, unknown objects) every string is masked,
whatever its key, keys and numbers included.
"""

from dataclasses import dataclass, field
from typing import Any

from extproc.exchange.channel import clean
from extproc.exchange.json_text import mask_json_text
from extproc.exchange.model import JsonObject
from extproc.exchange.text import TextFilter


@dataclass(frozen=True, slots=True)
class Shape:
    """What a dialect says about its documents.

    `containers`: keys whose objects (and lists of objects) the API shaped. `structural`: keys of identifiers and
    enumerations, passed as they are. `texts`: other keys the API defines, listed so that they are known names.
    `json_texts`: keys whose string is a JSON text. `opaque`: (the object's `type`, or the key it stands under; key)
    of encrypted, signed or binary strings: they pass, and a note says so. `dropped`: keys that repeat the text in a
    form that cannot be masked; emptied with the note "<key>-dropped".
    """

    containers: frozenset[str]
    structural: frozenset[str]
    texts: frozenset[str]
    json_texts: frozenset[str] = frozenset({"arguments"})
    opaque: frozenset[tuple[str, str]] = frozenset()
    dropped: frozenset[str] = frozenset({"logprobs"})
    known: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        opaque = frozenset(key for _, key in self.opaque)
        known = self.containers | self.structural | self.texts | self.json_texts | self.dropped | opaque
        object.__setattr__(self, "known", known)


class Leaves:
    """Masks documents of one exchange in place. `notes` collects what was passed unread or dropped."""

    __slots__ = ("_mask", "_shape", "notes")

    def __init__(self, mask: TextFilter, shape: Shape) -> None:
        self._mask = mask
        self._shape = shape
        self.notes: dict[str, None] = {}

    def text(self, text: str) -> str:
        """One whole string."""
        return self._mask.text(clean(text))

    def known(self, node: JsonObject, parent: str = "", skip: str = "") -> JsonObject:
        """An object the API shaped, standing under the key `parent`; its member `skip` is the caller's business."""
        shape = self._shape
        renamed = False
        for key, value in node.items():
            kind = type(value)
            if kind is str:
                if key not in shape.structural:
                    node[key] = self._string(node, parent, key, value)
            elif (kind is dict or kind is list) and key != skip:
                if key in shape.dropped:
                    node[key] = self.dropped(key, value)
                elif key not in shape.containers:
                    node[key] = self.free(value)
                elif kind is dict:
                    node[key] = self.known(value, key)
                else:
                    self._known_items(value, key)
            if key not in shape.known:
                renamed = True
        return self._rename(node) if renamed else node

    def _known_items(self, items: list[Any], key: str) -> None:
        for position, item in enumerate(items):
            kind = type(item)
            if kind is dict:
                items[position] = self.known(item, key)
            elif kind is str:
                if key not in self._shape.structural:
                    items[position] = self.text(item)
            elif kind is list:
                items[position] = self.free(item)

    def free(self, value: Any) -> Any:
        """Anything the API did not shape: every string, key and number."""
        kind = type(value)
        if kind is str:
            return self.text(value)
        if kind is dict:
            return {self.text(key): self.free(child) for key, child in value.items()}
        if kind is list:
            return [self.free(child) for child in value]
        if kind is int or kind is float:
            written = repr(value)
            masked = self._mask.text(written)
            return value if masked == written else masked
        return value

    def opaque(self, node: JsonObject, parent: str, key: str) -> bool:
        """Whether `node[key]` is opaque; notes it if so. An object's own type counts before the key it is under."""
        pairs = self._shape.opaque
        kind = node.get("type")
        if (type(kind) is str and (kind, key) in pairs) or (parent, key) in pairs:
            self.notes[f"uninspected-{key.replace('_', '-')}"] = None
            return True
        return False

    def dropped(self, key: str, value: Any) -> Any:
        """What a dropped member becomes: an empty list for a list, else null."""
        if value:
            self.notes[f"{key}-dropped"] = None
        return [] if type(value) is list else None

    def _string(self, node: JsonObject, parent: str, key: str, value: str) -> str:
        if not value or self.opaque(node, parent, key):
            return value
        return mask_json_text(self._mask, value) if key in self._shape.json_texts else self.text(value)

    def _rename(self, node: JsonObject) -> JsonObject:
        """`node` with masked names for the members no API defines."""
        known = self._shape.known
        return {key if key in known else self.text(key): value for key, value in node.items()}
