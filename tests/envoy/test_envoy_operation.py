"""Starting, reloading, draining and ending a gateway."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Self

import httpx2
import pytest

from tests.envoy import policies
from tests.envoy.conftest import Scripted
from tests.envoy.gateway import ROOT, Gateway, Ports, request, until
from tests.envoy.upstream import Line, Upstream

ONLY_LARGE = policies.document("AgentPolicy", "engineering", subjects=[{"groups": ["engineering"]}],
                               models={"allow": ["large"]}, masking="all")  # fmt: skip


class Load:
    """Calls one after the other in two threads, until it is told to end; counts what came back."""

    def __init__(self, made: Scripted) -> None:
        self.statuses: Counter[int | str] = Counter()
        self._made = made
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(2)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        self.more(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(20)

    def _run(self) -> None:
        with self._made.client() as client:
            while not self._ended.is_set():
                try:
                    answer = client.post("/v1/chat/completions", json=policies.chat(model="large"))
                    self.statuses[answer.status_code] += 1
                except httpx2.HTTPError as error:
                    self.statuses[type(error).__name__] += 1

    def more(self, count: int) -> None:
        """Wait until `count` more calls are done."""
        goal = sum(self.statuses.values()) + count
        until(f"{count} more calls are done", lambda: sum(self.statuses.values()) >= goal)


@pytest.mark.promise("operation.reload")
def test_a_policy_change_takes_effect_within_two_seconds_and_fails_no_call(own):
    made: Scripted = own()
    assert made.chat().status_code == 200
    with Load(made) as load:
        versions = made.gateway.policy_version()
        changed = time.monotonic()
        made.folder.write(ONLY_LARGE)
        until("the change has taken effect", lambda: made.chat().status_code == 403, 5)
        assert time.monotonic() - changed < 2.0
        until("all workers have it", lambda: not made.gateway.policy_version() & versions)
        load.more(20)
    assert list(load.statuses) == [200]


@pytest.mark.promise("operation.reload")
def test_a_new_provider_and_model_are_there_without_a_failed_call(own):
    made: Scripted = own()
    other = Upstream(Ports.take(1))

    async def second(line: Line) -> None:
        await line.whole(policies.completion("from the second"))

    other.scripts[""] = second
    try:
        with Load(made) as load:
            assert made.chat(model="second").status_code == 404
            made.folder.write(policies.document("LLMProvider", "second", dialects=["openai-chat"],
                                                url=f"http://127.0.0.1:{other.port}"))  # fmt: skip
            made.folder.write(policies.document("Model", "second", targets=[{"provider": "second"}]))
            made.folder.write({**ONLY_LARGE, "spec": {**ONLY_LARGE["spec"], "models": {"allow": ["*"]}}})
            seen = Counter[int]()

            def answered() -> bool:
                answer = made.chat(model="second")
                seen[answer.status_code] += 1
                return answer.status_code == 200

            until("the new model answers", answered, 5)
            load.more(20)
        assert list(load.statuses) == [200]
        assert set(seen) <= {200, 403, 404}  # never a moment in which Envoy does not know where to send it
    finally:
        other.close()


def test_a_provider_that_is_taken_away_ends_no_stream(own):
    made: Scripted = own()

    async def two(line: Line) -> None:
        await line.chunked(policies.chunk("first "))
        await line.wait()
        await line.chunk(policies.chunk("last") + policies.DONE)
        await line.end()

    made.upstream.scripts["two"] = two
    with (
        made.client() as client,
        client.stream("POST", "/v1/chat/completions", json=policies.chat(stream=True),
                      headers={"x-script": "two"}) as answer,
    ):  # fmt: skip
        pieces = answer.iter_bytes()
        body = next(pieces)
        made.folder.write(policies.document("LLMProvider", "scripted", dialects=["openai-chat"],
                                            url="http://127.0.0.1:9"))  # fmt: skip
        until("the change has taken effect", lambda: made.chat().status_code in (502, 503), 5)
        made.upstream.open("two")
        body += b"".join(pieces)
    assert policies.said(body) == "first last"


@pytest.mark.promise("operation.bad-policy")
def test_a_bad_policy_keeps_the_last_good_one_and_says_so_everywhere(own):
    made: Scripted = own()
    good = made.gateway.policy_version()
    with Load(made) as load:
        made.folder.text("broken.yaml", "kind: AgentPolicy\nspec: {modles: {allow: [x]}}\n")
        problems = until("/readyz names the problem", lambda: made.gateway.readyz().get("policy_problems"), 5)
        load.more(10)
        assert any("broken.yaml" in problem for problem in problems)
        detail = made.gateway.readyz()
        assert detail["ready"] is True
        assert {w["policy"]["last_reload"] for w in detail["workers"]} != {"loaded"}
        assert made.gateway.policy_version() == good
        until(
            "a metric counts it", lambda: made.gateway.metric('gatereeve_policy_reloads_total{outcome="failed"') >= 2, 5
        )
        assert "broken.yaml" in made.gateway.output()
        (made.folder.path / "broken.yaml").unlink()
        until("the problem is gone", lambda: not made.gateway.readyz().get("policy_problems"), 5)
        load.more(10)
    assert list(load.statuses) == [200]


@pytest.mark.promise("operation.drain")
@pytest.mark.promise("demo.ends")
def test_sigterm_tells_the_probes_lets_an_open_stream_finish_and_leaves_nothing_running(own):
    made: Scripted = own("--drain", "15s")

    async def two(line: Line) -> None:
        await line.chunked(policies.chunk("first "))
        await line.wait()
        await line.chunk(policies.chunk("last") + policies.DONE)
        await line.end()

    made.upstream.scripts["two"] = two
    with (
        made.client() as client,
        client.stream("POST", "/v1/chat/completions", json=policies.chat(stream=True),
                      headers={"x-script": "two"}) as answer,
    ):  # fmt: skip
        pieces = answer.iter_bytes()
        body = next(pieces)
        made.gateway.signal(signal.SIGTERM)
        until("probes are told", lambda: made.gateway.admin("/readyz").status_code == 503, 10)
        made.upstream.open("two")
        body += b"".join(pieces)
        number = answer.headers["x-gatereeve-id"]
    assert policies.said(body) == "first last"
    assert body.endswith(b"data: [DONE]\n\n")
    assert made.gateway.wait() == 0  # no second signal: that would not wait
    assert made.gateway.left_running() == []
    assert [e["aborted"] for e in made.gateway.audit() if e["id"] == number] == [False]


@pytest.mark.promise("operation.drain")
def test_a_stream_that_does_not_end_holds_the_drain_no_longer_than_stated(own):
    made: Scripted = own("--drain", "1s")

    async def forever(line: Line) -> None:
        await line.chunked(policies.chunk("first "))
        await line.wait()

    made.upstream.scripts["forever"] = forever
    with (
        made.client() as client,
        client.stream("POST", "/v1/chat/completions", json=policies.chat(stream=True),
                      headers={"x-script": "forever"}) as answer,
    ):  # fmt: skip
        pieces = answer.iter_bytes()
        next(pieces)
        made.gateway.signal(signal.SIGTERM)
        began = time.monotonic()
        made.gateway.wait(12)
        assert 1.0 < time.monotonic() - began < 8
        with pytest.raises(httpx2.HTTPError):
            list(pieces)
    assert made.gateway.audit()[-1]["aborted"] is True
    until("no process is left", lambda: not made.gateway.left_running(), 5)


def test_a_second_ctrl_c_does_not_wait(own):
    made: Scripted = own("--drain", "60s")

    async def forever(line: Line) -> None:
        await line.chunked(policies.chunk("first "))
        await line.wait()

    made.upstream.scripts["forever"] = forever
    with (
        made.client() as client,
        client.stream("POST", "/v1/chat/completions", json=policies.chat(stream=True),
                      headers={"x-script": "forever"}) as answer,
    ):  # fmt: skip
        pieces = answer.iter_bytes()
        next(pieces)
        made.gateway.signal(signal.SIGINT)
        until("the drain has begun", lambda: made.gateway.admin("/readyz").status_code == 503, 10)
        assert made.gateway.process.poll() is None
        made.gateway.signal(signal.SIGINT)
        made.gateway.wait(8)
        with pytest.raises(httpx2.HTTPError):
            list(pieces)
    until("no process is left", lambda: not made.gateway.left_running(), 5)


def test_a_killed_supervisor_leaves_no_process(own):
    made: Scripted = own()
    assert len(made.gateway.left_running()) >= 4  # itself, two workers, Envoy
    made.gateway.signal(signal.SIGKILL)
    made.gateway.wait()
    until("no process is left", lambda: not made.gateway.left_running(), 5)


@pytest.mark.promise("demo.ends")
def test_a_killed_supervisor_of_a_demo_leaves_no_process():
    gateway = Gateway(demo=True, workers=1)
    try:
        gateway.start()
        gateway.signal(signal.SIGKILL)
        gateway.wait()
        until("no process is left", lambda: not gateway.left_running(), 5)
    finally:
        gateway.stop()


@pytest.mark.promise("demo.ports")
@pytest.mark.parametrize("which", ["port", "admin_port", "demo_port", "idp"])
def test_a_taken_port_is_a_clear_error_that_names_it(which):
    gateway = Gateway(demo=True, workers=1)
    port = {"port": gateway.port, "admin_port": gateway.admin_port, "demo_port": gateway.demo_port,
            "idp": gateway.demo_port + 2}[which]  # fmt: skip
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        try:
            gateway.launch()
            assert gateway.wait(15) == 3
        finally:
            gateway.stop()
    assert str(port) in gateway.output()
    assert "in use" in gateway.output()
    assert "Traceback" not in gateway.output()
    assert gateway.left_running() == []


def test_a_policy_that_does_not_load_starts_nothing(own):
    made: Scripted = own(start=False)
    made.folder.text("broken.yaml", "kind: AgentPolicy\nspec: {modles: 1}\n")
    made.gateway.launch()
    assert made.gateway.wait(15) == 1
    assert "broken.yaml" in made.gateway.output()
    assert "Traceback" not in made.gateway.output()
    assert made.gateway.left_running() == []


def test_envoy_that_dies_ends_the_gateway_with_an_error(own):
    made: Scripted = own(workers=1)
    [envoy] = [
        pid
        for pid in made.gateway.left_running()
        if b"envoy" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
    ]
    os.kill(envoy, signal.SIGKILL)
    assert made.gateway.wait(15) == 3
    assert "Envoy ended" in made.gateway.output()
    until("no process is left", lambda: not made.gateway.left_running(), 5)


@pytest.mark.promise("operation.admin")
def test_the_admin_port_answers_probes(scripted: Scripted):
    scripted.gateway.record(scripted.chat())
    assert scripted.gateway.admin("/healthz").text == "ok\n"
    assert scripted.gateway.admin("/readyz").status_code == 200
    assert "gatereeve_" in scripted.gateway.admin("/metrics").text
    until("tokens are counted", lambda: "gen_ai_client_token_usage" in scripted.gateway.admin("/metrics").text)
    assert scripted.gateway.admin("/other").status_code == 404


@pytest.mark.promise("demo.starts")
def test_the_second_start_of_the_demo_takes_less_than_five_seconds():
    """The best of three, since other tests may be using the machine."""
    times = []
    while min(times, default=5.0) >= 5.0 and len(times) < 3:
        gateway = Gateway(demo=True)
        began = time.monotonic()
        gateway.start()
        times.append(time.monotonic() - began)
        gateway.finish()
    assert min(times) < 5.0


@pytest.mark.promise("demo.starts")
def test_the_curl_lines_of_the_screen_work(demo: Gateway):
    def written() -> list[str] | None:
        """Ready comes a moment before the screen is written."""
        found = [line for line in demo.output().splitlines() if line.startswith("curl ")]
        return found if len(found) >= 3 else None

    lines = until("three lines with curl", written)
    assert len(lines) == 3
    answers = [subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=20, check=True).stdout
               for line in lines]  # fmt: skip
    assert '"content":"Say hello"' in answers[0]
    assert "data: [DONE]" in answers[1]
    assert "4111" not in answers[1]
    assert '"isError":false' in answers[2]
    assert "4111 1111 1111 1111" not in answers[2]


@pytest.mark.promise("cli.token")
def test_the_token_command_mints_for_the_running_demo(demo: Gateway):
    command = [sys.executable, "-m", "extproc", "token", "--subject", "user-9", "--groups", "interns",
               "--demo-port", str(demo.demo_port)]  # fmt: skip
    token = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=True).stdout.strip()
    answer = request("GET", f"{demo.url}/v1/models", headers={"authorization": f"Bearer {token}"})
    assert [model["id"] for model in answer.json()["data"]] == ["gpt-4o-mini"]
    assert demo.record(answer)["subject"] == "user-9"
