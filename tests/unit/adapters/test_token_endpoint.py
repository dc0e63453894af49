"""Where a secret may be sent, and how much is taken back."""

import socket

import pytest

from extproc.adapters import token_endpoint
from extproc.adapters.token_endpoint import TokenEndpoint, checked
from extproc.errors import CredentialUnavailable
from tests.unit.adapters.token_server import TokenServer


@pytest.fixture
def cloud():
    server = TokenServer()
    server.answer = lambda asked: (200, {}, {"ok": 1})
    yield server
    server.close()


@pytest.mark.parametrize(
    "url",
    [
        "https://sts.example/token",
        "http://127.0.0.1:1/x",
        "http://[::1]/x",
        "http://localhost/",
        "http://169.254.169.254/",
    ],
)
def test_a_secret_may_be_sent_by_https_or_within_the_machine(url):
    checked(url, "it")


@pytest.mark.parametrize(
    "url",
    [
        "http://sts.example/token",
        "http://127.0.0.1.example/",
        "http://169.254.169.254.example/",
        "http://127.0.0.1@sts.example/",
        "https://user@sts.example/",
        "https://user:pw@sts.example/",
        "https:///token",
        "file:///etc/passwd",
        "//sts.example/",
        "http://[::1",
        "",
    ],
)
def test_a_secret_is_not_sent_anywhere_else(url):
    with pytest.raises(CredentialUnavailable):
        checked(url, "it")


def test_the_metadata_service_of_the_environment_may_be_anywhere_but_not_behind_a_proxy(cloud, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", cloud.url)
    monkeypatch.setenv("http_proxy", cloud.url)
    checked("http://metadata.google.internal/", "it", plain=True)
    with TokenEndpoint("it", direct=True) as endpoint, pytest.raises(CredentialUnavailable, match="cannot be reached"):
        endpoint.ask("GET", "http://metadata.invalid/", {})
    assert cloud.asked == []


def test_an_answer_in_compressed_form_is_declined(cloud):
    with TokenEndpoint("it") as endpoint:
        headers, data = endpoint.ask("GET", cloud.url, {"x-a": "1"})
    assert (data, cloud.asked[0].headers["accept-encoding"]) == (b'{"ok": 1}', "identity")
    assert headers["SERVER"]


def test_an_endpoint_that_is_not_there_is_told_by_the_kind_of_the_error():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with TokenEndpoint("it") as endpoint, pytest.raises(CredentialUnavailable) as told:
        endpoint.ask("GET", f"http://127.0.0.1:{port}/secret-path", {})
    assert str(told.value) == "it cannot be reached (ConnectError)"


def test_an_endpoint_that_does_not_answer_is_not_waited_for(cloud, monkeypatch):
    monkeypatch.setattr(token_endpoint, "_WAIT", 0.05)
    cloud.gate.clear()
    with TokenEndpoint("it") as endpoint, pytest.raises(CredentialUnavailable, match="did not answer in time"):
        endpoint.ask("GET", cloud.url, {})


def test_all_questions_of_one_exchange_share_one_deadline(cloud, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(token_endpoint, "monotonic", lambda: now[0])
    with TokenEndpoint("it") as endpoint:
        endpoint.ask("GET", cloud.url, {})
        now[0] += token_endpoint.DEADLINE
        with pytest.raises(CredentialUnavailable, match="did not answer in time"):
            endpoint.ask("GET", cloud.url, {})
    assert len(cloud.asked) == 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3600, 3600.0), ("3600", 3600.0), (1.5, 1.5), (None, None), (True, None), ("", None), ("1e9", None), ("-1", None),
     ("9" * 20, None), ([], None)],
)  # fmt: skip
def test_seconds_are_numbers_also_as_text(value, expected):
    assert token_endpoint.seconds(value) == expected
