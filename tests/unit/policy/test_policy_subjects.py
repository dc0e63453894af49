"""The index of policies by caller: the same answer as asking each of them, for a cost that does not grow."""

import inspect

from hypothesis import given
from hypothesis import strategies as st

from extproc.identity.model import Identity
from extproc.policy import subjects
from extproc.policy.names import Names
from extproc.policy.subjects import Selector, SubjectEntry, candidate_index

WORD = st.sampled_from(["a", "b", "c", ""])
NAMES = st.lists(st.sampled_from(["a", "b", "c", "*", "a*"]), max_size=2).map(Names)
ENTRY = st.builds(SubjectEntry, NAMES, NAMES, NAMES, NAMES, NAMES, st.none())
POLICIES = st.lists(st.lists(ENTRY, min_size=1, max_size=3).map(Selector), max_size=8)
IDENTITY = st.builds(
    Identity, provider=WORD, issuer=st.just("i"), subject=WORD, groups=st.lists(WORD, max_size=3).map(tuple),
    email=WORD, tenant=WORD,
)  # fmt: skip


@given(POLICIES, st.lists(IDENTITY, min_size=1, max_size=4))
def test_the_index_finds_what_asking_each_policy_finds(selectors, identities):
    find = candidate_index(list(range(len(selectors))), selectors)
    for identity in identities:
        expected = tuple(number for number, selector in enumerate(selectors) if selector(identity))
        assert find(identity) == expected
        assert find(identity) == expected


def test_remembered_callers_are_bounded(monkeypatch):
    monkeypatch.setattr(subjects, "REMEMBERED", 10)
    find = candidate_index(["policy"], [Selector([SubjectEntry(Names(["*"]), *[Names(())] * 4, None)])])
    known = inspect.getclosurevars(find).nonlocals["known"]
    for number in range(100):
        assert find(Identity("p", "i", str(number))) == ("policy",)
        assert len(known) <= 10
