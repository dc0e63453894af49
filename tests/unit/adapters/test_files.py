import os

import pytest

from extproc.adapters.files import read_regular, signature


def test_a_signature_changes_with_content_name_and_link_target(tmp_path):
    path = tmp_path / "a"
    path.write_text("1")
    seen = {signature(path)}
    path.write_text("22")
    seen.add(signature(path))
    (tmp_path / "b").write_text("33")
    (tmp_path / "b").replace(path)
    seen.add(signature(path))
    assert len(seen) == 3
    assert signature(path) == signature(path)


@pytest.mark.parametrize("name", ["missing", "a\x00b", "loop"])
def test_what_cannot_be_looked_at_has_no_signature(tmp_path, name):
    (tmp_path / "loop").symlink_to("loop")
    assert signature(f"{tmp_path}/{name}") is None


def test_a_read_is_bounded_and_shows_that_it_was(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 100)
    assert len(read_regular(tmp_path / "a", 10)) == 11
    assert len(read_regular(tmp_path / "a", 100)) == 100


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        read_regular(tmp_path / "pipe", 10)
