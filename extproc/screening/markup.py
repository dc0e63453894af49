"""Markup that a page does not show: comments, hidden elements, text without size or contrast, Markdown comments.

A page's own hidden menus are no attack; so the presence weighs little and the hidden text is screened by itself.
"""

from collections.abc import Iterator

from extproc.screening.model import Sight, Sign
from extproc.screening.patterns import Pattern, decoded, encoded

COMMENT = Sign("html-comment", "It holds HTML comments, which a page does not show.", 25, 5)
HIDDEN = Sign("hidden-element", "It holds HTML elements that a page does not show.", 45, 10)
PALE = Sign("pale-text", "It holds HTML text in the colour of the page.", 40, 8)
NOTE = Sign("markdown-comment", "It holds Markdown comments, which a page does not show.", 30, 10)

_UNSEEN = (
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|font(?:-size)?\s*:\s*0*(?:\.0+|[01]p[xt]|0)?(?:em|px|pt|rem|%)?\s*(?:[;!\"'/]|$)|"
    r"opacity\s*:\s*0?(?:\.0[0-9]*|0)?\s*(?:[;!\"'])|(?:left|top|right|text-indent|margin-left)\s*:\s*-[0-9]{3,}|"
    r"clip(?:-path)?\s*:\s*(?:rect\(\s*0|inset\(\s*(?:100|50))|(?:max-)?(?:height|width)\s*:\s*[01](?:px)?\s*[;\"'][^<>]{0,200}overflow|"
    r"transform\s*:\s*scale\(0"
)
_PALE = r"[\"';\s=]color\s*[:=]\s*[\"']?(?:white\b|#fff(?:fff)?\b|#fefefe|transparent\b|rgba?\(\s*255\s*,\s*255\s*,\s*255|rgba\([^)]{0,30},\s*0(?:\.0+)?\s*\))"  # noqa: E501
_TAG = r"(?:div|span|p|a|b|i|em|strong|small|font|section|article|header|footer|aside|main|nav|ul|ol|li|table|tr|td|th|h[1-6]|label|pre|code|details|summary|svg|text|center|u|s|sub|sup|blockquote|template|noscript|textarea|button|body)"  # noqa: E501
_OPENING = Pattern(
    rf"<({_TAG})(?:\s+[^<>]*)?(?:(\s(?:hidden|aria-hidden\s*=\s*[\"']?true)[\s=>/]?|[\s\"';]style\s*=[^<>]*(?:{_UNSEEN}))|([\s\"';][^<>]*{_PALE}))[^<>]*>"
)
_TEMPLATE = Pattern(r"<(template|noscript)(?:\s[^<>]*)?>")
_COMMENT = Pattern(r"<!--(?:(?s:.)*?)(?:--!?>|$)")
_NOTE = Pattern(
    r"(?m:^[\x20\t>]{0,8}\[(?://|comment|_|#|\^?[\w\x20-]{0,40})\]:[\x20\t]*(?:#|<>|/|\.)[\x20\t]*(?:\"[^\n]*\"|'[^\n]*'|\([^\n]*\))[\x20\t]*$\n?)"
)

GATE = (
    r"<!--",
    r"<[a-z][^<>]*[\s\"'](?:aria-)?hidden(?:[\s=>/])",
    rf"<[a-z][^<>]*(?:{_UNSEEN})",
    rf"<[a-z][^<>]*{_PALE}",
    r"<(?:template|noscript)[\s>]",
    r"(?m:^[\x20\t>]{0,8}\[[^\]\n]{0,40}\]:[\x20\t]*(?:#|<>|/|\.)[\x20\t]*[\"'(])",
)


def look(text: str) -> Sight:
    """Which kinds there are, and all the text they hide as one."""
    data = encoded(text)
    signs: set[Sign] = set()
    hidden: list[str] = []
    for sign, (begin, end) in _pieces(data):
        signs.add(sign)
        hidden.append(decoded(data[begin:end]).strip("<!->[]/#"))
    return Sight(tuple(signs), ("\n".join(hidden),) if hidden else ())


def _pieces(data: bytes) -> Iterator[tuple[Sign, tuple[int, int]]]:
    for place in _COMMENT.places(data):
        yield COMMENT, place
    for place in _NOTE.places(data):
        yield NOTE, place
    yield from _elements(data)


def _elements(data: bytes) -> Iterator[tuple[Sign, tuple[int, int]]]:
    """Hidden elements from their opening to their first closing tag; without one, to the end of the line."""
    small = data.lower()
    unclosed: set[bytes] = set()  # kinds without a closing tag from here on: looked for once, so time stays linear
    done = 0
    for (begin, end), (name, unseen, _) in _OPENING.parts(data):
        if begin < done:
            continue
        closing = b"</" + name.lower().encode() + b">"
        stop = -1 if closing in unclosed else small.find(closing, end)
        if stop < 0:
            unclosed.add(closing)
            stop = data.find(b"\n", end)
            stop = len(data) if stop < 0 else stop
        else:
            stop += len(closing)
        yield HIDDEN if unseen else PALE, (begin, stop)
        done = stop


def strip(text: str) -> str:
    """Without comments and hidden elements."""
    places = sorted(place for _, place in _pieces(encoded(text)))
    if not places:
        return text
    data = encoded(text)
    pieces: list[bytes] = []
    done = 0
    for begin, end in places:
        if begin > done:
            pieces.append(data[done:begin])
        done = max(done, end)
    return decoded(b"".join((*pieces, data[done:])))
