"""What records say of where a call went, or why it went nowhere."""

import pytest

from extproc.session.actions import RequestHeadersReply
from tests.unit.session.transcript import (
    Playbook,
    allowed,
    answer,
    begins,
    body,
    chat,
    chunk,
    completion,
    gives,
    over,
    refuses,
)


@pytest.mark.parametrize(
    ("model", "status", "reason", "known"),
    [
        pytest.param("shady-model", 403, "provider-not-approved", True, id="no target could take it"),
        pytest.param("orphan", 503, "credential-unavailable", True, id="its target could not be asked"),
        pytest.param("secret-model", 403, "model-not-allowed", False, id="policy refused it, whatever it held"),
    ],
)
def test_the_class_of_a_call_is_recorded_once_policy_has_allowed_it(
    model: str, status: int, reason: str, known: bool
) -> None:
    playbook = Playbook()
    assert playbook >> chat() << RequestHeadersReply() >> body(model=model) << refuses(status, reason)
    assert over(playbook).get("data_class") == ("internal" if known else None)


def test_the_record_of_a_served_call_names_its_target_and_class() -> None:
    playbook = allowed()
    assert playbook >> answer() >> chunk(completion("hi")) << begins(length="any") << gives(end=True)
    entry = over(playbook)
    assert (entry["upstream"], entry["upstream_dialect"], entry["data_class"]) == (
        "LLMProvider/demo",
        "openai-chat",
        "internal",
    )
    assert not {"targets", "attempts", "dropped"} & set(entry)
