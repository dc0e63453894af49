"""An unchanged boto3 client against a local HTTP server that runs our dialects over a canned upstream."""

import importlib.util
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

from extproc.exchange import bedrock_converse, bedrock_invoke, bedrock_path, eventstream, json_body
from extproc.exchange.model import Place
from extproc.exchange.refusal import Reason, Refusal

GOLDEN = Path(__file__).parents[2] / "golden"
MODEL = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-x-v1:0"
OPERATIONS = {
    "converse": (bedrock_converse.DIALECT, False),
    "converse-stream": (bedrock_converse.DIALECT, True),
    "invoke": (bedrock_invoke.DIALECT, False),
    "invoke-with-response-stream": (bedrock_invoke.DIALECT, True),
}
_spec = importlib.util.spec_from_file_location("bedrock_sdk_frames", GOLDEN / "frames.py")
frames = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(frames)


class Gateway:
    """What a session does with our dialects, without policy: reads, answers from a golden case, masks."""

    def __init__(self, mask):
        self.mask = mask
        self.case = ""
        self.refusal = None
        self.break_after = None
        self.calls = []
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                gateway.answer(self, body)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def answer(self, handler, body):
        model, operation = bedrock_path.decode(handler.path)
        dialect, stream = OPERATIONS[operation]
        call = dialect.read("chat", json_body.decode(body), Place(model, stream))
        assert dialect.path(call, model) == handler.path  # boto3 encodes as we do
        self.calls.append(call)
        if self.refusal is not None and self.break_after is None:
            rendered = dialect.refusal(self.refusal)
            return self.send(handler, rendered.status, rendered.headers, rendered.body)
        case = GOLDEN / dialect.name / self.case
        answer = dialect.answer(call, self.mask())
        if not stream:
            out = answer.document((case / "answer.json").read_bytes())
            return self.send(handler, 200, [("content-type", "application/json")], out)
        raw = frames.write((case / "answer.jsonl").read_text(), chunks=dialect is bedrock_invoke.DIALECT)
        if self.break_after is not None:
            out = answer.feed(raw[: self.break_after]) + dialect.error_event(self.refusal)
        else:
            out = b"".join(answer.feed(raw[i : i + 50]) for i in range(0, len(raw), 50)) + answer.finish()
        return self.send(handler, 200, [("content-type", eventstream.CONTENT_TYPE)], out)

    def send(self, handler, status, headers, body):
        handler.send_response(status)
        for name, value in (*headers, ("content-length", str(len(body)))):
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)


@pytest.fixture
def gateway(transcript):
    gateway = Gateway(transcript.FakeFilter)
    yield gateway
    gateway.close()


@pytest.fixture
def client(gateway):
    client = boto3.client(
        "bedrock-runtime",
        region_name="eu-west-1",
        endpoint_url=f"http://127.0.0.1:{gateway.server.server_port}",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
    )
    yield client
    client.close()


MESSAGES = [{"role": "user", "content": [{"text": "hi"}]}]
CLAUDE = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": []})


def test_converse(gateway, client):
    gateway.case = "document"
    tools = {"tools": [{"toolSpec": {"name": "run", "inputSchema": {"json": {"type": "object"}}}}]}
    answer = client.converse(
        modelId=MODEL, messages=MESSAGES, toolConfig=tools, inferenceConfig={"maxTokens": 7}, system=[{"text": "s"}]
    )
    content = answer["output"]["message"]["content"]
    assert content[2]["text"] == "The key is [masked]."
    assert content[3]["toolUse"]["input"] == {"id": "[masked]", "[masked]": ["[card]"]}
    assert (answer["stopReason"], answer["usage"]["cacheReadInputTokens"]) == ("tool_use", 3)
    (call,) = gateway.calls
    assert (call.model, call.tools, call.max_tokens, call.stream) == (MODEL, ("run",), 7, False)


def test_converse_stream(gateway, client):
    gateway.case = "tools-reasoning-and-citations"
    texts, arguments, names, reasoning = "", "", [], ""
    for event in client.converse_stream(modelId=MODEL, messages=MESSAGES)["stream"]:
        delta = event.get("contentBlockDelta", {}).get("delta", {})
        texts += delta.get("text", "")
        arguments += delta.get("toolUse", {}).get("input", "")
        reasoning += delta.get("reasoningContent", {}).get("text", "")
        started = event.get("contentBlockStart", {}).get("start", {}).get("toolUse")
        names += [started["name"]] if started else []
        if "metadata" in event:
            assert event["metadata"]["usage"]["outputTokens"] == 5
    assert (texts, reasoning, names) == ("as said SECRET", "hm [masked] SEC", ["run [masked]"])
    assert json.loads(arguments) == {"id": "[masked]", "[masked]": ["[card]"]}
    assert gateway.calls[0].stream


def test_invoke_model(gateway, client):
    gateway.case = "document"
    answer = json.loads(client.invoke_model(modelId=MODEL, body=CLAUDE)["body"].read())
    assert [block.get("text", block.get("input")) for block in answer["content"]] == ["[masked]", {"id": "[masked]"}]
    assert (gateway.calls[0].model, gateway.calls[0].max_tokens) == (MODEL, 9)


def test_invoke_model_with_response_stream(gateway, client):
    gateway.case = "thinking-and-tool-use"
    stream = client.invoke_model_with_response_stream(modelId=MODEL, body=CLAUDE)["body"]
    docs = [json.loads(event["chunk"]["bytes"]) for event in stream]
    deltas = [doc["delta"] for doc in docs if doc["type"] == "content_block_delta"]
    assert "".join(delta.get("thinking", "") for delta in deltas) == "hm [masked] hm"
    assert json.loads("".join(delta.get("partial_json", "") for delta in deltas)) == {
        "id": "[masked]",
        "[masked]": ["[card]"],
    }
    assert docs[-1]["amazon-bedrock-invocationMetrics"]["inputTokenCount"] == 10


def test_boto3_sends_a_token_of_ours_as_a_bedrock_api_key(monkeypatch):
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "eyJ.our.token")
    seen = []

    def answer(request, **_):
        seen.append(request)
        return AWSResponse(request.url, 403, {}, _Body())

    client = boto3.client(
        "bedrock-runtime",
        region_name="eu-west-1",
        endpoint_url="https://gateway.test",
        config=Config(retries={"total_max_attempts": 1}),
    )
    client.meta.events.register("before-send", answer)
    with pytest.raises(ClientError):
        client.converse(modelId="m", messages=MESSAGES)
    (request,) = seen
    token = request.headers["Authorization"]
    assert (token.decode() if isinstance(token, bytes) else token) == "Bearer eyJ.our.token"
    assert request.url == "https://gateway.test/model/m/converse"


class _Body:
    def stream(self):
        return iter([b'{"message":"no"}'])


def test_models_have_the_shape_that_boto3_knows():
    summaries = json.loads(bedrock_converse.DIALECT.models(("a", "b")))
    assert [summary["modelId"] for summary in summaries["modelSummaries"]] == ["a", "b"]
    details = json.loads(bedrock_invoke.DIALECT.model("a"))["modelDetails"]
    shape = boto3.client("bedrock", region_name="eu-west-1").meta.service_model
    known = shape.shape_for("FoundationModelDetails")
    assert details.keys() <= known.members.keys()
    assert details.keys() >= set(known.required_members)


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        (Reason.TOKEN_EXPIRED, "UnrecognizedClientException"),
        (Reason.MODEL_NOT_ALLOWED, "AccessDeniedException"),
        (Reason.MODEL_UNKNOWN, "ResourceNotFoundException"),
        (Reason.UNTRANSLATABLE, "ValidationException"),
        (Reason.NOT_READY, "ServiceUnavailableException"),
    ],
)
def test_a_refusal_is_the_error_that_boto3_raises(gateway, client, reason, error):
    gateway.refusal = Refusal.of(reason, "ex-1")
    for call in (
        lambda: client.converse(modelId="m", messages=MESSAGES),
        lambda: client.converse_stream(modelId="m", messages=MESSAGES),
        lambda: client.invoke_model(modelId="m", body=CLAUDE),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert caught.value.response["Error"] == {"Message": gateway.refusal.text, "Code": error}
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == gateway.refusal.status
        assert caught.value.response["ResponseMetadata"]["RequestId"] == "ex-1"


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        (Reason.ANSWER_UNREADABLE, "modelStreamErrorException"),
        (Reason.DRAINING, "serviceUnavailableException"),
        (Reason.INTERNAL_ERROR, "internalServerException"),
        (Reason.TOOL_NOT_ALLOWED, "validationException"),
    ],
)
def test_a_stream_that_is_refused_in_the_middle_raises(gateway, client, reason, error):
    gateway.refusal, gateway.break_after = Refusal.of(reason, "ex-1"), 400
    for case, start in [
        (
            "text-secret-across-deltas",
            lambda: client.converse_stream(modelId="m", messages=MESSAGES)["stream"],
        ),
        (
            "thinking-and-tool-use",
            lambda: client.invoke_model_with_response_stream(modelId="m", body=CLAUDE)["body"],
        ),
    ]:
        gateway.case = case
        with pytest.raises(EventStreamError) as caught:
            list(start())
        assert (caught.value.response["Error"]["Code"], gateway.refusal.text in str(caught.value)) == (error, True)
