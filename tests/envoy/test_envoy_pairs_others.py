"""What is no chat between two SDKs: embeddings and legacy completions, APIs without an SDK here, both framings of
Gemini's streams, and what the gateway says about what it could not translate."""

import json
from collections.abc import Iterator

import anthropic
import openai
import pytest

from tests.envoy.conftest import Served
from tests.envoy.gateway import client
from tests.envoy.providers.cast import TARGETS
from tests.envoy.providers.openai_chat import VECTOR
from tests.envoy.providers.plays import INPUT, OUTPUT, said

pytestmark = [pytest.mark.envoy, pytest.mark.promise("dialects.served"), pytest.mark.promise("dialects.upstream")]
TEXT = "Hi, ünïcödé “you”"


@pytest.fixture(autouse=True)
def _strict(served: Served) -> Iterator[None]:
    served.cast.taken()
    yield
    assert served.cast.taken() == ([], set())


@pytest.fixture(params=["", "Azure"])
def sdk(served: Served, request: pytest.FixtureRequest) -> Iterator[openai.OpenAI]:
    if request.param:
        made: openai.OpenAI = openai.AzureOpenAI(
            azure_endpoint=served.url, api_key=served.token(), api_version="2024-10-21", max_retries=0
        )
    else:
        made = openai.OpenAI(base_url=f"{served.url}/v1", api_key=served.token(), max_retries=0)
    with made:
        yield made


def _targets(source: str, *targets: tuple[str, str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "target",
        [
            pytest.param(target, id=f"with {target}", marks=pytest.mark.pair(source=source, target=spoken))
            for target, spoken in targets
        ],
    )


EMBEDDINGS = _targets(
    "openai-embeddings",
    ("openai-embeddings", "openai-embeddings"),
    ("azure-openai-chat", "azure-openai-embeddings"),
    ("azure-v1", "openai-embeddings"),
)
COMPLETIONS = _targets(
    "openai-completions",
    ("openai-completions", "openai-completions"),
    ("azure-openai-chat", "azure-openai-completions"),
)


@pytest.mark.pair(feature="plain")
@EMBEDDINGS
@pytest.mark.parametrize("form", ["float", "base64"])
def test_embeddings_come_as_they_are(sdk: openai.OpenAI, target: str, form: str):
    options = {} if form == "base64" else {"encoding_format": "float"}  # the SDK asks for base64 by itself
    answer = sdk.embeddings.create(model=f"on-{target}", input=TEXT, **options)
    assert answer.data[0].embedding == VECTOR
    assert answer.usage.prompt_tokens == INPUT


@pytest.mark.pair(feature="plain")
@COMPLETIONS
def test_a_prompt_is_completed(sdk: openai.OpenAI, target: str):
    answer = sdk.completions.create(model=f"on-{target}", prompt=TEXT)
    assert answer.choices[0].text == said(TEXT)
    assert answer.usage.total_tokens == INPUT + OUTPUT


@pytest.mark.pair(feature="streaming")
@COMPLETIONS
def test_a_prompt_is_completed_in_a_stream(sdk: openai.OpenAI, target: str):
    chunks = list(sdk.completions.create(model=f"on-{target}", prompt=TEXT, stream=True))
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == said(TEXT)
    assert [choice.finish_reason for choice in chunks[-1].choices] == ["stop"]  # usage was not asked for


def _post(served: Served, path: str, **body: object) -> str:
    headers = {"authorization": f"Bearer {served.token()}"}
    with client(base_url=served.url, headers=headers) as made:
        answer = made.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.text


USER = [{"role": "user", "content": TEXT}]


@pytest.mark.pair(source="ollama", target="ollama", feature="plain")
def test_ollama_answers_whole(served: Served):
    answer = json.loads(_post(served, "/api/chat", model="on-ollama", messages=USER, stream=False))
    assert (answer["message"]["content"], answer["eval_count"]) == (said(TEXT), OUTPUT)


@pytest.mark.pair(source="ollama", target="ollama", feature="streaming")
def test_ollama_streams_unless_told_not_to(served: Served):
    lines = [json.loads(line) for line in _post(served, "/api/chat", model="on-ollama", messages=USER).splitlines()]
    assert "".join(line["message"]["content"] for line in lines) == said(TEXT)
    assert [line["done"] for line in lines] == [False] * (len(lines) - 1) + [True]


@pytest.mark.pair(source="cohere-chat", target="cohere-chat", feature="plain")
def test_cohere_answers_whole(served: Served):
    answer = json.loads(_post(served, "/v2/chat", model="on-cohere-chat", messages=USER))
    assert answer["message"]["content"] == [{"type": "text", "text": said(TEXT)}]


@pytest.mark.pair(source="cohere-chat", target="cohere-chat", feature="streaming")
def test_cohere_streams(served: Served):
    text = _post(served, "/v2/chat", model="on-cohere-chat", messages=USER, stream=True)
    events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    deltas = [event["delta"]["message"]["content"]["text"] for event in events if event["type"] == "content-delta"]
    assert "".join(deltas) == said(TEXT)
    assert events[-1]["type"] == "message-end"


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(name, marks=pytest.mark.pair(source="gemini", target=name, feature="streaming as an array"))
        for name in ("gemini", "vertex-gemini")
    ],
)
def test_gemini_streams_an_array_where_no_events_are_asked_for(served: Served, target: str):
    contents = [{"role": "user", "parts": [{"text": TEXT}]}]
    chunks = json.loads(_post(served, f"/v1beta/models/on-{target}:streamGenerateContent", contents=contents))
    parts = [part["text"] for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"]]
    assert "".join(parts) == said(TEXT)
    [arrived] = served.cast[TARGETS[target].provider].seen[-1:]
    assert arrived.path.endswith(":streamGenerateContent")


# -- counting, and settings --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(name, marks=pytest.mark.pair(source="anthropic-messages", target=name, feature="counting tokens"))
        for name in ("anthropic-messages", "bedrock-invoke")
    ],
)
@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21"])
def test_anthropics_tokens_are_counted(served: Served, target: str, version: str):
    sdk = anthropic.Anthropic(base_url=served.url, api_key=served.token(), max_retries=0)
    with sdk:
        told = sdk.messages.count_tokens(
            model=f"on-{target}", messages=USER, system="Brief.", extra_headers={"anthropic-version": version}
        )
    assert told.input_tokens == INPUT


@pytest.mark.pair(source="gemini", target="gemini", feature="counting tokens")
def test_geminis_tokens_are_counted(served: Served):
    contents = [{"role": "user", "parts": [{"text": TEXT}]}]
    answer = _post(served, "/v1beta/models/on-gemini:countTokens", contents=contents)
    assert json.loads(answer)["totalTokens"] == INPUT


@pytest.mark.parametrize(
    ("target", "told"),
    [
        pytest.param(
            target, told, id=target, marks=pytest.mark.pair(source="openai-chat", target=target, feature="settings")
        )
        for target, told in {
            "openai-chat": {"temperature": 0.5, "top_p": 0.9, "stop": ["END"], "max_completion_tokens": 77},
            "anthropic-messages": {"temperature": 0.5, "top_p": 0.9, "stop_sequences": ["END"], "max_tokens": 77},
            "bedrock-converse": {"temperature": 0.5, "topP": 0.9, "stopSequences": ["END"], "maxTokens": 77},
            "gemini": {"temperature": 0.5, "topP": 0.9, "stopSequences": ["END"], "maxOutputTokens": 77},
        }.items()
    ],
)
def test_settings_arrive_under_the_names_of_the_other_side(served: Served, target: str, told: dict[str, object]):
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key=served.token(), max_retries=0) as sdk:
        sdk.chat.completions.create(
            model=f"on-{target}", messages=USER, temperature=0.5, top_p=0.9, stop=["END"], max_completion_tokens=77
        )
    body = served.cast[TARGETS[target].provider].seen[-1].json()
    given = body.get("inferenceConfig") or body.get("generationConfig") or body
    assert {name: given.get(name) for name in told} == told


# -- what is said about losses -----------------------------------------------------------------------------------------


@pytest.mark.promise("translation.losses")
def test_what_had_to_be_dropped_is_named_in_the_answer_and_in_the_audit(served: Served):
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key=served.token(), max_retries=0) as sdk:
        chat = sdk.chat.completions.with_raw_response
        answer = chat.create(model="on-anthropic-messages", messages=USER, seed=7, logit_bias={"1": 2})
    named = answer.headers["x-gatereeve-dropped"]
    assert sorted(name.strip() for name in named.split(",")) == ["logit_bias", "seed"]
    record = served.scripted.gateway.record(answer)
    assert sorted(record["dropped"]) == ["logit_bias", "seed"]
    assert answer.parse().choices[0].message.content == said(TEXT)


@pytest.mark.parametrize("target", ["anthropic-messages", "bedrock-converse", "gemini"])
@pytest.mark.promise("translation.losses")
def test_what_would_mean_something_else_is_refused_by_name_and_asks_nobody(served: Served, target: str):
    provider = served.cast[TARGETS[target].provider]
    before = len(provider.seen)
    sdk = openai.OpenAI(base_url=f"{served.url}/v1", api_key=served.token(), max_retries=0)
    with sdk, pytest.raises(openai.BadRequestError) as caught:
        sdk.chat.completions.create(model=f"on-{target}", messages=USER, n=2)
    assert caught.value.code == "untranslatable"
    assert len(provider.seen) == before
