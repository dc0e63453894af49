"""What `oauth`, `userToken` and `exchange` of an MCPServer become, and what is said of mistakes in them."""

import textwrap

import pytest

from extproc.identity.model import Audience
from extproc.policy.load import check, load
from extproc.policy.oauth import ExchangeSource, OAuth, UserTokenSource, granted, metadata_url

IDENTITY = """\
apiVersion: gatereeve.dev/v1alpha1
kind: IdentityProvider
metadata: {name: %s}
spec: {issuer: "%s", audiences: [gw], keys: {url: "https://login.example.com/keys"}}
---
"""
SERVER = """\
apiVersion: gatereeve.dev/v1alpha1
kind: MCPServer
metadata: {name: %s}
spec:
  url: https://crm.internal/mcp
"""


def server(tmp_path, spec, *, name="crm", issuer="https://login.example.com", more=""):
    text = IDENTITY % ("corp", issuer) + SERVER % name + textwrap.indent(textwrap.dedent(spec), "  ") + "\n" + more
    (tmp_path / "p.yaml").write_text(text)
    return load(tmp_path).servers[name]


def problems(tmp_path, spec, issuer="https://login.example.com", kind="MCPServer"):
    text = IDENTITY % ("corp", issuer) + SERVER % "crm" + textwrap.indent(textwrap.dedent(spec), "  ")
    if kind != "MCPServer":
        text = text.replace("MCPServer", kind).replace("  url", "  dialects: [openai-chat]\n  url")
    (tmp_path / "p.yaml").write_text(text)
    _, found = check(tmp_path)
    return [str(problem).partition(": ")[2] for problem in found]


RESOURCE = "https://mcp.example.com/mcp/crm"


@pytest.mark.parametrize(
    ("oauth", "audience"),
    [
        pytest.param(f"resource: {RESOURCE}", Audience(RESOURCE, True), id="the resource, since there is one"),
        pytest.param(
            f"{{resource: {RESOURCE}, audience: provider}}", Audience(RESOURCE, False), id="either, by request"
        ),
        pytest.param("title: CRM", Audience(), id="the IdentityProvider's own, without a resource"),
    ],
)
def test_whom_a_token_must_be_for(tmp_path, oauth, audience):
    oauth = oauth if oauth.startswith("{") else "{" + oauth + "}"
    found = server(tmp_path, f"oauth: {oauth}")
    assert found.audience == audience
    assert found.oauth.metadata == (metadata_url(RESOURCE) if audience.resource else "")


def test_a_server_without_oauth_takes_what_the_identity_providers_take(tmp_path):
    found = server(tmp_path, "dataClass: internal")
    assert found.oauth is None
    assert found.audience == Audience()


def test_the_authorization_servers_are_by_default_the_issuers_that_are_urls(tmp_path):
    other = "---\n" + IDENTITY % ("named", "internal-issuer") + IDENTITY % ("second", "https://b.example/realm")
    found = server(tmp_path, "oauth: {}", more=other)
    assert found.oauth.authorization_servers == ("https://login.example.com", "https://b.example/realm")
    chosen = server(tmp_path, "oauth: {authorizationServers: [https://c.example]}", more=other)
    assert chosen.oauth.authorization_servers == ("https://c.example",)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        pytest.param(
            "oauth: {audience: resource}",
            "spec.oauth: holds tokens to a resource that it does not name; give resource",
            id="an audience without a resource",
        ),
        pytest.param(
            "oauth: {resource: https://Mcp.example.com/mcp/crm}",
            "spec.oauth.resource: is not canonical; write scheme and host in lower case, as in "
            "https://mcp.example.com/mcp/crm",
            id="a host in capitals",
        ),
        pytest.param(
            "oauth: {resource: https://mcp.example.com/mcp/crm/}",
            "spec.oauth.resource: ends with '/'; write it without, as MCP's clients do",
            id="a slash at the end",
        ),
        pytest.param(
            "oauth: {scopes: [crm read]}",
            "spec.oauth.scopes[0]: is not a scope; write one word without spaces, quotes and backslashes, for example "
            "crm.read",
            id="two scopes in one",
        ),
        pytest.param(
            "oauth: {tools: [{match: 'a*', scopes: ['x\"']}]}",
            "spec.oauth.tools[0].scopes[0]: is not a scope; write one word without spaces, quotes and backslashes, for "
            "example crm.read",
            id="a quote in a scope",
        ),
        pytest.param(
            "credential: {exchange: {tokenEndpoint: http://as.example/token, clientId: a, audience: b}}",
            "spec.credential.exchange: would send callers' tokens in the clear; write the tokenEndpoint with https",
            id="an exchange in the clear",
        ),
        pytest.param(
            "credential: {exchange: {tokenEndpoint: https://as.example/token, clientId: a}}",
            "spec.credential.exchange: does not say what for; give audience, resource or scope",
            id="an exchange for nothing",
        ),
        pytest.param(
            "credential: {userToken: {folder: t}, from: {env: K}}",
            "spec.credential: has from and userToken; keep exactly one of from, aws, gcp, azure, userToken, exchange",
            id="two credentials",
        ),
    ],
)
def test_a_mistake_is_explained(tmp_path, spec, said):
    [found] = problems(tmp_path, spec)
    assert found == said


def test_without_any_authorization_server_there_is_nowhere_to_log_in(tmp_path):
    [found] = problems(tmp_path, "oauth: {}", issuer="no-url")
    assert found == ("spec.oauth: names no authorization server, and no IdentityProvider's issuer is a URL; list them")


def test_a_credential_of_callers_is_no_llm_providers(tmp_path):
    [found] = problems(tmp_path, "credential: {userToken: {folder: t}}", kind="LLMProvider")
    assert found == "spec.credential.userToken: is for an MCPServer; use another kind here"


def test_what_a_callers_credential_becomes(tmp_path):
    mine = server(tmp_path, "credential: {userToken: {folder: t/crm, apart: [project], connect: https://p.example/c}}")
    folder = str(tmp_path / "t/crm")
    assert mine.delegation == UserTokenSource(
        "MCPServer/crm", folder, "authorization", "Bearer {}", ("project",), "https://p.example/c"
    )
    assert mine.upstream.credential is None
    keyed = server(tmp_path, "credential: {header: X-Key, userToken: {folder: t}}")
    assert (keyed.delegation.header, keyed.delegation.format) == ("x-key", "{}")
    exchanged = server(
        tmp_path,
        """\
        credential:
          exchange:
            tokenEndpoint: https://as.example/token
            clientId: gw
            clientSecret: {file: s}
            clientAuth: post
            audience: crm
        """,
    )
    assert exchanged.delegation == ExchangeSource(
        "MCPServer/crm", "https://as.example/token", "gw", str(tmp_path / "s"), "", True, "crm"
    )


def test_the_scopes_of_a_call_are_those_of_every_entry_that_matches(tmp_path):
    found = server(
        tmp_path,
        """\
        oauth:
          scopes: [read]
          tools:
          - {match: "delete_*", scopes: [write, admin]}
          - {match: "*_all", scopes: [admin, bulk]}
        """,
    ).oauth
    assert found.needed("") == ("read",)
    assert found.needed("read_note") == ("read",)
    assert found.needed("delete_note") == ("read", "write", "admin")
    assert found.needed("delete_all") == ("read", "write", "admin", "bulk")
    assert found.known == ("read", "write", "admin", "bulk")


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        pytest.param({}, set(), id="none"),
        pytest.param({"scope": "a b"}, {"a", "b"}, id="words"),
        pytest.param({"scp": "a b"}, {"a", "b"}, id="Entra's words"),
        pytest.param({"scp": ["a", "b"]}, {"a", "b"}, id="Okta's list"),
        pytest.param({"scope": "a", "scp": ["b"]}, {"a", "b"}, id="both"),
        pytest.param({"scope": ""}, set(), id="an empty text"),
        pytest.param({"scope": {"a": 1}, "scp": 7}, set(), id="what is no list of scopes"),
        pytest.param({"scp": ["a", 1, ["b"], ""]}, {"a"}, id="a list with other things in it"),
        pytest.param({"scp": ["a b"]}, {"a b"}, id="an entry with a space, which is no two scopes"),
    ],
)
def test_the_scopes_of_a_token(claims, scopes):
    assert granted(claims) == scopes


@pytest.mark.parametrize(
    ("resource", "url"),
    [
        pytest.param("https://h/mcp/crm", "https://h/.well-known/oauth-protected-resource/mcp/crm", id="with a path"),
        pytest.param("https://h:8443", "https://h:8443/.well-known/oauth-protected-resource", id="without one"),
    ],
)
def test_the_document_is_between_host_and_path(resource, url):
    assert metadata_url(resource) == url


def test_paths_lead_to_one_server_or_to_none(tmp_path):
    def other(name, resource):
        return "---\n" + SERVER % name + f"  oauth: {{resource: {resource}}}\n"

    alone = load_of(tmp_path, f"oauth: {{resource: {RESOURCE}}}")
    assert alone.resources == {"": "crm", "/mcp/crm": "crm"}
    prefixed = load_of(
        tmp_path, "oauth: {resource: https://h/ai/mcp/crm}", other("b", "https://h/x") + other("c", "https://i/x")
    )
    assert prefixed.resources == {"/ai/mcp/crm": "crm", "/mcp/crm": "crm", "/mcp/b": "b", "/mcp/c": "c"}
    thief = load_of(tmp_path, f"oauth: {{resource: {RESOURCE}}}", other("b", "https://evil/mcp/crm"))
    assert thief.resources["/mcp/crm"] == "crm"


def load_of(tmp_path, spec, more=""):
    (tmp_path / "p.yaml").write_text(
        IDENTITY % ("corp", "https://l.example") + SERVER % "crm" + "  " + spec + "\n" + more
    )
    return load(tmp_path)


def test_nothing_of_it_is_dear_to_ask(tmp_path):
    found = server(tmp_path, "oauth: {scopes: [read]}").oauth
    assert isinstance(found, OAuth)
    assert found.needed("any") is found.scopes
