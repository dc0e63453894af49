"""The catalogue of providers: its data keeps its rules, and a look-up finds what a slow reading of it would find."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import combinations
from typing import Any, get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from extproc.policy import catalogue
from extproc.policy.catalogue import Index, Provider, asked, find, parse, providers
from extproc.policy.documents import DialectName

ENTRY: dict[str, Any] = {
    "name": "some-name",
    "title": "Some Name",
    "kind": "api",
    "hosts": ["api.example.com"],
    "dialects": ["openai-chat"],
    "header": "authorization",
    "source": "https://docs.example.com/api",
    "checked": date(2026, 11, 21),
}
PATTERNS = [(host, provider.name) for provider in providers() for host in provider.hosts]
LABEL = re.compile(r"(?!xn--)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
READINGS = [
    (re.compile(re.escape(host).replace(r"\*", r"[a-z0-9_-]+")), name)  # a star never crosses a dot
    for host, name in PATTERNS
]


def slow(authority: str) -> str:
    """What `asked` has to say, by trying every pattern."""
    host = re.fullmatch(r"([\x00-\x7f]*?)\.?(?::([0-9]{1,5}))?", authority)
    if host is None or len(host[1]) > 253 or int(host[2] or 0) > 65535:
        return ""
    name = host[1].lower()
    if not all(LABEL.fullmatch(label) for label in name.split(".")):
        return ""
    found = {provider for reading, provider in READINGS if reading.fullmatch(name)}
    assert len(found) <= 1, f"{name} could be any of {found}"
    return found.pop() if found else ""


def provider(name: str, *hosts: str) -> Provider:
    return replace(parse([ENTRY])[0], name=name, hosts=hosts)


# --- the packaged data ---


def test_there_are_enough_providers_of_each_kind_to_be_of_use() -> None:
    kinds = [provider.kind for provider in providers()]
    assert kinds.count("api") >= 60
    assert all(kinds.count(kind) >= 5 for kind in get_args(catalogue.Kind))


def test_providers_stand_in_the_order_of_their_names_each_once() -> None:
    names = [provider.name for provider in providers()]
    assert names == sorted(set(names))


@pytest.mark.promise("catalogue.entries")
def test_no_host_stands_twice_nor_is_covered_by_another_pattern_of_the_catalogue() -> None:
    covered = [
        (a, b) for (a, _), (b, _) in combinations(PATTERNS, 2) if a == b or slowly_covers(a, b) or slowly_covers(b, a)
    ]
    assert covered == []


def slowly_covers(pattern: str, other: str) -> bool:
    """Whether every host of `other` is one of `pattern`, for which it is enough to read its stars as a letter."""
    reading = re.escape(pattern).replace(r"\*", r"[a-z0-9_*-]+")
    return "*" in pattern and re.fullmatch(reading, other) is not None


@pytest.mark.promise("catalogue.entries")
def test_every_source_is_read_over_https_and_no_entry_was_checked_in_the_future() -> None:
    today = datetime.now(UTC).date()
    for entry in providers():
        assert all(page.startswith("https://") for page in (entry.source, *entry.also)), entry.name
        assert date(2026, 1, 1) <= entry.checked <= today, entry.name


def test_every_dialect_is_one_of_ours_stands_once_and_is_an_apis() -> None:
    for entry in providers():
        assert set(entry.dialects) <= set(get_args(DialectName))
        assert len(set(entry.dialects)) == len(entry.dialects)
        assert entry.kind == "api" or not entry.dialects, entry.name
        assert bool(entry.header) is (entry.kind == "api"), entry.name


def test_each_dialect_that_is_a_vendors_own_has_somebody_who_speaks_it() -> None:
    spoken = {dialect for entry in providers() for dialect in entry.dialects}
    assert spoken == set(get_args(DialectName))


@pytest.mark.parametrize(("host", "name"), PATTERNS, ids=lambda value: str(value))
def test_a_pattern_finds_its_provider_whatever_its_stars_stand_for(host: str, name: str) -> None:
    for letters in ("a", "eu-west-1", "x" * 40, "0"):
        assert asked(host.replace("*", letters)) == name
    if "*" in host:
        assert asked(host.replace("*", "")) != name
        assert asked(host.replace("*", "a.b.c.d.e")) != name


# --- looking up ---


@pytest.mark.parametrize(
    ("authority", "name"),
    [
        pytest.param("api.openai.com", "openai", id="plain"),
        pytest.param("API.OpenAI.Com", "openai", id="case"),
        pytest.param("api.openai.com:443", "openai", id="port"),
        pytest.param("api.openai.com.", "openai", id="final-dot"),
        pytest.param("api.openai.com.:8443", "openai", id="final-dot-and-port"),
        pytest.param("eu.api.openai.com", "openai", id="region"),
        pytest.param("my-team.openai.azure.com", "azure-openai", id="azure"),
        pytest.param("agency.openai.azure.us", "azure-openai", id="azure-us-government"),
        pytest.param("bedrock-runtime.eu-west-1.amazonaws.com", "amazon-bedrock", id="bedrock"),
        pytest.param("bedrock-runtime-fips.us-gov-west-1.amazonaws.com", "amazon-bedrock", id="bedrock-fips"),
        pytest.param("bedrock-runtime.eu-west-1.api.aws", "amazon-bedrock", id="bedrock-dual-stack"),
        pytest.param("bedrock-runtime.eusc-de-east-1.amazonaws.eu", "amazon-bedrock", id="bedrock-sovereign"),
        pytest.param("vpce-1-2.bedrock-runtime.us-east-1.vpce.amazonaws.com", "amazon-bedrock", id="bedrock-vpc"),
        pytest.param("bedrock-mantle.us-east-1.api.aws", "amazon-bedrock-mantle", id="mantle"),
        pytest.param("aws-external-anthropic.us-west-2.api.aws", "anthropic-aws", id="claude-platform-on-aws"),
        pytest.param("europe-west4-aiplatform.googleapis.com", "google-vertex", id="vertex-region"),
        pytest.param("aiplatform.eu.rep.googleapis.com", "google-vertex", id="vertex-multi-region"),
        pytest.param("generativelanguage.googleapis.com", "google-gemini", id="gemini"),
        pytest.param("chatgpt.com", "chatgpt", id="chatgpt"),
        pytest.param("api.individual.githubcopilot.com", "github-copilot", id="copilot-by-plan"),
        pytest.param("example.com", "", id="somebody-else"),
        pytest.param("openai.com", "", id="the-website"),
        pytest.param("a.b.openai.azure.com", "", id="a-star-is-one-label"),
        pytest.param("openai.azure.com", "", id="a-star-is-some-letters"),
        pytest.param("-aiplatform.googleapis.com", "", id="a-star-within-a-label-is-some-letters"),
    ],
)
def test_a_host_is_its_providers_in_any_writing(authority: str, name: str) -> None:
    assert asked(authority) == name
    found = find(authority)
    assert (found.name if found else "") == name


@pytest.mark.parametrize(
    "authority",
    [
        pytest.param("", id="nothing"),
        pytest.param(".", id="a-dot"),
        pytest.param(":443", id="a-port"),
        pytest.param("api.openai.com..", id="two-final-dots"),
        pytest.param("api..openai.com", id="empty-label"),
        pytest.param(".api.openai.com", id="leading-dot"),
        pytest.param("api.openai.com:", id="empty-port"),
        pytest.param("api.openai.com:99999", id="port-too-high"),
        pytest.param("api.openai.com:443:443", id="two-ports"),
        pytest.param("api.openai.com:+443", id="port-with-a-sign"),
        pytest.param("api.openai.com:\u0664\u0664\u0663", id="port-in-arabic-digits"),
        pytest.param("api.openai.com@evil.example", id="provider-as-user"),
        pytest.param("user@api.openai.com", id="user"),
        pytest.param("user:pass@api.openai.com", id="user-and-password"),
        pytest.param("api.openai.com/evil", id="path"),
        pytest.param("https://api.openai.com", id="url"),
        pytest.param("api.openai.com#.evil.example", id="fragment"),
        pytest.param("api.openai.com\\.evil.example", id="backslash"),
        pytest.param("api.openai.com\x00.evil.example", id="nul"),
        pytest.param(" api.openai.com", id="space-before"),
        pytest.param("api.openai.com\n", id="line-end"),
        pytest.param("api%2eopenai.com", id="percent"),
        pytest.param("api.openai.com.evil.example", id="provider-as-prefix"),
        pytest.param("evil-api.openai.com", id="longer-label"),
        pytest.param("evilopenai.azure.com", id="longer-suffix"),
        pytest.param("api.\u043epenai.com", id="cyrillic-o"),
        pytest.param("api.openai.com\uff0e", id="fullwidth-dot"),
        pytest.param("api\u3002openai.com", id="ideographic-dot"),
        pytest.param("to\u212aen.api.openai.com", id="kelvin-sign-folds-to-k"),
        pytest.param("xn--penai-0we.openai.azure.com", id="punycode-for-a-star"),
        pytest.param("api.xn--penai-0we.com", id="punycode"),
        pytest.param("*.openai.azure.com", id="the-pattern-itself"),
        pytest.param("-a.openai.azure.com", id="hyphen-first"),
        pytest.param("a-.openai.azure.com", id="hyphen-last"),
        pytest.param("a" * 64 + ".openai.azure.com", id="label-too-long"),
        pytest.param("a." * 120 + "openai.azure.com", id="name-too-long"),
        pytest.param("a." * 100_000 + "api.openai.com", id="hundred-thousand-labels"),
        pytest.param("127.0.0.1", id="ipv4"),
        pytest.param("127.0.0.1:443", id="ipv4-and-port"),
        pytest.param("2130706433", id="ipv4-as-a-number"),
        pytest.param("[::1]", id="ipv6"),
        pytest.param("[::1]:443", id="ipv6-and-port"),
        pytest.param("::ffff:104.18.7.192", id="ipv6-bare"),
    ],
)
def test_what_is_no_plain_name_of_a_provider_is_nobodys(authority: str) -> None:
    assert find(authority) is None
    assert asked(authority) == ""


HOSTS = st.sampled_from([host for host, _ in PATTERNS])
STARS = st.text("az09-_.", max_size=6) | st.sampled_from(["eu-west-1", "xn--a", "a.b", "A", "\u212a", "*"])
ENDS = st.sampled_from(["", ".", ":443", ".:1", ":", ":70000", "..", "/", "@x", " ", ":0443", "\n", ".com"])


@given(HOSTS, STARS, ENDS, st.sampled_from(["", "a.", "a", "-", "x@", "."]), st.booleans())
@example("*.openai.azure.com", "a.b", "", "", False)
def test_a_look_up_finds_what_trying_every_pattern_finds(
    host: str, star: str, end: str, start: str, upper: bool
) -> None:
    authority = start + host.replace("*", star) + end
    authority = authority.upper() if upper and authority.isascii() else authority
    assert asked(authority) == slow(authority)


@given(st.text(max_size=300) | st.text("ab.-:*@[]x", max_size=40))
def test_a_look_up_of_anything_never_raises_and_agrees_too(authority: str) -> None:
    assert asked(authority) == slow(authority)


# --- what a catalogue may not hold ---


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        pytest.param("api.example.com", "api.example.com", id="same"),
        pytest.param("*.example.com", "api.example.com", id="star-over-plain"),
        pytest.param("api.example.com", "*.example.com", id="plain-under-star"),
        pytest.param("api.*.example.com", "*.eu.example.com", id="crossing-stars"),
        pytest.param("api-*.example.com", "*-eu.example.com", id="crossing-within-a-label"),
        pytest.param("a*.example.com", "ab*.example.com", id="star-within-star"),
        pytest.param("*.*.example.com", "a.b*.example.com", id="two-stars"),
    ],
)
def test_two_providers_that_one_host_could_mean_are_refused(mine: str, theirs: str) -> None:
    with pytest.raises(ValueError, match=r"can be the same"):
        Index([provider("me", mine), provider("them", theirs)])


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        pytest.param("*.example.com", "*.*.example.com", id="other-length"),
        pytest.param("api-*.example.com", "web-*.example.com", id="other-beginning"),
        pytest.param("*-api.example.com", "*-web.example.com", id="other-end"),
        pytest.param("api.*.example.com", "web.eu.example.com", id="other-label"),
        pytest.param("api-*.example.com", "api-.example.com", id="star-of-no-letters"),
    ],
)
def test_two_providers_that_no_host_can_mean_both_are_kept_apart(mine: str, theirs: str) -> None:
    index = Index([provider("me", mine), provider("them", theirs)])
    found = index.find(mine.replace("*", "q"))
    assert found is not None
    assert found.name == "me"


def test_a_dead_end_under_a_plain_label_does_not_hide_a_star_beside_it() -> None:
    index = Index([provider("plain", "a.eu.example.com"), provider("star", "b.*.example.com")])
    found = index.find("b.eu.example.com")
    assert found is not None
    assert found.name == "star"


def test_a_host_twice_and_a_label_of_two_stars_are_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        Index([provider("me", "*.example.com", "*.example.com")])
    with pytest.raises(ValueError, match="one \\*"):
        Index([provider("me", "a*b*c.example.com")])


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"name": "Some_Name"}, id="name-not-kebab"),
        pytest.param({"title": ""}, id="no-title"),
        pytest.param({"kind": "website"}, id="unknown-kind"),
        pytest.param({"hosts": []}, id="no-hosts"),
        pytest.param({"hosts": ["API.example.com"]}, id="host-in-upper-case"),
        pytest.param({"hosts": ["https://api.example.com"]}, id="host-is-a-url"),
        pytest.param({"hosts": ["api.example.com:443"]}, id="host-with-port"),
        pytest.param({"hosts": ["*.com"]}, id="star-for-everybody"),
        pytest.param({"hosts": ["api.*"]}, id="star-for-the-top"),
        pytest.param({"hosts": ["*"]}, id="only-a-star"),
        pytest.param({"hosts": ["10.0.0.1"]}, id="host-is-an-address"),
        pytest.param({"hosts": "api.example.com"}, id="hosts-not-a-list"),
        pytest.param({"dialects": ["klingon"]}, id="unknown-dialect"),
        pytest.param({"header": "Authorization"}, id="header-in-upper-case"),
        pytest.param({"source": "http://docs.example.com"}, id="source-without-tls"),
        pytest.param({"also": ["docs.example.com"]}, id="also-no-url"),
        pytest.param({"shared": "yes"}, id="shared-a-text"),
        pytest.param({"checked": "2026-11-21"}, id="date-a-text"),
        pytest.param({"colour": "blue"}, id="unknown-field"),
    ],
)
def test_an_entry_that_is_wrong_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        parse([ENTRY | wrong])


def test_what_an_entry_leaves_out_is_empty() -> None:
    bare = {name: ENTRY[name] for name in ("name", "title", "kind", "hosts", "source", "checked")}
    (entry,) = parse([bare])
    assert (entry.dialects, entry.header, entry.shared, entry.also) == ((), "", False, ())
