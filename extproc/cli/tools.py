"""`gatereeve tools`: which tools a server offers, whether they are those that were approved or signed, and who
imitates whom. Never calls a tool, and prints no credential. What no screen shows is printed as an escape."""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from extproc.cli.tool_sources import Source, credentials, load, read, write
from extproc.errors import StartupError
from extproc.exchange.model import JsonObject
from extproc.tools.definition import DefinitionError, digest, name_of
from extproc.tools.diff import diff, render
from extproc.tools.manifest import ManifestError, differences
from extproc.tools.manifest import sign as sign_manifest
from extproc.tools.manifest import verify as verify_manifest
from extproc.tools.pins import Pins, dump, parse
from extproc.tools.pins import pin as pin_tools
from extproc.tools.shadowing import shadows as find_shadows
from extproc.tools.signing_keys import KeyProblem, signing_key, verifying_keys
from extproc.tools.visible import escaped_json, visible

_DAY = 86_400
_key = click.option("--key", "--keys", "keys", required=True, type=click.Path(dir_okay=False), metavar="FILE",
                    help="PEM, JWK or, to verify, JWKS. Ed25519, P-256 or RSA.")  # fmt: skip


@click.group()
def tools() -> None:
    """Pin, compare, sign and verify the tools of MCP servers.

    SOURCE is a server's URL, a file with the result of tools/list (- for standard input), or a pin file.

    \b
      gatereeve tools list https://crm.example/mcp
      gatereeve tools pin https://crm.example/mcp --server crm --pins pins/crm.json
      gatereeve tools diff https://crm.example/mcp --pins pins/crm.json
    """


@tools.command("list")
@click.argument("source")
@credentials
@click.option("--format", "format", type=click.Choice(["table", "json", "digests"]), default="table", show_default=True,
              help="json: a file to use as SOURCE. digests: one on a line, and the name.")  # fmt: skip
def list_(source: str, token: str | None, headers: tuple[str, ...], plain_http: bool, format: str) -> None:
    """Print the tools of SOURCE.

    \b
      gatereeve tools list https://crm.example/mcp --header 'X-Api-Key: env:CRM_KEY'
      gatereeve tools list https://crm.example/mcp --format json > crm.json
    """
    found = load(source, token, headers, plain_http)
    if format == "json":
        text = msgspec.json.format(msgspec.json.encode({"tools": found.tools}), indent=2).decode("utf-8")
        click.echo(escaped_json(text))
        return
    for tool in found.tools:
        name = visible(name_of(tool), 128) or "(no name)"
        if format == "digests":
            click.echo(f"{_digest(tool)}  {name}")
        else:
            description = tool.get("description")
            shown = visible(description, 80) if isinstance(description, str) else "-"
            click.echo(f"{_digest(tool)[7:19] or '-':<12}  {name:<32}  {shown}")


@tools.command()
@click.argument("source")
@click.option("--pins", "path", required=True, type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="The pin file to write or update.")  # fmt: skip
@click.option("--server", default="", metavar="NAME", help="Whose tools: the MCPServer's name in the policy.  "
              "[default: as in the file, or as the server calls itself]")  # fmt: skip
@click.option("--by", default="", metavar="WHO", help="Who approves them; written into the file.")
@click.option("--date", "date", default="", metavar="DATE", help="When.  [default: today]")
@click.option("--yes", is_flag=True, help="Do not ask before replacing what was approved.")
@credentials
def pin(
    source: str, path: Path, server: str, by: str, date: str, yes: bool,
    token: str | None, headers: tuple[str, ...], plain_http: bool,
) -> None:  # fmt: skip
    """Approve the tools of SOURCE: write their digests and definitions to a pin file.

    Shows what is new, changed and gone, and asks before something that was approved is replaced or dropped. Read what
    it shows: a description is an instruction to the model.

    \b
      gatereeve tools pin https://crm.example/mcp --server crm --pins pins/crm.json --by ada@example.com
      gatereeve tools pin crm.json --server crm --pins pins/crm.json --yes
    """
    found = load(source, token, headers, plain_http)
    old = parse(read(str(path)), str(path)) if path.exists() else None
    if old is not None and server and server != old.server:
        raise StartupError(f"{path} is of {visible(old.server)!r}, not of {server!r}: give another file.")
    try:
        today = date or datetime.fromtimestamp(time.time(), UTC).date().isoformat()
        new = pin_tools(server or (old.server if old else found.server), found.tools, approved=today, by=by)
    except DefinitionError as error:
        raise StartupError(f"These tools cannot be pinned: {error}.") from None
    lines, replaced = _drift(old or Pins(new.server), found.tools)
    if old is not None and not lines:
        click.echo(f"{path}: all {len(new.tools)} tools are pinned as they are. Nothing was written.")
        return
    for line in lines:
        click.echo(line)
    if replaced and not yes and not click.confirm(f"Replace what was approved ({replaced} tools)?", err=True):
        click.echo("Nothing was written.", err=True)
        sys.exit(1)
    write(path, dump(new))
    click.echo(f"{path}: {len(new.tools)} tools of {visible(new.server)} are pinned.")


@tools.command("diff")
@click.argument("source")
@click.option("--pins", "path", required=True, type=click.Path(dir_okay=False), metavar="FILE", help="The pin file.")
@credentials
def diff_(source: str, path: str, token: str | None, headers: tuple[str, ...], plain_http: bool) -> None:
    """Print how the tools of SOURCE differ from those that were approved. Exit code 1 if they do.

    \b
      gatereeve tools diff https://crm.example/mcp --pins pins/crm.json
      gatereeve tools diff https://crm.example/mcp --pins pins/crm.json || echo drift
    """
    pins = parse(read(path), path)
    found = load(source, token, headers, plain_http)
    lines, _ = _drift(pins, found.tools)
    for line in lines:
        click.echo(line)
    if lines:
        sys.exit(1)
    click.echo(f"No drift: {len(found.tools)} tools of {visible(pins.server)} are as they were approved.")


@tools.command()
@click.argument("source")
@_key
@click.option("--issuer", required=True, help="Who signs, as verifiers know you: best a URL.")
@click.option("--server", default="", metavar="NAME", help="Whose tools.  [default: as the server calls itself]")
@click.option("--days", type=click.IntRange(0, 3650), default=365, show_default=True,
              help="How long the manifest is valid; 0 for ever.")  # fmt: skip
@click.option("--digests-only", is_flag=True, help="Leave the definitions out: verifiers cannot say what changed.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="[default: standard output]"
)
@credentials
def sign(
    source: str, keys: str, issuer: str, server: str, days: int, digests_only: bool, out: Path | None,
    token: str | None, headers: tuple[str, ...], plain_http: bool,
) -> None:  # fmt: skip
    """Sign the tools of SOURCE with a private key: a manifest for those who use the server.

    \b
      gatereeve tools sign crm.json --key private.pem --issuer https://vendor.example --server crm --out crm.jws
      gatereeve tools sign http://127.0.0.1:8000/mcp --key private.jwk --issuer https://vendor.example > crm.jws
    """
    try:
        key = signing_key(read(keys))
    except KeyProblem as error:
        raise StartupError(f"{keys}: {error}") from None
    found = load(source, token, headers, plain_http)
    now = time.time()
    try:
        text = sign_manifest(
            key, server or found.server, found.tools, issuer=issuer, now=now,
            expires=now + days * _DAY if days else None, definitions=not digests_only,
        )  # fmt: skip
    except DefinitionError as error:
        raise StartupError(f"These tools cannot be signed: {error}.") from None
    except ManifestError as error:
        raise StartupError(str(error)) from None
    if out is None:
        click.echo(text)
    else:
        write(out, text + "\n")
        click.echo(f"{out}: {len(found.tools)} tools, signed with {key.algorithm}.")


@tools.command()
@click.argument("manifest", type=click.Path(dir_okay=False))
@_key
@click.option("--against", "source", metavar="SOURCE", help="Compare the tools of this server or file with it.")
@click.option("--issuer", default="", help="Accept only a manifest of this issuer.")
@click.option("--server", default="", metavar="NAME", help="Accept only a manifest of this server.")
@credentials
def verify(
    manifest: str, keys: str, source: str | None, issuer: str, server: str,
    token: str | None, headers: tuple[str, ...], plain_http: bool,
) -> None:  # fmt: skip
    """Verify the signature of MANIFEST and, with --against, that a server offers what was signed. Exit code 1 if not.

    \b
      gatereeve tools verify crm.jws --keys vendor.jwks --issuer https://vendor.example
      gatereeve tools verify crm.jws --keys vendor.pem --against https://crm.example/mcp
    """
    try:
        trusted = verifying_keys(read(keys))
    except KeyProblem as error:
        raise StartupError(f"{keys}: {error}") from None
    try:
        good = verify_manifest(
            read(manifest).decode("ascii", "replace"), trusted, now=time.time(), server=server, issuer=issuer
        )
    except ManifestError as error:
        click.echo(f"{manifest}: {error}", err=True)
        sys.exit(1)
    until = "for ever" if good.expires is None else f"until {_day(good.expires)}"
    by = f" (key {visible(good.kid, 80)})" if good.kid else ""
    click.echo(f"Good: {len(good.tools)} tools of {visible(good.server, 200)}, signed by "
               f"{visible(good.issuer, 200)}{by} on {_day(good.issued)}, valid {until}.")  # fmt: skip
    if source is None:
        return
    offered = load(source, token, headers, plain_http).tools
    found = differences(good, offered)
    by_name = {name_of(tool): tool for tool in offered}
    for difference in found:
        click.echo(f"{difference.kind}: {visible(difference.name, 128)}")
        if difference.kind == "changed":
            _show(good.tools[difference.name].definition, by_name[difference.name])
    if found:
        sys.exit(1)
    click.echo(f"All {len(offered)} tools are as they were signed.")


@tools.command()
@click.argument("sources", nargs=-1, required=True, metavar="[NAME=]SOURCE...")
@credentials
def shadows(sources: tuple[str, ...], token: str | None, headers: tuple[str, ...], plain_http: bool) -> None:
    """Print tools that imitate or divert from those of another SOURCE. Exit code 1 if there are any.

    Put those first that you trust most. Of SOURCES, at most one may be asked with credentials: a token for one server
    is not shown to another.

    \b
      gatereeve tools shadows pins/*.json
      gatereeve tools shadows crm=https://crm.example/mcp weather=weather.json
    """
    named = [_named(source) for source in sources]
    if (token or headers) and sum("://" in source for _, source in named) > 1:
        raise click.UsageError(
            "Credentials are for one server. Save the tools of the others with: tools list --format json"
        )
    servers: dict[str, tuple[JsonObject, ...]] = {}
    for name, source in named:
        found: Source = load(source, token, headers, plain_http)
        name = name or found.server
        if name in servers:
            raise StartupError(f"Two sources are called {visible(name)!r}: name them, as in crm=SOURCE.")
        servers[name] = found.tools
    reports = find_shadows(servers)
    for shadow in reports:
        click.echo(f"{visible(shadow.server, 80)}: {shadow.kind}: {shadow.reason}")
    if reports:
        sys.exit(1)
    click.echo(f"Nothing to report about {sum(map(len, servers.values()))} tools of {len(servers)} servers.")


def _named(source: str) -> tuple[str, str]:
    name, equals, rest = source.partition("=")
    return (name, rest) if equals and "/" not in name and ":" not in name else ("", source)


def _drift(pins: Pins, offered: tuple[JsonObject, ...]) -> tuple[list[str], int]:
    """What differs, in lines, and how many approved tools are changed or gone."""
    lines: list[str] = []
    replaced = 0
    seen: set[str] = set()
    for tool in offered:
        name = name_of(tool)
        shown = visible(name, 128) or "(no name)"
        if name in seen:
            lines.append(f"repeated: {shown}")
        seen.add(name)
        standing = pins.check(tool)
        if standing == "unknown":
            lines.append(f"new: {shown}")
            lines.append(render(diff({"name": name}, tool)))
        elif standing == "changed":
            replaced += 1
            lines.append(f"changed: {shown}")
            old = pins.tools[name].definition
            lines.append(render(diff(old, tool)) if old is not None else _NOT_TOLD)
    for name in pins.missing(offered):
        replaced += 1
        lines.append(f"gone: {visible(name, 128)}")
    return [line for line in lines if line], replaced


_NOT_TOLD = "  (only the digest is known: what changed cannot be told)"


def _show(old: JsonObject | None, new: JsonObject) -> None:
    click.echo(render(diff(old, new)) if old is not None else _NOT_TOLD)


def _digest(tool: JsonObject) -> str:
    try:
        return digest(tool)
    except DefinitionError:
        return ""


def _day(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).date().isoformat()
    except (OverflowError, ValueError, OSError):
        return str(seconds)
