"""Tools that imitate or divert from another server's: by their name, or by what their description says.

A report for people, not a verdict: honest servers also share names. Each tool that imitates several others is told of
once for each server at most. The work grows with the text, not with the number of pairs; groups in which everything
resembles everything are cut short.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal
from zlib import crc32

from extproc.exchange.model import JsonObject
from extproc.tools.definition import name_of
from extproc.tools.lookalike import fold, neighbours, one_apart, words
from extproc.tools.visible import invisible, visible

Kind = Literal[
    "same-name",  # the same name on both
    "confusable-name",  # the same but for case, separators, or letters that look alike
    "namespace",  # a name that claims to be of the other server
    "decorated-name",  # the other's name with an "official" or "v2" around it
    "similar-name",  # one character apart
    "diverts",  # its description names the other's tool, and says when to use which
    "names-other-tool",  # its description names the other's tool
    "claims-precedence",  # its description wants it used before, or instead of, all others
    "same-description",  # (nearly) the same text
]

MAX_SHADOWS = 1_000
"""Reports of one scan; further ones are left out."""

_LONG = 8  # letters of a name for which one character makes no other word
_BUCKET = 24  # members of a group that are compared with one another
_TEXT = 16 * 1024  # characters of a tool's texts that are read
_NEAR = 120  # characters around a name in which a word about its use counts
_SHINGLE = 3  # words that are compared at once
_BINS = 4  # samples of a text: of two with 80 % in common, at least one is equal 998 times in 1,000
_ALIKE = 0.8

_DECOYS = frozenset(map(fold, (
    "official", "secure", "safe", "safer", "verified", "trusted", "certified", "genuine", "new", "newer",
    "better", "best", "improved", "enhanced", "fast", "faster", "pro", "plus", "real", "original", "updated",
    "latest", "fixed", "alt", "proxy", "wrapper", "v2", "v3", "v4", "2", "3", "next", "ex", "my", "the",
    "super", "full",
)))  # fmt: skip
_ABOUT_USE = (
    "instead", "rather than", "do not use", "don't use", "never use", "do not call", "don't call", "never call",
    "before using", "before calling", "before every", "before each", "after using", "after calling", "prior to",
    "replace", "supersede", "deprecated", "obsolete", "no longer", "is broken", "prefer", "whenever", "always", "must",
)  # fmt: skip
_PRECEDENCE = (
    "instead of any other", "instead of other tool", "instead of all other", "before any other tool",
    "before using any other", "before calling any other", "before all other", "must be called first",
    "must always be called", "always use this tool", "always call this tool", "use this tool instead",
    "prefer this tool", "do not use any other", "do not use other", "never use other", "never use any other",
    "ignore other tool", "ignore any other", "ignore all other", "over any other tool", "over all other tools",
    "only tool you should", "other tools are",
)  # fmt: skip
_TO_BLANKS = {code: " " for code in range(128) if not (chr(code).isalnum() or chr(code) in "_-.")}
_SIGNS_OF_A_NAME = ("`{}`", "'{}'", '"{}"', "{}()", "the {} tool", "tool {}", "<{}>")


@dataclass(frozen=True, slots=True)
class Shadow:
    """`tool` of `server` resembles, or speaks of, `other_tool` of `other_server` ("" for all). `reason` is a sentence
    in which nothing is invisible."""

    kind: Kind
    server: str
    tool: str
    other_server: str
    other_tool: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Tool:
    server: str
    name: str
    words: tuple[str, ...]
    key: str
    text: str


def shadows(servers: Mapping[str, Iterable[JsonObject]]) -> tuple[Shadow, ...]:
    """What to be suspicious of. Of two tools that resemble each other, the one on the server that stands later is said
    to imitate the other: put those first that are trusted most. In the order of the servers and tools, the plainest
    kind first, at most MAX_SHADOWS."""
    tools = [
        _Tool(server, name, parts, "".join(parts), _text(tool))
        for server, offered in servers.items()
        for tool in offered
        if (name := name_of(tool))
        for parts in (tuple(words(name)),)
    ]
    rank = {(tool.server, tool.name): number for number, tool in enumerate(tools)}
    told: set[tuple[str, str, str]] = set()
    found: list[Shadow] = []
    for search in (_same_names, _namespaces, _decorated, _similar_names, _mentions, _same_texts):
        for shadow in search(tools):
            mark = (shadow.server, shadow.tool, shadow.other_server)
            if mark not in told:
                told.add(mark)
                found.append(shadow)
            if len(told) >= 4 * MAX_SHADOWS:
                break
    found.sort(key=lambda shadow: rank[shadow.server, shadow.tool])
    return tuple(found[:MAX_SHADOWS])


def _same_names(tools: list[_Tool]) -> Iterator[Shadow]:
    groups: defaultdict[str, list[_Tool]] = defaultdict(list)
    for tool in tools:
        group = groups[tool.key or tool.name]
        other = next((one for one in group if one.server != tool.server and one.name == tool.name), None)
        if other is not None:
            yield _shadow("same-name", tool, other, "has the same name as")
        else:
            other = next((one for one in group if one.server != tool.server), None)
            if other is not None:
                how = "case or separators" if _plain(tool.name) == _plain(other.name) else "characters that look alike"
                yield _shadow("confusable-name", tool, other, f"differs only in {how} from")
        if len(group) < _BUCKET:
            group.append(tool)


def _plain(name: str) -> str:
    return "".join(char for char in name.casefold() if char.isalnum() or invisible(char))


def _namespaces(tools: list[_Tool]) -> Iterator[Shadow]:
    """A name made of another server's name and either one of its tools, or a separator that namespaces have."""
    servers = {"".join(words(tool.server)): tool.server for tool in tools}
    by_key = {(tool.server, tool.key): tool for tool in tools}
    for tool in tools:
        start = 1 if tool.words[:1] == ("mcp",) else 0
        for end in range(start + 1, min(start + 5, len(tool.words))):
            server = servers.get("".join(tool.words[start:end]))
            if server is None or server == tool.server:
                continue
            other = by_key.get((server, "".join(tool.words[end:])))
            if other is not None:
                yield _shadow("namespace", tool, other, "is named as if it were")
            elif start or any(mark in tool.name for mark in ("__", ".", "/", ":")):
                reason = f"{_quoted(tool.name)} is named as if it were of {_quoted(server)}."
                yield Shadow("namespace", tool.server, tool.name, server, "", reason)


def _decorated(tools: list[_Tool]) -> Iterator[Shadow]:
    by_key: dict[str, _Tool] = {}
    for tool in tools:
        by_key.setdefault(tool.key, tool)
    for tool in tools:
        bare = "".join(word for word in tool.words if word not in _DECOYS)
        if bare != tool.key and len(bare) >= 6:
            other = by_key.get(bare)
            if other is not None and other.server != tool.server:
                yield _shadow("decorated-name", tool, other, "has the name, with words that recommend it, of")


def _similar_names(tools: list[_Tool]) -> Iterator[Shadow]:
    first: dict[str, _Tool] = {}
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for tool in tools:
        key = tool.key
        if not _LONG <= len(key) <= 128 or (key in first and first[key].server == tool.server):
            continue
        for rest in neighbours(key):
            group = groups[rest]
            for near in group:
                other = first[near]
                if other.server != tool.server and one_apart(near, key) and not _honest(other, tool):
                    yield _shadow("similar-name", tool, other, "is one character apart from")
            if len(group) < _BUCKET and key not in group:
                group.append(key)
        first.setdefault(key, tool)


def _honest(one: _Tool, other: _Tool) -> bool:
    """Getters and setters, and names that differ in a number only."""
    if one.words[1:] == other.words[1:] and {one.words[0], other.words[0]} == {"get", "set"}:
        return True
    return _without_digits(one.name) == _without_digits(other.name)


def _without_digits(name: str) -> str:
    return "".join(char for char in name if not char.isdigit())


def _mentions(tools: list[_Tool]) -> Iterator[Shadow]:
    named: defaultdict[str, list[_Tool]] = defaultdict(list)
    own: set[tuple[str, str]] = set()
    for tool in tools:
        name = tool.name.casefold()
        own.add((tool.server, name))
        if len(named[name]) < _BUCKET and all(one.server != tool.server for one in named[name]):
            named[name].append(tool)
    known = named.keys()
    for tool in tools:
        said = tool.text.translate(_TO_BLANKS).split()
        for word in known & _candidates(said):
            others = [one for one in named[word] if one.server != tool.server]
            if not others or (tool.server, word) in own or not _as_a_name(word, others[0].name, tool.text):
                continue
            diverts = _about_use(tool.text, word)
            for other in others:
                if diverts:
                    yield _shadow("diverts", tool, other, "tells in its description when to use")
                else:
                    yield _shadow("names-other-tool", tool, other, "names in its description")
        if "tool" in tool.text or "other" in tool.text or "first" in tool.text:
            phrase = next((phrase for phrase in _PRECEDENCE if phrase in tool.text), "")
            if phrase:
                reason = f'{_quoted(tool.name)} says in its description "{phrase}".'
                yield Shadow("claims-precedence", tool.server, tool.name, "", "", reason)


def _candidates(said: list[str]) -> set[str]:
    """Words as they stand, and what follows a namespace."""
    found = set(said)
    for word in tuple(found):
        if "." in word or "__" in word or word[-1:] == "-":
            bare = word.strip(".-")
            found.add(bare)
            found.add(bare.rpartition("__")[2])
            found.add(bare.rpartition(".")[2])
    return found


def _as_a_name(word: str, name: str, text: str) -> bool:
    """Whether the word is meant as a tool's name. Those that are also words of prose must be marked as names."""
    if any(mark in name[1:-1] for mark in "_-.") or (name != word and name != name.capitalize()):
        return True
    return any(sign.format(word) in text for sign in _SIGNS_OF_A_NAME)


def _about_use(text: str, word: str) -> bool:
    at = text.find(word)
    while at >= 0:
        around = text[max(0, at - _NEAR) : at + len(word) + _NEAR]
        if any(phrase in around for phrase in _ABOUT_USE):
            return True
        at = text.find(word, at + _NEAR)
    return False


def _same_texts(tools: list[_Tool]) -> Iterator[Shadow]:
    """One-permutation min-hashing: texts with much in common share the smallest of their shingles' hashes in a bin."""
    groups: defaultdict[tuple[int, int], list[tuple[_Tool, frozenset[int]]]] = defaultdict(list)
    for tool in tools:
        said = tool.text.translate(_TO_BLANKS).split()[:400]
        if len(said) < 8:
            continue
        data = [word.encode("utf-8", "replace") for word in said]
        sample = frozenset(crc32(b" ".join(data[at : at + _SHINGLE])) for at in range(len(data) - _SHINGLE + 1))
        bins = [1 << 32] * _BINS
        for value in sample:
            place = value % _BINS
            if value < bins[place]:
                bins[place] = value
        for place, least in enumerate(bins):
            group = groups[place, least]
            for other, theirs in group:
                if other.server != tool.server and len(sample & theirs) >= _ALIKE * len(sample | theirs):
                    yield _shadow("same-description", tool, other, "has (nearly) the description of")
            if len(group) < _BUCKET:
                group.append((tool, sample))


def _text(tool: JsonObject) -> str:
    """What a model reads of a tool besides its name: its description and those of its arguments, in one case."""
    parts = [tool.get("description")]
    schema = tool.get("inputSchema")
    arguments = schema.get("properties") if isinstance(schema, dict) else None
    if isinstance(arguments, dict):
        parts += [argument.get("description") for argument in arguments.values() if isinstance(argument, dict)]
    return "\n".join(part for part in parts if isinstance(part, str))[:_TEXT].casefold()


def _shadow(kind: Kind, tool: _Tool, other: _Tool, how: str) -> Shadow:
    reason = f"{_quoted(tool.name)} {how} {_quoted(other.name)} of {_quoted(other.server)}."
    return Shadow(kind, tool.server, tool.name, other.server, other.name, reason)


def _quoted(name: str) -> str:
    return f'"{visible(name, 80)}"'
