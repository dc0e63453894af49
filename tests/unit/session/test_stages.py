import pytest

from extproc.exchange import classify
from extproc.exchange.classify import Route
from extproc.identity.model import Identity
from extproc.session.stages import Admitted, Arrived, RequestFacts

HEADERS = {":path": "/v1/chat/completions", "x-team": "a", "authorization": "Bearer s", "x-api-key": "s",
           "api-key": "s", "x-goog-api-key": "s", "proxy-authorization": "s", "cookie": "s"}  # fmt: skip


@pytest.fixture
def facts():
    route = Route("llm", "openai-chat", "chat")
    voice = classify.DIALECTS["openai-chat"]
    arrived = Arrived("POST", "/v1/chat/completions", "key=s", "10.0.0.1:5", "curl", route, voice, None, True)
    return RequestFacts(Admitted(arrived, Identity("p", "https://p.example", "user-1"), HEADERS))


def test_conditions_read_path_source_and_headers_but_no_credential(facts):
    assert dict(facts) == {
        "path": "/v1/chat/completions",
        "source": "10.0.0.1:5",
        "headers": {"x-team": "a"},
        "size": 0,
        "provider": "",
        "id": "",
    }


@pytest.mark.parametrize("name", ["query", "agent", "method", "server", ""])
def test_what_is_no_fact_cannot_be_asked_for(facts, name):
    assert facts.get(name) is None
    assert name not in facts
