"""Gateways for the tests: one demo and one scripted per pytest process for what changes nothing, own ones for the rest.

A shared gateway's end is a test too: when it leaves a process behind or ends badly, the run fails.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.envoy import policies
from tests.envoy.gateway import Gateway, Ports, client
from tests.envoy.issuer import Issuer
from tests.envoy.providers.cast import AWS_ENVIRONMENT, Cast
from tests.envoy.providers.front import Front
from tests.envoy.upstream import Line, Upstream

_FAILED = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "pair(source, target, feature): what passes between two dialects if this passes")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """What a test with the marker `pair` proves goes into the file that GATEREEVE_PAIRS names, a line of JSON each:
    source, target, feature, and whether it passed with everything it leans on. Marks of a test and of its parameters
    are joined; without all three names there is nothing to say. A feature holds if none of its lines says it failed."""
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or not report.passed
    path = os.environ.get("GATEREEVE_PAIRS", "")
    row = {name: value for mark in item.iter_markers("pair") for name, value in mark.kwargs.items()}
    if path and report.when == "teardown" and row.keys() == {"source", "target", "feature"}:
        line = json.dumps({**row, "passed": not item.stash[_FAILED]}) + "\n"
        with open(path, "ab", buffering=0) as file:  # noqa: PTH123  # one write in append mode: workers do not mix
            file.write(line.encode())
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.envoy)


@pytest.fixture(scope="session")
def demo() -> Iterator[Gateway]:
    """`gatereeve up --demo`, shared: tests that use it change nothing that others see."""
    gateway = Gateway(demo=True).start()
    yield gateway
    gateway.finish()


@dataclass
class Scripted:
    """A gateway over a scripted upstream, and everything needed to talk to it."""

    gateway: Gateway
    upstream: Upstream
    issuer: Issuer
    folder: policies.Folder

    def client(self, *groups: str, **options: Any) -> httpx2.Client:
        """An HTTP client with a good token of these groups (engineering, if none is given)."""
        headers = {"authorization": f"Bearer {self.issuer.token(*(groups or ('engineering',)))}"}
        return client(base_url=self.gateway.url, headers=headers, **options)

    def chat(self, script: str = "", /, *, groups: tuple[str, ...] = (), **body: Any) -> httpx2.Response:
        """One Chat Completions call that the upstream answers by this script."""
        with self.client(*groups) as made:
            return made.post("/v1/chat/completions", json=policies.chat(**body), headers={"x-script": script})


async def echo(line: Line) -> None:
    """The script without a name: says the last message's text back, whole."""
    await line.whole(policies.completion(line.request.json()["messages"][-1]["content"]))


def scripted_gateway(
    *arguments: str, start: bool = True, keys: dict[str, Any] | None = None, **options: Any
) -> Scripted:
    upstream = Upstream(Ports.take(1))
    upstream.scripts[""] = echo
    issuer = Issuer()
    gateway = Gateway(*arguments, **options)
    folder = policies.Folder(gateway.state / "policy", issuer, upstream.port, keys=keys)
    gateway.command += ["--policy", str(folder.path)]
    if start:
        gateway.start()
    return Scripted(gateway, upstream, issuer, folder)


@pytest.fixture(scope="session")
def scripted() -> Iterator[Scripted]:
    """A gateway over a scripted upstream, shared. Tests add scripts under names of their own."""
    made = scripted_gateway()
    yield made
    made.gateway.finish()
    made.upstream.close()


@dataclass
class Served:
    """A gateway over strict fake providers. Models are `on-` and the name of one of `cast.TARGETS`. The group `plain`
    may use all; so may `masked`, whose answers are masked."""

    scripted: Scripted
    cast: Cast
    front: Front
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.scripted.gateway.url

    def token(self, group: str = "plain") -> str:
        """One for each group, so that clients can be shared."""
        if group not in self.tokens:
            self.tokens[group] = self.scripted.issuer.token(group)
        return self.tokens[group]


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway over fake providers, shared. It forgets nothing: tests look at what they added."""
    cast = Cast()
    made = scripted_gateway(start=False, environ=AWS_ENVIRONMENT)
    for entry in cast.documents():
        made.folder.write(entry)
    everything = {"models": {"allow": ["*"]}, "masking": "all"}
    made.folder.write(policies.document("AgentPolicy", "masked", subjects=[{"groups": ["masked"]}], **everything))
    made.gateway.start()
    front = Front(made.gateway.port, tmp_path_factory.mktemp("front"))
    yield Served(made, cast, front)
    front.close()
    made.gateway.finish()
    made.upstream.close()
    cast.close()


@pytest.fixture
def own() -> Iterator[Callable[..., Scripted]]:
    """Makes gateways over scripted upstreams that the test may kill, starve and reload."""
    made: list[Scripted] = []

    def make(*arguments: str, **options: Any) -> Scripted:
        made.append(scripted_gateway(*arguments, **options))
        return made[-1]

    yield make
    for one in made:
        one.gateway.stop()
        one.upstream.close()
