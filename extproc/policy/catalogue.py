"""The catalogue of LLM providers: which one a host belongs to. It says who would be asked, never whether they may be;
that is the policy's word. Reads its one packaged file once and nothing else.

A host pattern is a DNS name in which `*` stands for one or more characters of one label: `*.openai.azure.com` is no
`a.b.openai.azure.com`. Whatever is no plain DNS name matches nothing: a look-alike must never pass for a provider.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from extproc.policy.documents import DialectName

Kind = Literal["api", "app", "agent-backend"]

_LONGEST_NAME, _LONGEST_LABEL, _HIGHEST_PORT = 253, 63, 65535
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")

_PLAIN, _STARRED = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", r"(?:[a-z0-9*](?:[a-z0-9*-]*[a-z0-9*])?)"
_PATTERN = rf"^(?:{_STARRED}\.)*{_PLAIN}\.[a-z]+$"  # the last two labels are plain: no star for all of .com
_HTTPS = r"^https://[^\s]+$"


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider. `dialects` are those of ours it speaks; none for what we only want to see.

    `header` is the one its key usually travels in ("" for what people use through a browser or a plug-in). `shared`:
    its hosts serve much else besides models. `source` is the provider's own page and `also` pages of others, where
    the hosts were seen on the day `checked`.
    """

    name: str
    title: str
    kind: Kind
    hosts: tuple[str, ...]
    dialects: tuple[DialectName, ...]
    header: str
    shared: bool
    source: str
    also: tuple[str, ...]
    checked: date


class _Entry(BaseModel):
    """An entry as the file has it. Strict: what is misspelt fails the tests, not a user's look-up."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$")]
    title: Annotated[str, StringConstraints(min_length=1)]
    kind: Kind
    hosts: Annotated[list[Annotated[str, StringConstraints(pattern=_PATTERN)]], Field(min_length=1)]
    dialects: list[DialectName] = Field(default_factory=list)
    header: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]*$")] = ""
    shared: bool = False
    source: Annotated[str, StringConstraints(pattern=_HTTPS)]
    also: list[Annotated[str, StringConstraints(pattern=_HTTPS)]] = Field(default_factory=list)
    checked: date


@dataclass(slots=True)
class _Node:
    """What is known below a suffix of labels: plain labels by name, patterns as what stands around their `*`."""

    plain: dict[str, "_Node"] = field(default_factory=dict)
    wild: dict[tuple[str, str], "_Node"] = field(default_factory=dict)
    provider: Provider | None = None


class Index:
    """Providers by host. A look-up walks the labels of the host from its end, however many providers there are.

    Raises `ValueError` where two providers could both be meant by one host: then a look-up would depend on order.
    """

    __slots__ = ("_root",)

    def __init__(self, providers: Iterable[Provider]) -> None:
        self._root = _Node()
        for provider in providers:
            for host in provider.hosts:
                self._add(host, provider)

    def find(self, host: str) -> Provider | None:
        """The provider of a host, with or without a port; None for every other host, and for what is none."""
        labels = _labels(host)
        return _walk(self._root, labels, len(labels) - 1) if labels else None

    def _add(self, host: str, provider: Provider) -> None:
        labels = host.split(".")
        rival = _rival(self._root, labels, len(labels) - 1)
        if rival is not None and rival.name != provider.name:
            raise ValueError(f"{host} of {provider.name} and a host of {rival.name} can be the same")
        node = self._root
        for label in reversed(labels):
            if "*" in label:
                before, _, after = label.partition("*")
                if "*" in after:
                    raise ValueError(f"{host}: a label can hold one * only")
                node = node.wild.setdefault((before, after), _Node())
            else:
                node = node.plain.setdefault(label, _Node())
        if node.provider is not None:
            raise ValueError(f"{host} stands in the catalogue twice")
        node.provider = provider


def _walk(node: _Node, labels: list[str], at: int) -> Provider | None:
    """The provider of `labels[: at + 1]` below `node`. A plain label goes first, as nothing is more exact."""
    if at < 0:
        return node.provider
    label = labels[at]
    below = node.plain.get(label)
    found = _walk(below, labels, at - 1) if below is not None else None
    if found is None:
        for (before, after), below in node.wild.items():
            if _fits(label, before, after):
                found = _walk(below, labels, at - 1)
                if found is not None:
                    return found
    return found


def _rival(node: _Node, labels: list[str], at: int) -> Provider | None:
    """A provider already there of which some host also fits the pattern `labels`."""
    if at < 0:
        return node.provider
    before, star, after = labels[at].partition("*")
    for label, below in node.plain.items():
        same = label == before if not star else _fits(label, before, after)
        if same and (found := _rival(below, labels, at - 1)) is not None:
            return found
    for (front, back), below in node.wild.items():
        if star:
            longer, shorter = (before, front) if len(before) > len(front) else (front, before)
            tail, stub = (after, back) if len(after) > len(back) else (back, after)
            same = longer.startswith(shorter) and tail.endswith(stub)  # both fit: longer + any letter + tail
        else:
            same = _fits(before, front, back)
        if same and (found := _rival(below, labels, at - 1)) is not None:
            return found
    return None


def _fits(label: str, before: str, after: str) -> bool:
    return len(label) > len(before) + len(after) and label.startswith(before) and label.endswith(after)


def _labels(authority: str) -> list[str]:
    """The labels of a Host or :authority in lower case, without its port and final dot; none if it is no plain name.

    Refused on doubt: letters outside ASCII (some fold into it in lower case), punycode, empty and overlong labels,
    user names, brackets. An IPv4 address is a name that no pattern fits, as each ends in letters.
    """
    if len(authority) > _LONGEST_NAME + len(".:65535") or not authority.isascii():
        return []
    name, colon, port = authority.partition(":")
    if colon and not (port.isdigit() and len(port) <= len("65535") and int(port) <= _HIGHEST_PORT):
        return []
    name = name.removesuffix(".").lower()
    labels = name.split(".")
    for label in labels:
        if not label or len(label) > _LONGEST_LABEL or label[0] == "-" or label[-1] == "-" or label.startswith("xn--"):
            return []
        if not _LETTERS.issuperset(label):
            return []
    return labels if len(name) <= _LONGEST_NAME else []


@cache
def _index() -> Index:
    return Index(providers())


@cache
def providers() -> tuple[Provider, ...]:
    """Every provider, by name. Raises `pydantic.ValidationError` if the packaged file is damaged."""
    text = files("extproc.policy").joinpath("catalogue.yaml").read_text("utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return parse(yaml.load(text, Loader=loader))  # noqa: S506  # a safe loader, the fast one if it is there


def parse(entries: object) -> tuple[Provider, ...]:
    """Providers from the plain data of a catalogue file. Raises `pydantic.ValidationError` where it is not one."""
    return tuple(
        Provider(
            entry.name,
            entry.title,
            entry.kind,
            tuple(entry.hosts),
            tuple(entry.dialects),
            entry.header,
            entry.shared,
            entry.source,
            tuple(entry.also),
            entry.checked,
        )
        for entry in TypeAdapter(list[_Entry]).validate_python(entries)
    )


def find(host: str) -> Provider | None:
    """The provider a host belongs to. Case, a port and a final dot do not matter; never raises."""
    return _index().find(host)


def asked(authority: str) -> str:
    """The catalogue's name for who a request's :authority asks; "" for nobody it knows. Never raises."""
    provider = _index().find(authority)
    return "" if provider is None else provider.name
