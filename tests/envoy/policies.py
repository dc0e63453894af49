"""Policy folders for gateways whose upstream is scripted. Documents are data; a test changes what it is about."""

import json
from pathlib import Path
from typing import Any

import yaml

from tests.envoy.issuer import AUDIENCE, Issuer

API = "gatereeve.dev/v1alpha1"
UPSTREAM_KEY = "sk-canary-upstream-0123456789"
MCP_KEY = "mcp-canary-upstream-0123456789"


def document(kind: str, name: str, /, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": spec}


class Folder:
    """Documents by (kind, name), written as one YAML file each. Every write replaces the file whole, as editors do."""

    def __init__(self, path: Path, issuer: Issuer, port: int, *, keys: dict[str, Any] | None = None) -> None:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = path
        (path / "secrets").mkdir(mode=0o700, exist_ok=True)
        self.secret = path / "secrets" / "llm-key"
        self.secret.write_text(UPSTREAM_KEY + "\n")
        url = f"http://127.0.0.1:{port}"
        dialects = ["openai-chat", "openai-responses", "anthropic-messages"]
        tools = {"server": "tools", "tools": {"allow": ["read_*", "find_customer"]}}
        for entry in (
            document("IdentityProvider", "tests", issuer=issuer.issuer, audiences=[AUDIENCE],
                     keys=keys or {"inline": issuer.jwks()}),
            document("LLMProvider", "scripted", dialects=dialects, url=url,
                     credential={"from": {"file": "secrets/llm-key"}, "header": "authorization",
                                 "format": "Bearer {}"}),
            document("Model", "large", aliases=["gpt-4"],
                     targets=[{"provider": "scripted", "model": "upstream-large"}]),
            document("Model", "small", targets=[{"provider": "scripted"}]),
            document("MCPServer", "tools", url=f"{url}/mcp", hosts=["tools.test"],
                     credential={"from": {"value": MCP_KEY}}),
            document("MaskProfile", "all", rules=["*"]),
            document("AgentPolicy", "engineering", subjects=[{"groups": ["engineering"]}],
                     models={"allow": ["large", "small"]}, mcp=[tools], masking="all"),
            document("AgentPolicy", "plain", subjects=[{"groups": ["plain"]}], models={"allow": ["*"]}, mcp=[tools]),
        ):  # fmt: skip
            self.write(entry)

    def write(self, entry: dict[str, Any]) -> None:
        name = f"{entry['kind']}-{entry['metadata']['name']}.yaml".lower()
        self.text(name, yaml.safe_dump(entry, sort_keys=False))

    def text(self, name: str, text: str) -> None:
        new = self.path / f".{name}.new"
        new.write_text(text, encoding="utf-8")
        new.replace(self.path / name)

    def remove(self, kind: str, name: str) -> None:
        (self.path / f"{kind}-{name}.yaml".lower()).unlink()


def chat(text: str = "hello", /, model: str = "small", **more: Any) -> dict[str, Any]:
    """A Chat Completions request."""
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


def completion(text: str, /, model: str = "small") -> bytes:
    """A whole Chat Completions answer."""
    message = {"role": "assistant", "content": text, "refusal": None}
    return json.dumps(
        {
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
        }
    ).encode()  # fmt: skip


def chunk(text: str | None, finish: str | None = None) -> bytes:
    """One event of a streamed Chat Completions answer."""
    delta = {} if text is None else {"content": text}
    data = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "small",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}  # fmt: skip
    return b"data: " + json.dumps(data).encode() + b"\n\n"


DONE = chunk(None, "stop") + b"data: [DONE]\n\n"


def said(stream: bytes) -> str:
    """The text that a streamed Chat Completions answer says."""
    out = []
    for line in stream.splitlines():
        if line.startswith(b"data: {"):
            for choice in json.loads(line[6:]).get("choices", []):
                out.append(choice["delta"].get("content") or "")
    return "".join(out)
