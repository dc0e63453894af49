"""`gatereeve serve`: the processor without Envoy, for where Envoy is somebody else's container."""

import sys
from pathlib import Path

import click

from extproc.adapters import logs
from extproc.cli import options
from extproc.policy.runtime import Policy
from extproc.serve import runner
from extproc.supervisor.gateway import Gateway, GatewaySettings


@click.command()
@click.option("--policy", type=click.Path(path_type=Path, exists=True, file_okay=False), required=True,
              help="The policy folder.")  # fmt: skip
@click.option("--sockets", type=click.Path(path_type=Path, file_okay=False), required=True,
              help="Folder for the workers' Unix sockets w0.sock, w1.sock, ...; share it with Envoy.")  # fmt: skip
@options.processor
def serve(policy: Path, sockets: Path, workers: int, admin_port: int, admin_address: str, audit: tuple[str, ...],
          audit_max_bytes: int, audit_backups: int, drain: float, max_request: int, max_answer: int, log_format: str,
          log_level: str) -> None:  # fmt: skip
    """Start the external processor alone; Envoy runs elsewhere and reaches it over Unix sockets.

    `gatereeve render` writes the Envoy configuration that fits. Start this before Envoy and stop it after.
    """
    logs.configure(format="text" if log_format == "text" else "json", level=log_level)
    sockets.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings = GatewaySettings(
        policy=policy, port=None, sockets=sockets, admin_address=admin_address, admin_port=admin_port,
        workers=workers, audit=options.sinks(audit, "stdout:json"), audit_max_bytes=audit_max_bytes,
        audit_backups=audit_backups, drain=drain, max_request_bytes=max_request, max_answer_bytes=max_answer,
        log_format=log_format, log_level=log_level,
    )  # fmt: skip

    def started(loaded: Policy) -> None:
        click.echo(f"{workers} worker(s) serve policy {loaded.version} in {sockets}; "
                   f"admin on http://{admin_address}:{admin_port}", err=True)  # fmt: skip

    sys.exit(runner()(Gateway(settings, started=started).run()))
