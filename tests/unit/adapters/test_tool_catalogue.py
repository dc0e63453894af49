"""What servers listed: known to every worker, the newest first, and never believed when damaged."""

import asyncio
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from extproc.adapters import tool_catalogue
from extproc.adapters.tool_catalogue import MAX_DEFINITION, ToolCatalogue
from extproc.policy.tool_rules import NOT_KEPT

TOOL: dict[str, Any] = {"name": "find", "inputSchema": {"type": "object", "properties": {"q": {"type": "string"}}}}


def newer(text: str) -> dict[str, Any]:
    return {**TOOL, "description": text}


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def catalogue(folder: Path | None, clock: Clock, servers: Collection[str] = ("crm", "mail")) -> ToolCatalogue:
    return ToolCatalogue(lambda: servers, folder, clock)


def file(folder: Path) -> Path:
    (found,) = folder.glob("*.json")
    return found


async def test_what_is_learned_is_known_at_once_and_in_memory_only_without_a_folder(clock: Clock) -> None:
    one = catalogue(None, clock)
    assert one.definition("crm", "find") is None
    assert one.variants("crm", "find") == 0
    one.learn("crm", [TOOL])
    assert one.definition("crm", "find") == TOOL
    assert one.definition("mail", "find") is None
    assert one.definition("crm", "find") is one.definition("crm", "find")
    await one.poll()
    assert one.definition("crm", "find") == TOOL


async def test_another_worker_and_a_restart_know_it_after_one_look(tmp_path: Path, clock: Clock) -> None:
    one, two = catalogue(tmp_path / "new", clock), catalogue(tmp_path / "new", clock)
    await two.poll()
    one.learn("crm", [TOOL])
    await one.poll()
    await two.poll()
    assert two.definition("crm", "find") == TOOL
    again = catalogue(tmp_path / "new", clock)
    await again.poll()
    assert again.definition("crm", "find") == TOOL
    assert file(tmp_path / "new").stat().st_mode & 0o077 == 0


async def test_two_that_write_at_once_both_keep_what_they_learned(tmp_path: Path, clock: Clock) -> None:
    one, two = catalogue(tmp_path, clock), catalogue(tmp_path, clock)
    one.learn("crm", [TOOL])
    two.learn("crm", [{"name": "send"}])
    await asyncio.gather(one.poll(), two.poll())
    for _ in range(3):
        await one.poll()
        await two.poll()
    for worker in (one, two, catalogue(tmp_path, clock)):
        await worker.poll()
        assert worker.definition("crm", "find") == TOOL
        assert worker.definition("crm", "send") == {"name": "send"}


async def test_the_newest_definition_wins_also_when_it_is_an_old_one_again(tmp_path: Path, clock: Clock) -> None:
    one, two = catalogue(tmp_path, clock), catalogue(tmp_path, clock)
    one.learn("crm", [newer("a")])
    await one.poll()
    await two.poll()
    two.learn("crm", [newer("b")])
    await two.poll()
    one.learn("crm", [newer("a")])
    await one.poll()
    await two.poll()
    assert one.definition("crm", "find") == two.definition("crm", "find") == newer("a")
    await one.poll()
    assert (one.variants("crm", "find"), two.variants("crm", "find")) == (2, 2)


async def test_different_definitions_are_counted_and_only_what_counts_in_them(tmp_path: Path, clock: Clock) -> None:
    one = catalogue(tmp_path, clock)
    for text in ("a", "b", "a", "c"):
        one.learn("crm", [{**newer(text), "_meta": {"at": clock()}, "icons": []}])
    await one.poll()
    assert one.variants("crm", "find") == 3
    assert one.definition("crm", "find") == newer("c")


async def test_nothing_is_written_while_nothing_changes(tmp_path: Path, clock: Clock) -> None:
    one, two = catalogue(tmp_path, clock), catalogue(tmp_path, clock)
    one.learn("crm", [TOOL])
    await one.poll()
    await two.poll()
    before = file(tmp_path).stat()
    for worker in (one, two, one, two):
        worker.learn("crm", [{**TOOL, "_meta": {"at": clock()}}])
        await worker.poll()
    assert file(tmp_path).stat().st_ino == before.st_ino


async def test_servers_of_the_policy_only(tmp_path: Path, clock: Clock) -> None:
    servers = ["crm"]
    one = ToolCatalogue(lambda: servers, tmp_path, clock)
    one.learn("crm", [TOOL])
    one.learn("evil", [TOOL])
    await one.poll()
    assert one.definition("evil", "find") is None
    assert len(list(tmp_path.iterdir())) == 1
    servers.clear()
    await one.poll()
    assert one.definition("crm", "find") is None


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", ".", "", "x" * 5000, "CRM", "crm\0"])
async def test_a_server_cannot_choose_where_its_file_is(tmp_path: Path, clock: Clock, name: str) -> None:
    one = catalogue(tmp_path / "in", clock, ("crm", name))
    one.learn(name, [TOOL])
    one.learn("crm", [{"name": "other"}])
    await one.poll()
    assert len(list((tmp_path / "in").iterdir())) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize(
    "tool",
    [
        pytest.param({"title": "no name"}, id="no name"),
        pytest.param({"name": 3}, id="a name that is none"),
        pytest.param({"name": "x" * 2000}, id="a name that is too long"),
        pytest.param(3, id="no object"),
    ],
)
def test_what_is_no_tool_is_passed_over(clock: Clock, tool: Any) -> None:
    one = catalogue(None, clock)
    one.learn("crm", [tool, TOOL])
    assert one.definition("crm", "find") == TOOL
    assert list(one._known["crm"].tools) == ["find"]


@pytest.mark.parametrize(
    "tool",
    [
        pytest.param(newer("x" * MAX_DEFINITION), id="too large"),
        pytest.param(newer("\ud800"), id="half of a surrogate pair"),
        pytest.param(newer(object()), id="no JSON"),  # type: ignore[arg-type]
    ],
)
async def test_a_definition_that_cannot_be_kept_is_known_by_name_alone(tmp_path: Path, clock: Clock, tool: Any) -> None:
    one, two = catalogue(tmp_path, clock), catalogue(tmp_path, clock)
    one.learn("crm", [TOOL])
    await one.poll()
    with capture_logs() as logs:
        one.learn("crm", [tool])
        one.learn("crm", [tool])
    assert [entry["event"] for entry in logs] == ["tool definition not kept"]
    assert one.definition("crm", "find") == {"name": "find", NOT_KEPT: True}
    await one.poll()
    await two.poll()
    assert two.definition("crm", "find") == {"name": "find", NOT_KEPT: True}
    two.learn("crm", [TOOL])
    assert two.definition("crm", "find") == TOOL


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="cut"),
        pytest.param(b"[]", id="another shape"),
        pytest.param(b'{"version": 2, "server": "crm", "tools": {}}', id="another version's"),
        pytest.param(b'{"version": 1, "server": "mail", "tools": {}}', id="another server's"),
        pytest.param(b'{"version": 1, "server": "crm", "tools": {"a": {}}}', id="a tool without definition"),
        pytest.param(b'{"a":' * 100_000, id="nested without end"),
    ],
)
async def test_a_damaged_file_is_dropped_loudly_and_written_anew(tmp_path: Path, clock: Clock, damage: bytes) -> None:
    one = catalogue(tmp_path, clock)
    one.learn("crm", [TOOL])
    await one.poll()
    path = file(tmp_path)
    path.write_bytes(damage)
    with capture_logs() as logs:
        await one.poll()
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("tool definitions dropped", "error")]
    assert one.definition("crm", "find") == TOOL
    again = catalogue(tmp_path, clock)
    await again.poll()
    assert again.definition("crm", "find") == TOOL


async def test_a_file_that_others_can_write_is_not_believed(tmp_path: Path, clock: Clock) -> None:
    one = catalogue(tmp_path, clock)
    one.learn("crm", [TOOL])
    await one.poll()
    file(tmp_path).chmod(0o666)
    again = catalogue(tmp_path, clock)
    with capture_logs() as logs:
        await again.poll()
    assert again.definition("crm", "find") is None
    assert [entry["problem"] for entry in logs] == ["could have been written by others"]


async def test_a_definition_in_the_file_that_is_no_object_is_known_by_name_alone(tmp_path: Path, clock: Clock) -> None:
    one = catalogue(tmp_path, clock)
    one.learn("crm", [TOOL])
    await one.poll()
    doc = json.loads(file(tmp_path).read_bytes())
    doc["tools"]["find"]["definition"] = [1]
    file(tmp_path).write_text(json.dumps(doc))
    again = catalogue(tmp_path, clock)
    await again.poll()
    assert again.definition("crm", "find") == {"name": "find", NOT_KEPT: True}


async def test_a_file_that_was_removed_comes_back(tmp_path: Path, clock: Clock) -> None:
    one = catalogue(tmp_path, clock)
    one.learn("crm", [TOOL])
    await one.poll()
    file(tmp_path).unlink()
    await one.poll()
    assert file(tmp_path).exists()


async def test_a_folder_that_cannot_be_written_costs_a_line_in_the_log(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "folder").write_text("a file stands in the way")
    one = catalogue(tmp_path / "folder", clock)
    one.learn("crm", [TOOL])
    with capture_logs() as logs:
        await one.poll()
        await one.poll()
    assert [entry["event"] for entry in logs] == ["tool definitions not shared"]
    assert one.definition("crm", "find") == TOOL
    (tmp_path / "folder").unlink()
    await one.poll()
    assert file(tmp_path / "folder").exists()


async def test_only_so_many_tools_and_bytes_are_kept_and_the_oldest_go(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool_catalogue, "MAX_TOOLS", 100)
    one = catalogue(tmp_path, clock)
    for number in range(300):
        one.learn("crm", [{"name": f"t{number}"}])
        assert len(one._known["crm"].tools) <= 100
    assert one.definition("crm", "t299") is not None
    assert one.definition("crm", "t0") is None
    monkeypatch.setattr(tool_catalogue, "MAX_BYTES", 10_000)
    one.learn("crm", [{"name": f"big{number}", "description": "x" * 900} for number in range(50)])
    state = one._known["crm"]
    assert state.bytes == sum(len(known.raw) for known in state.tools.values()) <= 10_000
    await one.poll()
    again = catalogue(tmp_path, clock)
    await again.poll()
    assert again._known["crm"].tools.keys() == state.tools.keys()


async def test_running_ends_when_it_is_cancelled(tmp_path: Path, clock: Clock) -> None:
    one, two = catalogue(tmp_path, clock), catalogue(tmp_path, clock)
    one.learn("crm", [TOOL])
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        tasks = [group.create_task(worker.run(every=0.001)) for worker in (one, two)]
        while two.definition("crm", "find") is None:
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
    assert two.definition("crm", "find") == TOOL


async def test_a_clock_that_was_ahead_does_not_keep_an_old_definition_alive(tmp_path: Path, clock: Clock) -> None:
    one, two = catalogue(tmp_path, clock), catalogue(tmp_path, clock)
    clock.now += 1_000_000
    one.learn("crm", [newer("old")])
    clock.now -= 1_000_000
    await one.poll()
    await two.poll()
    two.learn("crm", [newer("new")])
    await two.poll()
    await one.poll()
    assert one.definition("crm", "find") == two.definition("crm", "find") == newer("new")


async def test_two_definitions_of_one_moment_are_settled_the_same_way_by_both(tmp_path: Path) -> None:
    one, two = (ToolCatalogue(lambda: ("crm",), tmp_path, lambda: 1.0) for _ in range(2))
    one.learn("crm", [newer("a")])
    two.learn("crm", [newer("b")])
    for _ in range(3):
        await one.poll()
        await two.poll()
    assert one.definition("crm", "find") == two.definition("crm", "find")
    before = file(tmp_path).stat().st_ino
    await one.poll()
    await two.poll()
    assert file(tmp_path).stat().st_ino == before


def test_what_is_decoded_stays_the_same_object_until_the_definition_changes_and_is_bounded(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = catalogue(None, clock)
    one.learn("crm", [TOOL])
    before = one.definition("crm", "find")
    one.learn("crm", [{**TOOL, "_meta": {}}])
    assert one.definition("crm", "find") is before
    one.learn("crm", [newer("b")])
    assert one.definition("crm", "find") == newer("b")
    monkeypatch.setattr(tool_catalogue, "_MAX_DECODED_BYTES", 1_000)
    one.learn("crm", [{"name": f"t{number}", "title": "x" * 200} for number in range(50)])
    for number in range(50):
        assert one.definition("crm", f"t{number}") is not None
        assert len(one._decoded) <= 10
