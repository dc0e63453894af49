"""The official conformance suite through the real Envoy: what passes directly passes through us.

Runs where `make conformance` has put the suite; it is npm's, and no dependency of the project.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conformance import gate
from tests.conformance.peers import FOLDER, Peers
from tests.conformance.suite import SETS, TASKS, Set, Suite, differences
from tests.envoy.gateway import Ports

SUITE, PEERS = Suite(FOLDER), Peers()
pytestmark = [
    pytest.mark.skipif(bool(SUITE.missing), reason=SUITE.missing),
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module", params=[SETS, (TASKS,)], ids=["the official SDK", "FastMCP"])
def served(request: pytest.FixtureRequest) -> Iterator[tuple[tuple[Set, ...], str, dict[str, str]]]:
    """The sets for a server, its URL, and the URLs through the gateway."""
    port = Ports.take(1)
    command: tuple[str, ...] = ()
    if request.param == (TASKS,):
        if PEERS.missing_fastmcp:
            pytest.skip(PEERS.missing_fastmcp)
        command = PEERS.fastmcp("serve", str(port))
    with ExitStack() as stack:
        url = stack.enter_context(gate.serving(port, *command))
        made = stack.enter_context(gate.gated(url))
        yield request.param, url.replace("127.0.0.1", "localhost"), stack.enter_context(gate.without_tokens(made))


@pytest.mark.promise("proof.conformance")
def test_what_passes_directly_passes_through_us(served, tmp_path: Path):
    sets, url, through = served
    for number, which in enumerate(sets):
        direct = SUITE.run(which, url, tmp_path / f"{number}")
        assert list(direct.values()).count("SUCCESS") > 30, which.title
        for group, address in through.items():
            found = SUITE.run(which, address, tmp_path / f"{number}-{group}")
            assert differences(direct, found) == [], (which.title, group)
