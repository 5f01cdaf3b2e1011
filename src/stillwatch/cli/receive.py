"""``stillwatch receive``: telemetry in over HTTP, a folder that a scan reads out."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import click

from stillwatch.cli.commands import VerbCommand, general_options, option
from stillwatch.cli.edge import read_settings
from stillwatch.cli.terminal import safe

DEFAULT_LISTEN = "127.0.0.1:4318"


@click.command(
    cls=VerbCommand,
    short_help="Receive OTLP and LiteLLM logs over HTTP, into a folder.",
    examples=(
        (
            "stillwatch receive --into received --key-file stillwatch.key",
            "on OTLP's own port, from here only",
        ),
        (
            "stillwatch receive --into received --key-file stillwatch.key --listen 0.0.0.0:4318",
            "from anywhere",
        ),
        (
            "stillwatch scan received --key-file stillwatch.key --out report",
            "any time, also while it receives",
        ),
    ),
)
@option(
    "--into",
    "-o",
    required=True,
    section="Writing",
    metavar="FOLDER",
    type=click.Path(),
    help="Folder that grows; a new one, or one that a receiver wrote. One receiver at a time.",
)
@option(
    "--listen",
    "-l",
    section="Reading",
    metavar="HOST:PORT",
    default=DEFAULT_LISTEN,
    show_default=True,
    help="Address to listen on; port 0 takes any free one.",
)
@option(
    "--key-file",
    section="Reading",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="File with the digest key (`stillwatch key new`); wins over the settings.",
)
@general_options
def receive(into: str, listen: str, key_file: str | None, settings_path: str | None, quiet: bool) -> None:
    """Receive telemetry over HTTP and keep it in a folder that `stillwatch scan` reads.

    Takes OTLP traces and logs (POST /v1/traces, /v1/logs; protobuf or JSON) and LiteLLM's logging payloads
    (POST /litellm), plain, gzip or zstd. What is answered with 200 is on the disk. Ends in good order on SIGTERM
    or Ctrl-C.

    With `privacy.content = "features"` only counts and keyed digests are kept: no text reaches the disk. Beside it:
    GET /healthz, /readyz, /metrics (Prometheus) and /openapi.json.

    Nobody is asked for a password. Let it listen where only your own collector or proxy can reach it.
    """
    from stillwatch import wiring

    _log_to_stderr(quiet)
    settings = read_settings(settings_path, key_file)

    def ready(address: str) -> None:
        kept = "exchanges, text included" if settings.privacy.content == "retain" else "features, no text"
        if not quiet:
            click.echo(f"listening on {safe(address)}; keeping {kept}, in {safe(into)}", err=True)

    wiring.receive(Path(into), listen=listen, settings=settings, env=os.environ, ready=ready)


def _log_to_stderr(quiet: bool) -> None:
    """What the receiver has to say: one line each, with its time; never what somebody sent."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log = logging.getLogger("stillwatch.receive")
    log.handlers, log.propagate = [handler], False
    log.setLevel(logging.ERROR if quiet else logging.INFO)
