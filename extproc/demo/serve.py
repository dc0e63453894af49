"""The demo's three servers in one process, until a signal ends it."""

import asyncio
import signal
from contextlib import AsyncExitStack
from typing import Self

from extproc.demo.idp import DemoIdp
from extproc.demo.llm import DemoLlm
from extproc.demo.mcp import DemoMcp
from extproc.demo.policy import DemoPorts
from extproc.errors import StartupError


class Demo:
    """The servers as one thing to start and stop. `ports` says where they are once started; ports asked for as 0 are
    chosen by the system."""

    def __init__(self, ports: DemoPorts) -> None:
        self.llm = DemoLlm(port=ports.llm)
        self.mcp = DemoMcp(port=ports.mcp)
        self.idp = DemoIdp(port=ports.idp)
        self._stack = AsyncExitStack()

    @property
    def ports(self) -> DemoPorts:
        return DemoPorts(self.llm.server.port, self.mcp.server.port, self.idp.server.port)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for name, server in (("LLM", self.llm.server), ("MCP", self.mcp.server), ("IdP", self.idp.server)):
                try:
                    await stack.enter_async_context(server)
                except OSError as error:
                    raise StartupError(
                        f"port {server.port} (demo {name}) is already in use; end what uses it, or choose another"
                    ) from error
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()


async def serve(ports: DemoPorts) -> None:
    """Serves until SIGINT or SIGTERM. Raises StartupError when a port is taken."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    async with Demo(ports):
        await ended.wait()
