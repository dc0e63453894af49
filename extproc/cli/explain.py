"""`gatereeve explain`: why a call is decided as it is, from a file, from an audit record, or from a few words."""

import json
from pathlib import Path
from typing import Any

import click
import yaml

from extproc.errors import StartupError
from extproc.policy.cases import from_record
from extproc.policy.explain import explain as explained
from extproc.policy.load import load


@click.command()
@click.argument("policy", type=click.Path(path_type=Path, exists=True))
@click.argument("call", required=False, type=click.File("r", encoding="utf-8"))
@click.option("--id", "id", default="", help="Which record of an audit file CALL: the id that a refusal names.")
@click.option("--subject", default="user-1", show_default=True, help="Who calls, when there is no CALL.")
@click.option("--groups", default="", help="The caller's groups, separated by commas.")
@click.option("--tenant", default="", help="The caller's tenant.")
@click.option("--model", default="", help="Ask about an LLM call to this model.")
@click.option("--dialect", default="openai-chat", show_default=True, help="The API of the LLM call.")
@click.option("--server", default="", help="Ask about an MCP call to this server.")
@click.option("--tool", default="", help="The tool called on --server.")
@click.option("--method", default="", help="Another MCP method on --server, for example prompts/get.")
@click.option("--name", default="", help="What --method is about: a prompt's name, a resource's URI.")
def explain(policy: Path, call: Any, id: str, subject: str, groups: str, tenant: str, model: str, dialect: str,
            server: str, tool: str, method: str, name: str) -> None:  # fmt: skip
    """Print which documents matched a call, which did not and why, and the decision.

    CALL is YAML or JSON: {identity, call} as in a policy test, or an audit record; "-" reads standard input. Without
    CALL, say who and what with options:

    \b
      gatereeve explain policy/ --groups interns --model gpt-4
      gatereeve explain policy/ --groups interns --server demo --tool delete_note
      gatereeve explain policy/ audit.jsonl --id gr-5f2e9c1a-0-17
    """
    if call is not None:
        record = _record(call.read(), id)
    elif server:
        asked = {"server": server, "method": method or "tools/call", "name": tool or name}
        record = {"identity": _identity(subject, groups, tenant), "call": {"mcp": asked}}
    elif model:
        asked = {"dialect": dialect, "model": model}
        record = {"identity": _identity(subject, groups, tenant), "call": {"llm": asked}}
    else:
        raise click.UsageError("Say what was called: a CALL file, --model NAME, or --server NAME --tool NAME.")
    compiled = load([policy])
    click.echo("\n".join(explained(compiled, from_record(compiled, record))))


def _identity(subject: str, groups: str, tenant: str) -> dict[str, Any]:
    identity: dict[str, Any] = {"subject": subject}
    if groups:
        identity["groups"] = [group.strip() for group in groups.split(",") if group.strip()]
    if tenant:
        identity["tenant"] = tenant
    return identity


def _record(text: str, id: str) -> dict[str, Any]:
    """The record a file holds; of an audit file the one with this id (the last one when no id is given)."""
    lines = [line for line in text.splitlines() if line.strip()]
    if id or (len(lines) > 1 and all(line.lstrip().startswith("{") for line in lines)):
        return _line(lines, id)
    try:
        record = yaml.safe_load(text)  # JSON is YAML too
    except yaml.YAMLError:
        raise StartupError("CALL is neither YAML nor JSON") from None
    if not isinstance(record, dict):
        raise StartupError("CALL is no object; write {identity: ..., call: ...}, or give an audit record")
    return record


def _line(lines: list[str], id: str) -> dict[str, Any]:
    for line in reversed(lines):
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and (not id or record.get("id") == id):
            return record
    raise StartupError(f"no record with id {id} in the audit file" if id else "no audit record in the file")
