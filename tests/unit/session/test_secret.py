"""The injected credential does not come back to the client, in whatever answer and however it is cut."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.policy.runtime import CredentialSource
from extproc.session.secret import Hider, hidden, secret_of, spellings
from tests.unit.session.transcript import (
    SECRET,
    Playbook,
    allowed,
    answer,
    begins,
    body,
    chat,
    chunk,
    completion,
    delta,
    gives,
    mcp,
    over,
    sse,
    tool,
)

DONE = "data: [DONE]\n\n"
LABEL = "*" * len(SECRET) if len(SECRET) < 19 else "[masked:credential]".ljust(len(SECRET), "*")


def bare(**extra: Any) -> Playbook:
    return allowed(chat("bare"), body(**extra))


@pytest.mark.parametrize(
    ("form", "value", "secret"),
    [
        pytest.param("Bearer {}", "Bearer sk-12345678", b"sk-12345678", id="after a scheme"),
        pytest.param("{}", "sk-12345678", b"sk-12345678", id="alone"),
        pytest.param("key={};v=1", "key=sk-12345678;v=1", b"sk-12345678", id="in the middle"),
        pytest.param("{}", "demo", b"", id="too short to be one"),
    ],
)
def test_the_secret_is_what_stands_in_the_format(form: str, value: str, secret: bytes) -> None:
    assert secret_of(CredentialSource("LLMProvider/x", "authorization", form), value) == secret


@pytest.mark.parametrize("make", [bare, allowed], ids=["not masked", "masked"])
@pytest.mark.parametrize("status", [200, 401, 500])
def test_an_answer_that_echoes_the_credential_loses_it_and_keeps_its_length(make: Any, status: int) -> None:
    playbook = make()
    doc = {"error": {"message": f"bad key {SECRET}, {SECRET}"}} if status > 200 else completion(f"it is {SECRET}")
    data = json.dumps(doc)
    playbook >> answer(status, content_length=str(len(data)))
    playbook._pending.clear()
    playbook >> chunk(data[:60], False)
    playbook._pending.clear()
    playbook >> chunk(data[60:])
    playbook._pending.clear()
    assert SECRET.encode() not in playbook.given
    assert json.loads(playbook.given) == json.loads(data.replace(SECRET, LABEL))
    assert over(playbook)["masked"] == {"credential": data.count(SECRET)}
    assert over_bytes(playbook) == len(playbook.given)


def over_bytes(playbook: Playbook) -> int:
    return int(playbook.record["bytes"]["response"])


def test_a_text_error_that_echoes_it_loses_it() -> None:
    playbook = bare()
    assert playbook >> answer(401, "text/plain") << begins()
    assert playbook >> chunk(f"bad key {SECRET}") << gives(f"bad key {LABEL}", end=True)


@pytest.mark.parametrize("group", ["bare", "engineering"])
def test_an_mcp_answer_that_echoes_it_loses_it(group: str) -> None:
    playbook = allowed(mcp(group), tool("read_note"))
    said = {"jsonrpc": "2.0", "id": 7, "result": {"content": [{"type": "text", "text": f"my key is {SECRET}"}]}}
    assert playbook >> answer() >> chunk(said) << begins(length="any") << gives(end=True, has=LABEL, lacks=SECRET)


def test_a_stream_loses_it_wherever_it_is_cut() -> None:
    data = (delta(f"it is {SECRET}.") + DONE).encode()
    for cut in range(1, len(data), 7):
        playbook = bare(stream=True)
        assert playbook >> sse() << begins()
        for piece, end in ((data[:cut], False), (data[cut:], True)):
            playbook >> chunk(piece, end)
            playbook._pending.clear()
        assert playbook.given == data.replace(SECRET.encode(), LABEL.encode())


def test_what_was_held_back_leaves_before_trailers() -> None:
    from extproc.session.actions import ResponseTrailersReply
    from extproc.session.events import ResponseTrailers

    playbook = bare()
    begun = SECRET[:-1]
    assert playbook >> answer(401, "text/plain") << begins()
    assert playbook >> chunk(f"no {begun}", False) << gives("no ", end=False)
    assert playbook >> ResponseTrailers({}) << gives(begun, end=False) << ResponseTrailersReply(())


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(lambda text: json.dumps(text), id="as Python does"),
        pytest.param(lambda text: json.dumps(text).replace("/", "\\/"), id="as PHP does"),
        pytest.param(lambda text: json.dumps(text).replace("&", "\\u0026").replace("<", "\\u003c"), id="as Go does"),
        pytest.param(
            lambda text: json.dumps(text).replace("&", "\\u0026").replace("<", "\\u003C").replace("+", "\\u002B"),
            id="as .NET does",
        ),
    ],
)
def test_json_writes_it_in_ways_that_are_known(written: Any) -> None:
    secret = 'a/b"c\\d+e&f<g=h'
    hider = Hider(secret.encode())
    out = hider.feed(written({"k": secret}).encode()) + hider.flush()
    assert (json.loads(out)["k"].strip("*"), hider.found) in (("", 1), ("[masked:credential]", 1))


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(lambda text: quote(text, safe=""), id="whole"),
        pytest.param(lambda text: quote(text, safe="").replace("%2F", "%2f").replace("%2B", "%2b"), id="in lower case"),
        pytest.param(lambda text: quote(text, safe="/"), id="but for slashes"),
    ],
)
def test_urls_write_it_in_ways_that_are_known(written: Any) -> None:
    secret = "FwoG/ab+c/def8gh"
    size = len(written(secret))
    url = f"https://upstream.test/?token={written(secret)}&x=1"
    hider = Hider(secret.encode())
    out = hider.feed(url.encode()) + hider.flush()
    assert out.decode() == hidden(secret.encode(), url)
    label = "[masked:credential]".ljust(size, "*") if size >= 19 else "*" * size
    assert (out.decode(), hider.found) == (f"https://upstream.test/?token={label}&x=1", 1)


def test_a_plain_secret_has_one_spelling() -> None:
    assert spellings(b"sk-1234_5.67~8") == (b"sk-1234_5.67~8",)
    assert spellings(b"") == spellings(()) == spellings((b"",)) == ()


def test_of_several_secrets_all_are_hidden_though_one_is_a_part_of_another() -> None:
    hider = Hider((b"ABCDEFGH", b"", b"0ABCDEFGH0", b"token-12345"))
    out = hider.feed(b"0ABCDEFGH0 ABCDEFGH token-") + hider.feed(b"12345 ABCD") + hider.flush()
    assert (out, hider.found) == (b"*" * 10 + b" ******** " + b"*" * 11 + b" ABCD", 3)


secrets = st.text("ab", min_size=1, max_size=6).map(str.encode)


@given(secrets, st.lists(st.text("abc", max_size=8).map(str.encode), max_size=12))
def test_however_bytes_are_cut_what_leaves_is_the_same(secret: bytes, pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    hider = Hider(secret)
    out, waiting = b"", 0
    for piece in pieces:
        out += hider.feed(piece)
        waiting += len(piece)
        assert waiting - len(out) < len(secret)
    out += hider.flush()
    assert out == whole.replace(secret, b"*" * len(secret))
    assert hider.found == whole.count(secret)
