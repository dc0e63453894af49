"""What is derived from a rule's tree: its bounded form, the pattern of its beginnings, its length, its first bytes.

`beginnings(A)` matches every text that a match of A can begin with, the empty one and the complete one included:

    beginnings(AB)     = beginnings(A) | A beginnings(B)
    beginnings(A|B)    = beginnings(A) | beginnings(B)
    beginnings(A{m,n}) = A{0,n-1} beginnings(A)
    beginnings(\\b)     = nothing: what stands at the cut cannot be judged yet, so it is not asked

The longest suffix of a buffer that matches it is exactly what must wait. It is never an approximation from below: a
text that may become a match is always in it (tests compare with every split of every match).
"""

from extproc.errors import RuleError
from extproc.masking.syntax import EMPTY, Alt, Assertion, Chars, Concat, Node, Repeat

MIDDLE = 256  # what an unbounded repetition inside a pattern is bounded to
LONGEST = 4096  # characters a match may have: more must use `tail` or `until`
HEAD = 5  # bytes of a match that tell, before RE2 is asked, which rules it can belong to
ASCII = frozenset(range(128))
_COUNTED = 24  # repetitions up to this stay counted in `loosened`
_RE2_REPEAT = 1000  # RE2's cap on a repetition and on the product of nested ones


def bounded(node: Node) -> Node:
    """The tree with every unbounded repetition given a bound."""
    match node:
        case Concat(parts):
            return Concat(tuple(bounded(part) for part in parts))
        case Alt(options):
            return Alt(tuple(bounded(option) for option in options))
        case Repeat(inner, least, most):
            return Repeat(bounded(inner), least, max(least, MIDDLE) if most is None else most)
        case _:
            return node


def split_tail(node: Node) -> tuple[Node, Chars | None]:
    """A pattern that ends in an unbounded class becomes the class's least count, and the class as the tail."""
    match node:
        case Repeat(Chars() as leaf, least, None):
            return Repeat(leaf, least, least), leaf
        case Concat(parts) if parts:
            last, tail = split_tail(parts[-1])
            return (Concat((*parts[:-1], last)), tail) if tail else (node, None)
        case _:
            return node, None


def lengths(node: Node) -> tuple[int, int]:
    """The least and the most characters a match has; the tree must be bounded."""
    match node:
        case Chars():
            return 1, 1
        case Concat(parts):
            sizes = [lengths(part) for part in parts]
            return sum(low for low, _ in sizes), sum(high for _, high in sizes)
        case Alt(options):
            sizes = [lengths(option) for option in options]
            return min(low for low, _ in sizes), max(high for _, high in sizes)
        case Repeat(inner, least, most):
            assert most is not None, "bounded() comes first"
            low, high = lengths(inner)
            return low * least, high * most
        case _:
            return 0, 0


def loosened(node: Node) -> Node:
    """A tree that matches wherever `node` does, and more, whose automaton is small: long counts are forgotten."""
    match node:
        case Concat(parts):
            return Concat(tuple(loosened(part) for part in parts))
        case Alt(options):
            return Alt(tuple(loosened(option) for option in options))
        case Repeat(inner, least, most):
            assert most is not None, "bounded() comes first"
            if most > _COUNTED:
                return Repeat(loosened(inner), min(least, 1), None)
            return Repeat(loosened(inner), least, most)
        case _:
            return node


def first_bytes(node: Node) -> tuple[frozenset[int], bool]:
    """The bytes a match can begin with, and whether the node can be empty."""
    match node:
        case Chars(_, first):
            return first, False
        case Concat(parts):
            found: frozenset[int] = frozenset()
            for part in parts:
                more, empty = first_bytes(part)
                found |= more
                if not empty:
                    return found, False
            return found, True
        case Alt(options):
            each = [first_bytes(option) for option in options]
            return frozenset().union(*(first for first, _ in each)), any(empty for _, empty in each)
        case Repeat(inner, least, most):
            first, empty = first_bytes(inner)
            return (frozenset() if most == 0 else first), empty or least == 0
        case _:
            return frozenset(), True


def heads(node: Node) -> tuple[frozenset[int], ...]:
    """For each of the first `HEAD` bytes of a match, if they are all ASCII, a superset of what it can be. The tree must
    be bounded."""
    found: list[frozenset[int]] = [frozenset()] * HEAD
    for at in _walk(node, frozenset({0}), found):
        found[at:] = [ASCII] * (HEAD - at)  # a match may be this short: anything may follow it
    return tuple(found)


def _walk(node: Node, begins: frozenset[int], found: list[frozenset[int]]) -> frozenset[int]:
    """Adds the bytes of `node` to `found` for each offset it may begin at; returns the offsets it may end at."""
    match node:
        case Chars(_, first):
            for at in begins:
                found[at] |= first & ASCII
            return frozenset(at + 1 for at in begins if at + 1 < HEAD)
        case Concat(parts):
            for part in parts:
                begins = _walk(part, begins, found)
            return begins
        case Alt(options):
            return frozenset().union(*(_walk(option, begins, found) for option in options))
        case Repeat(inner, least, most):
            ends = begins if least == 0 else frozenset[int]()
            for count in range(1, min(most or 0, least + HEAD) + 1):
                begins = _walk(inner, begins, found)
                if count >= least:
                    ends |= begins
                if not begins:
                    break
            return ends
        case _:
            return begins


def render(node: Node) -> str:
    """The tree as RE2, with repetitions split where RE2 caps them."""
    match node:
        case Chars(source, _) | Assertion(source):
            return source
        case Concat(parts):
            return "".join(f"(?:{render(part)})" if isinstance(part, Alt) else render(part) for part in parts)
        case Alt(options):
            return "|".join(render(option) for option in options)
        case Repeat(inner, least, most):
            return f"(?:(?:{render(inner)}){{{least},}})" if most is None else _render_repeat(inner, least, most)


def beginnings(node: Node) -> Node:
    """The tree of everything a match can begin with (see the module's text)."""
    match node:
        case Chars():
            return Repeat(node, 0, 1)
        case Assertion():
            return EMPTY
        case Alt(options):
            return Alt(tuple(beginnings(option) for option in options))
        case Repeat(inner, _, most):
            assert most is not None, "bounded() comes first"
            return EMPTY if most == 0 else Concat((Repeat(inner, 0, most - 1), beginnings(inner)))
        case Concat(parts):
            return _beginnings_of(parts)


def _beginnings_of(parts: tuple[Node, ...]) -> Node:
    # Halving keeps the nesting logarithmic: RE2 refuses patterns nested as deep as a key is long.
    if not parts:
        return EMPTY
    if len(parts) == 1:
        return beginnings(parts[0])
    middle = len(parts) // 2
    left, right = parts[:middle], parts[middle:]
    return Alt((_beginnings_of(left), Concat((*left, _beginnings_of(right)))))


def _weight(node: Node) -> int:
    """The product of nested repetition counts as RE2 will see it."""
    match node:
        case Concat(parts):
            return max((_weight(part) for part in parts), default=1)
        case Alt(options):
            return max((_weight(option) for option in options), default=1)
        case Repeat(inner, _, most):
            return min(max(most or 1, 1) * _weight(inner), _RE2_REPEAT)
        case _:
            return 1


def _render_repeat(inner: Node, least: int, most: int) -> str:
    body = render(inner) if isinstance(inner, Chars) else f"(?:{render(inner)})"
    if most == 0 or body == "(?:)":
        return ""
    step = _RE2_REPEAT // _weight(inner)
    pieces = [f"{body}{{{count}}}" for count in _steps(least, step)]
    pieces += [f"{body}{{0,{count}}}" for count in _steps(most - least, step)]
    return f"(?:{''.join(pieces)})"


def _steps(total: int, step: int) -> list[int]:
    return [step] * (total // step) + ([total % step] if total % step else [])


def check_bounds(node: Node) -> int:
    """The most characters a match of the bounded tree has. Raises `RuleError` when it cannot be held back."""
    low, high = lengths(node)
    if low == 0:
        raise RuleError("the pattern matches the empty text; require at least one character")
    if high > LONGEST:
        raise RuleError(
            f"a match may have {high} characters and at most {LONGEST} can be held back; "
            "give repetitions a maximum, end with an unbounded class (`tail`), or use `until`"
        )
    return high
