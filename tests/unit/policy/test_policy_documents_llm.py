"""What the documents of the LLM plane may say, what they become, and what is said of each mistake in them: the file,
the line, the field, and what to write instead."""

import textwrap

import pytest

from extproc.exchange.model import LlmCall
from extproc.identity.model import Identity
from extproc.policy.decide import decide_llm
from extproc.policy.load import check, load
from extproc.policy.prices import Price
from extproc.policy.runtime import AwsSource, AzureSource, CredentialSource, Failover, GcpSource
from extproc.policy.sensitivity import DataClass

HEAD = "apiVersion: gatereeve.dev/v1alpha1\n"


def document(kind: str, name: str, spec: str) -> str:
    """`spec:` is line 4 of the document; the first line of `spec` is line 5."""
    return f"{HEAD}kind: {kind}\nmetadata: {{name: {name}}}\nspec:\n" + textwrap.indent(textwrap.dedent(spec), "  ")


A = document("LLMProvider", "a", "dialects: [openai-chat]\nurl: https://a.example\n")
B = document("LLMProvider", "b", "dialects: [anthropic-messages]\nurl: https://b.example\n")
M = document("Model", "m", "targets: [{provider: a}]\n")
PII = document("MaskProfile", "pii", "rules: [email]\n")


def folder(tmp_path, *documents: str):
    for number, text in enumerate(documents):
        (tmp_path / f"{number}.yaml").write_text(text)
    return tmp_path


def problems(tmp_path, *documents: str) -> list[str]:
    """What is wrong, the first document being the file 0.yaml."""
    policy, found = check(folder(tmp_path, *documents))
    assert policy is None or not found
    return [str(problem).removeprefix(f"{tmp_path}/") for problem in found]


def provider(credential: str, url: str = "https://host.example", more: str = "") -> str:
    return document("LLMProvider", "p", f"dialects: [openai-chat]\nurl: {url}\n{more}credential: {credential}\n")


def compiled(tmp_path, credential: str, url: str = "https://host.example"):
    return load(folder(tmp_path, provider(credential, url))).providers["p"].upstream.credential


# -- credentials -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("credential", "said"),
    [
        pytest.param("{}", "says not where from; give one of from, aws, gcp, azure, userToken, exchange", id="nothing"),
        pytest.param(
            "{from: {env: K}, aws: {region: r}}",
            "has from and aws; keep exactly one of from, aws, gcp, azure, userToken, exchange",
            id="two",
        ),
        pytest.param(
            "{from: {env: K}, aws: {}, gcp: {}, azure: {instance: true}}",
            "has from and aws and gcp and azure; keep exactly one of from, aws, gcp, azure, userToken, exchange",
            id="all",
        ),
        pytest.param(
            "{aws: {region: r}, header: x-key}",
            "has header or format, which are for `from`; aws has its own; remove them",
            id="a header for signatures",
        ),
        pytest.param(
            "{gcp: {}, format: 'Bearer {}'}",
            "has header or format, which are for `from`; gcp has its own; remove them",
            id="a format for tokens",
        ),
        pytest.param("{from: {}}", ".from: is empty; give one of file, env, value", id="a secret from nowhere"),
        pytest.param(
            "{gcp: {file: k, instance: true}}", ".gcp: has file and instance; keep one of them", id="gcp twice"
        ),
        pytest.param(
            "{azure: {}}", ".azure: says not how; give one of secret, tokenFile, instance", id="azure not how"
        ),
        pytest.param(
            "{azure: {instance: true, tokenFile: t}}",
            ".azure: has tokenFile and instance; keep exactly one of secret, tokenFile, instance",
            id="azure twice",
        ),
        pytest.param(
            "{azure: {secret: {env: S}}}",
            ".azure: needs tenant and clientId with secret",
            id="azure, whose",
        ),
        pytest.param(
            "{azure: {secret: {env: S}, tenant: t}}",
            ".azure: needs tenant and clientId with secret",
            id="azure, half of whose",
        ),
        pytest.param(
            "{azure: {secret: {value: s}, tenant: t, clientId: c}}",
            ".azure.secret.value: is not a field here; there are env, file",
            id="an azure secret in the policy",
        ),
        pytest.param(
            "{azure: {instance: true, authority: login}}",
            ".azure.authority: is not an http(s) URL; write it like https://api.example.com/v1",
            id="an authority that is no URL",
        ),
        pytest.param(
            "{aws: {accessKeyId: AKIA}}",
            ".aws.accessKeyId: is not a field here; there are instance, profile, region, service",
            id="keys in the policy",
        ),
        pytest.param(
            "{aws: {}}", ".aws: needs a region, since none is in the host host.example", id="a host without a region"
        ),
    ],
)
@pytest.mark.promise("routing.documents")
def test_a_credential_that_cannot_be_meant_is_explained(tmp_path, credential, said):
    said = said if said.startswith(".") else f": {said}"
    assert problems(tmp_path, provider(credential)) == [f"0.yaml:7: spec.credential{said}"]


@pytest.mark.parametrize(
    ("credential", "url", "source"),
    [
        pytest.param(
            "{from: {env: K}}",
            "https://host.example",
            CredentialSource("LLMProvider/p", "authorization", "Bearer {}", env="K"),
            id="a secret",
        ),
        pytest.param(
            "{aws: {}}",
            "https://bedrock-runtime.eu-west-1.amazonaws.com",
            AwsSource("LLMProvider/p", "eu-west-1", "bedrock"),
            id="aws by the host",
        ),
        pytest.param(
            "{aws: {}}",
            "https://bedrock-mantle.us-east-1.api.aws",
            AwsSource("LLMProvider/p", "us-east-1", "bedrock-mantle"),
            id="aws by the host of Mantle",
        ),
        pytest.param(
            "{aws: {region: us-west-2, service: other, profile: prod, instance: true}}",
            "https://bedrock-runtime.eu-west-1.amazonaws.com",
            AwsSource("LLMProvider/p", "us-west-2", "other", "prod", instance=True),
            id="aws as it is said",
        ),
        pytest.param(
            "{aws: {region: eu-west-1}}",
            "http://127.0.0.1:4000",
            AwsSource("LLMProvider/p", "eu-west-1", "bedrock"),
            id="aws behind a host of one's own",
        ),
        pytest.param("{gcp: {}}", "https://host.example", GcpSource("LLMProvider/p"), id="gcp by the environment"),
        pytest.param(
            "{gcp: {instance: true, scope: s}}",
            "https://host.example",
            GcpSource("LLMProvider/p", instance=True, scope="s"),
            id="gcp by the metadata server",
        ),
        pytest.param(
            "{azure: {instance: true, clientId: c}}",
            "https://host.example",
            AzureSource("LLMProvider/p", client_id="c", instance=True),
            id="azure by the machine",
        ),
        pytest.param(
            "{azure: {tenant: t, clientId: c, secret: {env: S}, authority: 'https://login.example', scope: s}}",
            "https://host.example",
            AzureSource("LLMProvider/p", "t", "c", secret_env="S", scope="s", authority="https://login.example"),
            id="azure by a secret",
        ),
    ],
)
def test_a_credential_becomes_what_is_injected(tmp_path, credential, url, source):
    assert compiled(tmp_path, credential, url) == source


def test_files_of_credentials_begin_at_the_documents_folder(tmp_path):
    gcp = compiled(tmp_path, "{gcp: {file: key.json}}")
    assert gcp == GcpSource("LLMProvider/p", file=str(tmp_path / "key.json"))
    azure = compiled(tmp_path, "{azure: {tenant: t, clientId: c, tokenFile: token}}")
    assert azure == AzureSource("LLMProvider/p", "t", "c", token_file=str(tmp_path / "token"))
    secret = compiled(tmp_path, "{azure: {tenant: t, clientId: c, secret: {file: /etc/secret}}}")
    assert secret == AzureSource("LLMProvider/p", "t", "c", secret_file="/etc/secret")


@pytest.mark.parametrize(
    ("dialects", "header", "shape"),
    [
        pytest.param("[anthropic-messages]", "x-api-key", "{}", id="Anthropic's"),
        pytest.param("[azure-openai-chat, azure-openai-embeddings]", "api-key", "{}", id="Azure's"),
        pytest.param("[gemini]", "x-goog-api-key", "{}", id="Gemini's"),
        pytest.param("[vertex-gemini]", "authorization", "Bearer {}", id="Vertex's"),
        pytest.param("[openai-chat, anthropic-messages]", "authorization", "Bearer {}", id="several"),
    ],
)
def test_a_key_goes_where_the_one_api_that_is_spoken_reads_it(tmp_path, dialects, header, shape):
    text = f"dialects: {dialects}\nurl: https://h.example\ncredential: {{from: {{env: K}}}}\n"
    source = load(folder(tmp_path, document("LLMProvider", "p", text))).providers["p"].upstream.credential
    assert isinstance(source, CredentialSource)
    assert (source.header, source.format) == (header, shape)


# -- targets -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        pytest.param(
            "targets:\n- {provider: a, order: 1}\n- {provider: b}\n",
            ["0.yaml:4: spec: has targets with an order and targets without; give all of them one, or none"],
            id="an order here and there",
        ),
        pytest.param(
            "targets:\n- {provider: a, order: -1}\n",
            ["0.yaml:6: spec.targets[0].order: must be at least 0"],
            id="an order below 0",
        ),
        pytest.param(
            "targets:\n- {provider: a, weight: 1001}\n",
            ["0.yaml:6: spec.targets[0].weight: must be at most 1000"],
            id="too heavy",
        ),
        pytest.param(
            "targets:\n- {provider: a, weight: 0.5}\n",
            ["0.yaml:6: spec.targets[0].weight: must be a whole number"],
            id="half a weight",
        ),
        pytest.param(
            "targets:\n- {provider: a}\n- {provider: b, model: m}\n- {provider: b}\n",
            ["0.yaml:8: spec.targets[2]: names m of b a second time; keep one"],
            id="the same twice, once by the model's own name",
        ),
        pytest.param(
            "targets:\n- {provider: c}\n",
            ["0.yaml:6: spec.targets[0].provider: there is no LLMProvider c; there are a, b"],
            id="a provider that is not there",
        ),
        pytest.param("targets: []\n", ["0.yaml:5: spec.targets: is empty; list at least one"], id="none"),
        pytest.param(
            "targets:\n- {provider: a, when: 'call.sise < 3'}\n",
            ["0.yaml:6: spec.targets[0].when: column 5: there is no call.sise; did you mean call.size?"],
            id="a misspelt variable",
        ),
        pytest.param(
            "targets:\n- provider: a\n  when: |\n    call.size < 3 &&\n    call.dataClass == 3\n",
            [
                "0.yaml:9: spec.targets[0].when: column 16: found no matching overload for '_==_' applied to "
                "'(string, int)'"
            ],
            id="a wrong type on the second line",
        ),
        pytest.param(
            "targets:\n- {provider: a, when: 'call.size'}\n",
            [
                "0.yaml:6: spec.targets[0].when: is INT, not true or false; "
                "compare it with something, for example == true"
            ],
            id="no yes or no",
        ),
        pytest.param(
            "targets: [{provider: a}]\nsticky: session\n",
            ["0.yaml:6: spec.sticky: must be one of conversation, caller, none"],
            id="another stickiness",
        ),
        pytest.param(
            "targets: [{provider: a}]\nfailover: {attempts: 0}\n",
            ["0.yaml:6: spec.failover.attempts: must be at least 1"],
            id="no attempt",
        ),
        pytest.param(
            "targets: [{provider: a}]\nfailover: {attempts: 9}\n",
            ["0.yaml:6: spec.failover.attempts: must be at most 8"],
            id="too many attempts",
        ),
        pytest.param(
            "targets: [{provider: a}]\nfailover: {firstByte: 20}\n",
            ["0.yaml:6: spec.failover.firstByte: is a number without a unit; write 20s for seconds"],
            id="a time without a unit",
        ),
        pytest.param(
            "targets: [{provider: a}]\nfailover: {firstByte: 0s}\n",
            ["0.yaml:6: spec.failover.firstByte: must be longer than 0; leave the field out for its default"],
            id="no time",
        ),
        pytest.param(
            "targets: [{provider: a}]\nfailover: {statuses: [408, 500]}\n",
            ["0.yaml:6: spec.failover.statuses[1]: must be at most 499"],
            id="a status that always counts",
        ),
        pytest.param(
            "targets: [{provider: a}]\nfailover: {statuses: [200]}\n",
            ["0.yaml:6: spec.failover.statuses[0]: must be at least 400"],
            id="a status that is an answer",
        ),
    ],
)
@pytest.mark.promise("routing.documents")
def test_a_model_that_cannot_be_meant_is_explained(tmp_path, spec, said):
    assert problems(tmp_path, document("Model", "m", spec), A, B) == said


def test_targets_become_what_is_routed(tmp_path):
    spec = """\
        price: {input: 1, output: 2}
        sticky: caller
        failover: {attempts: 2, firstByte: 1m30s, statuses: [429, 408]}
        targets:
        - {provider: b, model: up-b, order: 7, weight: 2}
        - {provider: a, order: 3, when: call.size < 100, price: {input: 3, output: 4, cachedInput: 1, currency: EUR}}
        """
    model = load(folder(tmp_path, document("Model", "m", spec), A, B)).models["m"]
    first, second = model.targets
    assert (first.provider.name, first.model, first.order, first.weight) == ("a", "m", 3, 1)
    assert (second.provider.name, second.model, second.order, second.weight) == ("b", "up-b", 7, 2)
    assert (first.price, second.price) == (Price(3, 4, 1, 3, "EUR"), Price(1, 2, 1, 1, "USD"))
    assert first.when is not None
    assert (first.when({"call.size": 99}), first.when({"call.size": 100})) == (True, False)
    assert second.when is None
    assert model.failover == Failover(attempts=2, first_byte=90.0, statuses=(429, 408))
    assert model.sticky == "caller"


def test_what_is_not_said_has_its_default(tmp_path):
    spec = "targets:\n- {provider: b}\n- {provider: a}\n"
    policy = load(folder(tmp_path, document("Model", "m", spec), A, B))
    model = policy.models["m"]
    assert [(target.provider.name, target.order, target.weight) for target in model.targets] == [
        ("b", 0, 1),
        ("a", 1, 1),
    ]
    assert model.failover == Failover(attempts=3, first_byte=0.0, statuses=(429,))
    assert model.sticky == "conversation"
    assert (policy.providers["a"].clearance, policy.providers["a"].asks_usage) == (DataClass.INTERNAL, True)
    assert [upstream.name for upstream in policy.shared_upstreams] == ["LLMProvider/a", "LLMProvider/b"]


def test_a_provider_that_shares_no_model_needs_no_circuit_breaker(tmp_path):
    two = document("Model", "n", "targets: [{provider: b, model: x}, {provider: b, model: y}]\n")
    assert load(folder(tmp_path, M, two, A, B)).shared_upstreams == ()


def test_a_target_may_ask_for_all_that_is_known_of_a_call(tmp_path):
    when = (
        'identity.tenant == "t" && call.dialect == "openai-chat" && call.size == 9 && call.dataClass == "internal" '
        '&& request.headers["x-team"] == "red" && !call.stream'
    )
    spec = f"targets:\n- {{provider: a, model: special, when: '{when}'}}\n- {{provider: a, model: plain}}\n"
    agent = document("AgentPolicy", "all", 'subjects: [{subjects: ["*"]}]\nmodels: {allow: [m]}\n')
    policy = load(folder(tmp_path, document("Model", "m", spec), A, agent))
    request = {"path": "/v1/chat/completions", "source": "", "headers": {"x-team": "red"}, "size": 9}
    call = LlmCall("openai-chat", "chat", "m")
    assert decide_llm(policy, Identity("p", "i", "u", tenant="t"), call, request).obligations.model == "special"
    assert decide_llm(policy, Identity("p", "i", "u"), call, request).obligations.model == "plain"
    assert decide_llm(policy, Identity("p", "i", "u", tenant="t"), call, {}).obligations.model == "plain"


# -- classes of data ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            document("LLMProvider", "p", "dialects: [openai-chat]\nurl: https://p.example\ndataClass: secret\n"),
            "0.yaml:7: spec.dataClass: must be one of public, internal, confidential, restricted",
            id="of a provider",
        ),
        pytest.param(
            document("MCPServer", "s", "url: https://s.example/mcp\ndataClass: Internal\n"),
            "0.yaml:6: spec.dataClass: must be one of public, internal, confidential, restricted; "
            "did you mean internal?",
            id="of a server",
        ),
        pytest.param(
            document("MCPServer", "s", "url: https://s.example/mcp\nrememberFor: 0s\n"),
            "0.yaml:6: spec.rememberFor: must be longer than 0; leave the field out for its default",
            id="remembered for no time",
        ),
        pytest.param(
            document("AgentPolicy", "x", "subjects: [{groups: [g]}]\ndataClass: 3\n"),
            "0.yaml:6: spec.dataClass: must be one of public, internal, confidential, restricted",
            id="of a policy, as a number",
        ),
        pytest.param(
            document("AgentPolicy", "x", "subjects: [{groups: [g]}]\ndetect: [{profile: pii}]\n"),
            "0.yaml:6: spec.detect[0].dataClass: is missing; add it (The class of a call that holds a match)",
            id="of nothing that is detected",
        ),
        pytest.param(
            document("AgentPolicy", "x", "subjects: [{groups: [g]}]\ndetect: [{profile: pi, dataClass: internal}]\n"),
            "0.yaml:6: spec.detect[0].profile: there is no MaskProfile pi; did you mean pii?",
            id="by a profile that is not there",
        ),
        pytest.param(
            document("AgentPolicy", "x", "subjects: [{groups: [g]}]\nshowModel: 1\n"),
            "0.yaml:6: spec.showModel: must be true or false",
            id="a model that is shown by a number",
        ),
        pytest.param(
            document("AgentPolicy", "x", "subjects: [{groups: [g]}]\nwhen: call.dataClass == 'internal'\n"),
            "0.yaml:6: spec.when: column 5: call.dataClass is not known here, "
            "only once the call is allowed: use it in `when` of a Model's target",
            id="a class before it is known",
        ),
    ],
)
@pytest.mark.promise("routing.documents")
def test_a_class_that_cannot_be_meant_is_explained(tmp_path, text, said):
    assert problems(tmp_path, text, PII) == [said]


def test_classes_become_what_is_compared(tmp_path):
    policy = load(
        folder(
            tmp_path,
            document("LLMProvider", "p", "dialects: [openai-chat]\nurl: https://p\ndataClass: restricted\n"),
            document("MCPServer", "s", "url: https://s/mcp\ndataClass: confidential\nrememberFor: 8h\n"),
            document("MCPServer", "t", "url: https://t/mcp\n"),
            document(
                "AgentPolicy",
                "x",
                "subjects: [{groups: [g]}]\ndataClass: public\nshowModel: true\n"
                "detect: [{profile: pii, dataClass: confidential}, {profile: pii, dataClass: restricted}]\n",
            ),
            document("AgentPolicy", "y", "subjects: [{groups: [g]}]\n"),
            document(
                "IdentityProvider",
                "i",
                "issuer: https://i\naudiences: [a]\nkeys: {discovery: true}\nclaims: {dataClass: clearance}\n",
            ),
            PII,
        )
    )
    assert policy.providers["p"].clearance is DataClass.RESTRICTED
    s, t = policy.servers["s"], policy.servers["t"]
    assert (s.data_class, s.remember, t.data_class, t.remember) == (
        DataClass.CONFIDENTIAL,
        28800.0,
        DataClass.PUBLIC,
        3600.0,
    )
    assert policy.exposing
    x, y = sorted(policy.agents, key=lambda agent: agent.name)
    assert (x.data_class, y.data_class) == (DataClass.PUBLIC, DataClass.INTERNAL)
    assert (x.shows_model, y.shows_model) == (True, False)
    assert [detector.data_class for detector in x.detectors] == [DataClass.RESTRICTED, DataClass.CONFIDENTIAL]
    assert policy.issuers["https://i"][0].mapping.data_class == "clearance"


def test_without_a_server_that_has_a_class_nothing_is_remembered(tmp_path):
    assert not load(folder(tmp_path, document("MCPServer", "t", "url: https://t/mcp\n"))).exposing
