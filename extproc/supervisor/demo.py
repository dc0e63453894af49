"""The demo's servers as one child process, and its policy as files that can be edited while it runs."""

import asyncio
import json
import sys
from pathlib import Path

from extproc.demo.policy import DemoPorts, write_policy
from extproc.errors import StartupError
from extproc.supervisor import ports
from extproc.supervisor.child import Child, python_environment

_REMEDY = "DEMO_PORT=10081 make run, or --demo-port 10081"
_RUNNING = "demo.json"


def identity_provider(state: Path) -> str:
    """The base URL of the identity provider of the demo that was started last with this state folder, "" for none."""
    try:
        return str(json.loads((state / _RUNNING).read_text())["identity_provider"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


class DemoProcess:
    """`port` is the LLM's; the MCP server has the next one and the identity provider the one after."""

    def __init__(self, state: Path, port: int, provider: str) -> None:
        self.policy = state / "demo-policy"
        self.llm, self.mcp, self.idp = self.ports = port, port + 1, port + 2
        self._state = state
        self._provider = provider

    async def start(self) -> list[Child]:
        """Write the policy, start the servers and wait until they listen. Raises `StartupError`."""
        for port in self.ports:
            ports.check("127.0.0.1", port, _REMEDY)
        write_policy(self.policy, DemoPorts(self.llm, self.mcp, self.idp), self._provider)
        command = [sys.executable, "-m", "extproc.demo"]
        for name, port in (("llm", self.llm), ("mcp", self.mcp), ("idp", self.idp)):
            command += [f"--{name}-port", str(port)]
        child = await Child.start("demo", command, environ=python_environment())
        for port in self.ports:
            await _listening(child, port)
        (self._state / _RUNNING).write_text(json.dumps({"identity_provider": f"http://127.0.0.1:{self.idp}"}))
        return [child]


async def _listening(child: Child, port: int) -> None:
    for _ in range(500):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if not child.running:
                break
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return
    raise StartupError(f"the demo's servers did not start on port {port}")
