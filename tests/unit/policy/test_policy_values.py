"""Values that arguments may have: a list of none is told where it stands."""

import pytest
from pydantic import ValidationError

from extproc.policy.documents.tool_rules import ArgumentsSpec


def test_an_argument_that_may_have_no_value_at_all_is_a_mistake_in_the_document():
    with pytest.raises(ValidationError, match="at least 1"):
        ArgumentsSpec.model_validate({"values": {"env": ()}})
