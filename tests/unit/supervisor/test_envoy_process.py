"""The Envoy process is found or the remedy is said; a real one starts, confirms its clusters, drains and ends."""

import socket
import tempfile
from pathlib import Path

import pytest

from extproc import xds
from extproc.errors import StartupError
from extproc.policy.runtime import LlmProvider, Policy, Upstream
from extproc.supervisor import envoy as room
from extproc.supervisor.envoy import Envoy, find


def policy(version, *names):
    upstreams = [Upstream(name, name, "127.0.0.1", 9, False, "h", "") for name in names]
    providers = {u.name: LlmProvider(u.name, frozenset(), True, u, "") for u in upstreams}
    return Policy(version, {}, providers, {}, {}, {}, (), lambda _: (), {})


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_binary_that_is_not_there_is_named():
    with pytest.raises(StartupError, match="/nowhere/envoy is no executable file"):
        find("/nowhere/envoy")


def test_without_any_envoy_the_remedy_is_said(monkeypatch):
    monkeypatch.setattr(room.shutil, "which", lambda _: None)
    monkeypatch.setattr(room.os, "access", lambda *_: False)
    with pytest.raises(StartupError, match=r"gatereeve\[envoy\]"):
        find()


async def test_an_envoy_that_ends_at_once_is_a_startup_error(tmp_path):
    envoy = Envoy("/bin/false", tmp_path / "b.json", str(tmp_path / "a.sock"), concurrency=1, drain=1)
    await envoy.start()
    with pytest.raises(StartupError, match="exit code 1"):
        await envoy.ready(10)


@pytest.mark.envoy
async def test_a_real_envoy_starts_takes_up_new_clusters_drains_and_ends():
    with tempfile.TemporaryDirectory() as name:  # short: a Unix socket's path is
        folder = Path(name)
        settings = xds.EnvoySettings(
            folder=name, processors=(f"{name}/w0.sock",), admin_socket=f"{name}/admin.sock", port=free_port()
        )
        xds.write(folder, xds.render(policy("v1", "a"), settings))
        envoy = Envoy(find(), folder / "bootstrap.json", settings.admin_socket, concurrency=1, drain=5)
        await envoy.start()
        try:
            await envoy.ready(30)
            xds.write(folder, xds.render(policy("v2", "a", "b"), settings))
            assert await envoy.applied("v2", 10)
            assert not await envoy.applied("v3", 0.2)
            await envoy.drain()
            await envoy.stop()
            assert envoy.child.process.returncode == 0
        finally:
            envoy.child.kill()
