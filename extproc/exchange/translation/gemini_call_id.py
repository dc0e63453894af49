"""Ids of Gemini's function calls, as other APIs' clients keep them for us.

Gemini may give a call no id at all, and newer models sign calls and refuse the next turn without the signature. Other
APIs have no place for a signature, but every client sends a call's id back with the call and with its result. So the id
that a client gets is `[id]` or, with a signature, `[id]__sig__[signature]`; ids made up here are recognisable, because
Gemini must not get them. Only characters that every API takes in an id are used.
"""

from dataclasses import dataclass

_SIGNED = "__sig__"
_MADE = "made_call_"
_TO_URL = str.maketrans("+/", "-_", "=")
_FROM_URL = str.maketrans("-_", "+/")
_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")


@dataclass(frozen=True, slots=True)
class CallId:
    """`id` is what Gemini called it, "" if it gave no id. `signature` is base64, "" for none."""

    id: str
    signature: str = ""


def write(call: CallId, answer: str, number: int) -> str:
    """The client's id for the `number`th call of an answer, whose own id makes a made-up one unique."""
    name = call.id or f"{_MADE}{''.join([char for char in answer if char.isascii() and char.isalnum()])}_{number}"
    if call.signature and _BASE64.issuperset(call.signature):
        return f"{name}{_SIGNED}{call.signature.translate(_TO_URL)}"
    return name


def read(text: str) -> CallId:
    """What a client's id says. An id that is not ours is one that some other API made: it is kept."""
    name, _, signature = text.partition(_SIGNED)
    signature = signature.translate(_FROM_URL)
    signature += "=" * (-len(signature) % 4)
    return CallId("" if name.startswith(_MADE) else name, signature)
