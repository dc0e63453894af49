"""Seals under any handle and any caller: what was given out comes back, and nothing else does."""

from hypothesis import given
from hypothesis import strategies as st

from extproc.session.seal import Seal

SEAL = Seal(b"k" * 32)
HANDLES = st.text(max_size=80)
CONTEXTS = st.tuples(st.sampled_from(["session", "task", "state"]), st.text(max_size=20), st.binary(max_size=40))


@given(HANDLES, CONTEXTS)
def test_any_handle_comes_back_to_its_caller(handle: str, context: tuple[str, str, bytes]):
    assert SEAL.opener(*context)(SEAL.closer(*context)(handle)) == handle


@given(HANDLES, CONTEXTS, CONTEXTS)
def test_no_handle_comes_back_to_another(handle: str, mine: tuple[str, str, bytes], other: tuple[str, str, bytes]):
    # A NUL in a server's name could move the bounds between names; policy takes no such names.
    if mine != other and "\0" not in mine[1] + other[1]:
        assert SEAL.opener(*other)(SEAL.closer(*mine)(handle)) is None


@given(HANDLES, CONTEXTS, st.integers(0, 200), st.text(max_size=3), st.integers(0, 3))
def test_no_change_to_a_sealed_handle_is_taken_for_one(
    handle: str, context: tuple[str, str, bytes], at: int, instead: str, out: int
):
    sealed = SEAL.closer(*context)(handle)
    changed = sealed[:at] + instead + sealed[at + out :]
    assert SEAL.opener(*context)(changed) == (handle if changed == sealed else None)


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=200), CONTEXTS)
def test_nothing_is_opened_that_was_not_sealed(said: str, context: tuple[str, str, bytes]):
    assert SEAL.opener(*context)(said) is None
