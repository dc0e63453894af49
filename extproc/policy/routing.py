"""Which targets an allowed call may take, and in which order they are tried. Pure; decides nothing about the caller.

A target takes no part if its provider is not approved, can neither be spoken to in the call's dialect nor be
translated to, is not cleared for the call's data, or if its own condition does not hold. Of those left, a lower order
comes first. Within an order, targets share calls by weight through rendezvous hashing: one key always gets the same
sequence, and a target that comes or goes moves only the keys it has to. So a conversation stays where its prompt is
cached, without anybody remembering it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby
from math import log

from extproc.exchange.refusal import Reason
from extproc.exchange.translation.registry import TRANSLATIONS
from extproc.policy.decision import Leg
from extproc.policy.facts import Facts
from extproc.policy.runtime import Model, Target
from extproc.policy.sensitivity import DataClass


@dataclass(frozen=True, slots=True)
class NoTarget:
    """Why none can take the call, and the rule that says so."""

    reason: Reason
    rule: str


def legs(
    model: Model, dialect: str, level: DataClass, facts: Facts, key: Callable[[], bytes]
) -> tuple[Leg, ...] | NoTarget:
    """The targets in order, at most as many as the Model tries.

    `level` is the call's class. `key` says what keeps its target; it is asked only where targets share an order.
    """
    taking: list[tuple[Target, Leg]] = []
    refused: NoTarget | None = None
    for target in model.targets:
        leg = leg_of(target, dialect)
        if leg is None:
            continue
        provider = target.provider
        if not provider.approved:
            refused = _worse(refused, Reason.PROVIDER_NOT_APPROVED, provider.rule)
        elif target.when is not None and target.when(facts.all()) is not True:
            refused = _worse(refused, Reason.NO_TARGET, model.rule)
        elif provider.clearance < level:
            refused = _worse(refused, Reason.PROVIDER_NOT_CLEARED, provider.rule)
        else:
            taking.append((target, leg))
    if not taking:
        return refused or NoTarget(Reason.DIALECT_UNSUPPORTED, model.rule)
    if len(taking) == 1:
        return (taking[0][1],)
    ordered: list[Leg] = []
    for _, group in groupby(taking, lambda pair: pair[0].order):
        ordered += _shared(list(group), key)
    return tuple(ordered[: model.failover.attempts])


def leg_of(target: Target, dialect: str) -> Leg | None:
    """How a target is spoken to by a client of `dialect`; None if it cannot be."""
    spoken = target.provider.dialects
    if dialect in spoken:
        return Leg(target, dialect)
    for other in spoken:
        translation = TRANSLATIONS.get((dialect, other))
        if translation is not None:
            return Leg(target, other, translation)
    return None


# What is told of several: what the caller can do most about.
_WEIGHT = {
    Reason.PROVIDER_NOT_APPROVED: 1,
    Reason.NO_TARGET: 2,
    Reason.PROVIDER_NOT_CLEARED: 3,
}


def _worse(known: NoTarget | None, reason: Reason, rule: str) -> NoTarget:
    return NoTarget(reason, rule) if known is None or _WEIGHT[reason] > _WEIGHT[known.reason] else known


def _shared(group: Sequence[tuple[Target, Leg]], key: Callable[[], bytes]) -> list[Leg]:
    if len(group) == 1:
        return [group[0][1]]
    said = key()
    scored = [(_score(target, said), -place, leg) for place, (target, leg) in enumerate(group)]
    scored.sort(key=lambda entry: entry[:2], reverse=True)
    return [leg for _, _, leg in scored]


def _score(target: Target, key: bytes) -> float:
    """Weighted rendezvous: of many keys, each target has the highest score for its share of the weights. One without
    weight comes after all others."""
    if target.weight <= 0:
        return float("-inf")
    name = f"{target.provider.name}/{target.model}".encode()
    drawn = int.from_bytes(blake2b(key, digest_size=6, key=blake2b(name, digest_size=32).digest()).digest(), "big")
    # Six bytes, because of seven the half would be lost in rounding, and with it the distance from 0 and 1.
    return -target.weight / log((drawn + 0.5) / (1 << 48))
