"""Tokens of each caller's own, which something else stores: one file each in a folder, re-read every few seconds.

The file's name is a hash of who the caller is, so that no name a token can hold leads anywhere else, and whoever lists
the folder learns nobody's name. Whoever stores tokens makes the same name:

    sha256(issuer NUL subject NUL tenant [NUL claim ...]) in lower-case hexadecimal digits

Never writes, never refreshes, and never gives one caller's token to another.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

from extproc.adapters.credentials import MAX_SECRET, Unusable, injected
from extproc.adapters.files import read_regular
from extproc.adapters.flights import Flights, Landed
from extproc.exchange.refusal import Reason, Refusal
from extproc.identity.model import Identity
from extproc.identity.verify import claim
from extproc.policy.oauth import UserTokenSource
from extproc.policy.runtime import CredentialSource
from extproc.session.ports import Caller, Injected, TokenNeeded

KEPT = 5.0  # seconds: how long a token is used that is no longer there
MISSED = 1.0  # and how long one is missed that has just been stored


class UserTokens:
    """Implements `session.ports.Delegated` for `UserTokenSource`."""

    def __init__(self, threads: ThreadPoolExecutor, clock: Callable[[], float]) -> None:
        self._flights: Flights[tuple[UserTokenSource, str]] = Flights(threads, clock)

    def inject(self, source: UserTokenSource, caller: Caller) -> Injected | Refusal | TokenNeeded:
        """See the port."""
        name = file_name(source, caller.identity)
        if name is None:
            said = f"Your token does not say the {' and the '.join(source.apart)} that its user tokens are kept by."
            return Refusal.of(Reason.CREDENTIAL_UNAVAILABLE, message=said, status=403)
        key = (source, name)
        return self._flights.get(key) or TokenNeeded(lambda: self._flights.ask(key, lambda: _read(source, name)))

    def rejection(self, source: UserTokenSource, caller: Caller) -> Callable[[], Refusal]:
        """See the port."""
        name = file_name(source, caller.identity) or ""

        def rejected() -> Refusal:
            self._flights.forget((source, name))  # another may have been stored just now
            return _refusal(source, "This MCP server does not take your own token any more.")

        return rejected


def file_name(source: UserTokenSource, who: Identity) -> str | None:
    """The name of the caller's file; None if a claim that it depends on is no text."""
    parts = [who.issuer, who.subject, who.tenant]
    for path in source.apart:
        value = claim(who.claims, path)
        # Without NUL among them (which is not printable), no two lists of parts make the same text.
        if not isinstance(value, str) or not value or not value.isprintable():
            return None
        parts.append(value)
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _read(source: UserTokenSource, name: str) -> Landed:
    try:
        raw = read_regular(Path(source.folder, name), MAX_SECRET)
        return Landed(injected(CredentialSource(source.name, source.header, source.format), raw), KEPT)
    except FileNotFoundError:
        return _missing(source, "You have not connected your own account to this MCP server yet.")
    except (OSError, Unusable):
        return _missing(source, "What is stored as your own token for this MCP server cannot be used.")


def _missing(source: UserTokenSource, what: str) -> Landed:
    return Landed(_refusal(source, what), MISSED)


def _refusal(source: UserTokenSource, what: str) -> Refusal:
    """A 403: it is the caller who can do something about it, and tools that fail so are told to the person."""
    remedy = f"Connect it at {source.connect}" if source.connect else "Ask your platform team how to connect it."
    return Refusal.of(Reason.CREDENTIAL_UNAVAILABLE, message=f"{what} {remedy}", status=403)
