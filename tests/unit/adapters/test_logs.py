import io
import json
import logging

import pytest
import structlog

from extproc.adapters.logs import REDACTED, configure
from extproc.errors import StartupError


@pytest.fixture
def out():
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure(stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    structlog.configure(**before)
    root.handlers[:], root.level = handlers, level


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Authorization was Bearer abcdef0123", id="a bearer token"),
        pytest.param("got eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.abcdef0123", id="a JWT"),
        pytest.param("cut: eyJhbGciabcdef0123", id="the beginning of a JWT"),
        pytest.param("key sk-ant-api03-abcdef0123", id="an API key"),
        pytest.param("AKIAIOSABCDEF0123XYZ", id="an AWS key"),
        pytest.param("ghp_abcdef0123abcdef0123", id="a GitHub token"),
        pytest.param("xoxb-12345678-abcdef0123", id="a Slack token"),
        pytest.param("https://user:abcdef0123@host/", id="a password in a URL"),
        pytest.param("GET /x?api_key=abcdef0123&y=1", id="a key in a query"),
        pytest.param("-----BEGIN RSA PRIVATE KEY-----\nabcdef0123", id="a private key"),
    ],
)
def test_what_looks_like_a_secret_never_comes_out(out, text):
    log = structlog.get_logger()
    log.info(text, note=text, inner={"deep": [text, (text,)]}, raw=text.encode())
    logging.getLogger("some.library").warning("it said %s", text)
    shown = json.dumps(out())
    assert "abcdef0123" not in shown.lower()
    assert shown.count(REDACTED) >= 5


@pytest.mark.parametrize(
    "name", ["token", "Authorization", "x-api-key", "API_KEY", "client_secret", "set-cookie", "pwd_password"]
)
def test_what_is_called_a_secret_never_comes_out(out, name):
    structlog.get_logger().info("x", **{name: "hunter2"}, deep={name: {"a": "hunter2"}})
    assert "hunter2" not in json.dumps(out())


def test_numbers_and_plain_text_stay(out):
    structlog.get_logger().info("policy loaded", version="v1", token_hits=5, ok=True, none=None)
    (line,) = out()
    assert (line["event"], line["version"], line["token_hits"], line["ok"], line["level"]) == (
        "policy loaded", "v1", 5, True, "info",
    )  # fmt: skip


def test_a_foreign_exception_is_logged_by_type_and_place_without_its_words(out):
    try:
        int("my-prompt")
    except ValueError as error:
        structlog.get_logger().error("failed", exc_info=error)
        structlog.get_logger().exception("failed again")
        logging.getLogger("lib").exception("lib failed")
    first, second, third = out()
    assert first["exception"] == second["exception"] == third["exception"] == "ValueError"
    assert "test_logs.py" in first["at"][-1]
    assert "my-prompt" not in json.dumps([first, second, third])


def test_our_own_exceptions_may_speak(out):
    structlog.get_logger().error("failed", exc_info=StartupError("port 10000 is taken"))
    assert out()[0]["why"] == "port 10000 is taken"


def test_endless_text_and_endless_nesting_are_cut(out):
    deep: list = []
    for _ in range(50):
        deep = [deep]
    structlog.get_logger().info("x" * 100_000, deep=deep, odd="\ud800")
    assert len(json.dumps(out())) < 5_000


def test_libraries_are_heard_from_warning_on_and_broken_messages_do_not_raise(out):
    logging.getLogger("httpx2").info("GET https://id.example/jwks")
    handler = next(h for h in logging.getLogger().handlers if type(h).__module__ == "extproc.adapters.logs")
    handler.handle(logging.LogRecord("lib", logging.WARNING, "f", 1, "%d items", ("three",), None))
    (line,) = out()
    assert line["logger"] == "lib"


def test_text_is_for_people():
    before = structlog.get_config()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    try:
        configure(format="text", stream=stream)
        structlog.get_logger().info("hello", token="hunter2", n=1)
    finally:
        structlog.configure(**before)
        root.handlers[:], root.level = handlers, level
    assert "hello" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()
