"""What cannot start says so in one error, and leaves nothing behind."""

import socket
import tempfile

import pytest

from extproc.demo.policy import DemoPorts, write_policy
from extproc.errors import PolicyError, StartupError
from extproc.supervisor import gateway as room
from extproc.supervisor import workers
from extproc.supervisor.gateway import Gateway, GatewaySettings


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The runtime folders of gateways made in this test appear here."""
    made = tmp_path / "run"
    made.mkdir()
    make = tempfile.mkdtemp
    monkeypatch.setattr(room.tempfile, "mkdtemp", lambda prefix: make(prefix=prefix, dir=made))
    monkeypatch.setattr(room, "_SOCKET_LIMIT", 1000)
    return made


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "policy"
    write_policy(path, DemoPorts())
    return path


async def test_a_worker_that_cannot_start_is_one_startup_error(folder, policy, tmp_path, monkeypatch):
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nexit 7\n")
    program.chmod(0o700)
    monkeypatch.setattr(workers.sys, "executable", str(program))
    monkeypatch.setattr(workers, "_BACKOFF", (0.0, 0.0))
    settings = GatewaySettings(policy=policy, port=free_port(), admin_port=free_port(), start_timeout=10)
    with pytest.raises(StartupError, match="exit code 7"):
        await Gateway(settings).run()
    assert list(folder.iterdir()) == []


async def test_a_taken_port_is_named_and_the_folder_is_gone(folder, policy):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(StartupError, match=f"port {port} "):
            await Gateway(GatewaySettings(policy=policy, port=port, admin_port=free_port())).run()
    assert list(folder.iterdir()) == []


async def test_a_policy_that_does_not_load_is_told_before_anything_starts(folder, tmp_path):
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "a.yaml").write_text("kind: Nothing\n")
    with pytest.raises(PolicyError):
        await Gateway(GatewaySettings(policy=bad, port=free_port(), admin_port=free_port())).run()
    assert list(folder.iterdir()) == []
