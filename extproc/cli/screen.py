"""What a person sees after `gatereeve up`: what listens where, and three calls that work."""

import json
import os
import shutil
import sys
import urllib.request
from pathlib import Path

import click

from extproc import __version__
from extproc.policy.runtime import Policy
from extproc.supervisor.demo import DemoProcess
from extproc.supervisor.gateway import GatewaySettings

_CARD = "My card is 4111 1111 1111 1111, my mail ada@example.com"
_MODERN = "2026-07-28"


def show(settings: GatewaySettings, policy: Policy, demo: DemoProcess | None) -> None:
    """Print it. With a demo, a fresh token stands in the calls."""
    base = f"http://{_host(settings.address)}:{settings.port}"
    lines = [
        "",
        f"Gatereeve {__version__} is up. Policy {policy.version} from {settings.policy} (saved changes take effect).",
        "",
        f"  OpenAI base URL      {base}/v1",
        f"  Anthropic base URL   {base}",
        *(f"  MCP                  {base}/mcp/{name}" for name in sorted(policy.servers)),
        f"  Admin                http://{_host(settings.admin_address)}:{settings.admin_port}/readyz and /metrics",
    ]
    if demo is not None:
        lines += _demo(base, demo)
    lines += ["", "Decisions as they are made (Ctrl-C ends everything):", ""]
    click.echo("\n".join(lines))


def _demo(base: str, demo: DemoProcess) -> list[str]:
    token = _token(demo)
    auth = f"-H 'Authorization: Bearer {token}'"
    send = f"curl -s {auth} -H 'Content-Type: application/json'"
    chat = {"model": "gpt-4", "messages": [{"role": "user", "content": "Say hello"}]}
    streamed = {"model": "gpt-4", "stream": True, "messages": [{"role": "user", "content": _CARD}]}
    meta = {
        "io.modelcontextprotocol/protocolVersion": _MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "find_customer", "arguments": {"name": "Ada"}, "_meta": meta},
    }
    mcp = (
        f"-H 'Accept: application/json, text/event-stream' -H 'MCP-Protocol-Version: {_MODERN}' "
        "-H 'Mcp-Method: tools/call' -H 'Mcp-Name: find_customer'"
    )
    return [
        f"  What arrived         http://127.0.0.1:{demo.llm}/seen and http://127.0.0.1:{demo.mcp}/seen",
        "",
        "An LLM call (the upstream sees another model and another key):",
        "",
        f"{send} {base}/v1/chat/completions -d '{json.dumps(chat)}'",
        "",
        "A streamed one (the card and the address do not come back, however the stream is cut):",
        "",
        f"{send.replace('-s', '-sN', 1)} {base}/v1/chat/completions -d '{json.dumps(streamed)}'",
        "",
        "An MCP tool call (try delete_note too):",
        "",
        f"{send} {mcp} {base}/mcp/demo -d '{json.dumps(call)}'",
        "",
        "The token is user-1's of group engineering, for an hour. Another one:",
        f"  {_command()} token --subject user-2 --groups interns",
    ]


def _command() -> str:
    """`gatereeve` as it was typed: in a checkout it is not on PATH."""
    command = Path(sys.argv[0])
    if command.name != "gatereeve":
        return "gatereeve"
    return "gatereeve" if shutil.which("gatereeve") else os.path.relpath(command)


def _token(demo: DemoProcess) -> str:
    body = json.dumps({"subject": "user-1", "groups": ["engineering"]}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{demo.idp}/token", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310  # a fixed loopback address
        return str(json.load(answer)["access_token"])


def _host(address: str) -> str:
    if address in ("0.0.0.0", "::"):  # noqa: S104
        return "127.0.0.1"
    return f"[{address}]" if ":" in address else address
