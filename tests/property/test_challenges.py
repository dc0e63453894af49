"""Whatever a client calls the gateway, asks for, or has in its token: what is said back is one header or one URL."""

import json
import re
from typing import Any
from urllib.parse import urlsplit

from hypothesis import given
from hypothesis import strategies as st

from extproc.exchange.refusal import Rendered
from extproc.identity.model import Identity
from extproc.session import protected_resource
from extproc.session.actions import Respond
from extproc.session.session import Session
from tests.unit.session.test_protected_resource import WELL_KNOWN, World, at, at_host, policy

# RFC 6750 3: what may stand in the quoted strings of a challenge, and between them.
CHALLENGE = re.compile(
    r'Bearer(?: [a-z_]+="[\x20\x21\x23-\x5b\x5d-\x7e]*"(?:, [a-z_]+="[\x20\x21\x23-\x5b\x5d-\x7e]*")*)?'
)
HOSTILE = st.text(st.characters(max_codepoint=0x2FF), max_size=30)
HOSTS = HOSTILE | st.builds("{}.example.com{}".format, HOSTILE, HOSTILE) | st.sampled_from(["[", "]", "[::1]", "a:b:c"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | HOSTILE | st.sampled_from(["read", "use", "x read  use", "reader"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(HOSTILE, inner, max_size=3),
    max_leaves=8,
)


def said(session: Session, asked: object) -> Rendered:
    [action] = session.on(asked, 0.0, 1.0)  # type: ignore[arg-type]
    assert isinstance(action, Respond)
    assert session.failure is None
    return action.rendered


@given(HOSTS, HOSTILE, st.sampled_from(["http", "https", "ftp", ""]))
def test_the_document_names_a_url_or_is_not_there(host, path, scheme):
    for asked in (at(f"{WELL_KNOWN}/mcp/open"), at(f"{WELL_KNOWN}/{path}")):
        asked.headers["x-forwarded-proto"] = scheme
        rendered = said(World().session, at_host(host, asked))
        assert rendered.status in (200, 404)
        if rendered.status == 200:
            url = urlsplit(json.loads(rendered.body)["resource"])
            assert url.scheme in ("http", "https")
            assert url.hostname
            assert url.username is None


@given(HOSTS, st.sampled_from(["open", "crm", "entra", "plain"]))
def test_a_challenge_is_one_header(host, server):
    asked = at(f"/mcp/{server}", "GET")
    found = dict(said(World().session, at_host(host, asked)).headers)["www-authenticate"]
    assert CHALLENGE.fullmatch(found)


@given(st.dictionaries(st.sampled_from(["scope", "scp"]), JSON), st.sampled_from(["crm", "entra"]), HOSTILE)
def test_no_claim_breaks_a_challenge_or_grants_what_it_does_not_say(claims, server, tool):
    who = Identity("corp", "https://login.example.com", "ada", claims=claims)
    refusal = protected_resource.step_up(policy().servers[server], who, tool, "https://h/d")
    assert (refusal is None) is says(claims, {"crm": "read", "entra": "use"}[server])
    if refusal is not None:
        assert CHALLENGE.fullmatch(dict(refusal.headers)["www-authenticate"])


def says(claims: dict[str, Any], scope: str) -> bool:
    """Whether a claim holds the scope as one of its words, or as an item of its list."""
    values = claims.values()
    return any(scope in (value.split(" ") if isinstance(value, str) else value) for value in values if _holds(value))


def _holds(value: object) -> bool:
    return isinstance(value, str | list)
