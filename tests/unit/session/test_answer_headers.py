"""Which headers of an answer reach the client, and as what."""

import pytest

from extproc.session.actions import ResponseHeadersReply
from extproc.session.answer_headers import returned
from extproc.session.events import ResponseHeaders
from tests.unit.session.transcript import CARD, ID, MASKED, SECRET, VIA, allowed, body, chat, mcp, policy, sealed, tool

KEPT = {
    "content-type": "application/json",
    "retry-after": "3",
    "retry-after-ms": "3000",
    "x-should-retry": "true",
    "x-request-id": "req_1",
    "x-amzn-errortype": "ThrottlingException",
    "request-id": "req_2",
    "openai-processing-ms": "12",
    "openai-version": "2020-10-01",
    "x-ratelimit-remaining-tokens": "99",
    "anthropic-ratelimit-requests-reset": "2026-01-01T00:00:00Z",
    "mcp-session-id": "1868a90c-6f0b-4c3e-9d0e-000000000000",
    "mcp-protocol-version": "2025-11-25",
    "cache-control": "no-cache",
    "date": "Sat, 21 Nov 2026 03:35:11 GMT",
    "allow": "POST",
    "cf-ray": "8f0000000000abcd-FRA",
}
GONE = {
    "x-echo": "anything",
    "location": "https://evil.example.com",
    "content-location": "/x",
    "refresh": "0; url=https://evil.example.com",
    "link": "<https://evil.example.com>; rel=preload",
    "set-cookie": "a=b",
    "set-cookie2": "a=b",
    "strict-transport-security": "max-age=1",
    "x-accel-redirect": "/internal",
    "x-sendfile": "/etc/passwd",
    "x-accel-buffering": "no",
    "alt-svc": "h3",
    "www-authenticate": "Bearer",
    "access-control-allow-origin": "*",
    "clear-site-data": "*",
    "server": "nginx",
    "openai-organization": "org-1",
    "anthropic-organization-id": "org-2",
    "x-gatereeve-reason": "allowed",
    "traceparent": "00-1-2-01",
}


@pytest.mark.parametrize("changed", [False, True], ids=["as they came", "with another body"])
def test_only_headers_that_clients_read_pass(changed: bool) -> None:
    sets, removed = returned({":status": "200", **KEPT, **GONE}, ID, b"", None, changed=changed)
    assert sets == (("x-gatereeve-id", ID),)
    assert set(removed) == set(GONE) | ({"content-length"} if changed else set())


OF_THE_BODY = {
    "content-encoding": "gzip",
    "etag": "x",
    "content-length": "5",
    "content-digest": "d",
    "accept-ranges": "b",
}


@pytest.mark.parametrize("changed", [False, True], ids=["passes with it", "goes with it"])
def test_what_headers_say_of_a_body(changed: bool) -> None:
    _, removed = returned(OF_THE_BODY, ID, b"", None, changed=changed)
    assert sorted(removed) == (sorted(OF_THE_BODY) if changed else [])


def test_values_are_masked_but_for_those_that_must_come_back_as_they_were() -> None:
    masking = policy().masking["pii"]
    mask = masking.start()
    headers = {"x-request-id": f"for {CARD}", "retry-after": "3", "mcp-session-id": "4111111111111111"}
    sets, removed = returned(headers, ID, b"", mask, changed=False)
    assert sets == (("x-gatereeve-id", ID), ("x-request-id", f"for {MASKED}"))
    assert removed == ()
    assert mask.counts == {"card": 1}


def test_values_that_cannot_be_told_apart_once_they_are_masked_do_not_pass() -> None:
    class Greedy:
        def text(self, text: str, before: str = "") -> str:
            return "[masked:all]"

    headers = {":status": "200", "x-request-id": "a", "retry-after": "3", "mcp-session-id": "s"}
    sets, removed = returned(headers, ID, b"", Greedy(), changed=False)  # type: ignore[arg-type]
    assert sets == (("x-gatereeve-id", ID),)
    assert removed == ("x-request-id", "retry-after")


@pytest.mark.parametrize("plane", ["masked", "bare", "mcp", "without a body"])
def test_no_header_gives_the_injected_credential_away(plane: str) -> None:
    call = {"bare": (chat("bare"), body()), "mcp": (mcp("bare"), tool("read_note"))}.get(plane, (chat(), body()))
    playbook = allowed(*call)
    headers = {":status": "401", "content-type": "application/json", "x-request-id": f"bad key {SECRET}!",
               "mcp-session-id": SECRET, "x-echo": SECRET, "openai-version": "1"}  # fmt: skip
    playbook >> ResponseHeaders(headers, plane == "without a body", VIA)
    playbook._pending.clear()
    if not any(isinstance(action, ResponseHeadersReply) for action in playbook.actions):
        from tests.unit.session.transcript import chunk

        playbook >> chunk("{}")
    (head,) = [action for action in playbook.actions if isinstance(action, ResponseHeadersReply)]
    assert dict(head.set)["x-request-id"] == f"bad key {'*' * len(SECRET)}!"
    session = "*" * len(SECRET)
    assert dict(head.set)["mcp-session-id"] == (sealed("session", session) if plane == "mcp" else session)
    assert "x-echo" in head.remove
    assert "openai-version" not in head.remove
