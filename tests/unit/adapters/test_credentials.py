import os

import pytest
import structlog

from extproc.adapters.credentials import MAX_SECRET, WarmCredentials
from extproc.policy.runtime import CredentialSource
from extproc.session.ports import Outgoing

REQUEST = Outgoing("POST", "https://h/", {}, b"")


def header(creds, source):
    found = creds.inject(source, REQUEST)
    return found and found.headers[0]


def source(**where):
    return CredentialSource("LLMProvider/demo", "authorization", "Bearer {}", **where)


@pytest.fixture
def creds(clock):
    return WarmCredentials({"KEY": "from-env", "EMPTY": "", "BAD": "a\nb"}, clock, grace=300.0)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "key"
    path.write_text("secret-1\n")
    return path


def test_values_and_environment_need_no_warming(creds):
    assert header(creds, source(value="v")) == ("authorization", "Bearer v")
    assert header(creds, source(env="KEY")) == ("authorization", "Bearer from-env")


def test_the_secret_is_told_with_the_header_unless_it_stands_in_ordinary_text(creds):
    assert creds.inject(source(value="longer-secret"), REQUEST).secret == b"longer-secret"
    assert creds.inject(source(value="short"), REQUEST).secret == b""


def test_a_look_up_makes_nothing_anew(creds):
    assert creds.inject(source(env="KEY"), REQUEST) is creds.inject(source(env="KEY"), REQUEST)


def test_braces_in_a_secret_are_left_alone(creds):
    assert header(creds, source(value="{}{x}")) == ("authorization", "Bearer {}{x}")


@pytest.mark.parametrize("where", [{"env": "NOPE"}, {"env": "EMPTY"}, {"env": "BAD"}, {"value": "ä"}, {"value": " "}])
def test_what_cannot_be_a_secret_is_unavailable(creds, where):
    assert header(creds, source(**where)) is None


def test_the_environment_is_read_once(clock):
    environ = {"KEY": "old"}
    creds = WarmCredentials(environ, clock)
    environ["KEY"] = "new"
    assert header(creds, source(env="KEY"))[1] == "Bearer old"


async def test_a_file_is_read_by_refresh_only_and_its_line_end_is_dropped(creds, file, kit):
    key = source(file=str(file))
    assert header(creds, key) is None
    await creds.refresh(kit.policy(credentials=[key]))
    assert header(creds, key) == ("authorization", "Bearer secret-1")


async def test_a_rotated_file_is_seen_by_edit_rename_and_link_swap(creds, file, tmp_path, kit):
    key = source(file=str(file))
    policy = kit.policy(credentials=[key])

    async def now():
        await creds.refresh(policy)
        return header(creds, key)[1]

    assert await now() == "Bearer secret-1"
    file.write_text("secret-2-longer")
    assert await now() == "Bearer secret-2-longer"
    (tmp_path / "new").write_text("secret-3")
    (tmp_path / "new").replace(file)
    assert await now() == "Bearer secret-3"
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "key").write_text("secret-4")
    file.unlink()
    file.symlink_to("..data/key")
    assert await now() == "Bearer secret-4"


@pytest.mark.parametrize(
    "break_it",
    [
        pytest.param(lambda p: p.unlink(), id="it vanished"),
        pytest.param(lambda p: p.write_text("\n"), id="it is empty"),
        pytest.param(lambda p: p.write_text("x" * (MAX_SECRET + 1)), id="it is too long"),
        pytest.param(lambda p: p.write_text("top-secret\r\nx-admin: 1"), id="it would inject a header"),
        pytest.param(lambda p: p.write_bytes(b"\xff\xfe"), id="it is not text"),
        pytest.param(lambda p: (p.unlink(), p.mkdir()), id="it is a folder now"),
        pytest.param(lambda p: (p.unlink(), os.mkfifo(p)), id="it is a pipe nobody writes to"),
    ],
)
async def test_a_file_gone_bad_is_reported_and_its_last_good_secret_used_for_the_grace_only(
    creds, file, kit, clock, break_it
):
    key = source(file=str(file))
    policy = kit.policy(credentials=[key])
    await creds.refresh(policy)
    break_it(file)
    with structlog.testing.capture_logs() as logs:
        await creds.refresh(policy)
        await creds.refresh(policy)
    assert header(creds, key) == ("authorization", "Bearer secret-1")
    (status,) = creds.status()
    assert status.ready
    assert str(file) in status.problem
    assert len(logs) == 1, "said once, not every second"
    assert "secret" not in str(logs) + str(status).replace(str(file), "")
    clock.now += 301
    await creds.refresh(policy)
    assert header(creds, key) is None
    assert not creds.status()[0].ready


async def test_a_file_that_is_good_again_is_used_again(creds, file, kit, clock):
    key = source(file=str(file))
    policy = kit.policy(credentials=[key])
    file.unlink()
    await creds.refresh(policy)
    assert header(creds, key) is None
    file.write_text("back")
    await creds.refresh(policy)
    assert header(creds, key)[1] == "Bearer back"
    assert creds.status()[0].problem == ""


async def test_an_unchanged_file_never_runs_out_of_grace(creds, file, kit, clock):
    key = source(file=str(file))
    for _ in range(3):
        await creds.refresh(kit.policy(credentials=[key]))
        clock.now += 10_000
    assert header(creds, key) is not None


async def test_credentials_of_an_earlier_policy_are_kept_for_the_grace_and_then_forgotten(creds, file, kit, clock):
    old, new = source(file=str(file)), source(value="v")
    await creds.refresh(kit.policy("v1", credentials=[old]))
    await creds.refresh(kit.policy("v2", credentials=[new]))
    assert header(creds, old) is not None
    clock.now += 301
    await creds.refresh(kit.policy("v2", credentials=[new]))
    assert header(creds, old) is None
    assert header(creds, new) is not None


async def test_no_secret_is_in_any_repr_or_status(creds, file, kit):
    keys = [source(file=str(file)), source(value="secret-9"), source(env="KEY")]
    await creds.refresh(kit.policy(credentials=keys[:1]))
    for key in keys:
        assert header(creds, key)
    shown = repr(creds) + repr(creds._known) + repr(creds.status())
    assert not [s for s in ("secret-1", "secret-9", "from-env") if s in shown]


async def test_run_waits_for_a_policy_and_then_keeps_its_credentials_warm(creds, file, kit):
    key = source(file=str(file))
    turns = iter([None, kit.policy(credentials=[key])])

    class Enough(Exception):
        pass

    def current():
        for policy in turns:
            return policy
        raise Enough

    with pytest.raises(Enough):
        await creds.run(current, every=0)
    assert header(creds, key) is not None
