"""What both ext_proc servers stand behind, and the one step they share: message in, encoded replies out."""

from collections.abc import Awaitable, Callable
from time import monotonic, time
from typing import Any, Protocol

from extproc.session.actions import Await, Record
from extproc.session.events import EffectDone, Event
from extproc.session.session import Session
from extproc.wire.decode import UnknownMessage, decode
from extproc.wire.encode import encode

METHOD = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"
HEALTH = "/grpc.health.v1.Health/"


class Server(Protocol):
    """An ext_proc server on one address.

    `stop` refuses new streams at once, lets open ones finish for `grace` seconds, and returns when none is left.
    """

    async def start(self) -> None: ...

    async def stop(self, grace: float) -> None: ...


class Host(Protocol):
    """What a server needs of the process: sessions, the record sink, and whether it may take traffic."""

    def open(self) -> Session:
        """A session for a new exchange."""
        ...

    def emit(self, entry: dict[str, Any]) -> None:
        """Take an exchange's audit record. Never blocks, never raises."""
        ...

    def failed(self, error: BaseException) -> None:
        """Note an error that reached the driver. Never raises."""
        ...

    @property
    def serving(self) -> bool: ...


class Step:
    """One exchange's events through its session. Holds what is left to do between two Envoy messages."""

    __slots__ = ("_host", "_session", "effect")

    def __init__(self, host: Host) -> None:
        self._host = host
        self._session = host.open()
        self.effect: Callable[[], Awaitable[Any]] | None = None

    def message(self, message: Any) -> list[bytes]:
        """Replies to one ProcessingRequest. When `effect` is set afterwards, run it and call `resume`."""
        try:
            event = decode(message)
        except UnknownMessage:
            return self._carry(self._session.fail(monotonic()))
        return self.event(event)

    def event(self, event: Event) -> list[bytes]:
        replies = self._carry(self._session.on(event, time(), monotonic()))
        failure = self._session.failure
        if failure is not None:  # refused already; whoever runs this must hear of it
            self._session.failure = None
            self._host.failed(failure)
        return replies

    def resume(self, result: Any) -> list[bytes]:
        self.effect = None
        return self.event(EffectDone(result))

    def _carry(self, actions: list[Any]) -> list[bytes]:
        replies = []
        for action in actions:
            kind = type(action)
            if kind is Record:
                self._host.emit(action.entry)
            elif kind is Await:
                self.effect = action.effect
            else:
                replies.append(encode(action))
        return replies
