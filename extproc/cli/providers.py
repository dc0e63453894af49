"""`gatereeve providers`: the catalogue of LLM providers, and what a policy says of each. Asks no provider anything."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import click

from extproc.policy import catalogue
from extproc.policy.catalogue import Provider
from extproc.policy.documents import DialectName
from extproc.policy.load import load
from extproc.policy.runtime import LlmProvider

_APPROVED, _NOT_APPROVED, _UNKNOWN = "approved", "not approved", "not in policy"

_policy = click.option("--policy", type=click.Path(path_type=Path, exists=True), metavar="DIR",
                       help="Say of each whether this policy approves it.")  # fmt: skip


class _Standing:
    """What a policy says of catalogued providers. One that several LLMProviders name is approved if one of them is."""

    def __init__(self, declared: Iterable[LlmProvider]) -> None:
        self._hosts: dict[str, list[str]] = {}
        self._of: dict[str, bool] = {}
        for provider in declared:
            host = provider.upstream.host.lower().removesuffix(".")
            self._hosts.setdefault(host, []).append(provider.name)
            known = catalogue.asked(host)
            if known:
                self._of[known] = self._of.get(known, False) or provider.approved

    def of(self, provider: Provider) -> str:
        approved = self._of.get(provider.name)
        return _UNKNOWN if approved is None else _APPROVED if approved else _NOT_APPROVED

    def names(self, host: str) -> list[str]:
        """The LLMProviders of exactly this host, in the catalogue or not."""
        return sorted(self._hosts.get(host.partition(":")[0].lower().removesuffix("."), []))


@click.group()
def providers() -> None:
    """Look up LLM providers by host: whose is it, what does it speak, does my policy approve it?

    \b
      gatereeve providers list --kind api --dialect anthropic-messages
      gatereeve providers list --policy policy/ --format json
      gatereeve providers find bedrock-runtime.eu-west-1.amazonaws.com
    """


@providers.command("list")
@click.option("--kind", type=click.Choice(get_args(catalogue.Kind)), help="Only these: APIs, what people open in a "
              "browser, or what coding agents talk to.")  # fmt: skip
@click.option("--dialect", type=click.Choice(get_args(DialectName)), metavar="NAME", help="Only who speaks it.")
@click.option("--format", "format", type=click.Choice(["table", "json", "hosts"]), default="table", show_default=True,
              help="hosts: one pattern on a line, for a firewall or a proxy.")  # fmt: skip
@_policy
def list_(kind: str | None, dialect: str | None, format: str, policy: Path | None) -> None:
    """Print the providers of the catalogue.

    In a host, * stands for any characters of one label.

    \b
      gatereeve providers list
      gatereeve providers list --kind app --format hosts
      gatereeve providers list --dialect openai-chat --policy policy/
    """
    standing = _standing(policy)
    chosen = [
        provider
        for provider in catalogue.providers()
        if (kind is None or provider.kind == kind) and (dialect is None or dialect in provider.dialects)
    ]
    if format == "json":
        click.echo(json.dumps([_data(provider, standing) for provider in chosen], indent=2))
    elif format == "hosts":
        for provider in chosen:
            mark = f"\t{standing.of(provider)}" if standing else ""
            click.echo("\n".join(f"{host}{mark}" for host in provider.hosts))
    else:
        click.echo("\n".join(_table(chosen, standing)))


@providers.command()
@click.argument("host")
@click.option("--format", "format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@_policy
def find(host: str, format: str, policy: Path | None) -> None:
    """Print whose HOST is. Exit code 1 if the catalogue does not know it.

    \b
      gatereeve providers find api.openai.com
      gatereeve providers find my-team.openai.azure.com:443 --policy policy/
    """
    standing = _standing(policy)
    provider = catalogue.find(host)
    if provider is None:
        named = standing.names(host) if standing else []
        more = f"; in the policy it is LLMProvider {', '.join(named)}" if named else ""
        click.echo(f"{host!r} is no host of a provider in the catalogue{more}.", err=True)
        sys.exit(1)
    data = _data(provider, standing)
    if format == "json":
        click.echo(json.dumps(data, indent=2))
        return
    width = max(len(field) for field in data)
    for field, value in data.items():
        lines = value if isinstance(value, list) else [str(value).lower() if isinstance(value, bool) else value]
        for number, line in enumerate(lines or ["-"]):
            click.echo(f"{'' if number else field:<{width}}  {line or '-'}")


def _standing(policy: Path | None) -> _Standing | None:
    return None if policy is None else _Standing(load([policy]).providers.values())


def _data(provider: Provider, standing: _Standing | None) -> dict[str, Any]:
    data: dict[str, Any] = {
        "name": provider.name,
        "title": provider.title,
        "kind": provider.kind,
        "dialects": list(provider.dialects),
        "header": provider.header,
        "shared": provider.shared,
        "hosts": list(provider.hosts),
        "source": provider.source,
        "also": list(provider.also),
        "checked": provider.checked.isoformat(),
    }
    if standing is not None:
        data["policy"] = standing.of(provider)
    return data


def _table(chosen: list[Provider], standing: _Standing | None) -> list[str]:
    rows = [("NAME", "KIND", *(("POLICY",) if standing else ()), "DIALECTS", "HOSTS")]
    for provider in chosen:
        more = len(provider.hosts) - 1
        hosts = provider.hosts[0] + (f" +{more}" if more else "")
        mark = (standing.of(provider),) if standing else ()
        rows.append((provider.name, provider.kind, *mark, _short(provider.dialects), hosts))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _short(dialects: tuple[str, ...]) -> str:
    """At most two, as a table has to fit a terminal."""
    more = len(dialects) - 2
    return ", ".join(dialects[:2]) + (f" +{more}" if more > 0 else "") or "-"
