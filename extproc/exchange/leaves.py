"""The string leaves of a JSON document: all of them are masked, except those a dialect knows to be structure.

The rule is turned round on purpose. A list of fields to mask leaks the field that is added next month; a list of
fields to leave alone only masks too much. And a name such as `id` is structure only where the API puts it: inside
anything a model, a tool or a user shaped (tool input, schemas, metadata, unknown objects) every string is masked,
whatever its key, keys and numbers included.

Structure is looked at, too, because a field's name is no promise of what it holds. An identifier or an enumeration is
only spared the work of being masked again and again, and a number passes unseen only where the API counts.
"""

from dataclasses import dataclass, field
from typing import Any

from extproc.errors import Uninspectable
from extproc.exchange import sealed
from extproc.exchange.channel import clean
from extproc.exchange.json_text import mask_json_text
from extproc.exchange.model import JsonObject
from extproc.exchange.seams import Place, Seams
from extproc.exchange.text import TextFilter

_MAX_NUMBER = 10**12  # twelve digits: counts and times have fewer, card numbers have more
_REMEMBERED = 256  # structural strings
_NEAR = 64  # characters of the keys before a value that say what it is
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Shape:
    """What a dialect says about its documents.

    `numbers`: keys of counts, indexes and times. `containers`: keys whose objects (and lists of objects) the API
    shaped. `structural`: keys of identifiers and enumerations. `texts`: other keys the API defines, listed so that they
    are known names. `json_texts`: keys whose string is a JSON text. `opaque`: (the object's `type`, or the key it
    stands under; key) of encrypted, signed or binary strings: they pass if they look like it, and a note says so.
    `dropped`: keys that repeat the text in a
    form that cannot be masked; emptied with the note "<key>-dropped".
    """

    containers: frozenset[str]
    structural: frozenset[str]
    texts: frozenset[str]
    numbers: frozenset[str] = frozenset()
    json_texts: frozenset[str] = frozenset({"arguments"})
    opaque: frozenset[tuple[str, str]] = frozenset()
    dropped: frozenset[str] = frozenset({"logprobs"})
    known: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        opaque = frozenset(key for _, key in self.opaque)
        known = self.containers | self.structural | self.texts | self.numbers | self.json_texts | self.dropped | opaque
        object.__setattr__(self, "known", known)


class Leaves:
    """Masks documents of one exchange in place. `notes` collects what was passed unread or dropped.

    `place`, where it is given, says where in a stream of events something stands: see `seams`. `before` is what stands
    in front of a text: the keys that lead to it.
    """

    __slots__ = ("_fine", "_mask", "_seams", "_shape", "notes")

    def __init__(self, mask: TextFilter, shape: Shape) -> None:
        self._mask = mask
        self._shape = shape
        self._seams = Seams(mask)
        self._fine: set[str] = set()
        self.notes: dict[str, None] = {}

    def text(self, text: str, before: str = "", place: Place | None = None) -> str:
        """One whole string."""
        text = clean(text)
        return self._mask.text(text, before) if place is None else self._seams.text(text, before, place)

    def structure(self, text: str) -> str:
        """An identifier or a word of the API. UUIDs pass: their digits mean nothing."""
        if text in self._fine:
            return text
        if not _is_uuid(text) and (masked := self.text(text)) != text:
            return masked
        if len(text) <= _NEAR:
            if len(self._fine) >= _REMEMBERED:
                self._fine.clear()
            self._fine.add(text)
        return text

    def number(self, number: float, before: str = "") -> Any:
        """A number, or what its digits are masked to. 4111111111111111.0 is the same card as 4111111111111111."""
        written = str(int(number)) if type(number) is float and number.is_integer() else str(number)
        masked = self._mask.text(written, before)
        return number if masked == written else masked

    def counted(self, key: str, number: float) -> Any:
        """A number in an object the API shaped."""
        if key in self._shape.numbers and -_MAX_NUMBER < number < _MAX_NUMBER:
            return number
        return self.number(number, f"{key}: ")

    def known(self, node: JsonObject, parent: str = "", skip: str = "", place: Place | None = None) -> JsonObject:
        """An object the API shaped, standing under the key `parent`; its member `skip` is the caller's business."""
        shape = self._shape
        renamed = False
        for key, value in node.items():
            kind = type(value)
            if kind is str:
                if key not in shape.structural:
                    if value:
                        node[key] = self._string(node, parent, key, value, place and (*place, key))
                elif value not in self._fine:
                    node[key] = self.structure(value)
            elif kind is int or kind is float:
                node[key] = self.counted(key, value)
            elif (kind is dict or kind is list) and key != skip:
                here = place and (*place, key)
                if key in shape.dropped:
                    node[key] = self.dropped(key, value)
                elif key not in shape.containers:
                    node[key] = self.free(value, f"{key}: ", here)
                elif kind is dict:
                    node[key] = self.known(value, key, "", here)
                else:
                    self._known_items(value, key, here)
            if key not in shape.known:
                renamed = True
        return self._rename(node) if renamed else node

    def _known_items(self, items: list[Any], key: str, place: Place | None) -> None:
        for position, item in enumerate(items):
            kind = type(item)
            here = place and (*place, position)
            if kind is dict:
                items[position] = self.known(item, key, "", here)
            elif kind is str:
                items[position] = self.structure(item) if key in self._shape.structural else self.text(item, "", here)
            else:
                items[position] = self.free(item, "", here)

    def free(self, value: Any, before: str = "", place: Place | None = None) -> Any:
        """Anything the API did not shape: every string, key and number."""
        kind = type(value)
        if kind is str:
            return self.text(value, before, place) if value else value
        if kind is dict:
            masked: JsonObject = {}
            taken: dict[str, int] = {}
            for key, child in value.items():
                inner = self.free(child, f"{before}{key}: "[-_NEAR:], place and (*place, key))
                put(masked, self.text(key), inner, taken)
            return masked
        if kind is list:
            return [self.free(child, before, place and (*place, at)) for at, child in enumerate(value)]
        if kind is int or kind is float:
            return self.number(value, before)
        return value

    def opaque(self, node: JsonObject, parent: str, key: str) -> bool:
        """Whether `node[key]` is where opaque strings are. An object's own type counts before the key it is under."""
        pairs = self._shape.opaque
        kind = node.get("type")
        return (type(kind) is str and (kind, key) in pairs) or (parent, key) in pairs

    def sealed(self, key: str, value: str, place: Place | None = None) -> str:
        """An opaque string: as it is, with a note, if it looks like one. Raises `Uninspectable` for one that an event
        cuts where there may be something to mask."""
        shown, unread = sealed.masked(self.text, value)
        if unread:
            self.notes[f"uninspected-{key.replace('_', '-')}"] = None
        if place is not None and not self._seams.edges(shown, place):
            raise Uninspectable("What should be unreadable in the answer goes on with a text.")
        return shown

    def seen(self, place: Place) -> bool:
        """Whether a whole text has come at a place of the stream."""
        return self._seams.seen(place)

    def dropped(self, key: str, value: Any) -> Any:
        """What a dropped member becomes: an empty list for a list, else null."""
        if value:
            self.notes[f"{key}-dropped"] = None
        return [] if type(value) is list else None

    def _string(self, node: JsonObject, parent: str, key: str, value: str, place: Place | None) -> str:
        shape = self._shape
        if self.opaque(node, parent, key):
            return self.sealed(key, value, place)
        if key not in shape.json_texts:
            return self.text(value, "" if key in shape.known else f"{key}: ", place)
        if place is not None:
            self._seams.once(value, place)
        return mask_json_text(self._mask, value)

    def _rename(self, node: JsonObject) -> JsonObject:
        """`node` with masked names for the members no API defines."""
        known = self._shape.known
        masked: JsonObject = {}
        taken: dict[str, int] = {}
        for key, value in node.items():
            put(masked, key if key in known else self.text(key), value, taken)
        return masked


def put(target: JsonObject, key: str, value: Any, taken: dict[str, int]) -> None:
    """Sets a key. Of keys that became alike by masking all stay, numbered; `taken` has the next number of each."""
    if key in target:
        number = taken.get(key, 2)
        while (name := f"{key} ({number})") in target:
            number += 1
        taken[key] = number + 1
        key = name
    target[key] = value


def _is_uuid(text: str) -> bool:
    if len(text) != 36 or text[8] + text[13] + text[18] + text[23] != "----":
        return False
    digits = text.replace("-", "").lower()
    return len(digits) == 32 and _HEX.issuperset(digits)
