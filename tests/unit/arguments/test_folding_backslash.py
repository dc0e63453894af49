"""Backslashes that one reader takes for an escape and another for a separator."""

import pytest

from extproc.arguments.checks import CHECKS


@pytest.mark.parametrize("value", [".%252e\\x2ea", "%252e%252e\\x2ea", ".&amp;#46;\\x2ea", "a\\.%252e\\x2e.\\x2ea"])
@pytest.mark.parametrize("roots", [(), ("/srv/data",)], ids=["anywhere", "in roots"])
def test_what_climbs_for_a_reader_without_escapes_is_refused(value, roots):
    assert CHECKS["path"](roots=roots)(value)
