import pytest
import structlog

from extproc.adapters.policy_watch import PolicyHolder, PolicyWatch, folder_signature
from extproc.errors import PolicyError, Problem


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "a.yaml").write_text("v1")
    return tmp_path / "p"


@pytest.fixture
def made(folder, kit):
    """A watch whose loader takes the text of a.yaml as the version, and refuses text that begins with "bad"."""

    class Made:
        loads = 0
        crash = None

        def load(self, path):
            self.loads += 1
            if self.crash:
                raise self.crash
            text = (path / "a.yaml").read_text()
            if text.startswith("bad"):
                raise PolicyError([Problem("a.yaml", 2, "spec", "wrong"), Problem("a.yaml", 1, "kind", "unknown")])
            return kit.policy(text)

    it = Made()
    it.outcomes = []
    it.holder = PolicyHolder()
    it.watch = PolicyWatch(
        folder, it.load, it.holder, lambda: 5.0, on_outcome=lambda outcome, status: it.outcomes.append(outcome)
    )
    return it


async def test_the_first_load_sets_the_policy(made):
    policy = await made.watch.first()
    assert made.holder.current is policy
    assert made.holder.status.outcome == "loaded"
    assert (made.holder.status.version, made.holder.status.loaded_at) == ("v1", 5.0)


async def test_a_first_load_that_fails_names_every_problem(made, folder):
    (folder / "a.yaml").write_text("bad")
    with pytest.raises(PolicyError) as caught:
        await made.watch.first()
    assert [p.line for p in caught.value.problems] == [1, 2]


async def test_a_change_is_loaded_once_it_has_settled(made, folder):
    await made.watch.first()
    assert not await made.watch.poll()
    (folder / "a.yaml").write_text("v2")
    assert not await made.watch.poll(), "first seen: it may still be being written"
    (folder / "b.yaml").write_text("more")
    assert not await made.watch.poll(), "and indeed it was"
    assert await made.watch.poll()
    assert made.holder.current.version == "v2"
    assert not await made.watch.poll()
    assert made.loads == 2


async def test_a_bad_change_keeps_the_last_good_policy_and_says_so(made, folder):
    good = await made.watch.first()
    (folder / "a.yaml").write_text("bad v2")
    with structlog.testing.capture_logs() as logs:
        await made.watch.poll()
        await made.watch.poll()
        await made.watch.poll()
    status = made.holder.status
    assert made.holder.current is good
    assert (status.outcome, status.version, status.failed_at, len(status.problems)) == ("failed", "v1", 5.0, 2)
    assert made.outcomes == ["loaded", "failed"]
    assert logs[0]["problems"][0] == "a.yaml:1: kind: unknown"
    (folder / "a.yaml").write_text("v3")
    await made.watch.poll()
    await made.watch.poll()
    assert (made.holder.current.version, made.holder.status.problems) == ("v3", ())


@pytest.mark.parametrize("crash", [RuntimeError("bug with my-secret"), OSError(13, "my-secret")], ids=["bug", "io"])
async def test_a_loader_that_crashes_costs_a_reload_and_not_the_process(made, folder, crash):
    good = await made.watch.first()
    made.crash = crash
    (folder / "a.yaml").write_text("v2")
    await made.watch.poll()
    await made.watch.poll()
    assert made.holder.current is good
    assert made.holder.status.outcome == "failed"
    assert "my-secret" not in str(made.holder.status)


async def test_a_touch_without_change_of_meaning_swaps_nothing(made, folder):
    good = await made.watch.first()
    (folder / "c.yaml").write_text("")
    await made.watch.poll()
    await made.watch.poll()
    assert made.holder.current is good
    assert made.outcomes == ["loaded", "unchanged"]


async def test_a_folder_that_never_settles_is_loaded_in_the_end(made, folder):
    await made.watch.first()
    for n in range(30):
        (folder / "a.yaml").write_text(f"version-{n:0{n}d}")
        if await made.watch.poll():
            break
    assert made.loads == 2


async def test_a_change_while_loading_is_loaded_after(made, folder, kit):
    await made.watch.first()
    (folder / "a.yaml").write_text("v2-first-half")
    load = made.load

    def meanwhile(path):
        policy = load(path)
        (folder / "a.yaml").write_text("v2-first-and-second-half")
        made.watch._load = load
        return policy

    made.watch._load = meanwhile
    for _ in range(4):
        await made.watch.poll()
    assert made.holder.current.version == "v2-first-and-second-half"


async def test_what_a_new_policy_needs_is_prepared_before_it_takes_effect(made, folder):
    seen = []

    async def prepare(policy):
        seen.append((policy.version, made.holder.current))

    made.watch._prepare = prepare
    await made.watch.first()
    assert seen == [("v1", None)]


async def test_a_kubernetes_link_swap_is_seen(tmp_path):
    folder = tmp_path / "p"
    folder.mkdir()
    for name in ("..1", "..2"):
        (folder / name).mkdir()
        (folder / name / "a.yaml").write_text("same length")
    (folder / "..data").symlink_to("..1")
    (folder / "a.yaml").symlink_to("..data/a.yaml")
    before = folder_signature(folder)
    assert len(before) == 1, "the hidden folders are not read twice"
    (folder / "new").symlink_to("..2")
    (folder / "new").replace(folder / "..data")
    assert folder_signature(folder) != before


def test_other_files_do_not_count(folder):
    before = folder_signature(folder)
    (folder / "notes.txt").write_text("x")
    (folder / ".a.yaml.swp").write_text("x")
    (folder / ".hidden.yaml").write_text("x")
    assert folder_signature(folder) == before
    (folder / "sub").mkdir()
    (folder / "sub" / "b.yml").write_text("x")
    assert folder_signature(folder) != before


async def test_run_swaps_in_a_change_without_being_asked(made, folder):
    class Enough(Exception):
        pass

    def stop(outcome, status):
        raise Enough

    await made.watch.first()
    (folder / "a.yaml").write_text("v2")
    made.watch._on_outcome = stop
    with pytest.raises(Enough):
        await made.watch.run(every=0)
    assert made.holder.current.version == "v2"
