"""`python -m extproc.demo`: the demo servers alone, for trying a gateway that runs elsewhere on this machine."""

import argparse
import asyncio
import sys
from pathlib import Path

from extproc.demo.policy import DemoPorts, write_policy
from extproc.demo.serve import serve
from extproc.errors import StartupError


def main() -> int:
    """Exit code 0 after a signal, 2 when a port is taken."""
    parser = argparse.ArgumentParser(prog="python -m extproc.demo", description=__doc__)
    defaults = DemoPorts()
    parser.add_argument("--llm-port", type=int, default=defaults.llm, help="default %(default)s")
    parser.add_argument("--mcp-port", type=int, default=defaults.mcp, help="default %(default)s")
    parser.add_argument("--idp-port", type=int, default=defaults.idp, help="default %(default)s")
    parser.add_argument("--write-policy", type=Path, metavar="DIR", help="write the demo's policy files there first")
    given = parser.parse_args()
    ports = DemoPorts(given.llm_port, given.mcp_port, given.idp_port)
    if given.write_policy:
        write_policy(given.write_policy, ports)
    try:
        asyncio.run(serve(ports))
    except StartupError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
