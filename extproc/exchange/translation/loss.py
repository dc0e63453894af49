"""What a translation cannot carry over: dropped with its name, or refused. Never lost in silence."""

from collections.abc import Collection, Mapping
from typing import NoReturn

from extproc.errors import BadRequest
from extproc.exchange.model import JsonObject
from extproc.exchange.refusal import Reason

MAX_NAMES = 32
"""Names that are listed; one more says that there were others."""

_MAX_NAME = 64
_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-[]=>")


class Loss:
    """The names of dropped fields, each once, in the order they were met.

    `own`: what the source's dialect calls a setting of the conversation that it names otherwise ("effort" is
    "reasoning_effort" in OpenAI Chat). Names reach a header, so one that a client made up and that is not a plain
    word is listed as "unknown".
    """

    __slots__ = ("_names", "_own")

    def __init__(self, own: Mapping[str, str]) -> None:
        self._own = own
        self._names: dict[str, None] = {}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._names)

    def drop(self, name: str) -> None:
        """Says that `name` is left out."""
        name = self._own.get(name, name)
        if len(name) > _MAX_NAME or not _CHARACTERS.issuperset(name):
            name = "unknown"
        self._names["more" if len(self._names) >= MAX_NAMES else name] = None

    def rest(self, node: JsonObject, known: Collection[str], where: str = "") -> None:
        """Drops every member of `node` that is not `known`. Null is absent. With a frozenset it costs next to nothing
        where nothing is dropped."""
        if isinstance(known, frozenset) and known.issuperset(node):
            return
        for key, value in node.items():
            if key not in known and value is not None:
                self.drop(where + key)

    def unless(self, node: JsonObject, defaults: Mapping[str, object], where: str = "") -> None:
        """Drops the members named in `defaults` unless they say what goes without saying."""
        for key, default in defaults.items():
            value = node.get(key)
            if value is not None and value != default:
                self.drop(where + key)


def untranslatable(where: str, hint: str = "") -> NoReturn:
    """Refuses a call that would mean something else without the field `where`. Neither argument quotes the body."""
    message = f"The API that serves this model has no equivalent for {where}."
    raise BadRequest(Reason.UNTRANSLATABLE.value, f"{message} {hint}" if hint else message, 400)
