"""The examples of the documentation are real: they load, pass their own tests, and their conditions compile."""

from pathlib import Path

import pytest

from extproc.policy.conditions import Scope, compile_condition
from extproc.policy.load import check, load
from extproc.policy.testing import run
from extproc.tools.pins import dump, pin

ROOT = Path(__file__).parents[3]
PAGES = {
    path.relative_to(ROOT).as_posix(): path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}


def blocks(page: str) -> list[str]:
    """The YAML examples of a page."""
    return [part.split("```")[0] for part in PAGES[page].read_text(encoding="utf-8").split("```yaml\n")[1:]]


def documents(page: str) -> list[str]:
    return [block for block in blocks(page) if "apiVersion:" in block]


def lines(beginning: str) -> list[object]:
    """Examples of one field, a line each, comments left out."""
    return [
        pytest.param(line.split("   #")[0].strip(), id=f"{page}: {line.split('   #')[0].strip()}")
        for page in PAGES
        for block in blocks(page)
        if "apiVersion:" not in block
        for line in block.splitlines()
        if line.startswith(beginning)
    ]


def written(folder: Path, *texts: str) -> Path:
    for number, text in enumerate(texts):
        (folder / f"{number}.yaml").write_text(text)
    return folder


def test_the_first_policy_loads_and_passes_its_tests(tmp_path):
    report = run(load(written(tmp_path, *documents("docs/policy.md")[:2])), tmp_path)
    assert report.text == "3 of 3 policy tests passed"


def test_the_policy_of_routing_loads_and_passes_the_tests_that_are_shown(tmp_path):
    texts = (*documents("docs/routing.md"), *documents("docs/policy.md")[2:])
    report = run(load(written(tmp_path, *texts)), tmp_path)
    assert report.text == "2 of 2 policy tests passed"


def schema_of(**arguments: str) -> dict[str, object]:
    properties = {name: {"type": kind} for name, kind in arguments.items()}
    return {"type": "object", "properties": properties, "required": list(arguments)}


@pytest.mark.promise("docs.mcp")
def test_the_ten_minutes_of_mcp_load_and_pass_their_tests(tmp_path):
    schemas = {"get_ticket": schema_of(number="integer"), "close_tickets": schema_of(count="integer"),
               "attach_file": schema_of(number="integer", path="string")}  # fmt: skip
    (tmp_path / "pins").mkdir()
    pins = pin("tickets", [{"name": name, "inputSchema": schema} for name, schema in schemas.items()])
    (tmp_path / "pins" / "tickets.json").write_text(dump(pins))
    report = run(load(written(tmp_path, *documents("docs/mcp.md")[:2])), tmp_path)
    assert report.text == "4 of 4 policy tests passed"


@pytest.mark.parametrize("page", [page for page in PAGES if documents(page)])
@pytest.mark.promise("docs.mcp")
def test_the_documents_of_a_page_are_well_written(tmp_path, page):
    """Each by itself is right. What one refers to may stand on another page, or in files of the reader's: only that is
    passed over."""
    _, problems = check(written(tmp_path, *documents(page)))
    elsewhere = ("there is no LLMProvider", ": cannot be read (No such file or directory)")
    assert [said for said in map(str, problems) if not any(part in said for part in elsewhere)] == []


@pytest.mark.parametrize("line", lines("when: "))
def test_the_conditions_compile(line):
    source = line.removeprefix("when: ").strip("'")
    assert compile_condition(source, Scope.TARGET)


@pytest.mark.parametrize("line", lines("credential: "))
def test_the_credentials_are_taken(tmp_path, line):
    provider = "apiVersion: gatereeve.dev/v1alpha1\nkind: LLMProvider\nmetadata: {name: p}\nspec:\n"
    text = f"{provider}  dialects: [openai-chat]\n  url: https://bedrock-runtime.eu-west-1.amazonaws.com\n  {line}\n"
    assert load(written(tmp_path, text)).providers["p"].upstream.credential is not None


def test_no_example_goes_unread():
    read = {page: [b for b in blocks(page) if "apiVersion:" not in b] for page in PAGES}
    strange = [
        (page, line)
        for page, left in read.items()
        for block in left
        for line in block.splitlines()
        if not line.startswith(("when: ", "credential: "))
    ]
    assert strange == []
