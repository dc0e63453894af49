"""`gatereeve token`: a token of the running demo's identity provider."""

import json
import sys
import urllib.error
import urllib.request
from pathlib import Path

import click

from extproc.supervisor.demo import identity_provider

_DEFAULT = "http://127.0.0.1:10003"


@click.command()
@click.option("--subject", default="user-1", show_default=True, help="Who the token is for.")
@click.option("--groups", default="engineering", show_default=True, help="Groups, separated by commas.")
@click.option("--email", default="", help="An e-mail claim.")
@click.option("--ttl", type=int, default=3600, show_default=True, help="Seconds of life; negative: expired already.")
@click.option("--audience", default="gatereeve", show_default=True, help="For whom; another one is refused.")
@click.option("--state", type=click.Path(path_type=Path, file_okay=False), default=Path(".gatereeve"),
              show_default=True, help="As given to `up --demo`: says where its identity provider is.")  # fmt: skip
@click.option("--demo-port", type=click.IntRange(1, 65533), envvar="DEMO_PORT",
              help="As given to `up --demo`, when it was started from another folder.")  # fmt: skip
def token(subject: str, groups: str, email: str, ttl: int, audience: str, state: Path, demo_port: int | None) -> None:
    """Print a token of the demo's identity provider (demo mode only; `gatereeve up --demo` must be running).

    \b
    Example:  curl -H "Authorization: Bearer $(gatereeve token --groups interns)" http://127.0.0.1:10000/v1/models
    """
    base = f"http://127.0.0.1:{demo_port + 2}" if demo_port else identity_provider(state) or _DEFAULT
    url = f"{base}/token"
    wanted = {
        "subject": subject,
        "groups": [group.strip() for group in groups.split(",") if group.strip()],
        "email": email,
        "ttl": ttl,
        "audience": audience,
    }
    # A loopback address, or what our own demo wrote down.
    request = urllib.request.Request(url, json.dumps(wanted).encode(), {"content-type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            click.echo(json.load(answer)["access_token"])
    except (urllib.error.URLError, OSError):
        click.echo(
            f"gatereeve: no demo identity provider at {url}. Start `make run` (gatereeve up --demo) first.", err=True
        )
        sys.exit(3)
