"""Other people's clients and servers, as they are released, each in a folder of its own outside the repository."""

import subprocess
import sys
from pathlib import Path

from tests.envoy.gateway import ROOT

FOLDER = ROOT / ".gatereeve" / "conformance"
FASTMCP = "4.1.2"  # with fastmcp-tasks, the only server so far with the extension for tasks
EVERYTHING = "2026.8.31"
_SCRIPT = Path(__file__).with_name("fastmcp_peer.py")


class Peers:
    """What `install` has put into `folder`."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._venv = folder / "fastmcp"
        self._npm = folder / "everything"

    def install(self) -> None:
        """Fetches what is missing. Needs pip, npm and their registries. Raises CalledProcessError."""
        if self.missing_fastmcp:
            subprocess.run([sys.executable, "-m", "venv", str(self._venv)], check=True)
            packages = [f"fastmcp=={FASTMCP}", f"fastmcp-tasks=={FASTMCP}"]
            quiet = ["install", "--quiet", "--disable-pip-version-check", *packages]
            subprocess.run([str(self._python), "-m", "pip", *quiet], check=True)
        if self.missing_everything:
            self._npm.mkdir(parents=True, exist_ok=True)
            what = f"@modelcontextprotocol/server-everything@{EVERYTHING}"
            quiet = ["--silent", "--no-audit", "--no-fund", "--no-package-lock"]
            subprocess.run(["npm", "install", *quiet, "--prefix", str(self._npm), what], check=True, cwd=self._npm)

    @property
    def _python(self) -> Path:
        return self._venv / "bin" / "python"

    @property
    def _entry(self) -> Path:
        return self._npm / "node_modules" / ".bin" / "mcp-server-everything"

    @property
    def missing_fastmcp(self) -> str:
        """Why there is no FastMCP, "" if there is."""
        found = list(self._venv.glob("lib/*/site-packages/fastmcp_tasks"))
        return "" if found else "FastMCP is not installed (make conformance does it)"

    @property
    def missing_everything(self) -> str:
        """Why there is no server "everything", "" if there is."""
        return "" if self._entry.exists() else "the server everything is not installed (make conformance does it)"

    def fastmcp(self, *arguments: str) -> tuple[str, ...]:
        """The command for `fastmcp_peer.py`."""
        return (str(self._python), "-W", "ignore", str(_SCRIPT), *arguments)

    def everything(self, port: int) -> tuple[str, ...]:
        """The command for the reference server of the project's own collection."""
        return ("env", f"PORT={port}", str(self._entry), "streamableHttp")
