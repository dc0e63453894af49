"""What both ext_proc servers stand behind, and the one step they share: message in, encoded replies out."""

from collections.abc import Awaitable, Callable
from time import monotonic, time
from typing import Any, Protocol

from extproc.session.actions import Action, Await, Record
from extproc.session.events import EffectDone, Event
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


class Machine(Protocol):
    """What a stream's events go through: a `session.Session`, or a `session.Attempt`."""

    failure: Exception | None

    def on(self, event: Event, wall: float, mono: float) -> list[Action]: ...

    def fail(self, mono: float) -> list[Action]: ...


class Host(Protocol):
    """What a server needs of the process: sessions, the record sink, and whether it may take traffic."""

    def open(self, first: Event | None) -> Machine:
        """The machine for a new stream, chosen by its first event; None: nobody knows what that was."""
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
        self._session: Machine | None = None
        self.effect: Callable[[], Awaitable[Any]] | None = None

    def message(self, message: Any) -> list[bytes]:
        """Replies to one ProcessingRequest. When `effect` is set afterwards, run it and call `resume`."""
        try:
            event = decode(message)
        except UnknownMessage:
            session = self._session = self._session or self._host.open(None)
            return self._carry(session.fail(monotonic()))
        return self.event(event)

    def event(self, event: Event) -> list[bytes]:
        session = self._session
        if session is None:
            session = self._session = self._host.open(event)
        replies = self._carry(session.on(event, time(), monotonic()))
        failure = session.failure
        if failure is not None:  # refused already; whoever runs this must hear of it
            session.failure = None
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
