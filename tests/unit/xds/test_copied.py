"""The configuration that users copy is the one that is rendered, and it goes with the policy it was made from."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from extproc.cli.render import render
from extproc.demo.policy import DemoPorts, write_policy

COPIED = Path(__file__).parents[3] / "envoy" / "standalone"


@pytest.mark.parametrize("name", ["bootstrap.json", "cds.json", "lds.json"])
def test_the_copied_file_is_what_render_writes(tmp_path, name):
    policy = tmp_path / "policy"
    write_policy(policy, DemoPorts())
    out = tmp_path / "out"
    told = CliRunner().invoke(
        render, [str(policy), "--out", str(out), "--folder", "/etc/envoy", "--sockets", "/run/gatereeve"]
    )
    assert told.exit_code == 0, told.output
    assert (COPIED / name).read_text() == (out / name).read_text(), (
        "render again: gatereeve render DEMO-POLICY --out envoy/standalone --folder /etc/envoy --sockets /run/gatereeve"
    )
