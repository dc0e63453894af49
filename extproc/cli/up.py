"""`gatereeve up`: Envoy, the processor and the admin port on this machine, from one policy folder."""

import os
import sys
from pathlib import Path

import click

from extproc.adapters import logs
from extproc.cli import options, screen
from extproc.errors import StartupError
from extproc.policy.runtime import Policy
from extproc.serve import runner
from extproc.supervisor.demo import DemoProcess
from extproc.supervisor.gateway import Gateway, GatewaySettings


@click.command()
@click.option("--policy", type=click.Path(path_type=Path, exists=True, file_okay=False), help="The policy folder.")
@click.option("--demo", is_flag=True, help="Bring an identity provider, an LLM, an MCP server and a policy to try.")
@click.option("--provider", type=click.Choice(["openai", "anthropic"]),
              help="With --demo: send this provider's models to the real one, with OPENAI_API_KEY or "
                   "ANTHROPIC_API_KEY from the environment.")  # fmt: skip
@click.option("--address", default="127.0.0.1", show_default=True, help="Where the gateway listens.")
@click.option("--port", type=click.IntRange(1, 65535), default=10000, show_default=True, envvar="PORT",
              help="The gateway's port.")  # fmt: skip
@click.option("--state", type=click.Path(path_type=Path, file_okay=False), default=Path(".gatereeve"),
              show_default=True, help="With --demo: the folder for its policy and audit file.")  # fmt: skip
@click.option("--demo-port", type=click.IntRange(1, 65533), envvar="DEMO_PORT",
              help="With --demo: the LLM's port; MCP server and identity provider take the next two.  "
                   "[default: the port above --port]")  # fmt: skip
@click.option("--envoy", default="", metavar="PATH", help="The Envoy binary.  [default: the envoy extra's, then PATH]")
@click.option("--envoy-threads", type=click.IntRange(1, 64), default=2, show_default=True, help="Envoy's workers.")
@options.idle_timeout
@options.processor
def up(
    policy: Path | None,
    demo: bool,
    provider: str | None,
    address: str,
    port: int,
    state: Path,
    demo_port: int | None,
    envoy: str,
    envoy_threads: int,
    idle_timeout: float,
    workers: int,
    admin_port: int,
    admin_address: str,
    audit: tuple[str, ...],
    audit_max_bytes: int,
    audit_backups: int,
    drain: float,
    max_request: int,
    max_answer: int,
    log_format: str,
    log_level: str,
) -> None:
    """Start a whole gateway on this machine and stay in the foreground.

    Envoy listens on --port; agents point their base URL at it. The policy folder is watched: what you save takes effect
    within two seconds, and what does not load changes nothing. Ctrl-C drains and ends every process; a second one does
    not wait.
    """
    if demo == (policy is not None):
        raise click.UsageError("Say either --policy DIR or --demo.")
    if provider and not demo:
        raise click.UsageError("--provider belongs to --demo; with --policy, LLMProvider documents say where calls go.")
    logs.configure(format="text" if log_format == "text" else "json", level="warning" if demo else log_level)
    demo_process = None
    if demo:
        _check_key(provider)
        demo_process = DemoProcess(state, demo_port or port + 1, provider or "")
        policy = demo_process.policy
        audit = options.sinks(audit, "stdout:text")
        audit = (*audit, f"file:{state / 'audit.w{index}.jsonl'}") if audit == ("stdout:text",) else audit
    assert policy is not None
    settings = GatewaySettings(
        policy=policy,
        address=address,
        port=port,
        admin_address=admin_address,
        admin_port=admin_port,
        workers=workers,
        audit=options.sinks(audit, "stdout:json"),
        audit_max_bytes=audit_max_bytes,
        audit_backups=audit_backups,
        drain=min(drain, 5.0) if demo else drain,
        max_request_bytes=max_request,
        max_answer_bytes=max_answer,
        envoy=envoy,
        envoy_concurrency=envoy_threads,
        idle_timeout=idle_timeout,
        log_format=log_format,
        log_level="warning" if demo else log_level,
    )

    def started(loaded: Policy) -> None:
        screen.show(settings, loaded, demo_process)

    before = demo_process.start if demo_process else None
    gateway = Gateway(settings, before=before, demo_ports=demo_process.ports if demo_process else (), started=started)
    sys.exit(runner()(gateway.run()))


def _check_key(provider: str | None) -> None:
    variable = f"{provider.upper()}_API_KEY" if provider else ""
    if variable and not os.environ.get(variable):
        raise StartupError(f"--provider {provider} needs {variable} in the environment")
