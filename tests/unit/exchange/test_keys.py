"""Keys that another reader would take for a judged one."""

import pytest

from extproc.errors import BadRequest
from extproc.exchange.keys import Keys

JUDGED = Keys("model", "task", "taskId", "kind")


@pytest.mark.parametrize(
    ("key", "judged"),
    [
        pytest.param("Model", "model", id="a capital"),
        pytest.param("MODEL", "model", id="capitals"),
        pytest.param("taſk", "task", id="a long s"),
        pytest.param("tas\u212a", "task", id="the kelvin sign"),
        pytest.param("k\u0131nd", "kind", id="a dotless i"),
        pytest.param("K\u0130ND", "kind", id="a dotted capital i"),
        pytest.param("TASKID", "taskId", id="another case of a key with capitals"),
        pytest.param("model\0", "model", id="a NUL at the end"),
        pytest.param("Model\0x", "model", id="a NUL and more behind it"),
    ],
)
def test_a_key_that_a_lenient_reader_takes_for_a_judged_one_is_found(key, judged):
    assert JUDGED.disguised({"model": 1, key: 2}) == judged
    assert JUDGED.disguised({key: 2}) == judged


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("modelo", id="a longer word"),
        pytest.param("mode", id="a shorter word"),
        pytest.param("", id="nothing"),
        pytest.param("mod\u00e8l", id="an accent"),
        pytest.param("Stream", id="another case of a key nobody judges"),
        pytest.param(" model", id="a space before it"),
    ],
)
def test_other_keys_are_left_alone(key):
    assert JUDGED.disguised({"model": 1, "taskId": 2, key: 3}) == ""


def test_a_disguised_key_is_refused_with_the_judged_name_and_never_with_its_own():
    with pytest.raises(BadRequest) as caught:
        JUDGED.check({"model": "a", "MODEL\0secret": "b"})
    assert caught.value.reason == "body-shape"
    assert caught.value.status == 400
    assert "model" in caught.value.message
    assert "secret" not in caught.value.message
    assert "MODEL" not in caught.value.message


def test_the_refusal_names_the_place_it_is_told():
    with pytest.raises(BadRequest, match=r"tools\[\]\.kind"):
        JUDGED.check({"Kind": 1}, "tools[]")


def test_nothing_is_raised_for_an_object_whose_judged_keys_are_exact():
    JUDGED.check({"model": "a", "task": 1, "Temperature": 1})
    JUDGED.check({})
