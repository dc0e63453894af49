"""A taken port is named before anything is started, with what to write instead."""

import socket

import pytest

from extproc.errors import StartupError
from extproc.supervisor import ports


@pytest.fixture
def taken():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_taken_port_is_named_with_the_remedy(taken):
    with pytest.raises(StartupError) as error:
        ports.check("127.0.0.1", taken, "PORT=10080 make run")
    assert f"port {taken} on 127.0.0.1 is already in use" in str(error.value)
    assert "PORT=10080 make run" in str(error.value)


def test_a_free_port_stays_free(taken):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    ports.check("127.0.0.1", free, "")
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", free))


def test_an_address_that_is_not_ours_says_so():
    with pytest.raises(StartupError, match=r"192\.0\.2\.1:18999 cannot be listened on"):
        ports.check("192.0.2.1", 18999, "")
