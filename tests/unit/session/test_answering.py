"""What becomes of an upstream's answer: masked, filtered, counted, refused; whole, streamed, coded, cut off."""

import gzip
import json
import zlib
from typing import Any

import pytest

from extproc.session.actions import RequestHeadersReply, ResponseHeadersReply, ResponseTrailersReply
from extproc.session.events import ResponseTrailers, StreamClosed
from tests.unit.session.transcript import (
    CARD,
    LIMITS,
    MASKED,
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
    forwards,
    gives,
    mcp,
    messages,
    openai,
    over,
    refuses,
    request,
    rpc,
    rpc_error,
    sse,
    tool,
)

DONE = "data: [DONE]\n\n"


def bare() -> Playbook:
    """A call of somebody whose answers are not masked."""
    return allowed(chat("bare"))


def mcp_call(said: Any = None) -> Playbook:
    return allowed(mcp(), said or tool("read_note"))


def result(text: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 7, "result": {"content": [{"type": "text", "text": text}]}}


# -- whole -------------------------------------------------------------------------------------------------------------


@pytest.mark.promise("masking.document")
@pytest.mark.parametrize(
    ("headers", "said", "doc"),
    [
        pytest.param(chat(), body(), completion(f"card {CARD}"), id="of OpenAI Chat"),
        pytest.param(
            request("/v1/responses"),
            body(),
            {"id": "r", "output": [{"type": "message", "content": [{"type": "output_text", "text": f"card {CARD}"}]}]},
            id="of OpenAI Responses",
        ),
        pytest.param(
            messages(),
            body(model="claude-sonnet"),
            {"type": "message", "content": [{"type": "text", "text": f"card {CARD}"}]},
            id="of Anthropic",
        ),
        pytest.param(mcp(), tool("read_note"), result(f"card {CARD}"), id="of MCP"),
    ],
)
def test_a_whole_answer_is_masked_before_any_of_it_leaves(headers: Any, said: Any, doc: Any) -> None:
    playbook = allowed(headers, said)
    data = json.dumps(doc)
    assert playbook >> answer(content_length=str(len(data)), etag='"x"', content_digest="sha-256=:x:")
    assert playbook >> chunk(data[:50], False) >> chunk(data[50:], False)  # nothing leaves yet
    playbook >> chunk("") << begins("etag", "content-digest", length="any") << gives(end=True, has=MASKED, lacks="4111")
    assert playbook
    assert int(dict(playbook.actions[-2].set)["content-length"]) == len(playbook.given)
    entry = over(playbook)
    assert entry["masked"] == {"card": 1}
    assert entry["status"] == 200


def test_a_whole_answer_that_ends_in_trailers_leaves_without_length_and_without_trailers() -> None:
    playbook = allowed()
    assert playbook >> answer(content_length="99") >> chunk(completion(CARD), False)
    trailers = ResponseTrailers({"x-note": CARD, "x-gatereeve-id": "forged"})
    assert (
        playbook
        >> trailers
        << begins("content-length")
        << gives(end=False, has=MASKED)
        << ResponseTrailersReply(("x-note", "x-gatereeve-id"))
    )
    assert over(playbook)["aborted"] is False


def test_a_large_answer_leaves_in_pieces() -> None:
    text = "word " * 500_000
    playbook = Playbook(_large())
    assert (
        playbook
        >> chat()
        << RequestHeadersReply()
        >> body()
        << forwards()
        >> answer()
        >> chunk(completion(text), False)
    )
    playbook >> chunk("") << begins(length="any")
    pieces = playbook._pending
    assert [piece.end_of_stream for piece in pieces] == [False, False, True]
    assert max(len(piece.body) for piece in pieces) == 1 << 20
    assert json.loads(playbook.given)["choices"][0]["message"]["content"] == text


def _large() -> Any:
    from extproc.session.stages import Limits
    from tests.unit.session.transcript import session

    return session(limits=Limits())


@pytest.mark.promise("bad-input.size")
@pytest.mark.parametrize("coded", [False, True], ids=["plain", "coded"])
def test_an_answer_too_large_to_inspect_is_refused(coded: bool) -> None:
    data = json.dumps(completion("a " * LIMITS.answer)).encode()
    playbook = allowed()
    assert playbook >> (answer(content_encoding="gzip") if coded else answer())
    playbook >> chunk(gzip.compress(data) if coded else data, False) << refuses(502, "answer-too-large", shape=openai)
    assert playbook >> chunk(b"more")
    assert over(playbook)["reason"] == "answer-too-large"


@pytest.mark.parametrize(
    ("headers", "data", "words"),
    [
        pytest.param(answer(), b"{", "not valid JSON", id="is broken JSON"),
        pytest.param(answer(), b'["a"]', "not a JSON object", id="is another JSON"),
        pytest.param(answer(200, "application/octet-stream"), None, "content type", id="is binary"),
        pytest.param(answer(200, "application/json; charset=utf-16"), None, "character set", id="is in UTF-16"),
        pytest.param(answer(200, "text/html"), b"<h1>Login</h1>", "neither JSON", id="is a login page"),
        pytest.param(answer(200, None), b"data: {}\n\n", "neither JSON", id="does not say what it is"),
        pytest.param(answer(206), None, "part", id="is a part"),
        pytest.param(answer(content_encoding="br"), None, "compressed", id="is in a coding nobody reads"),
        pytest.param(answer(content_encoding="gzip, br"), None, "compressed", id="is coded twice"),
        pytest.param(answer(content_encoding="gzip"), b"{}", "Content-Encoding", id="is not coded as it says"),
        pytest.param(answer(content_encoding="gzip"), gzip.compress(b"{}")[:-5], "cut off", id="is cut off"),
        pytest.param(answer(content_encoding="gzip"), gzip.compress(b"{}") * 2, "after the end", id="has two parts"),
        pytest.param(answer(500, "text/plain"), b"\xff\xfe", "UTF-8", id="is an error in no text"),
        pytest.param(answer(500, "text/plain"), CARD.encode("utf-16-le"), "NUL", id="is an error in UTF-16"),
        pytest.param(answer(500, "text/plain"), CARD.encode("utf-32-be"), "NUL", id="is an error in UTF-32"),
        pytest.param(answer(500, "text/plain"), b"{broken", "not valid JSON", id="is an error in broken JSON"),
    ],
)
def test_an_answer_is_refused_when_it(headers: Any, data: bytes | None, words: str) -> None:
    playbook = allowed()
    playbook >> headers
    if data is not None:
        assert playbook
        playbook >> chunk(data)
    playbook << refuses(502, "answer-unreadable", shape=openai)
    assert playbook
    assert words in playbook.actions[-1].rendered.body.decode()
    entry = over(playbook)
    assert (entry["verdict"], entry["reason"], entry["status"]) == ("deny", "answer-unreadable", 502)


@pytest.mark.promise("bad-input.compressed-response")
@pytest.mark.parametrize("coding", ["gzip", "deflate", "x-gzip", " GZIP "])
def test_a_coded_answer_is_read_masked_and_sent_plain(coding: str) -> None:
    data = json.dumps(completion(CARD)).encode()
    data = zlib.compress(data) if coding == "deflate" else gzip.compress(data)
    playbook = allowed()
    assert playbook >> answer(content_encoding=coding) >> chunk(data[:20], False)
    assert playbook >> chunk(data[20:]) << begins("content-encoding", length="any") << gives(end=True, has=MASKED)


def test_an_error_of_the_upstream_keeps_its_status_and_is_masked() -> None:
    playbook = allowed()
    said = {"error": {"message": f"no: {CARD}", "type": "invalid_request_error"}}
    playbook >> answer(429, retry_after="3") >> chunk(said) << begins(length="any")
    playbook << gives(end=True, has=MASKED, lacks="4111")
    assert playbook
    assert "retry-after" not in playbook.actions[-2].remove
    entry = over(playbook)
    assert (entry["status"], entry["verdict"]) == (429, "allow")


@pytest.mark.parametrize(
    ("kind", "text"),
    [("text/html; charset=iso-8859-1", f"<p>{CARD}</p>"), ("text/plain", f"no {CARD}"), (None, f"no {CARD}")],
    ids=["HTML", "text", "no type"],
)
def test_an_error_page_passes_masked_as(kind: str | None, text: str) -> None:
    playbook = allowed()
    playbook >> answer(502, kind) >> chunk(text) << begins(length="any")
    assert playbook << gives(text.replace(CARD, MASKED), end=True)


def test_text_that_is_json_is_masked_as_json() -> None:
    playbook = allowed()
    escaped = json.dumps(completion(CARD)).replace("4111", "\\u0034111")
    playbook >> answer(200, "text/plain") >> chunk(escaped) << begins(length="any")
    assert playbook << gives(end=True, has=MASKED, lacks="u0034")


@pytest.mark.promise("bad-input.upstream")
@pytest.mark.parametrize(
    ("data", "has"),
    [
        pytest.param(json.dumps({"error": {"message": CARD}}), MASKED, id="that are JSON after all"),
        pytest.param(f'data: {{"error":{{"message":"{CARD}"}}}}\n\n', MASKED, id="that are events"),
        pytest.param(f"event: error\n: {CARD}\n\n", "", id="that are comments"),
    ],
)
def test_errors_with_an_sse_type_pass_masked(data: str, has: str) -> None:
    playbook = allowed(said=body(stream=True))
    assert playbook >> sse(400) >> chunk(data) << begins(length="any") << gives(end=True, has=has, lacks="4111")
    assert over(playbook)["status"] == 400


@pytest.mark.promise("bad-input.upstream")
@pytest.mark.parametrize("status", [200, 202, 204, 304, 500])
def test_an_answer_without_body_passes(status: int) -> None:
    playbook = allowed()
    assert playbook >> answer(status, None, end=True, content_length="0") << begins()
    entry = over(playbook)
    assert (entry["status"], entry["aborted"], entry["bytes"]["response"]) == (status, False, 0)


@pytest.mark.promise("bad-input.upstream")
def test_an_empty_answer_passes_as_empty() -> None:
    for playbook in (allowed(), mcp_call(rpc("notifications/initialized", id=None))):
        assert playbook >> answer(202, None) >> chunk("") << begins(length=0) << gives("", end=True)


@pytest.mark.parametrize("plane", ["llm", "bare", "mcp"])
def test_a_redirect_that_would_lead_around_the_gateway_is_refused(plane: str) -> None:
    playbook = {"llm": allowed, "bare": bare, "mcp": mcp_call}[plane]()
    moved = answer(307, None, end=True, location="https://mcp.example.com/rpc/")
    assert playbook >> moved << refuses(502, "upstream-failed", shape=rpc_error if plane == "mcp" else openai)
    assert b"mcp.example.com" not in playbook.actions[-1].rendered.body


@pytest.mark.promise("credentials.stripped")
@pytest.mark.parametrize("plane", ["llm", "bare", "mcp", "nothing"])
def test_an_upstream_does_not_speak_in_our_name_or_ask_for_credentials(plane: str) -> None:
    playbook = {"llm": allowed, "bare": bare, "mcp": mcp_call, "nothing": allowed}[plane]()
    forged = {
        "x_gatereeve_id": "forged",
        "x_gatereeve_reason": "allowed",
        "set_cookie": "a=b",
        "alt_svc": 'h3="evil.example.com:443"',
        "www_authenticate": f'Bearer resource_metadata="https://{SECRET}"',
    }
    playbook >> answer(401, end=plane == "nothing", **forged)
    if plane != "nothing":
        playbook._pending.clear()
        playbook >> chunk({"error": {"message": "no"}})
    (head,) = [action for action in playbook.actions if isinstance(action, ResponseHeadersReply)]
    assert {"x-gatereeve-reason", "set-cookie", "alt-svc", "www-authenticate"} <= set(head.remove)
    assert "x-gatereeve-id" not in head.remove
    assert dict(head.set)["x-gatereeve-id"] == playbook.session.id


# -- streamed ----------------------------------------------------------------------------------------------------------


@pytest.mark.promise("masking.stream")
def test_a_stream_is_masked_as_it_passes_and_its_tail_leaves_at_the_end() -> None:
    playbook = allowed(said=body(stream=True))
    assert playbook >> sse(content_length="5") << begins("content-length")
    assert playbook >> chunk(delta("My card: "), False) << gives(end=False, has="My card: ")
    assert playbook >> chunk(delta("4111 1111 "), False) << gives(end=False, lacks="4111")
    assert playbook >> chunk(delta("1111 1111, "), False) << gives(end=False, has=MASKED, lacks="1111")
    assert playbook >> chunk(DONE) << gives(end=True, has="[DONE]")
    entry = over(playbook)
    assert entry["masked"] == {"card": 1}
    assert entry["bytes"]["response"] == len(playbook.given)
    assert "mask pii" in entry["obligations"]


@pytest.mark.promise("bad-input.upstream")
@pytest.mark.parametrize("end", ["an end", "an empty end", "trailers"])
def test_the_tail_of_a_stream_leaves_with(end: str) -> None:
    playbook = allowed(said=body(stream=True))
    assert playbook >> sse() << begins()
    assert playbook >> chunk(delta("4111 1111"), False) << gives(end=False, lacks="4111")
    if end == "trailers":
        playbook >> ResponseTrailers({"x-note": CARD}) << gives(end=False, has="4111 1111")
        assert playbook << ResponseTrailersReply(("x-note",))
    else:
        last = chunk(DONE if end == "an end" else "")
        assert playbook >> last << gives(end=True, has="4111 1111")


@pytest.mark.promise("bad-input.compressed-response")
def test_a_stream_of_lines_is_masked_as_it_passes() -> None:
    playbook = allowed(request("/api/chat"), body(model="llama"))
    assert playbook >> answer(kind="application/x-ndjson") << begins("content-length")
    one = json.dumps({"model": "llama3.2", "message": {"content": f"card {CARD[:9]}"}, "done": False})
    two = json.dumps({"message": {"content": CARD[9:]}, "done": True, "eval_count": 3})
    assert playbook >> chunk(one + "\n", False) << gives(end=False, has='"card "')
    assert playbook >> chunk(two + "\n") << gives(end=True, has=MASKED, lacks="1111")
    entry = over(playbook)
    assert entry["usage"] == {"output_tokens": 3}


def test_a_chat_of_another_framing_than_its_apis_does_not_pass() -> None:
    playbook = allowed()
    assert playbook >> answer(kind="application/x-ndjson") << refuses(502, "answer-unreadable", shape=openai)


def test_an_array_of_chunks_is_masked_in_one_piece() -> None:
    playbook = allowed(request("/v1beta/models/gemini-flash:streamGenerateContent"), body({"contents": []}))
    parts = [[{"text": text}] for text in (f"card {CARD[:9]}", CARD[9:])]
    doc = json.dumps([{"candidates": [{"content": {"parts": part}}]} for part in parts])
    assert playbook >> answer() >> chunk(doc[:40], False)
    assert playbook >> chunk(doc[40:]) << begins(length="any") << gives(end=True, has=MASKED, lacks="1111")


def test_a_coded_stream_is_unpacked_masked_and_sent_plain() -> None:
    data = gzip.compress((delta(f"{CARD}, ") + DONE).encode())
    playbook = allowed(said=body(stream=True))
    assert playbook >> sse(content_encoding="gzip") << begins("content-encoding")
    for byte in data[:-1]:
        playbook >> chunk(bytes([byte]), False)
        playbook._pending.clear()
    assert playbook >> chunk(data[-1:]) << gives(end=True)
    assert MASKED.encode() in playbook.given
    assert b"4111" not in playbook.given
    assert playbook.given.endswith(DONE.encode())


@pytest.mark.parametrize(
    ("make", "has"),
    [
        pytest.param(lambda: allowed(said=body(stream=True)), 'data: {"error"', id="OpenAI clients"),
        pytest.param(
            lambda: allowed(messages(), body(model="claude-sonnet", stream=True)),
            "event: error",
            id="Anthropic clients",
        ),
        pytest.param(mcp_call, '"jsonrpc":"2.0"', id="MCP clients"),
    ],
)
def test_a_stream_that_cannot_be_read_ends_with_an_error_for(make: Any, has: str) -> None:
    playbook = make()
    assert playbook >> sse() << begins()
    playbook >> chunk(f"data: {CARD} is no JSON\n\n", False)
    if not playbook._pending:  # MCP gives out what came before, and fails at the next call
        playbook >> chunk("", False) >> chunk("data: x\n\n", False)
    assert playbook << gives(end=True, has=has, lacks="4111")
    assert b"answer-unreadable" in playbook.given
    assert playbook >> chunk(delta(CARD), False) >> chunk(DONE)
    entry = over(playbook)
    assert (entry["verdict"], entry["reason"]) == ("deny", "answer-unreadable")
    assert entry["bytes"]["response"] == len(playbook.given)


def test_a_coded_stream_that_is_cut_off_ends_with_an_error() -> None:
    data = gzip.compress((delta("Hi, ") + DONE).encode())[:-4]
    playbook = allowed(said=body(stream=True))
    assert playbook >> sse(content_encoding="gzip") << begins()
    assert playbook >> chunk(data) << gives(end=True, has="answer-unreadable")
    playbook = allowed(said=body(stream=True))
    assert playbook >> sse(content_encoding="gzip") << begins()
    playbook >> chunk(data, False)
    playbook._pending.clear()
    trailers = ResponseTrailers({"x": "y"})
    assert playbook >> trailers << gives(end=False, has="answer-unreadable") << ResponseTrailersReply(("x",))


@pytest.mark.promise("bad-input.client-gone")
def test_an_upstream_that_dies_or_a_client_that_leaves_mid_stream_is_recorded_as_aborted() -> None:
    playbook = allowed(said=body(stream=True))
    assert playbook >> sse() << begins() >> chunk(delta("Hi, "), False) << gives(end=False)
    playbook >> StreamClosed(clean=True)
    assert playbook.record["aborted"] is True
    assert playbook.record["verdict"] == "allow"


# -- passing -----------------------------------------------------------------------------------------------------------


def test_what_is_not_masked_passes_byte_for_byte_and_is_counted() -> None:
    data = json.dumps(completion(CARD), indent=2)
    playbook = bare()
    assert playbook >> answer(content_length=str(len(data))) << begins()
    assert (
        playbook >> chunk(data[:9], False) << gives(data[:9], end=False) >> chunk(data[9:]) << gives(data[9:], end=True)
    )
    entry = over(playbook)
    assert entry["usage"] == {"input_tokens": 5, "output_tokens": 7}
    assert entry["masked"] == {}
    assert entry["guards_not_applied"] == []


def test_a_stream_that_is_not_masked_passes_byte_for_byte() -> None:
    playbook = bare()
    data = delta(CARD) + ": keep alive\n\n" + DONE
    assert (
        playbook
        >> sse()
        << begins()
        >> chunk(data, False)
        << gives(data, end=False)
        >> chunk("")
        << gives("", end=True)
    )


@pytest.mark.parametrize(
    "headers",
    [answer(200, "audio/mpeg"), answer(content_encoding="br"), answer(content_encoding="gzip"), answer(200, None)],
    ids=["is binary", "is in a coding nobody reads", "is coded", "says nothing"],
)
def test_what_need_not_be_read_passes_and_is_noted_if_it(headers: Any) -> None:
    playbook = bare()
    assert playbook >> headers << begins() >> chunk("any") << gives("any", end=True)
    assert over(playbook)["guards_not_applied"] == ["answer-not-read"]


def test_an_answer_too_large_to_count_passes_and_is_not_kept() -> None:
    playbook = bare()
    half = "x" * (LIMITS.answer // 2 + 1)
    assert playbook >> answer() << begins()
    for _ in range(3):
        assert playbook >> chunk(half, False) << gives(half, end=False)
    assert playbook.session._mode._copy == []
    assert playbook >> chunk("") << gives("", end=True)
    assert over(playbook)["guards_not_applied"] == ["answer-not-read"]


def test_no_trailer_passes_even_where_nothing_is_masked() -> None:
    playbook = bare()
    assert playbook >> answer() << begins() >> chunk("{}", False) << gives("{}", end=False)
    trailers = ResponseTrailers({"x-note": "1", "x-gatereeve-id": "forged"})
    assert playbook >> trailers << ResponseTrailersReply(("x-note", "x-gatereeve-id"))


# -- work --------------------------------------------------------------------------------------------------------------

HOSTILE = "DE89 " * 200_000


def test_a_whole_answer_that_is_too_much_work_to_inspect_is_refused() -> None:
    playbook = Playbook(_large())
    assert playbook >> chat("laborious") << RequestHeadersReply() >> body() << forwards() >> answer()
    assert playbook >> chunk(completion(HOSTILE)) << refuses(502, "answer-unreadable", shape=openai)
    assert over(playbook)["reason"] == "answer-unreadable"


def test_an_event_that_is_too_much_work_to_inspect_ends_the_stream_with_an_error() -> None:
    playbook = Playbook(_large())
    assert playbook >> chat("laborious") << RequestHeadersReply() >> body(stream=True) << forwards()
    assert playbook >> sse() << begins()
    assert playbook >> chunk(delta(HOSTILE), False) << gives(end=True, has="answer-unreadable", lacks="DE89")


def test_a_stream_may_go_on_for_ever_as_long_as_no_piece_is_too_much_work() -> None:
    playbook = Playbook(_large())
    assert playbook >> chat("laborious") << RequestHeadersReply() >> body(stream=True) << forwards()
    assert playbook >> sse() << begins()
    for _ in range(5):
        playbook >> chunk(delta(HOSTILE[:200_000] + "."), False)
        playbook._pending.clear()
    assert playbook >> chunk(DONE) << gives(end=True, has="[DONE]")
