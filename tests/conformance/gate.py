"""A gateway in front of one MCP server, with a policy that allows everything to everyone who has a token.

Two callers, one policy each: the answers of the first are not masked, those of the second are. A client must not be
able to tell either from the server itself.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import httpx2

from tests.conformance.shim import Shim
from tests.envoy import policies
from tests.envoy.gateway import ROOT, Gateway, Ports, request, until
from tests.envoy.issuer import Issuer

EVERYTHING = {"allow": ["*"]}
GROUPS = ("plain", "masked")
SERVER = "reference"


@dataclass
class Gated:
    """A running gateway, and what its callers need."""

    gateway: Gateway
    issuer: Issuer

    @property
    def url(self) -> str:
        return f"{self.gateway.url}/mcp/{SERVER}"

    def token(self, group: str = "plain") -> str:
        return self.issuer.token(group)


@contextmanager
def gated(url: str) -> Iterator[Gated]:
    """A gateway before the server at `url`. Its end is a test too: it must leave no process behind."""
    issuer = Issuer()
    made = Gateway()
    folder = policies.Folder(made.state / "policy", issuer, 9)
    grant = {"server": SERVER, "tools": EVERYTHING, "prompts": EVERYTHING, "resources": EVERYTHING}
    folder.write(policies.document("MCPServer", SERVER, url=url))
    for group in GROUPS:
        spec = {"subjects": [{"groups": [group]}], "mcp": [grant], **({"masking": "all"} if group == "masked" else {})}
        folder.write(policies.document("AgentPolicy", f"all-{group}", **spec))
    made.command += ["--policy", str(folder.path)]
    made.start()
    try:
        yield Gated(made, issuer)
        made.finish()
    finally:
        made.stop()


@contextmanager
def without_tokens(gate: Gated) -> Iterator[dict[str, str]]:
    """For each of `GROUPS`, a URL that needs no token."""
    with ExitStack() as stack:
        urls = {}
        for group in GROUPS:
            shim = stack.enter_context(Shim(Ports.take(1), gate.gateway.port, gate.token(group)))
            urls[group] = f"http://localhost:{shim.port}/mcp/{SERVER}"
        yield urls


@contextmanager
def serving(port: int, *command: str) -> Iterator[str]:
    """An MCP server on loopback that this command starts; the reference server, if there is none. Its URL."""
    command = command or (sys.executable, "-m", "tests.conformance.reference", "--port", str(port))
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}/mcp"
        until("the server listens", lambda: _listens(url), 40.0)
        yield url
    finally:
        process.terminate()
        process.wait(15)


def _listens(url: str) -> bool:
    try:
        return request("DELETE", url).status_code > 0
    except httpx2.HTTPError:
        return False
