"""What the fields about MCP tools compile to, and what is said of mistakes in them."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from extproc.policy.load import check, load
from extproc.policy.sensitivity import DataClass
from extproc.tools import manifest
from extproc.tools.pins import dump, pin
from extproc.tools.signing_keys import signing_key

HEAD = "apiVersion: gatereeve.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: crm}}\nspec:\n"
TOOL = {"name": "find", "description": "Finds.", "inputSchema": {"type": "object", "required": ["id"]}}
HOUR = 3600.0


@pytest.fixture
def folder(tmp_path):
    """A policy folder with files that documents can name."""
    (tmp_path / "pins.json").write_text(dump(pin("crm", [TOOL])))
    (tmp_path / "broken.json").write_text('{"server": "crm", "tools": {"find": {"digest": "sha256:12"}}}')
    (tmp_path / "no.json").write_text("not JSON")
    key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for name, other in (("keys.pem", key), ("other.pem", ed25519.Ed25519PrivateKey.generate())):
        public = other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (tmp_path / name).write_bytes(public)
    for name, server in (("crm.jws", "crm"), ("url.jws", "https://crm.example/mcp"), ("erp.jws", "erp")):
        signed = manifest.sign(
            signing_key(private), server, [TOOL], issuer="https://vendor.example", now=1_000.0, expires=1_000.0 + HOUR
        )
        (tmp_path / name).write_text(signed)
    return tmp_path


def write(folder, spec, kind="MCPServer"):
    if kind == "MCPServer":
        spec = f"  url: https://crm.example/mcp\n{spec}"
    else:
        (folder / "server.yaml").write_text(HEAD.format(kind="MCPServer") + "  url: https://crm.example/mcp\n")
    (folder / "a.yaml").write_text(HEAD.format(kind=kind) + spec)
    return folder


def server(folder, spec):
    return load(write(folder, spec)).servers["crm"]


def refused(folder, spec, arguments, tool="t"):
    """The checks that the arguments of a call do not pass."""
    return {finding.check for finding in server(folder, spec).rules.problems(tool, None, arguments)}


@pytest.mark.parametrize(
    ("spec", "arguments", "found"),
    [
        pytest.param("", {"path": "../../etc/passwd"}, {"path"}, id="nothing written: checks by name"),
        pytest.param("  arguments: {defaults: false}\n", {"path": "../x"}, set(), id="defaults off"),
        pytest.param("  arguments: {checks: {path: off}}\n", {"path": "../x"}, set(), id="a check off"),
        pytest.param("  arguments: {checks: {path: off}}\n", {"url": "http://127.0.0.1/"}, {"url"},
                     id="others stay on"),
        pytest.param("  arguments: {checks: {path: {roots: [/srv/w]}}}\n", {"path": "/srv/w/a"}, set(), id="in a root"),
        pytest.param("  arguments: {checks: {path: {roots: [/srv/w]}}}\n", {"path": "/home/a"}, {"path"}, id="outside"),
        pytest.param("  arguments: {checks: {path: {arguments: [where]}}}\n", {"where": "../x"}, {"path"}, id="named"),
        pytest.param("  arguments: {checks: {path: {unless: [path]}}}\n", {"path": "../x"}, set(), id="unless"),
        pytest.param("  arguments: {checks: {path: {secrets: false}}}\n", {"path": "a/.env"}, set(), id="secrets"),
        pytest.param("  arguments: {checks: {url: {hosts: [a.example]}}}\n", {"url": "https://b.example/"}, {"url"},
                     id="hosts"),
        pytest.param("  arguments: {checks: {url: {schemes: [https]}}}\n", {"url": "http://a.example/"}, {"url"},
                     id="schemes"),
        pytest.param("  arguments: {checks: {url: {allowPrivate: true}}}\n", {"url": "http://10.0.0.1/"}, set(),
                     id="private addresses"),
        pytest.param("  arguments: {checks: {command: {arguments: [a]}}}\n", {"a": "x; rm y"}, {"command"},
                     id="command"),
        pytest.param("  arguments: {checks: {commandLine: {arguments: [a]}}}\n", {"a": "x; rm y"}, {"command-line"},
                     id="command lines"),
        pytest.param("  arguments: {checks: {argument: {arguments: [a]}}}\n", {"a": "--exec=x"}, {"argument"},
                     id="argument"),
        pytest.param("  arguments: {checks: {sql: {arguments: [a]}}}\n", {"a": "DROP TABLE a"}, {"sql"}, id="sql"),
        pytest.param("  arguments: {checks: {sql: {arguments: [a], classes: [read, ddl]}}}\n", {"a": "DROP TABLE a"},
                     set(), id="classes of sql"),
        pytest.param("  arguments: {checks: {sqlValue: {arguments: [a]}}}\n", {"a": "1' OR '1'='1"}, {"sql-value"},
                     id="values in sql"),
        pytest.param("  arguments: {limits: {n: 10}}\n", {"n": 11}, {"number"}, id="a maximum"),
        pytest.param("  arguments: {limits: {n: 10}}\n", {"n": -1}, {"number"}, id="a maximum alone starts at 0"),
        pytest.param("  arguments: {limits: {n: {min: -5, max: 5}}}\n", {"n": -5}, set(), id="a range"),
        pytest.param("  arguments: {values: {env: [dev]}}\n", {"env": "prod"}, {"values"}, id="values"),
        pytest.param("  arguments: {maxBytes: 10}\n", {"a": "x" * 20}, {"size"}, id="size"),
        pytest.param("  arguments: {maxDepth: 2}\n", {"a": {"b": {"c": {}}}}, {"size"}, id="depth"),
        pytest.param("  tools: [{match: t, arguments: {limits: {n: 5}}}]\n  arguments: {limits: {m: 1}}\n",
                     {"n": 6, "m": 9}, {"number"}, id="a tool's own in place of the server's"),
    ],
)  # fmt: skip
def test_arguments_are_held_to(folder, spec, arguments, found):
    assert refused(folder, spec, arguments) == found


def test_the_first_entry_that_matches_a_tool_counts(folder):
    spec = "  tools:\n  - {match: 'a*', arguments: {limits: {n: 1}}}\n  - {match: '*', arguments: {limits: {n: 9}}}\n"
    assert refused(folder, spec, {"n": 5}, "abc") == {"number"}
    assert refused(folder, spec, {"n": 5}, "xyz") == set()


@pytest.mark.parametrize(("schema", "found"), [("true", {"schema"}), ("false", set())])
def test_a_tools_own_schema_can_be_left_aside(folder, schema, found):
    rules = server(folder, f"  arguments: {{schema: {schema}}}\n").rules
    assert {each.check for each in rules.problems("find", TOOL, {})} == found


def test_what_else_a_server_says_is_compiled(folder):
    crm = server(
        folder,
        "  trusted: true\n  recordArguments: false\n  mayAsk: [roots]\n"
        "  results: {maxBytes: 2048, whenLarger: refuse}\n"
        "  screening: {descriptions: flag, results: off, refuseAt: 60}\n"
        "  tools: [{match: 'export_*', dataClass: restricted}]\n",
    )
    rules = crm.rules
    assert crm.trusted
    assert not rules.records_arguments
    assert rules.denied == {"sampling", "elicitation"}
    assert (rules.max_bytes, rules.truncates) == (2048, False)
    said = rules.screening
    assert (said.descriptions, said.results) == ("flag", "off")
    assert (said.grave_description, said.grave_result) == (60, 60)
    assert rules.data_class("export_all", DataClass.PUBLIC) is DataClass.RESTRICTED
    assert rules.data_class("find", DataClass.INTERNAL) is DataClass.INTERNAL


def test_what_is_not_said_is_strict(folder):
    crm = server(folder, "")
    rules = crm.rules
    assert not crm.trusted
    assert rules.records_arguments
    assert rules.denied == frozenset()
    assert (rules.max_bytes, rules.truncates, rules.approval) == (4 << 20, True, None)
    assert (rules.screening.descriptions, rules.screening.results) == ("refuse", "strip")
    assert (rules.screening.grave_description, rules.screening.grave_result) == (50, 70)


@pytest.mark.parametrize(
    ("spec", "refuses"),
    [
        pytest.param("pins: {file: pins.json}", {"changed", "unknown"}, id="by default"),
        pytest.param("pins: {file: pins.json, onDrift: warn}", {"unknown"}, id="no matter if changed"),
        pytest.param("pins: {file: pins.json, onUnknown: warn}", {"changed"}, id="no matter if unknown"),
        pytest.param("manifest: {file: crm.jws, keys: keys.pem}", {"changed", "unknown"}, id="signed for the name"),
        pytest.param("manifest: {file: url.jws, keys: keys.pem}", {"changed", "unknown"}, id="signed for the URL"),
    ],
)
def test_definitions_are_held_to(folder, spec, refuses):
    approval = server(folder, f"  {spec}\n").rules.approval
    assert approval is not None
    assert approval.standing(TOOL, 2_000.0) == "approved"
    assert approval.standing(TOOL | {"description": "Other."}, 2_000.0) == "changed"
    assert approval.standing({"name": "new"}, 2_000.0) == "unknown"
    assert {standing for standing in ("approved", "changed", "unknown") if approval.refuses(standing)} == refuses


def test_nothing_is_approved_by_a_manifest_that_has_expired(folder):
    approval = server(folder, "  manifest: {file: crm.jws, keys: keys.pem}\n").rules.approval
    assert approval.standing(TOOL, 1_000.0 + HOUR - 1) == "approved"
    assert approval.standing(TOOL, 1_000.0 + HOUR + 1) == "unknown"


@pytest.mark.parametrize(
    ("spec", "path", "said"),
    [
        pytest.param("  arguments: {checks: {paths: off}}\n", "spec.arguments.checks.paths",
                     "is not a field here; did you mean path?", id="an unknown check"),
        pytest.param("  arguments: {checks: {path: {root: [/a]}}}\n", "spec.arguments.checks.path.root",
                     "is not a field here; did you mean roots?", id="an unknown option"),
        pytest.param("  arguments: {checks: {path: on}}\n", "spec.arguments.checks.path", "", id="a check that is on"),
        pytest.param("  arguments: {checks: {path: {roots: [not/absolute/../..]}}}\n", "spec.arguments.checks.path", "",
                     id="a root that is none"),
        pytest.param("  arguments: {checks: {path: {style: mac}}}\n", "spec.arguments.checks.path.style",
                     "must be one of both, posix, windows", id="a style that is none"),
        pytest.param("  arguments: {checks: {sql: {classes: [delete]}}}\n", "spec.arguments.checks.sql.classes",
                     "must be one of read, write, ddl, admin", id="a class that is none"),
        pytest.param("  arguments: {checks: {url: {schemes: []}}}\n", "spec.arguments.checks.url.schemes", "",
                     id="no scheme at all"),
        pytest.param("  arguments: {limits: {n: {}}}\n", "spec.arguments.limits.n", "is empty; give max, min or both",
                     id="a limit that says nothing"),
        pytest.param("  arguments: {limits: {n: {min: 2, max: 1}}}\n", "spec.arguments.limits.n",
                     "has a min above its max; exchange them", id="a range upside down"),
        pytest.param("  arguments: {limits: {n: many}}\n", "spec.arguments.limits.n", "", id="a limit in words"),
        pytest.param("  arguments: {maxDepth: 0}\n", "spec.arguments.maxDepth", "", id="no depth"),
        pytest.param("  arguments: {maxDepth: 201}\n", "spec.arguments.maxDepth", "", id="more depth than is read"),
        pytest.param("  arguments: {maxBytes: 0}\n", "spec.arguments.maxBytes", "", id="no bytes"),
        pytest.param("  screening: {descriptions: hide}\n", "spec.screening.descriptions",
                     "must be one of off, flag, strip, refuse", id="a treatment that is none"),
        pytest.param("  screening: {refuseAt: 29}\n", "spec.screening.refuseAt", "", id="below what is noted at all"),
        pytest.param("  screening: {refuseAt: 101}\n", "spec.screening.refuseAt", "", id="above the highest score"),
        pytest.param("  results: {maxBytes: 1000}\n", "spec.results.maxBytes", "", id="results too small to be any"),
        pytest.param("  results: {whenLarger: drop}\n", "spec.results.whenLarger", "must be one of truncate, refuse",
                     id="what is not done"),
        pytest.param("  mayAsk: [samples]\n", "spec.mayAsk", "must be one of sampling, elicitation, roots",
                     id="what no server asks"),
        pytest.param("  tools: [{match: 't', dataClass: secret}]\n", "spec.tools[0].dataClass",
                     "must be one of public, internal, confidential, restricted", id="a class of data that is none"),
        pytest.param("  pins: {file: pins.json}\n  manifest: {file: crm.jws, keys: keys.pem}\n", "spec",
                     "has pins and manifest; keep one of them", id="two lists"),
        pytest.param("  pins: {file: gone.json}\n", "spec.pins.file",
                     "cannot be read (No such file or directory); correct the path, relative to this document",
                     id="no pin file"),
        pytest.param("  pins: {file: no.json}\n", "spec.pins.file", "cannot be used: ",
                     id="a pin file that is no JSON"),
        pytest.param("  pins: {file: broken.json}\n", "spec.pins.file", "cannot be used: ", id="a digest that is none"),
        pytest.param("  pins: {file: pins.json, onDrift: ask}\n", "spec.pins.onDrift", "must be one of refuse, warn",
                     id="a treatment of drift that is none"),
        pytest.param("  manifest: {file: gone.jws, keys: keys.pem}\n", "spec.manifest.file", "cannot be read",
                     id="no manifest"),
        pytest.param("  manifest: {file: crm.jws, keys: gone.pem}\n", "spec.manifest.keys", "cannot be read",
                     id="no keys"),
        pytest.param("  manifest: {file: crm.jws, keys: other.pem}\n", "spec.manifest", "cannot be believed: ",
                     id="another key"),
        pytest.param("  manifest: {file: crm.jws, keys: no.json}\n", "spec.manifest", "cannot be believed: ",
                     id="keys that are none"),
        pytest.param("  manifest: {file: no.json, keys: keys.pem}\n", "spec.manifest", "cannot be believed: ",
                     id="a manifest that is none"),
        pytest.param("  manifest: {file: erp.jws, keys: keys.pem}\n", "spec.manifest.file",
                     "is of another server; sign it for crm or https://crm.example/mcp", id="another server's"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(folder, spec, path, said):
    _, problems = check(write(folder, spec))
    assert any(problem.path.startswith(path) and said in problem.message for problem in problems), [
        str(problem) for problem in problems
    ]


AGENT = "  subjects: [{groups: [a]}]\n  mcp: [{server: crm, tools: {allow: ['*'], hints: %s}}]\n"


@pytest.mark.parametrize(
    ("hints", "annotations", "fits"),
    [
        pytest.param("{readOnly: true}", {"readOnlyHint": True}, True, id="reads"),
        pytest.param("{readOnly: true}", {}, False, id="does not say that it reads"),
        pytest.param("{readOnly: true}", {"readOnlyHint": "true"}, False, id="says so in a text"),
        pytest.param("{destructive: false}", {"destructiveHint": False}, True, id="destroys nothing"),
        pytest.param("{destructive: false}", {}, False, id="does not say that it destroys nothing"),
        pytest.param("{destructive: false}", {"readOnlyHint": True}, True, id="reads, and so destroys nothing"),
        pytest.param("{openWorld: false}", {"openWorldHint": False}, True, id="reaches nothing outside"),
        pytest.param("{openWorld: false}", {"readOnlyHint": True}, False, id="does not say that it reaches nothing"),
        pytest.param("{readOnly: true, openWorld: false}", {"readOnlyHint": True}, False, id="one of two"),
    ],
)
def test_hints_ask_of_annotations(folder, hints, annotations, fits):
    (agent,) = load(write(folder, AGENT % hints, "AgentPolicy")).agents
    (grant,) = agent.grants("crm")
    assert grant.hints({"name": "t", "annotations": annotations}) is fits
    assert not grant.hints({"name": "t"})
    assert not grant.hints(None)


def test_roles_add_to_a_policys_own_lists(folder):
    write(
        folder,
        "  subjects: [{groups: [a]}]\n  roles: [crm]\n  mcp: [{server: crm, tools: {allow: [own]}}]\n",
        "AgentPolicy",
    )
    (folder / "b.yaml").write_text(
        HEAD.format(kind="Role")
        + "  description: Reads.\n  mcp: [{server: 'c*', tools: {allow: ['read_*'], deny: [read_x]}}]\n"
    )
    (agent,) = load(folder).agents
    own, role = agent.grants("crm")
    assert own.tools("own")
    assert role.tools("read_a")
    assert role.tools_denied("read_x")
    assert role.rule.startswith("Role/crm (b.yaml:")


@pytest.mark.parametrize(
    ("spec", "path", "said"),
    [
        pytest.param(AGENT % "{}", "spec.mcp[0].tools.hints", "is empty; write for example readOnly: true", id="none"),
        pytest.param(AGENT % "{readOnly: false}", "spec.mcp[0].tools.hints.readOnly", "",
                     id="a hint for tools that write"),
        pytest.param(AGENT % "{destructive: true}", "spec.mcp[0].tools.hints.destructive", "", id="one for destroyers"),
        pytest.param(AGENT % "{idempotent: true}", "spec.mcp[0].tools.hints.idempotent", "is not a field here",
                     id="one that is not offered"),
        pytest.param("  subjects: [{groups: [a]}]\n  roles: [gone]\n", "spec.roles", "there is no Role",
                     id="no such role"),
    ],
)  # fmt: skip
def test_a_mistake_about_who_is_told_with_its_place(folder, spec, path, said):
    _, problems = check(write(folder, spec, "AgentPolicy"))
    assert any(problem.path.startswith(path) and said in problem.message for problem in problems), [
        str(problem) for problem in problems
    ]
