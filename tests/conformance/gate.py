"""A gateway in front of one MCP server, with a policy that allows everything to everyone who has a token.

Two callers, one policy each: what is allowed passes the first unread, and is read, searched and written anew for the
second. A client must not be able to tell either from the server itself.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.conformance.shim import Shim
from tests.envoy import policies
from tests.envoy.gateway import Gateway, Ports
from tests.envoy.issuer import Issuer

EVERYTHING = {"allow": ["*"]}
GROUPS = ("plain", "masked")
SERVER = "reference"


def folder(gateway: Gateway, issuer: Issuer, url: str) -> None:
    """Writes the policy, and tells the gateway where it is."""
    made = policies.Folder(gateway.state / "policy", issuer, 9)
    grant = {"server": SERVER, "tools": EVERYTHING, "prompts": EVERYTHING, "resources": EVERYTHING}
    made.write(policies.document("MCPServer", SERVER, url=url))
    for group in GROUPS:
        more = {"masking": "all"} if group == "masked" else {}
        made.write(
            policies.document("AgentPolicy", f"all-{group}", subjects=[{"groups": [group]}], mcp=[grant], **more)
        )
    gateway.command += ["--policy", str(made.path)]


@contextmanager
def gateway(url: str) -> Iterator[dict[str, str]]:
    """For each of `GROUPS`, a URL that needs no token."""
    issuer = Issuer()
    made = Gateway()
    folder(made, issuer, url)
    with ExitStack() as stack:
        made.start()
        stack.callback(made.stop)
        urls = {}
        for group in GROUPS:
            shim = stack.enter_context(Shim(Ports.take(1), made.port, issuer.token(group)))
            urls[group] = f"http://localhost:{shim.port}/mcp/{SERVER}"
        yield urls
