"""Keys of a JSON object that a lenient reader takes for another: found, so that they can be refused.

Policy judges members by their exact names, as JSON says. But Go's encoding/json ignores case and lets the last of
`name` and `Name` win, cJSON ignores case and lets the first win and ends a key at a NUL, and readers in Java and .NET
can be told to ignore case. Such an upstream would act on a member that nobody judged. This knows no dialect and
changes no object.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from extproc.errors import BadRequest
from extproc.exchange.refusal import Reason


class Keys:
    """The keys that are judged at one level of a document. Made once, at import."""

    __slots__ = ("_exact", "_folded")

    def __init__(self, *names: str) -> None:
        self._exact = frozenset(names)
        self._folded = {_folded(name): name for name in names}

    def disguised(self, holder: Iterable[str]) -> str:
        """The judged key that some other key of `holder` could be taken for, "" if there is none."""
        exact, folded = self._exact, self._folded
        for key in holder:
            if key not in exact:
                found = folded.get(_folded(key))
                if found is not None:
                    return found
        return ""

    def check(self, holder: Mapping[str, Any], where: str = "") -> None:
        """Raise `BadRequest` (body-shape) for a disguised key. `where`: the path of `holder`, in words of our own."""
        found = self.disguised(holder)
        if found:
            raise BadRequest(Reason.BODY_SHAPE.value, sentence(found, where), 400)


def sentence(name: str, where: str = "") -> str:
    """What the caller reads: the judged name, never the key that was sent."""
    path = f"{where}.{name}" if where else name
    return f"The field {path} must be spelled exactly so; another spelling of it could be taken for it."


def _folded(key: str) -> str:
    """One spelling for all that some reader takes for the same.

    Up before down brings home the letters whose other case is ASCII (long s, Kelvin sign, dotless i); what remains of
    a dotted capital I is a combining dot. Most keys are ASCII, for which one step does.
    """
    if "\0" in key:
        key = key.partition("\0")[0]
    if key.isascii():
        return key.lower()
    return key.upper().casefold().replace("\u0307", "")
