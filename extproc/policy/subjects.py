"""Which policies are about a caller: compiled subject entries, and the index that finds them.

The cost of a look-up does not grow with the number of policies: each subject entry stands under one exact value that
the caller must have. Entries that have none (wildcards, conditions only) are tried one by one, once per caller.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from extproc.identity.model import Identity
from extproc.policy.conditions import CompiledCondition
from extproc.policy.names import Names
from extproc.policy.runtime import AgentPolicy

REMEMBERED = 8192  # callers whose policies are kept; then all are forgotten, which costs one look-up each

_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class SubjectEntry:
    """One compiled `subjects` entry. An empty set of names means the field was not given."""

    subjects: Names
    groups: Names
    emails: Names
    tenants: Names
    providers: Names
    when: CompiledCondition | None

    def failing(self, identity: Identity) -> str:
        """The first field that does not match, "" when all do. `when` is not asked."""
        if self.subjects and not self.subjects(identity.subject):
            return "subjects"
        if self.groups and not self.groups.any(identity.groups):
            return "groups"
        if self.emails and not self.emails(identity.email):
            return "emails"
        if self.tenants and not self.tenants(identity.tenant):
            return "tenants"
        if self.providers and not self.providers(identity.provider):
            return "providers"
        return ""

    def holds(self, identity: Identity) -> bool | None:
        """Whether the entry selects the caller; None when its condition cannot be evaluated."""
        if self.failing(identity):
            return False
        return True if self.when is None else self.when(identity_facts(identity))

    @property
    def keys(self) -> tuple[_Key, ...]:
        """Exact values of which the caller must have one; () when there is no such field."""
        fields = (("subject", self.subjects), ("email", self.emails), ("group", self.groups),
                  ("tenant", self.tenants), ("provider", self.providers))  # fmt: skip
        for field, names in fields:
            if names and names.exact is not None:
                return tuple((field, name) for name in names.exact)
        return ()


def identity_facts(identity: Identity) -> dict[str, object]:
    """The identity.* variables of conditions."""
    claims = identity.claims
    return {
        "identity.subject": identity.subject,
        "identity.groups": list(identity.groups),
        "identity.email": identity.email,
        "identity.tenant": identity.tenant,
        "identity.issuer": identity.issuer,
        "identity.provider": identity.provider,
        "identity.claims": claims if type(claims) is dict else dict(claims),
    }


class Selector:
    """Callable as `AgentPolicy.selects`: any entry is enough; an entry that cannot be evaluated makes it None."""

    __slots__ = ("entries",)

    def __init__(self, entries: Iterable[SubjectEntry]) -> None:
        self.entries = tuple(entries)

    def __call__(self, identity: Identity) -> bool | None:
        result: bool | None = False
        for entry in self.entries:
            held = entry.holds(identity)
            if held:
                return True
            if held is None:
                result = None
        return result

    @property
    def conditional(self) -> bool:
        return any(entry.when is not None for entry in self.entries)


def candidate_index(
    policies: Sequence[AgentPolicy], selectors: Sequence[Selector]
) -> Callable[[Identity], tuple[AgentPolicy, ...]]:
    """`Policy.candidates`: the policies of which some entry matches but for its condition, in document order."""
    index: dict[_Key, list[int]] = {}
    scanned: list[int] = []
    for number, selector in enumerate(selectors):
        for entry in selector.entries:
            keys = entry.keys
            for key in keys:
                index.setdefault(key, []).append(number)
            if not keys:
                scanned.append(number)
    # Claims are not part of the key, and must not be: no matching but that of conditions depends on them.
    known: dict[tuple[str, str, tuple[str, ...], str, str], tuple[AgentPolicy, ...]] = {}

    def candidates(identity: Identity) -> tuple[AgentPolicy, ...]:
        key = (identity.provider, identity.subject, identity.groups, identity.email, identity.tenant)
        found = known.get(key)
        if found is not None:
            return found
        numbers = set(scanned)
        numbers.update(index.get(("subject", identity.subject), ()))
        numbers.update(index.get(("email", identity.email), ()))
        numbers.update(index.get(("tenant", identity.tenant), ()))
        numbers.update(index.get(("provider", identity.provider), ()))
        for group in identity.groups:
            numbers.update(index.get(("group", group), ()))
        found = tuple(
            policies[number]
            for number in sorted(numbers)
            if any(not entry.failing(identity) for entry in selectors[number].entries)
        )
        if len(known) >= REMEMBERED:
            known.clear()
        known[key] = found
        return found

    return candidates
