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
from pathlib import Path

from tests.conformance import gate, report
from tests.conformance.suite import NEW, OLD, SETS, Suite
from tests.envoy.gateway import ROOT, Ports

FOLDER = ROOT / ".gatereeve" / "conformance"
PAGE = ROOT / "docs" / "mcp-conformance.md"


def compare(suite: Suite, url: str, out: Path) -> list[report.Compared]:
    with gate.gated(url) as made, gate.without_tokens(made) as through:
        compared = []
        for number, which in enumerate(SETS):
            each = report.Compared(
                which, suite.run(which, url.replace("127.0.0.1", "localhost"), out / f"{number}-direct")
            )
            for name, address in through.items():
                each.through[name] = suite.run(which, address, out / f"{number}-{name}")
            print(each.summary(), flush=True)
            for name, scenario, check, verdict in each.lost():
                print(f"  {name}: {scenario}: {check}: {verdict}")
            compared.append(each)
    return compared


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make conformance ARGS=...", description="MCP conformance, compared.")
    parser.add_argument("--server", default="", help="URL of a Streamable HTTP server on loopback")
    parser.add_argument("--dry", action="store_true", help="write nothing")
    chosen = parser.parse_args(arguments)
    suite = Suite(FOLDER)
    try:
        suite.install()
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"The suite cannot be installed: {error}", file=sys.stderr)
        return 2
    if chosen.server:
        compared = compare(suite, chosen.server, FOLDER / "out")
    else:
        with gate.serving(Ports.take(1)) as url:
            compared = compare(suite, url, FOLDER / "out")
    if not any(each.direct for each in compared):
        print("The suite found nothing to say of the server itself.", file=sys.stderr)
        return 2
    if not chosen.server and not chosen.dry:
        PAGE.write_text(
            report.markdown(
                compared,
                date=dt.datetime.now(dt.UTC).date().isoformat(),
                versions=f"@modelcontextprotocol/conformance {OLD} and {NEW}",
                server=f"a server of the official Python SDK (`mcp` {version('mcp')}, tests/conformance/reference)",
            ),
            encoding="utf-8",
        )
    return 1 if any(each.lost() for each in compared) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
