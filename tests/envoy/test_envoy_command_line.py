"""The command line as a user types it, and its rendered configuration in front of the real Envoy."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
import yaml

from extproc.demo.policy import DemoPorts, write_policy
from extproc.supervisor.envoy import find
from tests.envoy import policies
from tests.envoy.conftest import echo
from tests.envoy.gateway import ROOT, Ports, request, short_folder, until
from tests.envoy.issuer import Issuer
from tests.envoy.upstream import Upstream

COMMANDS = ["up", "serve", "check", "test", "explain", "render", "token", "version"]


def _run(*arguments: str, code: int = 0, **environ: str) -> str:
    """Run a command; its output, both streams. Fails on another exit code, or on a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "extproc", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60,
        env={**os.environ, **environ}, check=False,
    )  # fmt: skip
    output = done.stdout + done.stderr
    assert done.returncode == code, output
    assert "Traceback" not in output
    return output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good policy folder."""
    write_policy(tmp_path / "policy", DemoPorts())
    return tmp_path / "policy"


def test_help_names_every_command_and_where_to_start():
    output = _run("--help")
    assert all(command in output for command in COMMANDS)
    assert "gatereeve up --demo" in output
    assert "Exit codes" in output


@pytest.mark.promise("cli.help")
@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_that_says_what_it_does(command):
    output = _run(command, "--help")
    assert output.startswith("Usage: gatereeve " + command)
    assert len(output.split()) > 10


def test_version_says_the_version():
    assert _run("version").split() == ["gatereeve", "0.1.0"]
    assert "0.1.0" in _run("--version")


def test_check_praises_a_good_folder(folder: Path):
    assert "Good" in _run("check", str(folder))


@pytest.mark.promise("cli.check")
def test_check_prints_every_problem_with_its_place_and_what_to_write_instead(folder: Path):
    (folder / "bad.yaml").write_text(
        "apiVersion: gatereeve.dev/v1alpha1\nkind: AgentPolicy\nmetadata: {name: a}\nspec:\n"
        "  subjects: [{groups: [x]}]\n  modles: {allow: [gpt-4]}\n"
        "---\napiVersion: gatereeve.dev/v1alpha1\nkind: AgentPolicy\nmetadata: {name: b}\nspec:\n"
        "  subjects: [{groups: [x]}]\n  models: {allow: [gpt-4]}\n  when: call.stream == 'x'\n"
        "---\napiVersion: gatereeve.dev/v1alpha1\nkind: Model\nmetadata: {name: m}\nspec:\n"
        "  targets: [{provider: nobody}]\n"
    )
    lines = _run("check", str(folder), code=1).splitlines()
    places = [line for line in lines if "bad.yaml:" in line]
    assert any("bad.yaml:6" in line and "modles" in line for line in places)
    assert any("bad.yaml:14" in line and "when" in line for line in places)
    assert any("nobody" in line for line in places)


def test_check_says_no_to_a_folder_that_is_not_there():
    assert "does not exist" in _run("check", "/no/such/folder", code=2)


def _case(reason: str, verdict: str = "deny") -> str:
    document = {
        "apiVersion": policies.API, "kind": "PolicyTest", "metadata": {"name": "t"},
        "spec": {"cases": [{
            "name": "interns get no large model", "identity": {"subject": "i", "groups": ["interns"]},
            "call": {"llm": {"model": "gpt-4"}}, "expect": {"verdict": verdict, "reason": reason},
        }]},
    }  # fmt: skip
    return yaml.safe_dump(document)


@pytest.mark.promise("cli.test")
def test_test_runs_policy_tests_and_shows_failures_as_a_difference(folder: Path):
    (folder / "tests.yaml").write_text(_case("model-not-allowed"))
    assert "1" in _run("test", str(folder))
    (folder / "tests.yaml").write_text(_case("allowed", "allow"))
    output = _run("test", str(folder), code=1)
    assert "interns get no large model" in output
    assert "model-not-allowed" in output
    assert "allowed" in output


@pytest.mark.promise("cli.explain")
def test_explain_says_which_documents_matched_and_which_did_not_and_why(folder: Path, tmp_path: Path):
    call = tmp_path / "call.yaml"
    call.write_text(yaml.safe_dump({"identity": {"subject": "i", "groups": ["interns"]},
                                    "call": {"llm": {"model": "gpt-4"}}}))  # fmt: skip
    output = _run("explain", str(folder), str(call))
    assert "interns" in output
    assert "engineering" in output
    assert "model-not-allowed" in output
    assert "deny" in output


def test_up_needs_either_a_policy_or_the_demo(folder: Path):
    assert "--policy" in _run("up", code=2)
    assert "--demo" in _run("up", "--demo", "--policy", str(folder), code=2)


def test_up_names_the_missing_key_of_a_real_provider(tmp_path: Path):
    output = _run("up", "--demo", "--provider", "openai", "--state", str(tmp_path), code=3, OPENAI_API_KEY="")
    assert "OPENAI_API_KEY" in output


def test_up_names_a_wrong_audit_sink(folder: Path):
    assert "stdot" in _run("up", "--policy", str(folder), "--audit", "stdot", code=2)


def test_up_without_an_envoy_says_what_to_do(folder: Path):
    output = _run("up", "--policy", str(folder), "--envoy", "/no/such/envoy", "--port", str(Ports.take(1)),
                  "--admin-port", str(Ports.take(1)), code=3)  # fmt: skip
    assert "/no/such/envoy" in output


def test_token_without_a_demo_says_what_to_do():
    output = _run("token", "--demo-port", str(Ports.take(3)), code=3)
    assert "make run" in output


@pytest.mark.promise("cli.render")
def test_what_render_writes_is_accepted_by_envoy(folder: Path, tmp_path: Path):
    out = tmp_path / "out"
    assert "bootstrap.json" in _run("render", str(folder), "--out", str(out), "--port", str(Ports.take(1)))
    done = subprocess.run([find(), "--mode", "validate", "--config-path", str(out / "bootstrap.json")],
                          capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "demo-llm-key" not in "".join(path.read_text() for path in out.iterdir())
    assert "nothing changed" in _run("render", str(folder), "--out", str(out), "--port",
                                     str(json.loads((out / "lds.json").read_text())["resources"][0]["address"]
                                         ["socket_address"]["port_value"]))  # fmt: skip


@pytest.mark.promise("cli.render")
def test_serve_and_an_envoy_of_ones_own_govern_like_up():
    """What a cluster does: the processor in one place, Envoy with rendered files in another."""
    base = short_folder()
    upstream, issuer, port = Upstream(Ports.take(1)), Issuer(), Ports.take(2)
    upstream.scripts[""] = echo
    made = policies.Folder(base / "policy", issuer, upstream.port)
    _run("render", str(made.path), "--out", str(base / "envoy"), "--sockets", str(base / "s"), "--workers", "1",
         "--port", str(port), "--address", "127.0.0.1")  # fmt: skip
    children = []
    try:
        with (base / "out").open("wb") as out:
            for command in (
                [sys.executable, "-m", "extproc", "serve", "--policy", str(made.path), "--sockets", str(base / "s"),
                 "--workers", "1", "--admin-port", str(port + 1), "--audit", f"file:{base / 'audit'}"],
                [find(), "--config-path", str(base / "envoy" / "bootstrap.json"), "--disable-hot-restart",
                 "--concurrency", "1", "--log-level", "warning"],
            ):  # fmt: skip
                children.append(subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out))
                until("it serves", lambda: _ready(port + 2 - len(children)), 20)
        url, headers = f"http://127.0.0.1:{port}/v1/chat/completions", {}
        headers["authorization"] = f"Bearer {issuer.token('engineering')}"
        answer = request("POST", url, json=policies.chat("a 4111111111111111"), headers=headers)
        assert answer.json()["choices"][0]["message"]["content"] == "a [masked:card]"
        children[0].send_signal(signal.SIGTERM)
        assert children[0].wait(10) == 0, (base / "out").read_text()
        refused = request("POST", url, json=policies.chat())
        assert refused.status_code in (500, 503)
    finally:
        for child in children:
            if child.poll() is None:
                child.kill()
            child.wait(5)
        upstream.close()


def _ready(port: int) -> bool:
    try:
        return request("GET", f"http://127.0.0.1:{port}/readyz", timeout=5).status_code in (200, 401, 404)
    except httpx2.HTTPError:
        return False
