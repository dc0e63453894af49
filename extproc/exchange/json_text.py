"""JSON that arrives as text in fragments (tool-call arguments): masked value by value, still JSON afterwards.

Each string, key or value, is unescaped, masked as a text of its own and written back escaped, so a secret is found
however its characters are escaped and wherever the text is cut. A number is held until it is complete; one that the
filter changes is written as a string, since its mask is no number. What stands
before a value, its key above all, is seen by rules that need a word nearby.

Models also produce text that is not JSON. It is never passed unmasked:

- An unknown escape (`\\x`) or a raw control character in a string is taken literally and comes out properly escaped;
  a string without its closing quote comes out without it.
- The first thing outside strings that can be neither punctuation, number nor literal ends the trust in structure:
  from its beginning on, everything outside double quotes is masked as plain text (quoted parts still as strings,
  because a secret in them may be escaped). A number too long to hold is treated the same way.

Which of these applies depends on the characters only, never on how they were cut. It never judges grammar: misplaced
punctuation passes as it is.
"""

from json.encoder import encode_basestring as _quoted

from extproc.exchange.channel import Joiner, TextChannel
from extproc.exchange.text import TextFilter

MAX_ATOM = 512
"""Characters of a number (with blanks after it) that are held back."""

_NEAR = 64
"""Characters before a value that say what it is."""

_KEPT = _NEAR + MAX_ATOM

_PUNCTUATION = frozenset("{}[]:,")
_BLANK = frozenset(" \t\r\n")
_NUMBER = frozenset("0123456789+-.eE")
_NUMBER_START = frozenset("0123456789-")
_LITERALS = ("true", "false", "null")
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_HEX = frozenset("0123456789abcdefABCDEF")

_OUTSIDE, _STRING, _LOOSE = range(3)


class JsonTextStream:
    """A `TextStream` for a JSON text. After `flush` it is new again."""

    __slots__ = ("_atom", "_before", "_escape", "_input", "_mask", "_state", "_strict", "_text")

    def __init__(self, mask: TextFilter) -> None:
        self._mask = mask
        self._input = Joiner()
        self._text = TextChannel(mask)  # of the string, or of the loose text, that is being read: never both
        self._before = ""  # the end of all that was read, unescaped: enough for what is near, and an atom
        self._state = _OUTSIDE
        self._strict = True
        self._atom = ""  # what may be a number or a literal
        self._escape = ""  # the beginning of an escape sequence

    def feed(self, text: str) -> str:
        text = self._input.feed(text)
        return self._read(text) if text else ""

    def flush(self) -> str:
        """The end of the text: everything that was held."""
        half = self._input.flush()
        out = [self._read(half)] if half else []
        if self._state == _STRING:
            if self._escape:
                out.append(_escaped(self._text.feed(self._escape)))
            out.append(_escaped(self._text.flush()))
        elif self._state == _LOOSE:
            out.append(self._text.flush())
        elif self._atom:
            out.append(self._finish_atom())
        self._before = ""
        self._state = _OUTSIDE
        self._strict = True
        self._atom = ""
        self._escape = ""
        return "".join(out)

    def _read(self, text: str) -> str:
        out: list[str] = []
        position, size = 0, len(text)
        while position < size:
            if self._state == _STRING:
                position = self._read_string(text, position, out)
            elif self._state == _LOOSE:
                position = self._read_loose(text, position, out)
            else:
                position = self._read_outside(text, position, out)
        return "".join(out)

    def _read_outside(self, text: str, position: int, out: list[str]) -> int:
        """Punctuation, blanks, numbers and literals, up to the next quote or the first thing that is none of them."""
        start = position
        while position < len(text):
            char = text[position]
            if char == '"' or char in _PUNCTUATION:
                if self._atom:
                    self._before += text[start:position]
                    start = position
                    out.append(self._finish_atom())
                out.append(char)
                position += 1
                if char == '"':
                    self._before += text[start:position]
                    self._begin()
                    self._state = _STRING
                    return position
                continue
            if not self._atom and char in _BLANK:
                out.append(char)
            elif _may_go_on(self._atom, char) and len(self._atom) < MAX_ATOM:
                self._atom += char
            else:  # not JSON: from the beginning of this atom on
                self._before += text[start:position]
                self._begin()
                out.append(self._text.feed(self._atom))
                self._atom = ""
                self._strict = False
                self._state = _LOOSE
                return position
            position += 1
        self._before = (self._before + text[start:])[-_KEPT:]
        return position

    def _read_loose(self, text: str, position: int, out: list[str]) -> int:
        quote = text.find('"', position)
        if quote < 0:
            out.append(self._text.feed(text[position:]))
            self._before = (self._before + text[position:])[-_NEAR:]
            return len(text)
        out.append(self._text.feed(text[position:quote]))
        out.append(self._text.flush())
        out.append('"')
        self._before = (self._before + text[position : quote + 1])[-_NEAR:]
        self._begin()
        self._state = _STRING
        return quote + 1

    def _begin(self) -> None:
        """A new text begins here, or where the atom does."""
        self._text.begin(self._near())

    def _near(self) -> str:
        """What stands before the text or the atom that is read."""
        atom = len(self._atom)
        return self._before[-_NEAR - atom : -atom] if atom else self._before[-_NEAR:]

    def _read_string(self, text: str, position: int, out: list[str]) -> int:
        """The inside of a string, up to its closing quote or the end of what is there."""
        pieces: list[str] = []
        size = len(text)
        closed = False
        while position < size:
            if self._escape:
                position = self._read_escape(text, position, pieces)
                continue
            quote = text.find('"', position)
            end = size if quote < 0 else quote
            slash = text.find("\\", position, end)
            if slash >= 0:
                pieces.append(text[position:slash])
                self._escape = "\\"
                position = slash + 1
                continue
            pieces.append(text[position:end])
            position = end
            if quote >= 0:
                closed = True
                position += 1
                break
        inside = "".join(pieces)
        self._before = (self._before + inside)[-_NEAR:]
        released = self._text.feed(inside)
        if closed:
            released += self._text.flush()
        if released:
            out.append(_escaped(released))
        if closed:
            out.append('"')
            self._before += '"'
            self._state = _OUTSIDE if self._strict else _LOOSE
            if not self._strict:
                self._begin()
        return position

    def _read_escape(self, text: str, position: int, pieces: list[str]) -> int:
        """One more character of an escape sequence; what it means goes to `pieces` once it is complete."""
        char = text[position]
        if len(self._escape) == 1:
            if char == "u":
                self._escape = "\\u"
            else:
                pieces.append(_ESCAPES.get(char) or "\\" + char)
                self._escape = ""
            return position + 1
        if char not in _HEX:  # `\\u12` and then something else: literal, and the something is read anew
            pieces.append(self._escape)
            self._escape = ""
            return position
        self._escape += char
        if len(self._escape) == 6:
            pieces.append(chr(int(self._escape[2:], 16)))
            self._escape = ""
        return position + 1

    def _finish_atom(self) -> str:
        """A complete number or literal with the blanks after it."""
        atom, near = self._atom, self._near()
        self._atom = ""
        value = atom.rstrip(" \t\r\n")
        if value in _LITERALS:
            return atom
        masked = self._mask.text(value, near)
        return atom if masked == value else _quoted(masked) + atom[len(value) :]


def mask_json_text(mask: TextFilter, text: str) -> str:
    """A whole JSON text at once: what a `JsonTextStream` makes of it in pieces."""
    stream = JsonTextStream(mask)
    return stream.feed(text) + stream.flush()


def _may_go_on(atom: str, char: str) -> bool:
    """Whether `atom` and then `char` can still be one number or literal followed by blanks."""
    if not atom:
        return char in _NUMBER_START or char in "tfn"
    if char in _BLANK:
        return atom[-1] in _BLANK or atom[0] in _NUMBER_START or atom in _LITERALS
    if atom[-1] in _BLANK:
        return False
    if atom[0] in _NUMBER_START:
        return char in _NUMBER
    return any(literal.startswith(atom + char) for literal in _LITERALS)


def _escaped(text: str) -> str:
    """`text` as the inside of a JSON string."""
    return str(_quoted(text)[1:-1])
