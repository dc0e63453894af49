"""Upstreams that misbehave, through the real Envoy: what could not be inspected never passes, and clients hear why."""

import gzip
import json
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tests.envoy import policies
from tests.envoy.conftest import Scripted
from tests.envoy.oracle import SECRETS, TEXT, assert_clean, masked
from tests.envoy.upstream import Line

CARD = SECRETS[0]
WAIT = 5.0  # seconds that hostile answers may hold others up: one of work, the rest for a busy machine
BROKEN = (httpx2.RemoteProtocolError, httpx2.ReadError)


def _stream(scripted: Scripted, script: str, **options) -> tuple[httpx2.Response, bytes, Exception | None]:
    """The answer, what was readable of its body, and how it broke off (None: it ended). Opens the script's gate once
    something has arrived."""
    body, broke = b"", None
    with (
        scripted.client(*options.get("groups", ())) as client,
        client.stream(
            "POST", "/v1/chat/completions", json=policies.chat(stream=True), headers={"x-script": script}
        ) as answer,
    ):
        try:
            for piece in answer.iter_raw():
                body += piece
                scripted.upstream.open(script)
        except BROKEN as error:
            broke = error
    return answer, body, broke


def _events(text: str, size: int = 5) -> bytes:
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    return b"".join(policies.chunk(piece) for piece in pieces) + policies.DONE


@pytest.mark.promise("bad-input.sse")
def test_a_stream_that_is_cut_at_every_byte_is_masked_all_the_same(scripted: Scripted):
    data = _events(TEXT)

    async def by_bytes(line: Line) -> None:
        await line.chunked()
        for at in range(len(data)):
            await line.chunk(data[at : at + 1])
        await line.end()

    scripted.upstream.scripts["bytes"] = by_bytes
    _, body, broke = _stream(scripted, "bytes")
    assert broke is None
    assert policies.said(body) == masked(TEXT)
    assert body.endswith(b"data: [DONE]\n\n")
    assert_clean(body)


@pytest.mark.parametrize("ends", [b"\r\n", b"\r", b"\n"], ids=["CRLF", "CR", "LF"])
def test_every_line_end_of_sse_is_understood(scripted: Scripted, ends):
    data = _events(TEXT).replace(b"\n", ends)

    async def send(line: Line) -> None:
        await line.chunked(b"\xef\xbb\xbf: a comment" + ends + ends)
        for at in range(0, len(data), 7):
            await line.chunk(data[at : at + 7])
        await line.end()

    scripted.upstream.scripts[f"ends {ends!r}"] = send
    _, body, broke = _stream(scripted, f"ends {ends!r}")
    assert broke is None
    assert_clean(body)
    assert policies.said(body) == masked(TEXT)


@pytest.mark.promise("bad-input.sse")
def test_an_event_whose_text_stands_in_one_line_of_10_mb_passes_masked_or_not_at_all(scripted: Scripted):
    text = ("lorem ipsum " * 850_000) + CARD

    async def long(line: Line) -> None:
        await line.chunked()
        await line.chunk(policies.chunk(text))
        await line.chunk(policies.DONE)
        await line.end()

    scripted.upstream.scripts["long line"] = long
    answer, body, _ = _stream(scripted, "long line")
    assert CARD.encode() not in body
    record = scripted.gateway.record(answer)
    if record["verdict"] == "allow":
        assert policies.said(body) == masked(text)
    else:
        assert b"answer-unreadable" in body or b"answer-too-large" in body


@pytest.mark.promise("bad-input.upstream")
@pytest.mark.parametrize("how", ["event", "cut event", "text"])
def test_an_upstream_that_dies_in_mid_stream_breaks_the_answer_and_shows_nothing(scripted: Scripted, how):
    last = {"event": policies.chunk(f"card {CARD[:9]}"), "cut event": policies.chunk(f"card {CARD}")[:-20],
            "text": b"data: {"}[how]  # fmt: skip

    async def die(line: Line) -> None:
        await line.chunked(policies.chunk("hello "))
        await line.wait()
        await line.chunk(last)
        line.abort()

    scripted.upstream.scripts[f"die {how}"] = die
    _, body, broke = _stream(scripted, f"die {how}")
    assert broke is not None or b"upstream-failed" in body
    assert CARD.encode() not in body
    assert CARD[:9].encode() not in body
    record = scripted.gateway.records(1, aborted=True)
    assert record


@pytest.mark.promise("bad-input.upstream")
def test_trailers_do_not_swallow_the_tail(scripted: Scripted):
    async def trailers(line: Line) -> None:
        await line.chunked(policies.chunk("hello "), trailer="x-trailer")
        await line.chunk(policies.chunk(f"card {CARD[:9]}"))
        await line.end(b"x-trailer: 1\r\n")

    scripted.upstream.scripts["trailers"] = trailers
    _, body, broke = _stream(scripted, "trailers")
    assert broke is None
    assert policies.said(body) == f"hello card {CARD[:9]}"


def test_trailers_after_json_do_not_swallow_it(scripted: Scripted):
    async def trailers(line: Line) -> None:
        await line.chunked(policies.completion(TEXT), content_type="application/json", trailer="x-trailer")
        await line.end(b"x-trailer: 1\r\n")

    scripted.upstream.scripts["json trailers"] = trailers
    answer = scripted.chat("json trailers")
    assert answer.json()["choices"][0]["message"]["content"] == masked(TEXT)


@pytest.mark.promise("bad-input.upstream")
def test_an_error_status_with_an_sse_type_is_masked_and_passes(scripted: Scripted):
    async def error(line: Line) -> None:
        await line.whole(b'data: {"error":{"message":"no: %s"}}\n\n' % CARD.encode(), "429 Too Many Requests",
                         content_type="text/event-stream", retry_after="3")  # fmt: skip

    scripted.upstream.scripts["sse error"] = error
    answer, body, broke = _stream(scripted, "sse error")
    assert (answer.status_code, broke) == (429, None)
    assert answer.headers["retry-after"] == "3"
    assert_clean(body)
    assert b"[masked:card]" in body


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        pytest.param("500 Oops", "application/json", id="JSON that is none"),
        pytest.param("502 Bad Gateway", "text/html", id="an HTML page"),
        pytest.param("500 Oops", "", id="no type at all"),
    ],
)
def test_an_error_page_is_masked_or_refused(scripted: Scripted, status, kind):
    async def page(line: Line) -> None:
        body = f"<p>card {CARD}</p>".encode()
        headers = {"content_type": kind} if kind else {}
        await line.head(status, content_length=str(len(body)), **headers)
        await line.send(body)

    scripted.upstream.scripts[f"page-{kind}"] = page
    answer = scripted.chat(f"page-{kind}")
    assert answer.status_code >= 500
    assert_clean(answer.content)


@pytest.mark.promise("bad-input.upstream")
@pytest.mark.parametrize("status", ["204 No Content", "200 OK", "503 Unavailable"])
def test_an_answer_without_a_body_passes(scripted: Scripted, status):
    async def empty(line: Line) -> None:
        await line.head(status, **({} if status.startswith("204") else {"content_length": "0"}))

    scripted.upstream.scripts[f"empty {status}"] = empty
    answer = scripted.chat(f"empty {status}")
    assert (answer.status_code, answer.content) == (int(status[:3]), b"")


@pytest.mark.promise("bad-input.compressed-response")
@pytest.mark.parametrize("streamed", [False, True], ids=["JSON", "SSE"])
@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_compressed_answer_is_read_and_masked(scripted: Scripted, coding, streamed):
    plain = _events(TEXT) if streamed else policies.completion(TEXT)
    data = gzip.compress(plain) if coding == "gzip" else zlib.compress(plain)

    async def send(line: Line) -> None:
        kind = "text/event-stream" if streamed else "application/json"
        await line.chunked(content_type=kind, content_encoding=coding)
        for at in range(0, len(data), 50):
            await line.chunk(data[at : at + 50])
        await line.end()

    scripted.upstream.scripts[f"{coding} {streamed}"] = send
    answer, body, broke = _stream(scripted, f"{coding} {streamed}")
    assert broke is None
    assert "content-encoding" not in answer.headers
    text = policies.said(body) if streamed else json.loads(body)["choices"][0]["message"]["content"]
    assert text == masked(TEXT)


@pytest.mark.promise("bad-input.compressed-response")
@pytest.mark.parametrize(
    ("headers", "body"),
    [
        pytest.param({"content_encoding": "br"}, b"\x0b\x02\x80hello\x03", id="br"),
        pytest.param({"content_encoding": "zstd"}, b"\x28\xb5\x2f\xfd", id="zstd"),
        pytest.param({"content_encoding": "gzip"}, b"not gzip", id="gzip that is none"),
        pytest.param({"content_encoding": "gzip"}, gzip.compress(policies.completion("x"))[:-9], id="gzip cut off"),
        pytest.param({"content_encoding": "gzip"}, gzip.compress(b" " * 60_000_000), id="a gzip bomb"),
        pytest.param({"content_type": "application/octet-stream"}, CARD.encode(), id="a type that is no text"),
        pytest.param({"content_type": "image/png"}, CARD.encode(), id="an image"),
        pytest.param({}, b'{"choices": [', id="JSON cut off"),
        pytest.param({}, b"\xff\xfe\xfd", id="JSON in no UTF-8"),
        pytest.param({}, b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", id="nested 100,000 times"),
    ],
)
def test_an_answer_that_cannot_be_read_is_refused_and_said_so(scripted: Scripted, headers, body, request):
    name = f"unreadable {request.node.callspec.id}"

    async def send(line: Line) -> None:
        await line.whole(body, **headers)

    scripted.upstream.scripts[name] = send
    answer = scripted.chat(name)
    assert answer.status_code == 502
    reason = "answer-too-large" if "bomb" in name else "answer-unreadable"
    assert answer.json()["error"]["code"] == reason
    assert "content-encoding" not in answer.headers
    assert_clean(answer.content)
    assert scripted.gateway.record(answer)["reason"] == reason


def test_a_compressed_stream_that_cannot_be_read_ends_with_an_error_event(scripted: Scripted):
    async def send(line: Line) -> None:
        await line.chunked(content_encoding="gzip")
        await line.chunk(gzip.compress(_events("hello " * 50))[:200])
        await line.chunk(b"\x00" * 300)
        await line.end()

    scripted.upstream.scripts["bad gzip stream"] = send
    _, body, _ = _stream(scripted, "bad gzip stream")
    assert b"answer-unreadable" in body
    assert b"[DONE]" not in body.partition(b"answer-unreadable")[0]


@pytest.mark.promise("bad-input.size")
def test_json_larger_than_is_inspected_is_refused(scripted: Scripted):
    async def huge(line: Line) -> None:
        await line.chunked(content_type="application/json")
        for _ in range(34):
            await line.chunk(b" " * (1 << 20))
        await line.chunk(policies.completion(CARD))
        await line.end()

    scripted.upstream.scripts["huge"] = huge
    answer = scripted.chat("huge")
    assert answer.status_code == 502
    assert answer.json()["error"]["code"] in ("answer-too-large", "answer-unreadable")
    assert "33554432" in answer.text


def test_json_of_20_mb_is_masked_whole(scripted: Scripted):
    text = "lorem ipsum " * 1_700_000 + CARD

    async def large(line: Line) -> None:
        await line.whole(policies.completion(text))

    scripted.upstream.scripts["20 MB"] = large
    answer = scripted.chat("20 MB")
    assert answer.json()["choices"][0]["message"]["content"] == masked(text)


@pytest.mark.parametrize("streamed", [False, True], ids=["JSON", "SSE"])
@pytest.mark.parametrize("count", [120_000, 480_000], ids=["600 KB", "2.4 MB"])
def test_an_answer_that_is_much_work_does_not_keep_others_waiting(scripted: Scripted, streamed, count):
    name = f"laborious {streamed} {count}"
    hostile = "DE89 " * count
    once = threading.Event()

    async def send(line: Line) -> None:
        if streamed:
            await line.chunked()
            await line.chunk(policies.chunk(hostile))
            await line.end()
        else:
            await line.whole(policies.completion(hostile))
        once.set()

    scripted.upstream.scripts[name] = send
    with ThreadPoolExecutor(2) as pool:
        laborious = [pool.submit(scripted.chat, name, stream=streamed) for _ in range(scripted.gateway.workers)]
        assert once.wait(20)
        began = time.monotonic()
        answer = scripted.chat(groups=("plain",))
        waited = time.monotonic() - began
        refused = [one.result() for one in laborious]
    assert (answer.status_code, waited < WAIT) == (200, True), waited
    for one in refused if not streamed else ():
        assert b"answer-unreadable" in one.content
        assert one.status_code == 502
        assert scripted.gateway.record(one)["reason"] == "answer-unreadable"


@pytest.mark.parametrize("group", ["engineering", "plain"])
@pytest.mark.parametrize("status", ["401 Unauthorized", "200 OK"])
def test_the_injected_credential_does_not_come_back(scripted: Scripted, group, status):
    name = f"echo {group} {status}"

    async def tell(line: Line) -> None:
        key = line.request.header("authorization")
        doc = {"error": {"message": f"bad key: {key}"}} if status[:3] == "401" else json.loads(policies.completion(key))
        await line.whole(json.dumps(doc).encode(), status, x_request_id=key, x_echo=key, link=f"<https://x/?{key}>")

    scripted.upstream.scripts[name] = tell
    answer = scripted.chat(name, groups=(group,))
    assert answer.status_code == int(status[:3])
    assert policies.UPSTREAM_KEY not in answer.text + str(answer.headers)
    assert "[masked:" in answer.text
    assert answer.headers["x-request-id"] == "Bearer " + "[masked:credential]".ljust(len(policies.UPSTREAM_KEY), "*")
    assert not {"x-echo", "link"} & set(answer.headers)


@pytest.mark.parametrize("cut", [1, 7])
def test_the_injected_credential_does_not_come_back_in_a_stream_that_is_not_masked(scripted: Scripted, cut):
    async def tell(line: Line) -> None:
        data = policies.chunk(f"it is {policies.UPSTREAM_KEY}.") + policies.DONE
        await line.chunked()
        for at in range(0, len(data), cut):
            await line.chunk(data[at : at + cut])
        await line.end()

    scripted.upstream.scripts[f"echo by {cut}"] = tell
    _, body, broke = _stream(scripted, f"echo by {cut}", groups=("plain",))
    assert broke is None
    assert policies.said(body) == "it is [masked:credential]".ljust(len(policies.UPSTREAM_KEY) + 6, "*") + "."


def test_an_upstream_does_not_speak_in_the_gateways_name(scripted: Scripted):
    async def pretend(line: Line) -> None:
        await line.whole(policies.completion("hi"), x_gatereeve_id="forged", x_gatereeve_verdict="allow")

    scripted.upstream.scripts["pretend"] = pretend
    answer = scripted.chat("pretend")
    assert answer.headers["x-gatereeve-id"].startswith("gr-")
    assert "forged" not in str(answer.headers)
    assert "x-gatereeve-verdict" not in answer.headers


def test_a_lone_surrogate_in_an_answer_becomes_readable_text(scripted: Scripted):
    async def lone(line: Line) -> None:
        await line.whole(policies.completion("x").replace(b'"x"', b'"a\\ud83d b %s"' % CARD.encode()))

    scripted.upstream.scripts["lone"] = lone
    answer = scripted.chat("lone")
    assert answer.status_code == 200
    assert_clean(answer.content)
    assert answer.json()["choices"][0]["message"]["content"].startswith("a")


def test_an_upstream_that_refuses_connections_is_a_502_in_the_dialect(own):
    made = own(start=False, workers=1)
    made.folder.write(policies.document("LLMProvider", "scripted", dialects=["openai-chat", "anthropic-messages"],
                                        url="http://127.0.0.1:9"))  # fmt: skip
    made.gateway.start()
    answer = made.chat()
    assert answer.status_code in (502, 503)
    assert "upstream" in answer.json()["error"]["message"]
    assert made.gateway.record(answer)["reason"] == "upstream-failed"
    with made.client() as client:
        anthropic = client.post("/v1/messages", json={"model": "small", "max_tokens": 1, "messages": []})
    assert anthropic.json()["type"] == "error"


def test_an_upstream_that_does_not_answer_in_time_is_a_504(own):
    made = own("--idle-timeout", "1s", start=False, workers=1)

    async def silent(line: Line) -> None:
        await line.wait()

    made.upstream.scripts["silent"] = silent
    made.gateway.start()
    with made.client() as client:
        answer = client.post("/v1/chat/completions", json=policies.chat(), headers={"x-script": "silent"}, timeout=10.0)
    assert answer.status_code == 504
    assert answer.json()["error"]["code"] == "upstream-failed"


def test_without_masking_bytes_pass_as_they_came(scripted: Scripted):
    data = b": x\r\n\r\n" + _events(TEXT) + b"data: not json\n\n"

    async def send(line: Line) -> None:
        await line.chunked()
        for at in range(0, len(data), 11):
            await line.chunk(data[at : at + 11])
        await line.end()

    scripted.upstream.scripts["plain"] = send
    _, body, broke = _stream(scripted, "plain", groups=("plain",))
    assert (body, broke) == (data, None)
