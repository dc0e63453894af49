"""Handles bound to their caller: what one caller was given is unknown to every other, to every server and kind."""

import pytest

from extproc.session.seal import Seal

SEAL = Seal(b"k" * 32)


def test_a_handle_comes_back_as_it_was():
    sealed = SEAL.closer("session", "notes", b"ada")("s-1")
    assert sealed.startswith("s-1~")
    assert SEAL.opener("session", "notes", b"ada")(sealed) == "s-1"


@pytest.mark.parametrize(
    ("seal", "kind", "server", "caller"),
    [
        pytest.param(SEAL, "session", "notes", b"eve", id="another caller"),
        pytest.param(SEAL, "session", "crm", b"ada", id="another server"),
        pytest.param(SEAL, "task", "notes", b"ada", id="another kind"),
        pytest.param(Seal(b"q" * 32), "session", "notes", b"ada", id="another key"),
        pytest.param(SEAL, "session\0notes", "", b"ada", id="names joined otherwise"),
        pytest.param(SEAL, "session", "notes\0a", b"da", id="a name that ends in the caller's"),
    ],
)
def test_it_is_unknown_to(seal: Seal, kind: str, server: str, caller: bytes):
    assert seal.opener(kind, server, caller)(SEAL.closer("session", "notes", b"ada")("s-1")) is None


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param("", id="nothing"),
        pytest.param("~", id="only the mark"),
        pytest.param("s-1", id="no code"),
        pytest.param("s-1~", id="an empty code"),
        pytest.param("s-1~" + "A" * 22, id="a guess"),
        pytest.param("s-1~" + "é" * 22, id="letters that no code has"),
        pytest.param("s-1~" + "\udc80" * 22, id="halves of letters"),
        pytest.param("x" * 70_000 + "~" + "A" * 22, id="longer than is looked at"),
    ],
)
def test_what_was_not_given_out_is_unknown(forged: str):
    assert SEAL.opener("session", "notes", b"ada")(forged) is None


@pytest.mark.parametrize("place", range(-22, 0))
def test_every_character_of_the_code_counts(place: int):
    sealed = SEAL.closer("session", "notes", b"ada")("s-1")
    opener = SEAL.opener("session", "notes", b"ada")
    for other in "AB":
        changed = sealed[:place] + other + sealed[place:][1:]
        assert opener(changed) == ("s-1" if changed == sealed else None)


def test_a_sealed_handle_can_be_sealed_again():
    closer, opener = SEAL.closer("task", "a", b"ada"), SEAL.opener("task", "a", b"ada")
    twice = closer(closer("t"))
    assert opener(twice) == closer("t")
    assert opener(closer("t")) == "t"


def test_a_short_key_is_refused_and_none_is_shown():
    with pytest.raises(ValueError, match="guessed"):
        Seal(b"k" * 31)
    assert "k" * 4 not in repr(SEAL)
