"""The credential of a call to an MCP server: the gateway's own, or the caller's, which may have to be fetched first."""

from collections.abc import Callable
from typing import Any

from extproc.exchange.refusal import Reason, Refusal
from extproc.policy.runtime import McpServer
from extproc.session.outgoing import authenticated
from extproc.session.ports import Caller, Injected, Ports, TokenNeeded
from extproc.session.stages import Admitted, Forward, Refused, Waiting


def with_credential(
    admitted: Admitted,
    server: McpServer,
    path: str,
    body: bytes,
    ports: Ports,
    go: Callable[[Injected], Forward],
    refuse: Callable[[Refusal], Refused],
) -> Forward | Refused | Waiting:
    """`go` with what authenticates a request of this body, `refuse` when there is nothing; at once, or later."""

    def settled(found: Any) -> Forward | Refused:
        if isinstance(found, Injected):
            return go(found)
        # Whatever else an effect ends with, an error among it, is no credential.
        return refuse(found if isinstance(found, Refusal) else Refusal.of(Reason.CREDENTIAL_UNAVAILABLE))

    source = server.delegation
    if source is None:
        method = admitted.arrived.method
        return settled(authenticated(server.upstream, path, body, ports.credentials, method))
    found = ports.delegated.inject(source, Caller(admitted.identity, admitted.token))
    return Waiting(found.fetch, settled) if isinstance(found, TokenNeeded) else settled(found)
