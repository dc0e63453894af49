"""The caller's token exchanged for one that an upstream takes (RFC 8693), kept for this caller until shortly before its
end.

What is kept is found by the source, the caller and the hash of the very token that was exchanged: nobody gets what
another's token was exchanged for, and a caller who logs in with other rights gets another. No token is in a log, an
error or a repr. An endpoint that fails is asked ever less often, whoever waits; one that says no to a caller is not
asked for this caller for a while.
"""

import base64
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from threading import Lock
from typing import Any
from urllib.parse import quote, urlencode

import structlog

from extproc.adapters.files import read_regular
from extproc.adapters.flights import Flights, Landed
from extproc.adapters.token_endpoint import Declined, TokenEndpoint, bearer, document, seconds
from extproc.adapters.tokens import MAX_TOKEN, Pace
from extproc.errors import CredentialUnavailable
from extproc.exchange.refusal import Reason, Refusal
from extproc.policy.oauth import ExchangeSource
from extproc.session.ports import Caller, Injected, TokenNeeded
from extproc.session.secret import looked_for

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
UNSAID = 300.0  # seconds that a token is used whose end the answer leaves out
LONGEST = 3600.0  # seconds after which one is exchanged anew however long it lasts: rights may have been taken away
REFUSED = 10.0  # seconds for which a caller whom the endpoint refused is not asked for again
SOURCES = 1024  # of which it is known how they do

_ENDPOINT = "the token endpoint"
# What these say is wrong with us, and so for every caller. All other refusals are about one caller's token.
_OURS = ("invalid_client", "unauthorized_client", "unsupported_grant_type")
_UNREACHED = "No token for this MCP server can be had now. Try again shortly."
_NOT_TAKEN = (
    "This MCP server does not take the token that yours was exchanged for. Try again, or tell your platform team."
)
_log = structlog.get_logger("gatereeve.exchange")

Key = tuple[ExchangeSource, str, str, bytes]


class _Health:
    """How an endpoint does, as the threads that ask it see it."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self.pace = Pace(chance)
        self.lock = Lock()
        self.problem = ""


class TokenExchange:
    """Implements `session.ports.Delegated` for `ExchangeSource`. `environ` is copied; `clock` is monotonic seconds;
    `chance` gives numbers in [0, 1)."""

    def __init__(
        self,
        environ: Mapping[str, str],
        threads: ThreadPoolExecutor,
        clock: Callable[[], float],
        chance: Callable[[], float],
        *,
        capacity: int = 10_000,
    ) -> None:
        self._environ = dict(environ)
        self._clock = clock
        self._chance = chance
        self._flights: Flights[Key] = Flights(threads, clock, capacity=capacity)
        self._health: dict[ExchangeSource, _Health] = {}

    def inject(self, source: ExchangeSource, caller: Caller) -> Injected | Refusal | TokenNeeded:
        """See the port."""
        key = _key(source, caller)
        found = self._flights.get(key)
        if found is not None:
            return found
        health = self._known(source)
        if not health.pace.due(self._clock()):
            return _unreached()
        token = caller.token
        return TokenNeeded(lambda: self._flights.ask(key, lambda: self._exchange(source, token, health)))

    def rejection(self, source: ExchangeSource, caller: Caller) -> Callable[[], Refusal]:
        """See the port."""
        key = _key(source, caller)

        def rejected() -> Refusal:
            self._flights.forget(key)  # it may have been revoked
            return Refusal.of(Reason.CREDENTIAL_UNAVAILABLE, message=_NOT_TAKEN, status=502)

        return rejected

    def _known(self, source: ExchangeSource) -> _Health:
        health = self._health.get(source)
        if health is None:
            while len(self._health) >= SOURCES:  # those of policies long gone
                del self._health[next(iter(self._health))]
            health = self._health[source] = _Health(self._chance)
        return health

    def _exchange(self, source: ExchangeSource, token: str, health: _Health) -> Landed:
        """One exchange, in a thread. Never raises."""
        with health.lock:
            if not health.pace.due(self._clock()):  # it failed for others while this one stood in line
                return Landed(_unreached(), 0.0)
        try:
            landed = self._ask(source, token)
        except Declined as declined:
            if declined.status in (400, 403) and declined.code not in _OURS:
                self._told(source, health, "")
                return _no(declined.code)
            return self._failed(source, health, str(declined))
        except CredentialUnavailable as error:
            return self._failed(source, health, str(error))
        except Exception as error:  # noqa: BLE001  (its text may quote what was sent, so that only its kind is told)
            return self._failed(source, health, f"the token cannot be exchanged ({type(error).__name__})")
        self._told(source, health, "")
        return landed

    def _ask(self, source: ExchangeSource, token: str) -> Landed:
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        asked = {
            "grant_type": GRANT,
            "subject_token": token,
            "subject_token_type": source.subject_token_type,
            **{name: value for name, value in (("audience", source.audience), ("resource", source.resource)) if value},
        }
        if source.scope:
            asked["scope"] = source.scope
        secret = self._secret(source)
        if secret and not source.post:  # RFC 6749 2.3.1: both are form-encoded before they are joined
            pair = f"{quote(source.client_id, safe='')}:{quote(secret, safe='')}"
            headers["authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        else:
            asked["client_id"] = source.client_id
            if secret:
                asked["client_secret"] = secret
        with TokenEndpoint(_ENDPOINT) as endpoint:
            _, data = endpoint.ask("POST", source.endpoint, headers, urlencode(asked).encode())
        return _landed(document(data, f"the answer of {_ENDPOINT}"))

    def _secret(self, source: ExchangeSource) -> str:
        if source.secret_file:
            try:
                raw = read_regular(source.secret_file, MAX_TOKEN)
                text = raw.decode().rstrip("\r\n")
            except (OSError, UnicodeDecodeError) as error:
                problem = f"{source.secret_file} cannot be read ({type(error).__name__})"
                raise CredentialUnavailable(problem) from None
            if not text.strip() or len(raw) > MAX_TOKEN:
                raise CredentialUnavailable(f"{source.secret_file} is empty or too long")
            return text
        if source.secret_env:
            if not self._environ.get(source.secret_env):
                raise CredentialUnavailable(f"environment variable {source.secret_env} is not set")
            return self._environ[source.secret_env]
        return ""

    def _failed(self, source: ExchangeSource, health: _Health, problem: str) -> Landed:
        self._told(source, health, problem)
        return Landed(_unreached(), 0.0)

    def _told(self, source: ExchangeSource, health: _Health, problem: str) -> None:
        with health.lock:
            before, health.problem = health.problem, problem
            if problem:
                health.pace.failed(self._clock())
            else:
                health.pace.succeeded(self._clock(), 0.0, 0.0)
        if problem and problem != before:
            _log.warning("token exchange fails", name=source.name, problem=problem)
        elif before and not problem:
            _log.info("token exchange works", name=source.name)


def _key(source: ExchangeSource, caller: Caller) -> Key:
    digest = sha256(caller.token.encode("utf-8", "surrogatepass")).digest()
    return source, caller.identity.issuer, caller.identity.subject, digest


def _landed(found: Mapping[str, Any]) -> Landed:
    value = bearer(found, _ENDPOINT)
    # RFC 6750 2.1, and RFC 9110 5.5: anything else could end the header and begin another.
    if not 0 < len(value) <= MAX_TOKEN or any(not "\x21" <= char <= "\x7e" for char in value):
        raise CredentialUnavailable("the token given is not one")
    lifetime = seconds(found.get("expires_in")) if "expires_in" in found else UNSAID
    if lifetime is None or not lifetime > 0:
        raise CredentialUnavailable("the token given had expired already")
    kept = min(lifetime - max(5.0, min(30.0, lifetime / 10)), LONGEST)
    return Landed(Injected((("authorization", f"Bearer {value}"),), looked_for(value)), kept)


def _no(code: str) -> Landed:
    """The endpoint's no to one caller: a 403, because trying again would not help."""
    said = (
        f"You are given no token for this MCP server{f' ({code})' if code else ''}. Ask your platform team for access."
    )
    return Landed(Refusal.of(Reason.CREDENTIAL_UNAVAILABLE, message=said, status=403), REFUSED)


def _unreached() -> Refusal:
    return Refusal.of(Reason.CREDENTIAL_UNAVAILABLE, message=_UNREACHED)
