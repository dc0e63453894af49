"""The SDKs of clouds as drivers: boto3's bedrock-runtime and google-genai."""

import json
import os
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import boto3
import google.auth.credentials
import httpx2
import urllib3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EventStreamError
from google import genai
from google.genai import errors as google_errors
from google.genai import types

from tests.envoy.providers import aws
from tests.envoy.providers.drivers import PARAMETERS, SCHEMA, TOOL_TEXT, Driver, Messages, Said
from tests.envoy.providers.plays import TOOL, Call


def bedrock(url: str, key: str = "", trust: Path | None = None) -> Any:
    """`key` is a bearer key, which boto3 sends over TLS only; "" signs with the static keys of the fake."""
    scheme = {"auth_scheme_preference": "httpBearerAuth"} if key else {}
    config = Config(retries={"total_max_attempts": 1}, proxies={}, read_timeout=15, **scheme)
    options = {"endpoint_url": url, "config": config, "verify": str(trust) if trust else None}
    if key:
        with mock.patch.dict(os.environ, AWS_BEARER_TOKEN_BEDROCK=key):
            return boto3.Session(region_name=aws.REGION).client("bedrock-runtime", **options)
    session = boto3.Session(aws.ACCESS_KEY, aws.SECRET_KEY, aws.SESSION_TOKEN, aws.REGION)
    return session.client("bedrock-runtime", **options)


class Converse(Driver):
    """boto3's converse and converse_stream."""

    name = "bedrock-converse"
    errors: ClassVar = dict.fromkeys((400, 429, 500), ClientError)
    broken = (EventStreamError, ClientError, BotoCoreError, urllib3.exceptions.HTTPError)

    def __init__(self, url: str, key: str, model: str, client: Any = None) -> None:
        super().__init__(url, key, model)
        self.client = client or bedrock(url, key)
        self._own = client is None

    def close(self) -> None:
        if self._own:
            self.client.close()

    def status(self, error: Exception) -> int:
        assert isinstance(error, ClientError)
        return int(error.response["ResponseMetadata"]["HTTPStatusCode"])

    def user(self, text: str, image: bytes = b"") -> None:
        content: list[dict[str, Any]] = [{"text": text}]
        if image:
            content.append({"image": {"format": "png", "source": {"bytes": image}}})
        self.history.append({"role": "user", "content": content})

    def results(self, texts: dict[str, str]) -> None:
        blocks = [{"toolResult": {"toolUseId": call, "content": [{"text": text}]}} for call, text in texts.items()]
        self.history.append({"role": "user", "content": blocks})

    def tools(self) -> None:
        spec = {"name": TOOL, "description": TOOL_TEXT, "inputSchema": {"json": PARAMETERS}}
        self.options["toolConfig"] = {"tools": [{"toolSpec": spec}]}

    def schema(self) -> None:
        wanted = {"name": "place", "schema": json.dumps(SCHEMA)}
        self.options["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": wanted}}}

    def think(self) -> None:
        fields = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
        self.options["additionalModelRequestFields"] = fields

    def _body(self) -> dict[str, Any]:
        system = {"system": [{"text": self.system}]} if self.system else {}
        return {"modelId": self.model, "messages": self.history, **system, **self.options}

    def go(self, *, stream: bool = False) -> Said:
        if stream:
            content, stop, usage = _joined(self.client.converse_stream(**self._body())["stream"])
        else:
            whole = self.client.converse(**self._body())
            content, stop, usage = whole["output"]["message"]["content"], whole["stopReason"], whole["usage"]
        said = Said()
        for block in content:
            said.text += block.get("text", "")
            if "reasoningContent" in block:
                said.thought += block["reasoningContent"]["reasoningText"]["text"]
            if "toolUse" in block:
                use = block["toolUse"]
                said.calls.append(Call(use["toolUseId"], use["name"], use["input"]))
        assert stop == ("tool_use" if said.calls else "end_turn")
        self.history.append({"role": "assistant", "content": content})
        cached = usage["cacheReadInputTokens"]
        said.usage = (usage["inputTokens"] + cached, cached, usage["outputTokens"])
        return said

    def leave(self) -> None:
        with closing(self.client.converse_stream(**self._body())["stream"]) as stream:
            next(iter(stream))


def _joined(events: Any) -> tuple[list[dict[str, Any]], str, dict[str, Any]]:
    """A stream's content, stop reason and usage."""
    blocks: dict[int, dict[str, Any]] = {}
    stop, usage = "", {}
    for event in events:
        if "contentBlockStart" in event:
            begun = event["contentBlockStart"]
            blocks[begun["contentBlockIndex"]] = {"toolUse": {**begun["start"]["toolUse"], "input": ""}}
        elif "contentBlockDelta" in event:
            delta, place = event["contentBlockDelta"]["delta"], event["contentBlockDelta"]["contentBlockIndex"]
            if "text" in delta:
                block = blocks.setdefault(place, {"text": ""})
                block["text"] += delta["text"]
            elif "toolUse" in delta:
                blocks[place]["toolUse"]["input"] += delta["toolUse"]["input"]
            else:
                reasoning = blocks.setdefault(place, {"reasoningContent": {"reasoningText": {"text": ""}}})
                inner = reasoning["reasoningContent"]["reasoningText"]
                inner["text"] += delta["reasoningContent"].get("text", "")
                if "signature" in delta["reasoningContent"]:
                    inner["signature"] = delta["reasoningContent"]["signature"]
        elif "messageStop" in event:
            stop = event["messageStop"]["stopReason"]
        elif "metadata" in event:
            usage = event["metadata"]["usage"]
    content = [blocks[place] for place in sorted(blocks)]
    for block in content:
        if "toolUse" in block:
            block["toolUse"]["input"] = json.loads(block["toolUse"]["input"] or "{}")
    return content, stop, usage


class Invoke(Messages):
    """boto3's invoke_model with Claude's bodies: Anthropic's history, AWS's transport."""

    name = "bedrock-invoke"
    errors: ClassVar = dict.fromkeys((400, 429, 500), ClientError)
    broken = (EventStreamError, ClientError, BotoCoreError, urllib3.exceptions.HTTPError)

    def __init__(self, url: str, key: str, model: str, client: Any = None) -> None:
        super().__init__(url, key, model)
        self.bedrock = client or bedrock(url, key)
        self._own = client is None

    def close(self) -> None:
        super().close()
        if self._own:
            self.bedrock.close()

    def status(self, error: Exception) -> int:
        assert isinstance(error, ClientError)
        return int(error.response["ResponseMetadata"]["HTTPStatusCode"])

    def _asked(self) -> dict[str, Any]:
        body = {**self._body(), "anthropic_version": "bedrock-2023-05-31"}
        return {"modelId": body.pop("model"), "body": json.dumps(body)}

    def go(self, *, stream: bool = False) -> Said:
        if stream:
            events = self.bedrock.invoke_model_with_response_stream(**self._asked())["body"]
            whole = _message([json.loads(event["chunk"]["bytes"]) for event in events])
        else:
            whole = json.loads(self.bedrock.invoke_model(**self._asked())["body"].read())
        said = Said(model=whole["model"])
        for block in whole["content"]:
            if block["type"] == "text":
                said.text += block["text"]
            elif block["type"] == "thinking":
                said.thought += block["thinking"]
            else:
                said.calls.append(Call(block["id"], block["name"], block["input"]))
        self.history.append({"role": "assistant", "content": whole["content"]})
        cached = whole["usage"]["cache_read_input_tokens"]
        said.usage = (whole["usage"]["input_tokens"] + cached, cached, whole["usage"]["output_tokens"])
        return said

    def leave(self) -> None:
        with closing(self.bedrock.invoke_model_with_response_stream(**self._asked())["body"]) as stream:
            next(iter(stream))


def _message(events: list[dict[str, Any]]) -> dict[str, Any]:
    """A message out of its stream's events."""
    assert events[-1]["type"] == "message_stop"
    content: list[dict[str, Any]] = []
    inputs: list[str] = []
    usage: dict[str, Any] = {}
    for event in events:
        if event["type"] == "content_block_start":
            content.append(event["content_block"])
            inputs.append("")
        elif event["type"] == "content_block_delta":
            for name in ("text", "thinking", "signature"):
                if name in event["delta"]:
                    content[event["index"]][name] += event["delta"][name]
            inputs[event["index"]] += event["delta"].get("partial_json", "")
        elif event["type"] == "message_delta":
            usage = event["usage"]
    for block, text in zip(content, inputs, strict=True):
        if block["type"] == "tool_use":
            block["input"] = json.loads(text or "{}")
    return {**events[0]["message"], "content": content, "usage": usage}


class Google(Driver):
    """google-genai with an API key, on the Gemini API."""

    name = "gemini"
    errors: ClassVar = {400: google_errors.ClientError, 429: google_errors.ClientError, 500: google_errors.ServerError}
    broken = (google_errors.APIError, httpx2.HTTPError)

    def __init__(self, url: str, key: str, model: str) -> None:
        super().__init__(url, key, model)
        self.client = self._client()

    def _client(self) -> genai.Client:
        return genai.Client(api_key=self.key, http_options=types.HttpOptions(base_url=self.url, timeout=15_000))

    def close(self) -> None:
        self.client.close()

    def status(self, error: Exception) -> int:
        assert isinstance(error, google_errors.APIError)
        return int(error.code)

    def user(self, text: str, image: bytes = b"") -> None:
        parts = [types.Part(text=text)]
        if image:
            parts.append(types.Part.from_bytes(data=image, mime_type="image/png"))
        self.history.append(types.Content(role="user", parts=parts))

    def results(self, texts: dict[str, str]) -> None:
        parts = [
            types.Part(function_response=types.FunctionResponse(id=call, name=TOOL, response={"output": text}))
            for call, text in texts.items()
        ]
        self.history.append(types.Content(role="user", parts=parts))

    def tools(self) -> None:
        made = types.FunctionDeclaration(name=TOOL, description=TOOL_TEXT, parameters_json_schema=PARAMETERS)
        self.options["tools"] = [types.Tool(function_declarations=[made])]

    def schema(self) -> None:
        self.options |= {"response_mime_type": "application/json", "response_json_schema": SCHEMA}

    def think(self) -> None:
        self.options["thinking_config"] = types.ThinkingConfig(include_thoughts=True)

    def _body(self) -> dict[str, Any]:
        never = types.AutomaticFunctionCallingConfig(disable=True)
        system = self.system or None
        config = types.GenerateContentConfig(
            system_instruction=system, automatic_function_calling=never, **self.options
        )
        return {"model": self.model, "contents": self.history, "config": config}

    def go(self, *, stream: bool = False) -> Said:
        models = self.client.models
        chunks = (
            list(models.generate_content_stream(**self._body()))
            if stream
            else [models.generate_content(**self._body())]
        )
        parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts or []]
        assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
        said = Said(model=chunks[-1].model_version or "")
        for part in parts:
            if part.function_call:
                said.calls.append(
                    Call(part.function_call.id or "", part.function_call.name or "", part.function_call.args or {})
                )
            elif part.thought:
                said.thought += part.text
            else:
                said.text += part.text
        self.history.append(types.Content(role="model", parts=[part for part in parts if not part.thought]))
        usage = chunks[-1].usage_metadata
        output = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
        said.usage = (usage.prompt_token_count, usage.cached_content_token_count, output)
        return said

    def leave(self) -> None:
        stream = self.client.models.generate_content_stream(**self._body())
        next(stream)
        stream.close()


class _Known(google.auth.credentials.Credentials):
    """Credentials that have their token already."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self.token = token

    def refresh(self, request: Any) -> None:
        raise AssertionError("a token that needs no refreshing")


class Vertex(Google):
    """google-genai on Vertex AI."""

    name = "vertex-gemini"

    def _client(self) -> genai.Client:
        return genai.Client(
            vertexai=True,
            project="p-1",
            location="europe-west1",
            credentials=_Known(self.key),
            http_options=types.HttpOptions(base_url=self.url, api_version="v1", timeout=15_000),
        )
