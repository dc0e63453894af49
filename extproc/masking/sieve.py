"""Where, among many digits, a number with a right Luhn digit may start. It only leaves out what cannot match.

A long run of digits is a candidate at every place, and asking RE2 at every place costs a worker seconds per megabyte.
Prefix sums answer "do the next 16 digits have a right check digit" for all places at once, in C: a tenth of the places
stay, and only those are asked.
"""

from itertools import accumulate, compress

from extproc.masking.checks import DOUBLED, NO_DIGIT, PLAIN
from extproc.masking.prefix import lengths
from extproc.masking.syntax import Alt, Assertion, Chars, Concat, Node, Repeat

ENOUGH = 64  # digits in a buffer that make a sieve cheaper than asking at every place
_DIGITS = frozenset(range(48, 58))
_MOST = 32  # counts of digits beyond which nothing is gained
_IS_DIGIT = bytes(byte in _DIGITS for byte in range(256))
_IS_ZERO = bytes(byte == 0 for byte in range(256))
_NO_WORD = bytes(not (byte < 128 and (chr(byte).isalnum() or byte == 95)) for byte in range(256))


def digit_counts(node: Node) -> tuple[frozenset[int], frozenset[int]] | None:
    """How many digits a match has: where it may start inside a word, and where it may start at all.

    None when that cannot be said, or a match may start with something else than a digit. The tree must be bounded.
    """
    free: set[int] = set()
    every: set[int] = set()
    for option in node.options if isinstance(node, Alt) else (node,):
        counts = _counts(option)
        if counts is None or not _starts_with_digit(option) or max(counts) > _MOST:
            return None
        every |= counts
        if not (isinstance(option, Concat) and option.parts and option.parts[0] == Assertion("\\b")):
            free |= counts
    return frozenset(free), frozenset(every)


def _only_digits(source: str) -> bool:
    """Whether a character's source matches nothing but ASCII digits; False when in doubt."""
    if source[0] == "[" and source[-1] == "]" and source[1] != "-" and "--" not in source:
        return source[1:-1].replace("-", "").isdecimal() and source.isascii()
    return source == "\\d" or (len(source) == 1 and source in "0123456789")


def _counts(node: Node) -> frozenset[int] | None:
    match node:
        case Chars(source, first):
            return frozenset({1}) if _only_digits(source) else frozenset({0}) if not first & _DIGITS else None
        case Concat(parts):
            return _sums([_counts(part) for part in parts])
        case Alt(options):
            each = [_counts(option) for option in options]
            return None if None in each else frozenset().union(*(counts or () for counts in each))
        case Repeat(inner, least, most):
            counts = _counts(inner)
            if counts is None or most is None or counts == {0}:
                return counts
            if most > _MOST:
                return None
            sums = [_sums([counts] * times) or frozenset({0}) for times in range(least, most + 1)]
            return frozenset().union(*sums)
        case _:
            return frozenset({0})


def _sums(each: list[frozenset[int] | None]) -> frozenset[int] | None:
    total = frozenset({0})
    for counts in each:
        if counts is None:
            return None
        total = frozenset(one + other for one in total for other in counts if one + other <= _MOST + 1)
    return total


def _starts_with_digit(node: Node) -> bool:
    match node:
        case Chars(source, _):
            return _only_digits(source)
        case Concat(parts):
            return any(
                _starts_with_digit(part) and all(lengths(before) == (0, 0) for before in parts[:place])
                for place, part in enumerate(parts)
            )
        case Alt(options):
            return all(_starts_with_digit(option) for option in options)
        case Repeat(inner, least, _):
            return least > 0 and _starts_with_digit(inner)
        case _:
            return False


def starts(text: bytes, free: frozenset[int], every: frozenset[int]) -> list[int]:
    """The places of digits from which some count of digits has a right check digit: one of `free`, or, where no word
    character stands before the place, one of `every`."""
    mask = text.translate(_IS_DIGIT)
    digits = text.translate(None, NO_DIGIT)
    sums = _prefix_sums(digits)
    size = len(digits)
    inside = _any_window(sums, size, free)
    outside = inside | _any_window(sums, size, every - free)
    edges = int.from_bytes(bytes(compress(b"\1" + text.translate(_NO_WORD), mask)), "little")
    chosen = inside | (outside & edges)
    return list(compress(compress(range(len(text)), mask), chosen.to_bytes(size, "little")))


def _prefix_sums(digits: bytes) -> tuple[bytes, bytes]:
    """What the digits before each place count, modulo 10: those at even places plain and the others doubled, and the
    other way round."""
    even, odd = bytearray(digits.translate(PLAIN)), bytearray(digits.translate(DOUBLED))
    doubled = bytes(odd[1::2])
    odd[1::2] = even[1::2]
    even[1::2] = doubled
    modulo = (10).__rmod__  # maps in C
    return bytes(map(modulo, accumulate(even, initial=0))), bytes(map(modulo, accumulate(odd, initial=0)))


def _any_window(sums: tuple[bytes, bytes], size: int, counts: frozenset[int]) -> int:
    """One byte for each digit, little end first: 1 where `counts` digits from it on sum up to a multiple of 10."""
    found = 0
    for count in counts:
        windows = size - count + 1
        if windows < 1 or count < 1:
            continue
        right = bytearray(windows)
        for parity, prefix in enumerate(sums):  # the last digit of a window is at a place of `parity`: it is plain
            begin = (count - 1 + parity) % 2
            same = int.from_bytes(prefix[count:], "little") ^ int.from_bytes(prefix[:windows], "little")
            right[begin::2] = same.to_bytes(windows, "little").translate(_IS_ZERO)[begin::2]
        found |= int.from_bytes(right, "little")
    return found
