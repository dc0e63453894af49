"""Through the real Envoy: plain, with the canned echo as its processor, and governed; same upstream, same load.

Three Envoys with one thread each run side by side and take turns under load, so that a busy machine hits all of them.
Plain is our own listener without the ext_proc filter. All processes share the machine's cores; where the load generator
or the upstream used most of a core, the row says so, for then Envoy was not alone in deciding the figure.
"""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import sleep, time

from extproc import xds
from extproc.policy.load import load
from extproc.supervisor import envoy as envoy_process
from tests.bench import processes, world
from tests.bench.processes import Process
from tests.bench.report import Row

SECTION = "3. Through the real Envoy (one Envoy thread, one worker, chat of 1 KB)"
_BUSY = 0.85  # share of a core from which a helper may have held the others back


@dataclass(frozen=True)
class Side:
    name: str
    port: int
    envoy: Process
    processor: Process | None


@dataclass(frozen=True)
class Round:
    rate: float
    p50: float
    p99: float
    envoy: float  # µs of CPU per request
    processor: float
    load: float  # share of a core
    upstream: float


def rows(folder: Path, caller: world.Caller, *, quick: bool = False) -> Iterator[Row]:
    with ExitStack() as stack:
        answer = folder / "answer.json"
        answer.write_bytes(world.chat_answer())
        port = _free_port()
        upstream = stack.enter_context(processes.python("upstream", "tests.bench.upstream", str(port), str(answer)))
        _listening(upstream, port)
        sides = _sides(stack, folder, caller, port)
        request = folder / "request.bin"
        request.write_bytes(_request(caller.token))
        load_process = stack.enter_context(processes.python("load", "tests.bench.load", commanded=True))
        for side in sides:
            _warm(side, load_process, request)
        for connections in (1, 16):
            rounds = _rounds(sides, load_process, upstream, request, connections, quick=quick)
            yield from _report(rounds, connections)
        direct = load_process.ask(port=port, request=str(request), connections=16, seconds=1.0)
        yield Row(SECTION, "upstream alone, 16 connections: what load and upstream can do at most",
                  direct["requests"] / direct["seconds"], "req/s")  # fmt: skip


def _sides(stack: ExitStack, folder: Path, caller: world.Caller, port: int) -> list[Side]:
    policy = world.write_policy(folder / "policy", 1_000, caller, f"http://127.0.0.1:{port}")
    compiled = load([policy])
    cluster = compiled.providers["bench"].upstream.cluster
    (folder / "worker").mkdir()
    governed, worker_socket = processes.worker(folder / "worker", policy)
    stack.enter_context(governed)
    echo_socket = folder / "echo.sock"
    echo = stack.enter_context(processes.python("echo", "tests.bench.echo", f"unix:{echo_socket}", cluster))
    governed.wait_for(worker_socket)
    echo.wait_for(echo_socket)
    sides = []
    for name, processor, path in (
        ("plain", None, folder / "none.sock"), ("echo", echo, echo_socket), ("governed", governed, worker_socket)
    ):  # fmt: skip
        where = folder / f"envoy-{name}"
        where.mkdir()
        listen = _free_port()
        settings = xds.EnvoySettings(
            folder=str(where), processors=(str(path),), admin_socket=str(where / "admin.sock"), port=listen
        )
        documents = xds.render(compiled, settings)
        if processor is None:
            _without_processor(documents, cluster)
        xds.write(where, documents)
        binary = envoy_process.find()
        command = [binary, "--config-path", str(where / "bootstrap.json"), "--concurrency", "1",
                   "--disable-hot-restart", "--log-level", "error"]  # fmt: skip
        sides.append(Side(name, listen, stack.enter_context(Process(f"envoy {name}", command)), processor))
    return sides


def _without_processor(documents: dict[str, dict], cluster: str) -> None:
    """Our listener, with nobody asked: the filter goes, and the route names the cluster itself."""
    manager = documents["lds.json"]["resources"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    del manager["http_filters"][0]
    route = manager["route_config"]["virtual_hosts"][0]["routes"][0]["route"]
    del route["cluster_header"]
    route["cluster"] = cluster


def _rounds(sides: list[Side], load_process: Process, upstream: Process, request: Path, connections: int, *,
            quick: bool) -> dict[str, list[Round]]:  # fmt: skip
    out: dict[str, list[Round]] = {side.name: [] for side in sides}
    for _ in range(2 if quick else 5):
        for side in sides:
            watched = [side.envoy, side.processor or side.envoy, load_process, upstream]
            before = [process.cpu() for process in watched]
            result = load_process.ask(port=side.port, request=str(request), connections=connections, seconds=1.0)
            if result["bad"]:
                raise RuntimeError(f"{side.name}: {result['bad']} requests were not answered with 200")
            used = [process.cpu() - was for process, was in zip(watched, before, strict=True)]
            count, seconds = result["requests"], result["seconds"]
            out[side.name].append(
                Round(count / seconds, result["p50"], result["p99"], used[0] / count * 1e6,
                      used[1] / count * 1e6 if side.processor else 0.0, used[2] / seconds, used[3] / seconds)
            )  # fmt: skip
    return out


def _report(rounds: dict[str, list[Round]], connections: int) -> Iterator[Row]:
    where = f"{connections} connection{'s' if connections > 1 else ''}"
    for name, found in rounds.items():
        busy = [w for w, s in (("load", median(r.load for r in found)), ("upstream", median(r.upstream for r in found)))
                if s > _BUSY]  # fmt: skip
        note = f"{' and '.join(busy)} used most of a core" if busy else ""
        yield Row(SECTION, f"{where}: {name}", median(r.rate for r in found), "req/s", note=note)
        yield Row(SECTION, f"{where}: {name}, p50", median(r.p50 for r in found), "ms")
        yield Row(SECTION, f"{where}: {name}, p99", median(r.p99 for r in found), "ms")
        yield Row(SECTION, f"{where}: {name}, Envoy's CPU per request", median(r.envoy for r in found))
        if name != "plain":
            yield Row(SECTION, f"{where}: {name}, processor's CPU per request", median(r.processor for r in found))

    def ratio(over: str, under: str, figure: str) -> float:
        pairs = zip(rounds[over], rounds[under], strict=True)
        return median(getattr(a, figure) / getattr(b, figure) for a, b in pairs)

    yield Row(SECTION, f"{where}: governed / echo, processor's CPU", ratio("governed", "echo", "processor"), "x",
              budget=1.5 if connections > 1 else None)  # fmt: skip
    yield Row(SECTION, f"{where}: governed / plain, requests per second", ratio("governed", "plain", "rate"), "x",
              budget=0.5 if connections > 1 else None, at_least=True,
              note="design's figure, to be met by the lean server" if connections > 1 else "")  # fmt: skip
    yield Row(SECTION, f"{where}: echo / plain, requests per second", ratio("echo", "plain", "rate"), "x",
              note="what grpcio itself leaves")  # fmt: skip


def _request(token: str) -> bytes:
    body = world.chat_request()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway.example\r\naccept: application/json\r\n"
        "user-agent: OpenAI/Python 3.52.0\r\nx-stainless-lang: python\r\nx-stainless-package-version: 3.52.0\r\n"
        "x-stainless-os: Linux\r\nx-stainless-arch: x64\r\nx-stainless-runtime: CPython\r\n"
        "x-stainless-runtime-version: 3.12.1\r\nx-stainless-retry-count: 0\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {token}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _warm(side: Side, load_process: Process, request: Path) -> None:
    """Until its clusters are there, its processor is healthy and it answers with 200."""
    _listening(side.envoy, side.port)
    deadline = time() + 15
    while time() < deadline:
        result = load_process.ask(port=side.port, request=str(request), connections=1, seconds=0.1)
        if not result["bad"]:
            load_process.ask(port=side.port, request=str(request), connections=16, seconds=0.5)
            return
        sleep(0.1)
    raise RuntimeError(f"Envoy ({side.name}) does not answer with 200")


def _listening(process: Process, port: int) -> None:
    for _ in range(1_000):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            process.cpu()
            sleep(0.02)
        else:
            return
    raise RuntimeError(f"{process.name} does not listen")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
