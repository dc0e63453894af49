"""`gatereeve render`: the Envoy configuration that `up` uses, as files."""

from pathlib import Path

import click

from extproc import xds
from extproc.cli.options import Size, idle_timeout
from extproc.policy.load import load


@click.command()
@click.argument("policy", type=click.Path(path_type=Path, exists=True))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder to write to.")
@click.option("--sockets", type=click.Path(path_type=Path, file_okay=False), default=Path("/run/gatereeve"),
              show_default=True, help="Where `gatereeve serve` has its workers' sockets.")  # fmt: skip
@click.option("--workers", type=click.IntRange(1, 128), default=2, show_default=True, help="As many as `serve` has.")
@click.option("--address", default="0.0.0.0", show_default=True, help="Where Envoy listens.")  # noqa: S104
@click.option("--port", type=click.IntRange(1, 65535), default=10000, show_default=True)
@click.option("--max-request", type=Size(), default="16MiB", show_default=True, help="As `serve` has it.")
@click.option("--folder", default="", help="Where Envoy will find the files, if not where they are written.")
@idle_timeout
def render(policy: Path, out: Path, sockets: Path, workers: int, address: str, port: int, max_request: int,
           folder: str, idle_timeout: float) -> None:  # fmt: skip
    """Write the Envoy configuration for a policy: bootstrap.json, lds.json and cds.json.

    \b
    Start Envoy with:   envoy -c OUT/bootstrap.json
    When the policy changes, render again: Envoy watches the folder, and files are replaced whole.
    """
    where = folder or str(out.absolute())
    settings = xds.EnvoySettings(
        folder=where,
        processors=tuple(f"{sockets}/w{index}.sock" for index in range(workers)),
        admin_socket=f"{where}/admin.sock",
        address=address,
        port=port,
        max_request_bytes=max_request,
        stream_idle_timeout=idle_timeout,
    )
    written = xds.write(out, xds.render(load([policy]), settings))
    click.echo(f"{out}: {', '.join(written) if written else 'nothing changed'}")
