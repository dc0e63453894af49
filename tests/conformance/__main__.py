"""`make conformance`: the official MCP conformance suite, directly against a server and through the gateway.

    python -m tests.conformance                    install the suite if need be, run it, write docs/mcp-conformance.md
    python -m tests.conformance --server URL       compare with a server of yours (nothing is written)
    python -m tests.conformance --dry              write nothing

Exits with 1 when a check passes directly and not through the gateway, with 2 when the suite cannot be installed.
"""

import argparse
import datetime as dt
import subprocess
import sys
from importlib.metadata import version

from tests.conformance import gate, report
from tests.conformance.peers import FASTMCP, FOLDER, Peers
from tests.conformance.suite import NEW, OLD, SETS, TASKS, Set, Suite
from tests.envoy.gateway import ROOT, Ports

PAGE = ROOT / "docs" / "mcp-conformance.md"


def compare(suite: Suite, sets: tuple[Set, ...], url: str) -> list[report.Compared]:
    """Runs the sets against the server at `url`, then against it behind a gateway, and prints what differs."""
    out = FOLDER / "out"
    compared = []
    with gate.gated(url) as made, gate.without_tokens(made) as through:
        for which in sets:
            name = which.title.replace(" ", "-")
            each = report.Compared(
                which, suite.run(which, url.replace("127.0.0.1", "localhost"), out / f"{name}-direct")
            )
            for group, address in through.items():
                each.through[group] = suite.run(which, address, out / f"{name}-{group}")
            print(each.summary(), flush=True)
            for group, scenario, check, verdict in each.lost():
                print(f"  {group}: {scenario}: {check}: {verdict}")
            compared.append(each)
    return compared


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make conformance ARGS=...", description="MCP conformance, compared.")
    parser.add_argument("--server", default="", help="URL of a Streamable HTTP server on loopback")
    parser.add_argument("--dry", action="store_true", help="write nothing")
    chosen = parser.parse_args(arguments)
    suite, peers = Suite(FOLDER), Peers()
    try:
        suite.install()
        peers.install()
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"The suite cannot be installed: {error}", file=sys.stderr)
        return 2
    if chosen.server:
        compared = compare(suite, SETS, chosen.server)
    else:
        with gate.serving(Ports.take(1)) as url:
            compared = compare(suite, SETS, url)
        port = Ports.take(1)
        with gate.serving(port, *peers.fastmcp("serve", str(port))) as url:
            compared += compare(suite, (TASKS,), url)
    if not any(each.direct for each in compared):
        print("The suite found nothing to say of the server itself.", file=sys.stderr)
        return 2
    if not chosen.server and not chosen.dry:
        PAGE.write_text(
            report.markdown(
                compared,
                date=dt.datetime.now(dt.UTC).date().isoformat(),
                versions=f"@modelcontextprotocol/conformance {OLD} and {NEW}",
                server=f"a server of the official Python SDK (`mcp` {version('mcp')}, tests/conformance/reference);"
                f" for tasks, one of FastMCP {FASTMCP}",
            ),
            encoding="utf-8",
        )
    return 1 if any(each.lost() for each in compared) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
