"""Every kind of mistake in a policy folder has one exact line: file, line, path, what is wrong, what to do instead."""

import gc
import textwrap
from typing import get_args

import pytest

from extproc.errors import PolicyError
from extproc.policy.documents import DialectName
from extproc.policy.load import check, load, read_sources

HEAD = "apiVersion: gatereeve.dev/v1alpha1\n"


def problems_of(folder, **files):
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(textwrap.dedent(text))
    policy, problems = check(folder)
    assert policy is None or not problems
    return [str(problem).replace(f"{folder}/", "") for problem in problems]


def document(kind, spec, name="a"):
    """`spec:` is line 4 of the file; the first line of `spec` is line 5."""
    return f"{HEAD}kind: {kind}\nmetadata: {{name: {name}}}\nspec:\n" + textwrap.indent(textwrap.dedent(spec), "  ")


AGENT = 'subjects: [{groups: ["*"]}]\n'
PROVIDER = document("LLMProvider", "dialects: [openai-chat]\nurl: https://a.example\n", "openai")
MODEL = document("Model", "targets: [{provider: openai}]\n", "gpt-4o")
ISSUER = "issuer: https://i.example\naudiences: [a]\n"

YAML = [
    pytest.param("a: [", "p.yaml:2: is not valid YAML at column 1: did not find expected node content", id="syntax"),
    pytest.param("a:\n\tb: 1\n", "p.yaml:2: is indented with a tab; YAML wants spaces", id="a tab"),
    pytest.param(
        HEAD + "kind: Model\nkind: Model\n",
        "p.yaml:3: kind: is there twice; keep one, YAML would silently drop the first",
        id="a key twice",
    ),
    pytest.param(
        HEAD + "kind: Model\non: x\n",
        'p.yaml:3: `on` is read as true by YAML; put the key in quotes: "on"',
        id="a key that YAML reads as true",
    ),
    pytest.param(
        "a: &x {b: 1}\nc:\n  <<: *x\n",
        "p.yaml:3: c: uses a merge key (<<), which is not supported; write the fields out",
        id="a merge key",
    ),
    pytest.param(
        "a: !!python/name:os.system x\n",
        "p.yaml:1: a: has the tag tag:yaml.org,2002:python/name:os.system; tags are not supported, remove it",
        id="a tag",
    ),
    pytest.param("[1]: x\n", "p.yaml:1: has a list or mapping as a key; write a plain name", id="a list as key"),
    pytest.param(
        "- a\n",
        "p.yaml:1: is not a document; begin it with apiVersion: gatereeve.dev/v1alpha1 and kind:",
        id="a list as document",
    ),
]

ENVELOPE = [
    pytest.param(
        "kind: Model\nmetadata: {name: a}\nspec: {targets: [{provider: b}]}\n",
        "p.yaml:1: apiVersion: is missing; add apiVersion: gatereeve.dev/v1alpha1",
        id="no apiVersion",
    ),
    pytest.param(
        "apiVersion: v1\n" + MODEL.removeprefix(HEAD),
        "p.yaml:1: apiVersion: is not a version this gateway reads; write gatereeve.dev/v1alpha1",
        id="another apiVersion",
    ),
    pytest.param(
        document("AgentPolcy", AGENT),
        "p.yaml:2: kind: there is no kind AgentPolcy; did you mean AgentPolicy?",
        id="a misspelt kind",
    ),
    pytest.param(
        document("EgressPolicy", "hosts: []\n"),
        "p.yaml:2: kind: EgressPolicy is not yet supported; remove the document, egress is not governed by it yet",
        id="a kind of later",
    ),
    pytest.param(
        document("AgentPolicy", AGENT) + "status: {}\n",
        "p.yaml:6: status: is not a field of a document; there are apiVersion, kind, metadata, spec",
        id="an unknown top-level field",
    ),
    pytest.param(HEAD + "kind: Model\nmetadata: {name: a}\n", "p.yaml:1: spec: is missing; add it", id="no spec"),
    pytest.param(
        HEAD + "kind: Model\nmetadata: {name: a}\nspec: x\n",
        "p.yaml:4: spec: must be a mapping of fields",
        id="spec is a text",
    ),
    pytest.param(
        document("AgentPolicy", AGENT, "Big_Name"),
        "p.yaml:3: metadata.name: is not a DNS name; write lower-case letters, digits and '-', parts joined by '.'",
        id="a bad name",
    ),
    pytest.param(
        document("Model", "targets: [{provider: openai}]\n", "gpt-*") + "---\n" + PROVIDER,
        "p.yaml:3: metadata.name: holds a wildcard; name one model here, wildcards belong in an AgentPolicy",
        id="a wildcard as a Model's name",
    ),
    pytest.param(
        HEAD + "kind: AgentPolicy\nmetadata: {name: 12}\nspec: {subjects: [{groups: [a]}]}\n",
        'p.yaml:3: metadata.name: must be a text; YAML reads `12` as a number, put it in quotes: "12"',
        id="a number as name",
    ),
]

FIELDS = [
    pytest.param(
        "AgentPolicy",
        "subject: []\n",
        [
            "p.yaml:5: spec.subject: is not a field here; did you mean subjects?",
            "p.yaml:4: spec.subjects: is missing; add it (Whom it selects: any of these entries)",
        ],
        id="a misspelt field, and what is then missing",
    ),
    pytest.param(
        "AgentPolicy",
        AGENT + "mode: enforced\n",
        ["p.yaml:6: spec.mode: must be one of enforce, observe; did you mean enforce?"],
        id="a misspelt choice",
    ),
    pytest.param(
        "AgentPolicy",
        "subjects:\n- {}\n",
        ['p.yaml:6: spec.subjects[0]: is empty; to mean every verified caller write subjects: ["*"]'],
        id="an empty subject",
    ),
    pytest.param(
        "AgentPolicy", "subjects: []\n", ["p.yaml:5: spec.subjects: is empty; list at least one"], id="no subject"
    ),
    pytest.param(
        "AgentPolicy",
        AGENT + "models:\n  allow:\n  - a*\n  - b*\n  - no\n",
        ['p.yaml:10: spec.models.allow[2]: must be a text; YAML reads `no` as false, put it in quotes: "no"'],
        id="the Norway trap",
    ),
    pytest.param(
        "AgentPolicy",
        AGENT + "models: {allow: gpt-4}\n",
        [
            "p.yaml:6: spec.models.allow: must be a list; put it in brackets or on a line of its own "
            "that begins with '- '"
        ],
        id="a text for a list",
    ),
    pytest.param(
        "AgentPolicy",
        AGENT + "mcp:\n- {server: '*', tools: {alow: [a]}}\n",
        ["p.yaml:7: spec.mcp[0].tools.alow: is not a field here; did you mean allow?"],
        id="a misspelt field deep inside",
    ),
    pytest.param(
        "AgentPolicy",
        AGENT + "when: identity.subjct == 'a'\n",
        ["p.yaml:6: spec.when: column 9: there is no identity.subjct; did you mean identity.subject?"],
        id="a misspelt variable",
    ),
    pytest.param(
        "AgentPolicy",
        AGENT + "when: |\n  true &&\n  call.model\n  == 3\n",
        ["p.yaml:9: spec.when: column 1: found no matching overload for '_==_' applied to '(string, int)'"],
        id="a type error on a line of a block",
    ),
    pytest.param(
        "AgentPolicy",
        AGENT + "when: call.stream &&\n",
        ["p.yaml:6: spec.when: column 15: ends too early; complete it"],
        id="half a condition",
    ),
    pytest.param(
        "AgentPolicy",
        AGENT + "when: call.model\n",
        ["p.yaml:6: spec.when: is STRING, not true or false; compare it with something, for example == true"],
        id="a condition that is no condition",
    ),
    pytest.param(
        "AgentPolicy",
        "subjects:\n- groups: [a]\n  when: call.stream\n",
        [
            "p.yaml:7: spec.subjects[0].when: column 5: call.stream is not known here; a subject's condition is about "
            "the caller: use identity.* only"
        ],
        id="a subject's condition about the call",
    ),
    pytest.param(
        "AgentPolicy",
        AGENT + f"when: '{'(' * 300}true{')' * 300}'\n",
        ["p.yaml:6: spec.when: cannot be read: it is nested too deeply or too complex; make it simpler"],
        id="a condition nested too deeply",
    ),
    pytest.param(
        "AgentPolicy",
        AGENT + f"when: '{'true && ' * 600}true'\n",
        ["p.yaml:6: spec.when: is longer than 4096 characters; split it over several policies"],
        id="an endless condition",
    ),
    pytest.param(
        "LLMProvider",
        "dialects: [openai]\nurl: https://a.example\n",
        [f"p.yaml:5: spec.dialects[0]: must be one of {', '.join(get_args(DialectName))}; did you mean openai-chat?"],
        id="an unknown dialect",
    ),
    pytest.param(
        "LLMProvider",
        "dialects: [openai-chat]\nurl: https://user:secret@a.example\n",
        ["p.yaml:6: spec.url: holds a user or password; remove them and use `credential`"],
        id="a secret in a URL, not repeated",
    ),
    pytest.param(
        "LLMProvider",
        "dialects: [openai-chat]\nurl: https://a.example/?key=secret\n",
        ["p.yaml:6: spec.url: holds a query or fragment; remove everything from '?' or '#' on"],
        id="a query in a URL",
    ),
    pytest.param(
        "LLMProvider",
        "dialects: [openai-chat]\nurl: ftp://a.example\n",
        ["p.yaml:6: spec.url: is not an http(s) URL; write it like https://api.example.com/v1"],
        id="another scheme",
    ),
    pytest.param(
        "IdentityProvider",
        "issuer: https://a.example\naudiences: [a]\nkeys: {discovery: true}\nmaxAge: 30\n",
        ["p.yaml:8: spec.maxAge: is a number without a unit; write 30s for seconds"],
        id="a duration without unit",
    ),
    pytest.param(
        "IdentityProvider",
        "issuer: https://a.example\naudiences: [a]\nkeys: {discovery: true}\nmaxAge: 5 minutes\n",
        [
            "p.yaml:8: spec.maxAge: is not a duration; write a number with a unit (ms, s, m, h or d), for example "
            "30s or 1h30m"
        ],
        id="a duration in words",
    ),
    pytest.param(
        "LLMProvider",
        "dialects: [openai-chat]\nurl: https://a.example\ncredential:\n  from: {env: A, value: hunter2}\n",
        ["p.yaml:8: spec.credential.from: has env and value; keep exactly one of file, env, value"],
        id="two sources of a secret",
    ),
    pytest.param(
        "LLMProvider",
        "dialects: [openai-chat]\nurl: https://a.example\ncredential: {format: Bearer, from: {env: A}}\n",
        ["p.yaml:7: spec.credential.format: must hold {} exactly once, where the secret goes, for example 'Bearer {}'"],
        id="a format without a place for the secret",
    ),
    pytest.param(
        "LLMProvider",
        "dialects: [openai-chat]\nurl: https://a.example\ncredential: {header: host, from: {env: A}}\n",
        [
            "p.yaml:7: spec.credential.header: is a header that the gateway itself sets; choose the one the upstream "
            "reads its key from"
        ],
        id="a credential in a reserved header",
    ),
    pytest.param(
        "LLMProvider",
        "dialects: [openai-chat]\nurl: https://a.example\ncaFile: nowhere.pem\n",
        ["p.yaml:7: spec.caFile: is no file; correct the path, relative to this document"],
        id="a CA file that is not there",
    ),
    pytest.param(
        "LLMProvider",
        "dialects: [openai-chat]\nurl: https://a.example\napproved: maybe\n",
        ["p.yaml:7: spec.approved: must be true or false"],
        id="neither true nor false",
    ),
    pytest.param(
        "IdentityProvider",
        ISSUER + "keys: {discovery: true}\nalgorithms: [HS256]\n",
        [
            "p.yaml:8: spec.algorithms: HS256 verifies with a shared secret, so whoever can check a token can also "
            "forge one; use an asymmetric algorithm, for example RS256 or ES256"
        ],
        id="a symmetric algorithm",
    ),
    pytest.param(
        "IdentityProvider",
        ISSUER + "keys: {discovery: true}\nalgorithms: [none]\n",
        ["p.yaml:8: spec.algorithms: none means unsigned tokens, which anyone can write; remove it"],
        id="unsigned tokens",
    ),
    pytest.param(
        "IdentityProvider",
        ISSUER + "keys: {}\n",
        ["p.yaml:7: spec.keys: is empty; give one of url, discovery, file, inline"],
        id="no keys",
    ),
    pytest.param(
        "IdentityProvider",
        ISSUER + "keys: {file: gone.json}\n",
        [
            "p.yaml:7: spec.keys.file: cannot be read (No such file or directory); correct the path, relative to this "
            "document"
        ],
        id="a key file that is not there",
    ),
    pytest.param(
        "IdentityProvider",
        ISSUER + "keys: {file: p.yaml}\n",
        ['p.yaml:7: spec.keys.file: is not a JSON key set; write {"keys": [...]}'],
        id="a key file that is no key set",
    ),
    pytest.param(
        "IdentityProvider",
        ISSUER + "keys:\n  inline:\n    keys: [{kty: RSA, n: a, e: b, d: private}]\n",
        [
            "p.yaml:9: spec.keys.inline.keys: holds a PRIVATE key ('d'); remove it from the file, replace the key, "
            "write its public part"
        ],
        id="a private key, not repeated",
    ),
    pytest.param(
        "IdentityProvider",
        "issuer: corp\naudiences: [a]\nkeys: {discovery: true}\n",
        ["p.yaml:7: spec.keys.discovery: needs an issuer that is a URL; give keys.url instead"],
        id="discovery without a URL",
    ),
    pytest.param(
        "MCPServer",
        "url: http://a\nhosts: ['a.example:8080']\n",
        ["p.yaml:6: spec.hosts[0]: holds a port or path; write the host name only"],
        id="a host with a port",
    ),
    pytest.param(
        "MaskProfile",
        "rules: [emial]\n",
        ["p.yaml:5: spec.rules[0]: there is no masking rule emial; did you mean email?"],
        id="a misspelt masking rule",
    ),
    pytest.param(
        "MaskProfile",
        "patterns:\n- {name: a, pattern: 'a+?', positives: [aa]}\n",
        None,
        id="a pattern that cannot be used",
    ),
    pytest.param(
        "MaskProfile",
        "patterns:\n- {name: x, pattern: 'a{4}', positives: [bbbb]}\n",
        [
            "p.yaml:6: spec.patterns[0]: rule 'x': positive example 1 is not matched; correct the pattern, its check "
            "or keywords, or the example"
        ],
        id="a pattern that fails its own example",
    ),
    pytest.param(
        "MaskProfile",
        "literals:\n- {name: x, file: gone.txt}\n",
        [
            "p.yaml:6: spec.literals[0].file: cannot be read (No such file or directory); correct the path, relative "
            "to this document"
        ],
        id="a list that is not there",
    ),
    pytest.param(
        "MaskProfile",
        "literals: [{name: email, values: [a]}]\n",
        ["p.yaml:5: spec.literals[0].name: email is taken; choose another name"],
        id="the name of a built-in rule",
    ),
    pytest.param(
        "MaskProfile",
        "rules: []\n",
        ['p.yaml:4: spec: masks nothing; write rules: ["*"] for all built-in rules'],
        id="a profile that masks nothing",
    ),
]

BETWEEN = [
    pytest.param(
        PROVIDER + "---\n" + PROVIDER,
        ["p.yaml:10: metadata.name: is taken by LLMProvider/openai (p.yaml:1); choose another name"],
        id="a name twice",
    ),
    pytest.param(
        PROVIDER + "---\n" + document("Model", "targets:\n- provider: opnai\n"),
        ["p.yaml:13: spec.targets[0].provider: there is no LLMProvider opnai; did you mean openai?"],
        id="a misspelt provider",
    ),
    pytest.param(
        MODEL,
        ["p.yaml:5: spec.targets[0].provider: there is no LLMProvider openai; no LLMProvider is declared"],
        id="no provider at all",
    ),
    pytest.param(
        PROVIDER
        + "---\n"
        + MODEL
        + "---\n"
        + document("Model", "aliases: [x, gpt-4o]\ntargets: [{provider: openai}]\n"),
        ["p.yaml:18: spec.aliases[1]: gpt-4o already means Model/gpt-4o (p.yaml:8); choose another alias"],
        id="an alias that is a Model's name",
    ),
    pytest.param(
        document("AgentPolicy", AGENT + "masking: pii\n"),
        ["p.yaml:6: spec.masking: there is no MaskProfile pii; no MaskProfile is declared"],
        id="no such profile",
    ),
    pytest.param(
        PROVIDER + "---\n" + MODEL + "---\n" + document("AgentPolicy", AGENT + "models: {deny: [gpt-4]}\n"),
        ["p.yaml:19: spec.models.deny[0]: there is no Model gpt-4; did you mean gpt-4o?"],
        id="a deny list that would deny nothing",
    ),
    pytest.param(
        document("AgentPolicy", AGENT + "mcp: [{server: crm}]\n"),
        ["p.yaml:6: spec.mcp[0].server: there is no MCPServer crm; no MCPServer is declared"],
        id="no such server",
    ),
    pytest.param(
        document("AgentPolicy", "subjects: [{groups: [a], providers: [corp]}]\n"),
        ["p.yaml:5: spec.subjects[0].providers[0]: there is no IdentityProvider corp; no IdentityProvider is declared"],
        id="no such identity provider",
    ),
    pytest.param(
        document("MCPServer", "url: http://a\nhosts: [x.example]\n")
        + "---\n"
        + document("MCPServer", "url: http://b\nhosts: [X.example]\n", "b"),
        ["p.yaml:13: spec.hosts[0]: x.example already means MCPServer/a (p.yaml:1); choose another host"],
        id="a host twice",
    ),
    pytest.param(
        document("MaskProfile", "literals: [{name: n, values: [a]}]\n")
        + "---\n"
        + document("MaskProfile", "literals: [{name: n, values: [b]}]\n", "b"),
        ["p.yaml:11: spec.literals[0].name: n means something else in MaskProfile/a (p.yaml:1); choose another name"],
        id="one name for two lists",
    ),
    pytest.param(
        document("LLMProvider", "dialects: [openai-chat]\nurl: nonsense\n", "openai") + "---\n" + MODEL,
        ["p.yaml:6: spec.url: is not an http(s) URL; write it like https://api.example.com/v1"],
        id="a reference to a broken document is no second problem",
    ),
]


@pytest.mark.parametrize(("text", "line"), [*YAML, *ENVELOPE])
def test_a_document_that_cannot_be_opened_says_why(tmp_path, text, line):
    assert line in problems_of(tmp_path, p__yaml=text)


@pytest.mark.parametrize(("kind", "spec", "lines"), FIELDS)
def test_a_wrong_field_says_what_to_write(tmp_path, kind, spec, lines):
    found = problems_of(tmp_path, p__yaml=document(kind, spec))
    if lines is None:
        assert len(found) == 1
        assert found[0].startswith("p.yaml:6: spec.patterns[0]: rule 'a': ")
    else:
        assert sorted(found) == sorted(lines)
    assert not any(secret in line for line in found for secret in ("hunter2", "secret@", "key=secret", "private}"))


@pytest.mark.parametrize(("text", "lines"), BETWEEN)
def test_documents_that_do_not_fit_together_say_so(tmp_path, text, lines):
    assert problems_of(tmp_path, p__yaml=text) == lines


def test_all_problems_of_all_files_come_at_once_and_in_order(tmp_path):
    found = problems_of(
        tmp_path,
        b__yml=document("AgentPolicy", AGENT + "mode: x\nwhen: nope\n"),
        a__yaml=document("AgentPolicy", AGENT + "masking: gone\nwhen: nope\n") + "---\n" + document("Oops", ""),
    )
    assert [line.split(": ")[0] for line in found] == ["a.yaml:6", "a.yaml:7", "a.yaml:10", "b.yml:6"]


def test_an_anchor_bomb_is_refused_quickly(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    (found,) = problems_of(tmp_path, p__yaml="\n".join(lines))
    assert (
        found == "p.yaml:1: is nested too deeply or too large (aliases count where they are used); write it out smaller"
    )


def test_an_anchor_that_holds_itself_is_refused(tmp_path):
    (found,) = problems_of(tmp_path, p__yaml="a: &a [*a]\n")
    assert "nested too deeply" in found


def test_what_is_not_text_is_refused(tmp_path):
    (tmp_path / "p.yaml").write_bytes(b"\xff\xfe\x00")
    assert problems_of(tmp_path)[0] == "p.yaml: is not UTF-8 text; convert it"
    (tmp_path / "p.yaml").write_bytes(b"a: \x01\n")
    assert problems_of(tmp_path) == ["p.yaml: holds characters that YAML does not allow; save it as plain UTF-8 text"]


def test_a_folder_without_documents_is_a_problem_and_so_is_no_folder(tmp_path):
    _, problems = check(tmp_path)
    assert "holds no policy document" in problems[0].message
    _, problems = check(tmp_path / "gone")
    assert [problem.message for problem in problems] == ["does not exist; correct the path"]


def test_hidden_files_other_files_and_tests_are_passed_over(tmp_path):
    (tmp_path / "..data").mkdir()
    for name in (".hidden.yaml", "..data/x.yaml", "notes.txt"):
        (tmp_path / name).write_text("]broken")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.yml").write_text("---\n" + document("AgentPolicy", AGENT) + "---\n---\n")
    (tmp_path / "t.yaml").write_text("kind: PolicyTest\n")
    sources = read_sources(tmp_path)
    assert [(raw.short, raw.line) for raw in sources.documents] == [("sub/a.yml", 2)]
    assert len(sources.tests) == 1
    assert load(tmp_path).agents[0].rule == "AgentPolicy/a (sub/a.yml:2)"


def test_load_raises_with_every_problem(tmp_path):
    (tmp_path / "a.yaml").write_text(document("AgentPolicy", AGENT + "mode: x\nmasking: 3\n"))
    with pytest.raises(PolicyError) as raised:
        load([tmp_path / "a.yaml"])
    assert [problem.path for problem in raised.value.problems] == ["spec.mode", "spec.masking"]


@pytest.mark.parametrize("text", [document("AgentPolicy", AGENT), "a: ["], ids=["a good folder", "a bad one"])
def test_the_collector_is_on_again_after_loading(tmp_path, text):
    (tmp_path / "p.yaml").write_text(text)
    assert gc.isenabled()
    check(tmp_path)
    assert gc.isenabled()
