"""Whether an address can be had, asked before anything is started, so that the error names the port and the remedy."""

import errno
import socket

from extproc.errors import StartupError


def check(address: str, port: int, remedy: str) -> None:
    """Raises `StartupError` when `address:port` cannot be bound. `remedy` says how to choose another."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As Envoy and asyncio bind: a port in TIME_WAIT is free, one that somebody listens on is not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError as error:
            raise StartupError(_explain(error, address, port, remedy)) from None


def _explain(error: OSError, address: str, port: int, remedy: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {address} is already in use. Stop what listens there, or choose another: {remedy}"
    if error.errno == errno.EACCES:
        return f"port {port} may not be opened by this user. Choose one above 1023: {remedy}"
    return f"{address}:{port} cannot be listened on ({error.strerror}). Choose another: {remedy}"
