"""The plan of a call with several targets: what the gateway's session decided, for the session of each attempt.

The two are different streams, often in different worker processes, and share nothing but Envoy. So the plan goes along
in a header: names only, no credential and nothing of the call. It is believed because of where it is read: a listener
inside Envoy that no client can reach, told by the name of its filter chain. On the gateway's own listener it is dropped
like every header of our own.
"""

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Mapping

import msgspec

from extproc.policy.decision import Leg
from extproc.policy.runtime import Failover
from extproc.session.actions import Pairs

# The contract with Envoy's side: `xds` renders these.
# Names of a cluster, of the listener it leads to, and of that listener's filter chain.
STREAMED = "gatereeve_attempts"
WHOLE = "gatereeve_attempts_whole"  # answers are begun only when they are complete
HOST = "attempts.gatereeve.internal"  # the virtual host that counts attempts
BREAKING = "+"  # after a cluster's name: the same upstream behind a circuit breaker

# Request attributes that Envoy sends, and the header that counts.
CHAIN_ATTRIBUTE = "xds.filter_chain_name"
ATTEMPTS_ATTRIBUTE = "upstream.request_attempt_count"
COUNT = "x-envoy-attempt-count"

HEADER = "x-gatereeve-plan"
# Of an attempt's answer: "served" for the target's own, else why there is none. Without it, no attempt spoke.
OUTCOME = "x-gatereeve-outcome"
SERVED = "served"
MESSAGE = "x-gatereeve-message"  # a sentence that is more exact than the reason's own
DROPPED = "x-gatereeve-dropped"  # what of the request the target's API cannot say
# The credential that went to the target, for who reads its answer: another worker has other tokens of the same account,
# and whoever gets an answer must not learn the one that was used. It goes no further than the gateway's session.
INJECTED = "x-gatereeve-injected"


class Plan(msgspec.Struct, frozen=True, array_like=True):
    """`id` is the exchange's, `targets` are (LLMProvider, its model's name, the dialect its answer will be read in) in
    the order of attempts."""

    id: str
    model: str
    targets: tuple[tuple[str, str, str], ...]


_CHAINS = (STREAMED, WHOLE)
_GRACE = 0.25  # seconds that an attempt has to say that its target was silent
_DECODER = msgspec.json.Decoder(Plan)
_MOST = 32_768  # characters of a plan that is read: eight targets with names of any sensible length


def encode(id: str, model: str, legs: tuple[Leg, ...]) -> str:
    """The header's value."""
    plan = Plan(id, model, tuple((leg.target.provider.name, leg.target.model, leg.dialect) for leg in legs))
    return urlsafe_b64encode(msgspec.json.encode(plan)).decode()


def decode(value: str) -> Plan | None:
    """The plan in a header's value; None for anything that is none."""
    if not value or len(value) > _MOST:
        return None
    try:
        return _DECODER.decode(b64decode(value, altchars=b"-_", validate=True))
    except (ValueError, msgspec.MsgspecError):
        return None


def retries(legs: tuple[Leg, ...], failover: Failover) -> Pairs:
    """How Envoy is told to try again: once per further target, for what another one may do better."""
    pairs = [
        ("x-envoy-retry-on", "5xx,reset,connect-failure,retriable-status-codes"),
        ("x-envoy-retriable-status-codes", ",".join(str(status) for status in failover.statuses)),
        ("x-envoy-max-retries", str(len(legs) - 1)),
    ]
    return (*pairs, *first_byte(failover, _GRACE))


def first_byte(failover: Failover, grace: float = 0.0) -> Pairs:
    """How long Envoy waits for the headers of an answer. An attempt's own clock is the one that counts, because it
    tells the circuit breaker; whoever waits for the attempt gives it a `grace` (seconds) to say so."""
    if not failover.first_byte:
        return ()
    return (("x-envoy-upstream-rq-per-try-timeout-ms", str(max(1, round((failover.first_byte + grace) * 1000)))),)


def is_attempt(attributes: Mapping[str, str]) -> bool:
    """Whether a stream's request came through the listener for attempts."""
    return attributes.get(CHAIN_ATTRIBUTE) in _CHAINS


def number(value: str) -> int:
    """The attempt's number, from 1; 0 for what is none."""
    return int(value) if value.isascii() and value.isdecimal() and len(value) <= 2 else 0


def injected(headers: Mapping[str, str]) -> bytes:
    """The credential that an attempt says it used, b"" if none. Raises ValueError for what no attempt says."""
    return b64decode(headers.get(INJECTED, ""), altchars=b"-_", validate=True)


def dropped(headers: Mapping[str, str]) -> tuple[str, ...]:
    """The fields that an attempt's target was not told, from the answer's headers."""
    said = headers.get(DROPPED, "")
    return tuple(said.split(", ")) if said else ()
