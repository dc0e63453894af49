"""Unchanged SDKs behind one small interface, so that one test can be run with each of them.

A driver keeps the conversation in its SDK's own form, as a program that uses the SDK does, and knows nothing of who
serves it. What a feature is called in an API, each driver says for itself.
"""

import json
from abc import ABC, abstractmethod
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any, ClassVar

import anthropic
import httpx2
import openai

from tests.envoy.providers.plays import TOOL, Call

SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}, "land": {"type": "string"}},
                          "required": ["city", "land"], "additionalProperties": False}  # fmt: skip
PARAMETERS: dict[str, Any] = {"type": "object", "properties": {"key": {"type": "string"}, "n": {"type": "integer"}},
                              "required": ["key"]}  # fmt: skip
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
TOOL_TEXT = "Looks things up."


@dataclass
class Said:
    """One answer. `usage` is (input, cached input, output)."""

    text: str = ""
    thought: str = ""
    calls: list[Call] = field(default_factory=list)
    usage: tuple[int, int, int] = (0, 0, 0)
    model: str = ""


class Driver(ABC):
    """One conversation. `errors` says by which class of the SDK's a status is raised; `broken` which classes say that a
    stream broke off."""

    name = ""
    errors: ClassVar[dict[int, type[Exception]]]
    broken: ClassVar[tuple[type[Exception], ...]]

    def __init__(self, url: str, key: str, model: str) -> None:
        self.url, self.key, self.model = url, key, model
        self.history: list[Any] = []
        self.system = ""
        self.options: dict[str, Any] = {}

    @abstractmethod
    def user(self, text: str, image: bytes = b"") -> None:
        """Add what the user says."""

    @abstractmethod
    def results(self, texts: dict[str, str]) -> None:
        """Add tools' results by the calls' ids."""

    @abstractmethod
    def tools(self) -> None:
        """Offer the one tool from now on."""

    def schema(self) -> None:
        """Ask for structured output from now on."""
        raise NotImplementedError

    def think(self) -> None:
        """Ask to be shown the thinking from now on."""
        raise NotImplementedError

    @abstractmethod
    def go(self, *, stream: bool = False) -> Said:
        """Ask, and keep the answer in the history."""

    @abstractmethod
    def leave(self) -> None:
        """Ask for a stream, read its first event and go away."""

    @abstractmethod
    def close(self) -> None: ...

    def status(self, error: Exception) -> int:
        return int(getattr(error, "status_code", 0))

    def ask(self, text: str, *, stream: bool = False) -> Said:
        self.user(text)
        return self.go(stream=stream)


_ANTHROPIC = {400: anthropic.BadRequestError, 429: anthropic.RateLimitError, 500: anthropic.InternalServerError}
_OPENAI = {400: openai.BadRequestError, 429: openai.RateLimitError, 500: openai.InternalServerError}


class Chat(Driver):
    """The openai SDK's chat.completions."""

    name = "openai-chat"
    errors: ClassVar = _OPENAI
    broken = (openai.APIError, httpx2.HTTPError)

    def __init__(self, url: str, key: str, model: str) -> None:
        super().__init__(url, key, model)
        self.client = self._client()

    def _client(self) -> Any:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key=self.key, max_retries=0, timeout=15)

    def close(self) -> None:
        self.client.close()

    def user(self, text: str, image: bytes = b"") -> None:
        content: Any = text
        if image:
            url = f"data:image/png;base64,{b64encode(image).decode()}"
            content = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": url}}]
        self.history.append({"role": "user", "content": content})

    def results(self, texts: dict[str, str]) -> None:
        self.history += [{"role": "tool", "tool_call_id": call, "content": text} for call, text in texts.items()]

    def tools(self) -> None:
        function = {"name": TOOL, "description": TOOL_TEXT, "parameters": PARAMETERS}
        self.options["tools"] = [{"type": "function", "function": function}]

    def schema(self) -> None:
        wanted = {"name": "place", "schema": SCHEMA, "strict": True}
        self.options["response_format"] = {"type": "json_schema", "json_schema": wanted}

    def _body(self) -> dict[str, Any]:
        system = [{"role": "system", "content": self.system}] if self.system else []
        return {"model": self.model, "messages": [*system, *self.history], **self.options}

    def go(self, *, stream: bool = False) -> Said:
        if stream:
            with self.client.chat.completions.stream(**self._body(), stream_options={"include_usage": True}) as events:
                whole = events.until_done().get_final_completion()
        else:
            whole = self.client.chat.completions.create(**self._body())
        [choice] = whole.choices
        message = choice.message
        calls = message.tool_calls or []
        self.history.append(message.model_dump(exclude_none=True, include={"role", "content", "tool_calls"}))
        for call in self.history[-1].get("tool_calls", []):
            call["function"].pop("parsed_arguments", None)
            call.pop("index", None)
        assert choice.finish_reason == ("tool_calls" if calls else "stop")
        made = [Call(call.id, call.function.name, json.loads(call.function.arguments)) for call in calls]
        told = whole.usage
        usage = (told.prompt_tokens, told.prompt_tokens_details.cached_tokens, told.completion_tokens)
        return Said(message.content or "", getattr(message, "reasoning_content", "") or "", made, usage, whole.model)

    def leave(self) -> None:
        stream = self.client.chat.completions.create(**self._body(), stream=True)
        next(iter(stream))
        stream.close()


class AzureChat(Chat):
    """The openai SDK's client for Azure, which asks at deployments."""

    def _client(self) -> Any:
        return openai.AzureOpenAI(azure_endpoint=self.url, api_key=self.key, api_version="2024-10-21", max_retries=0)


class Responses(Driver):
    """The openai SDK's responses, without the server's memory."""

    name = "openai-responses"
    errors: ClassVar = _OPENAI
    broken = (openai.APIError, httpx2.HTTPError, RuntimeError)

    def __init__(self, url: str, key: str, model: str) -> None:
        super().__init__(url, key, model)
        self.client = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=15)

    def close(self) -> None:
        self.client.close()

    def user(self, text: str, image: bytes = b"") -> None:
        content: list[dict[str, Any]] = [{"type": "input_text", "text": text}]
        if image:
            url = f"data:image/png;base64,{b64encode(image).decode()}"
            content.append({"type": "input_image", "image_url": url, "detail": "auto"})
        self.history.append({"role": "user", "content": content})

    def results(self, texts: dict[str, str]) -> None:
        for call, text in texts.items():
            self.history.append({"type": "function_call_output", "call_id": call, "output": text})

    def tools(self) -> None:
        tool = {"type": "function", "name": TOOL, "description": TOOL_TEXT, "parameters": PARAMETERS, "strict": False}
        self.options["tools"] = [tool]

    def schema(self) -> None:
        wanted = {"type": "json_schema", "name": "place", "schema": SCHEMA, "strict": True}
        self.options["text"] = {"format": wanted}

    def think(self) -> None:
        self.options["include"] = ["reasoning.encrypted_content"]

    def _body(self) -> dict[str, Any]:
        system = {"instructions": self.system} if self.system else {}
        return {"model": self.model, "input": self.history, "store": False, **system, **self.options}

    def go(self, *, stream: bool = False) -> Said:
        if stream:
            with self.client.responses.stream(**self._body()) as events:
                told = "".join(event.delta for event in events if event.type == "response.output_text.delta")
                whole = events.get_final_response()
            assert told == whole.output_text
        else:
            whole = self.client.responses.create(**self._body())
        assert whole.status == "completed"
        said = Said(whole.output_text, model=whole.model)
        for item in whole.output:
            dumped = item.model_dump(exclude_none=True)
            for part in dumped.get("content") or []:
                part.pop("parsed", None)
            dumped.pop("parsed_arguments", None)
            self.history.append(dumped)
            if item.type == "function_call":
                said.calls.append(Call(item.call_id, item.name, json.loads(item.arguments)))
            elif item.type == "reasoning":
                said.thought += "".join(part.text for part in item.summary)
        usage = whole.usage
        said.usage = (usage.input_tokens, usage.input_tokens_details.cached_tokens, usage.output_tokens)
        return said

    def leave(self) -> None:
        stream = self.client.responses.create(**self._body(), stream=True)
        next(iter(stream))
        stream.close()


class Messages(Driver):
    """The anthropic SDK's messages."""

    name = "anthropic-messages"
    errors: ClassVar = {
        400: anthropic.BadRequestError,
        429: anthropic.RateLimitError,
        500: anthropic.InternalServerError,
    }
    broken = (anthropic.APIError, httpx2.HTTPError)

    def __init__(self, url: str, key: str, model: str) -> None:
        super().__init__(url, key, model)
        self.client = anthropic.Anthropic(base_url=url, api_key=key, max_retries=0, timeout=15)

    def close(self) -> None:
        self.client.close()

    def user(self, text: str, image: bytes = b"") -> None:
        content: Any = text
        if image:
            source = {"type": "base64", "media_type": "image/png", "data": b64encode(image).decode()}
            content = [{"type": "image", "source": source}, {"type": "text", "text": text}]
        self.history.append({"role": "user", "content": content})

    def results(self, texts: dict[str, str]) -> None:
        blocks = [{"type": "tool_result", "tool_use_id": call, "content": text} for call, text in texts.items()]
        self.history.append({"role": "user", "content": blocks})

    def tools(self) -> None:
        self.options["tools"] = [{"name": TOOL, "description": TOOL_TEXT, "input_schema": PARAMETERS}]

    def schema(self) -> None:
        self.options["output_config"] = {"format": {"type": "json_schema", "schema": SCHEMA}}

    def think(self) -> None:
        self.options["thinking"] = {"type": "enabled", "budget_tokens": 1024}

    def _body(self) -> dict[str, Any]:
        system = {"system": self.system} if self.system else {}
        return {"model": self.model, "max_tokens": 2000, "messages": self.history, **system, **self.options}

    def go(self, *, stream: bool = False) -> Said:
        if stream:
            with self.client.messages.stream(**self._body()) as events:
                whole: Any = events.get_final_message()
        else:
            whole = self.client.messages.create(**self._body())
        said = Said(model=whole.model)
        blocks = []
        for block in whole.content:
            blocks.append(block.model_dump(exclude_none=True, exclude={"parsed_output"}))
            if block.type == "text":
                said.text += block.text
            elif block.type == "thinking":
                said.thought += block.thinking
            elif block.type == "tool_use":
                said.calls.append(Call(block.id, block.name, block.input))
        assert whole.stop_reason == ("tool_use" if said.calls else "end_turn")
        self.history.append({"role": "assistant", "content": blocks})
        cached = whole.usage.cache_read_input_tokens or 0
        said.usage = (whole.usage.input_tokens + cached, cached, whole.usage.output_tokens)
        return said

    def leave(self) -> None:
        stream = self.client.messages.create(**self._body(), stream=True)
        next(iter(stream))
        stream.close()
