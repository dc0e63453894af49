"""The credential of a call to an MCP server: the gateway's own, or the caller's, which may have to be fetched first."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from extproc.exchange.model import McpCall
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
    refused: Refused,
) -> Forward | Refused | Waiting:
    """`go` with what authenticates a request of this body, at once or later. `refused` is the allowed call as it is
    refused when there is nothing."""

    def settled(found: Any) -> Forward | Refused:
        if isinstance(found, Injected):
            return go(found)
        # Whatever else an effect ends with, an error among it, is no credential.
        return replace(refused, refusal=found) if isinstance(found, Refusal) else refused

    source = server.delegation
    if source is None:
        method = admitted.arrived.method
        return settled(authenticated(server.upstream, path, body, ports.credentials, method))
    found = ports.delegated.inject(source, Caller(admitted.identity, admitted.token))
    if not isinstance(found, TokenNeeded):
        return settled(found)
    assert isinstance(refused.call, McpCall)
    assert refused.decision is not None
    return Waiting(found.fetch, settled, refused.voice, refused.call, refused.decision)


def rejection(admitted: Admitted, server: McpServer, ports: Ports) -> Callable[[], Refusal] | None:
    """What it means that the upstream says 401. It never saw the client's token, so a client that logs in must not be
    sent to do it again: what was not taken is ours, or what we sent for this caller. None: what it always meant."""
    source = server.delegation
    if source is not None:
        return ports.delegated.rejection(source, Caller(admitted.identity, admitted.token))
    return _ours if server.oauth is not None else None


def _ours() -> Refusal:
    message = "This MCP server does not take the gateway's credential. Tell your platform team."
    return Refusal.of(Reason.CREDENTIAL_UNAVAILABLE, message=message, status=502)
