"""``stillwatch gate``: answers proxies that ask whether a request is to be served."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import click

from stillwatch.cli.commands import VerbCommand, general_options, option
from stillwatch.cli.edge import read_settings
from stillwatch.cli.terminal import safe

DEFAULT_LISTEN = "127.0.0.1:8787"


@click.command(
    cls=VerbCommand,
    short_help="Answer gateways: is this request to be served?",
    examples=(
        ("stillwatch gate --dir gate/", "with the policy that ships: records, touches nobody"),
        (
            "stillwatch gate --policy policy.toml --dir gate/ --key-file stillwatch.key",
            "with a policy of your own; the key is needed when it verifies",
        ),
        ("curl -i http://127.0.0.1:8787/check -H 'x-account-id: acct-4711'", "ask as nginx would"),
    ),
)
@option("--policy", "policy_path", section="Reading", metavar="POLICY", type=click.Path(dir_okay=False),
        help="Policy file; else the policy that ships.")  # fmt: skip
@option("--dir", "-d", "folder", required=True, section="Writing", metavar="FOLDER",
        type=click.Path(file_okay=False), help="Folder of the gate: what is published to it, and its log.")  # fmt: skip
@option("--listen", "-l", section="Reading", metavar="HOST:PORT", default=DEFAULT_LISTEN, show_default=True,
        help="Address to listen on; port 0 takes any free one.")  # fmt: skip
@option("--key-file", section="Reading", metavar="FILE", type=click.Path(dir_okay=False),
        help="File with the digest key (`stillwatch key new`); wins over the settings.")  # fmt: skip
@general_options
def gate(
    policy_path: str | None,
    folder: str,
    listen: str,
    key_file: str | None,
    settings_path: str | None,
    quiet: bool,
) -> None:
    """Answer gateways that ask over HTTP whether a request is to be served, until SIGTERM or Ctrl-C.

    /check for nginx auth_request, Envoy ext_authz and their kin (by headers); LiteLLM's generic guardrail
    (POST /beta/litellm_basic_guardrail_api) and log (POST /litellm). Beside them: GET /healthz, /readyz, /metrics
    (Prometheus) and /openapi.json.

    Who may say whose a request is: the networks of `gateway.trusted_proxies`, from here only by default. What
    changes in the folder or the policy takes effect within a second.
    """
    from stillwatch.gateway.serving import serve_gate

    _log_to_stderr(quiet)
    settings = read_settings(settings_path, key_file)

    def ready(address: str, opened: Any) -> None:
        live = opened.in_force.policy
        if not quiet:
            click.echo(
                f"listening on {safe(address)}; policy {safe(live.name)} {safe(live.version)}, "
                f"fail_{settings.protect.fail}, decisions in {safe(folder)}",
                err=True,
            )

    if not quiet:
        click.echo("starting; the first time takes longer: prompt signals are compiled", err=True)
    serve_gate(
        policy_path, Path(folder), listen=listen, settings=settings, env=os.environ, ready=ready,
        notice=lambda text: click.echo(f"stillwatch: {safe(text)}", err=True),
    )  # fmt: skip


def _log_to_stderr(quiet: bool) -> None:
    """What the service has to say: one line each, with its time; never what somebody sent."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log = logging.getLogger("stillwatch.gateway")
    log.handlers, log.propagate = [handler], False
    log.setLevel(logging.ERROR if quiet else logging.INFO)
