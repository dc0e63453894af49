"""What is measured on: a policy folder of N documents, a token for it, and one exchange as Envoy sends it.

Everything is realistic in size: the headers are those the OpenAI SDK sends, the request and the answer are about 1 KB,
the answer holds a card number and an e-mail address, and every shipped masking rule is on.
"""

import base64
import json
import time
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import get_default_algorithms

from extproc.pb import ext_proc_pb2 as pb

ISSUER = "https://id.bench.example"
SENTENCE = "The committee met on Tuesday to discuss the budget and agreed that the library should open in spring. "
SECRETS = "Write to jane.doe@example.com about the card 4111 1111 1111 1111. "

_HEAD = "---\napiVersion: gatereeve.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n"
_OWN = (
    ("IdentityProvider", "bench", "  issuer: {issuer}\n  audiences: [gatereeve]\n  keys: {{inline: {keys}}}\n"
                                  "  algorithms: [ES256]\n"),
    ("LLMProvider", "bench", "  dialects: [openai-chat, openai-responses, anthropic-messages]\n  url: {upstream}\n"
                             "  credential:\n    from: {{value: upstream-secret}}\n"),
    ("Model", "gpt-4", "  targets: [{{provider: bench, model: demo-large}}]\n"),
    ("MCPServer", "bench", "  url: {upstream}/mcp\n"),
    ("MaskProfile", "everything", "  rules: ['*']\n"),
    ("AgentPolicy", "engineering", "  subjects: [{{groups: [engineering]}}]\n  models: {{allow: [gpt-4]}}\n"
                                   "  mcp:\n  - server: bench\n    tools: {{allow: ['*']}}\n  masking: everything\n"),
)  # fmt: skip


@dataclass(frozen=True)
class Caller:
    """A key pair and a token that was signed with it."""

    keys: str
    token: str

    @classmethod
    def make(cls) -> "Caller":
        key = ec.generate_private_key(ec.SECP256R1())
        public = key.public_key().public_numbers()
        jwk = {"kty": "EC", "crv": "P-256", "kid": "bench", "alg": "ES256"}
        jwk |= {"x": _b64(public.x.to_bytes(32)), "y": _b64(public.y.to_bytes(32))}
        claims = {"iss": ISSUER, "aud": "gatereeve", "sub": "user-1", "exp": int(time.time()) + 7200,
                  "groups": ["engineering", "everyone"], "email": "user-1@bench.example"}  # fmt: skip
        signed = _b64(json.dumps({"alg": "ES256", "kid": "bench", "typ": "JWT"}).encode())
        signed += "." + _b64(json.dumps(claims).encode())
        signature = get_default_algorithms()["ES256"].sign(signed.encode(), key)
        return cls(json.dumps({"keys": [jwk]}), f"{signed}.{_b64(signature)}")


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def write_policy(folder: Path, count: int, caller: Caller, upstream: str = "http://127.0.0.1:9") -> Path:
    """A folder with `count` policy documents, most of them about other people and other models."""
    folder.mkdir(parents=True)
    parts = [
        _HEAD.format(kind=kind, name=name) + spec.format(issuer=ISSUER, keys=caller.keys, upstream=upstream)
        for kind, name, spec in _OWN
    ]
    for number in range(count - len(parts)):
        if number % 3 == 2:
            parts.append(_HEAD.format(kind="Model", name=f"model-{number}") + "  targets: [{provider: bench}]\n")
        else:
            parts.append(
                _HEAD.format(kind="AgentPolicy", name=f"team-{number}")
                + f"  subjects: [{{groups: [team-{number}, guild-{number // 7}]}}]\n"
                + "  models: {allow: ['gpt-*', gpt-4]}\n  masking: everything\n"
            )
    (folder / "policy.yaml").write_text("".join(parts), encoding="utf-8")
    return folder


def chat_request(size: int = 1024, *, stream: bool = False) -> bytes:
    """A chat completion request of about `size` bytes."""
    doc = {"model": "gpt-4", "temperature": 0.2, "max_tokens": 500, "stream": stream,
           "messages": [{"role": "system", "content": "You are a careful assistant."},
                        {"role": "user", "content": ""}]}  # fmt: skip
    doc["messages"][1]["content"] = _text(size - len(json.dumps(doc)))
    return json.dumps(doc).encode()


def chat_answer(size: int = 1024, secrets: str = SECRETS) -> bytes:
    """A chat completion of about `size` bytes, with an e-mail address and a card number in it unless told otherwise."""
    doc = {"id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT", "object": "chat.completion", "created": 1741569952,
           "model": "demo-large-2026-01-01",
           "choices": [{"index": 0, "message": {"role": "assistant", "content": "", "refusal": None},
                        "logprobs": None, "finish_reason": "stop"}],
           "usage": {"prompt_tokens": 190, "completion_tokens": 100, "total_tokens": 290,
                     "prompt_tokens_details": {"cached_tokens": 0}}}  # fmt: skip
    doc["choices"][0]["message"]["content"] = secrets + _text(size - len(json.dumps(doc)) - len(secrets))
    return json.dumps(doc).encode()


def chat_event(text: str) -> bytes:
    doc = {"id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT", "object": "chat.completion.chunk", "created": 1741569952,
           "model": "demo-large-2026-01-01", "system_fingerprint": "fp_44709d6fcb",
           "choices": [{"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": None}]}  # fmt: skip
    return b"data: " + json.dumps(doc, separators=(",", ":")).encode() + b"\n\n"


def chat_events(count: int) -> list[bytes]:
    """`count` events of one word each, prose with a secret now and then."""
    words = (SENTENCE * 3 + SECRETS).split(" ")
    return [chat_event(f"{words[number % len(words)]} ") for number in range(count)]


def tools_request() -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}).encode()


def tools_answer(count: int) -> bytes:
    schema = {"type": "object", "properties": {"id": {"type": "string", "description": "Which one to read."}}}
    tools = [
        {"name": f"tool_{n}", "description": f"Reads the note number {n} and says who wrote it.", "inputSchema": schema}
        for n in range(count)
    ]
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}).encode()


def _text(size: int) -> str:
    return (SENTENCE * (max(size, 0) // len(SENTENCE) + 1))[: max(size, 0)]


# -- as Envoy sends it -------------------------------------------------------------------------------------------------

_FILTER = "envoy.filters.http.ext_proc"


def request_headers(token: str, path: str = "/v1/chat/completions", length: int = 1024) -> pb.ProcessingRequest:
    message = pb.ProcessingRequest()
    _headers(message.request_headers, {
        ":authority": "gateway.example", ":path": path, ":method": "POST", ":scheme": "http",
        "accept": "application/json, text/event-stream", "content-type": "application/json",
        "user-agent": "OpenAI/Python 3.52.0", "x-stainless-lang": "python", "x-stainless-package-version": "3.52.0",
        "x-stainless-os": "Linux", "x-stainless-arch": "x64", "x-stainless-runtime": "CPython",
        "x-stainless-runtime-version": "3.12.1", "x-stainless-async": "false", "x-stainless-retry-count": "0",
        "x-stainless-read-timeout": "600", "authorization": f"Bearer {token}", "accept-encoding": "gzip, deflate",
        "content-length": str(length), "x-forwarded-proto": "http",
        "x-request-id": "0f3a9c0f-3a9c-4f3a-9c0f-3a9c0f3a9c0f",
    })  # fmt: skip
    fields = message.attributes[_FILTER].fields
    fields["source.address"].string_value = "10.1.2.3:45678"
    fields["request.id"].string_value = "0f3a9c0f-3a9c-4f3a-9c0f-3a9c0f3a9c0f"
    return message


def response_headers(kind: str = "application/json", length: int | None = 1024) -> pb.ProcessingRequest:
    message = pb.ProcessingRequest()
    headers = {":status": "200", "content-type": kind, "date": "Sat, 21 Nov 2026 10:00:00 GMT",
               "server": "demo", "x-request-id": "req_8f1c", "openai-processing-ms": "120",
               "x-ratelimit-remaining-requests": "99"}  # fmt: skip
    if length is not None:
        headers["content-length"] = str(length)
    _headers(message.response_headers, headers)
    message.attributes[_FILTER].fields["response.code_details"].string_value = "via_upstream"
    return message


def body(kind: str, data: bytes, end: bool) -> pb.ProcessingRequest:
    """`kind`: request_body or response_body."""
    message = pb.ProcessingRequest()
    part = getattr(message, kind)
    part.body = data
    part.end_of_stream = end
    return message


def chat_exchange(token: str, size: int = 1024, secrets: str = SECRETS) -> list[pb.ProcessingRequest]:
    """The four messages of a chat call whose answer is one JSON document."""
    sent, answer = chat_request(size), chat_answer(size, secrets)
    return [
        request_headers(token, length=len(sent)),
        body("request_body", sent, True),
        response_headers(length=len(answer)),
        body("response_body", answer, True),
    ]


def stream_exchange(token: str, events: int) -> list[pb.ProcessingRequest]:
    """A streamed chat call: one message per event, and the empty one that ends it."""
    sent = chat_request(stream=True)
    return [
        request_headers(token, length=len(sent)),
        body("request_body", sent, True),
        response_headers("text/event-stream", None),
        *(body("response_body", event, False) for event in chat_events(events)),
        body("response_body", b"data: [DONE]\n\n", False),
        body("response_body", b"", True),
    ]


def tools_exchange(token: str, count: int) -> list[pb.ProcessingRequest]:
    """A tools/list call whose answer has `count` tools."""
    sent, answer = tools_request(), tools_answer(count)
    return [
        request_headers(token, "/mcp/bench", len(sent)),
        body("request_body", sent, True),
        response_headers(length=len(answer)),
        body("response_body", answer, True),
    ]


def _headers(part: pb.HttpHeaders, headers: dict[str, str]) -> None:
    for name, value in headers.items():
        header = part.headers.headers.add()
        header.key = name
        header.raw_value = value.encode("latin-1")
