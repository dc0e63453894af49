"""The admin port says what is, in the status codes that probes read."""

import http.client
import json

import pytest

from extproc.admin.server import AdminServer


class World:
    def __init__(self):
        self.ready = True
        self.detail = {"workers": [], "policy_problems": ["agents.yaml:3: spec: is missing"]}


@pytest.fixture
def world():
    return World()


@pytest.fixture
def admin(world):
    server = AdminServer("127.0.0.1", 0, lambda: (world.ready, world.detail), lambda: b"gatereeve_up 1\n")
    server.start()
    yield server
    server.stop()


def ask(admin, path, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", admin.port, timeout=5)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


def test_healthz_is_alive_even_when_not_ready(admin, world):
    world.ready = False
    assert ask(admin, "/healthz")[:2] == (200, b"ok\n")


@pytest.mark.parametrize(("ready", "status"), [(True, 200), (False, 503)], ids=["ready", "not ready"])
def test_readyz_says_it_in_the_status_and_why_in_the_body(admin, world, ready, status):
    world.ready = ready
    code, body, headers = ask(admin, "/readyz")
    assert code == status
    assert headers["content-type"] == "application/json"
    assert json.loads(body) == {"ready": ready, **world.detail}


def test_metrics_are_prometheus_text(admin):
    code, body, headers = ask(admin, "/metrics")
    assert (code, body) == (200, b"gatereeve_up 1\n")
    assert headers["content-type"].startswith("text/plain")


def test_a_query_does_not_hide_a_page_and_head_has_no_body(admin):
    assert ask(admin, "/healthz?verbose")[0] == 200
    assert ask(admin, "/metrics", "HEAD")[:2] == (200, b"")


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        pytest.param("/config_dump", "GET", 404, id="a page that is not there"),
        pytest.param("/readyz/../../etc/passwd", "GET", 404, id="a path that climbs"),
        pytest.param("/healthz", "POST", 501, id="a method that changes things"),
    ],
)
def test_anything_else_is_refused(admin, path, method, status):
    assert ask(admin, path, method)[0] == status


def test_the_server_header_names_no_versions(admin):
    assert "Python" not in ask(admin, "/healthz")[2]["server"]
