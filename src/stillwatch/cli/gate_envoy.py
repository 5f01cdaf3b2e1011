"""``stillwatch gate-envoy``: live decisions behind Envoy."""

from __future__ import annotations

import os

import click

from stillwatch.cli.commands import VerbCommand, general_options, option
from stillwatch.cli.edge import read_settings
from stillwatch.cli.terminal import safe


@click.command(
    "gate-envoy",
    cls=VerbCommand,
    short_help="Decide on live requests behind Envoy (ext_proc).",
    examples=(
        ("stillwatch gate-envoy --policy policy.toml --dir gate/", "beside Envoy, on the loopback address"),
        (
            "stillwatch gate-envoy --policy policy.toml --dir gate/ --listen unix:/run/stillwatch.sock",
            "on a socket file, which only its owner's processes reach",
        ),
        (
            "stillwatch gate-envoy --dir gate/ --metrics 127.0.0.1:9003",
            "the policy that ships: records, does nothing",
        ),
    ),
)
@option(
    "--policy",
    section="Reading",
    metavar="POLICY",
    type=click.Path(dir_okay=False),
    help="Policy file; without it the one that ships, which does nothing but record.",
)
@option(
    "--dir",
    "folder",
    required=True,
    section="Writing",
    metavar="GATE",
    type=click.Path(file_okay=False),
    help="Folder of the gate: risk table, switches, decision log. Made when it is missing; one process each.",
)
@option(
    "--listen",
    "-l",
    section="Reading",
    metavar="ADDRESS",
    default="127.0.0.1:9002",
    show_default=True,
    help="Where Envoy finds it: HOST:PORT or unix:PATH; port 0 takes any free one.",
)
@option(
    "--metrics",
    section="Writing",
    metavar="HOST:PORT",
    help="Also answer GET /metrics here, for Prometheus.",
)
@option(
    "--key-file",
    section="Reading",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="File with the digest key, which policies that verify need; wins over the settings.",
)
@general_options
def gate_envoy(
    policy: str | None, folder: str, listen: str, metrics: str | None, key_file: str | None,
    settings_path: str | None, quiet: bool,
) -> None:  # fmt: skip
    """Decide on every model call that passes an Envoy: an external processing server (ext_proc, gRPC).

    Envoy sends headers and body of each call; it is told to go on, with a changed body where the policy hardens, or to
    answer 403 or 429 in the model's place. Answers pass unchanged and are read for their tokens and issued blocks. No
    prompt is written anywhere. gRPC health checks are answered. Ends in good order on SIGTERM or Ctrl-C.

    Nobody is asked for a password. Let it listen where only Envoy reaches it.
    """
    from stillwatch.errors import ConfigError
    from stillwatch.settings import load_key
    from stillwatch.wiring.garbage import settled
    from stillwatch.wiring.policy import Gate

    try:
        from stillwatch.gateway.envoy.server import serve
    except ImportError as error:
        raise ConfigError(
            f"the parts that speak gRPC are missing ({error.name})",
            hint="install them: pip install 'stillwatch[envoy]'",
        ) from error
    settings = read_settings(settings_path, key_file)
    keyed = settings.privacy.key_file is not None or os.environ.get(settings.privacy.key_env, "").strip()
    secret = load_key(settings) if keyed else None

    def ready(address: str) -> None:
        if not quiet:
            click.echo(f"listening on {safe(address)}; decisions are logged in {safe(folder)}", err=True)

    with Gate.open(policy, folder, settings=settings, secret=secret) as gate:
        settled()
        serve(gate, settings, listen=listen, metrics=metrics, ready=ready)
