"""``make audit-served``: a taught student behind a real llama.cpp server, audited by command.

The desk issues twelve keys, and a student of our teacher learns what was served under one of them. It, three innocent
models and our own stand behind the OpenAI-compatible server of llama-cpp-python, each as a GGUF file; ``stillwatch
prove suspect`` asks that server and nobody else. What it tells of the suspect is also held against what transformers
reads. Into docs/data/served_audit.json and docs/prove.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from scripts.started import free_port, process
from scripts.torchlab import served_page
from scripts.torchlab.plan import SHOWN
from stillwatch.settings import Settings, load_settings
from stillwatch.wiring.dye import issue_dyes, open_desk
from stillwatch.wiring.evidence_keys import new_key

DATA = Path("docs/data/served_audit.json")
TORCH, LLAMA = Path(".cache/torch/bin/python"), Path(".cache/llama/bin/python")
SCHEME, WIDTH, GUILTY = "vllm-gumbel", 2, "C-7"
CAMPAIGNS = tuple(f"campaign:C-{n}" for n in range(12))
INNOCENT = tuple(f"control-{n}" for n in range(3))
TESTS = ("hard", "soft", "probes")


def main() -> None:
    """Teach, serve, ask, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(".cache/served"))
    parser.add_argument(
        "--lab", type=Path, default=Path(".cache/torchlab"), help="where the laboratory's worlds lie"
    )
    parser.add_argument("--torch", type=Path, default=TORCH)
    parser.add_argument("--llama", type=Path, default=LLAMA)
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    shutil.rmtree(options.work, ignore_errors=True)
    options.work.mkdir(parents=True)
    settings = desk(options.work)
    key = next(d for d in open_desk(settings)[0].issued() if d.issue.subject.campaign_id == GUILTY).key
    made = [options.lab, options.work, str(key), SHOWN]
    subprocess.run([options.torch, "-W", "ignore", "-m", "scripts.torchlab.served", *made], check=True)
    with served(options.llama, options.work) as url:
        audits = {test: audited(options.work, url, test) for test in TESTS}
    asked = [options.llama, "-c", "import llama_cpp; print(llama_cpp.__version__)"]
    version = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    found = {
        "server": f"llama-cpp-python {version}",
        "audits": audits,
        "agrees": agreement(options.work),
        "texts": len((options.work / "prompts.jsonl").read_text("utf-8").splitlines()),
    }
    options.data.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if options.data == DATA:
        served_page.write(found, GUILTY)
    sys.stdout.write(served_page.render(found, GUILTY) + "\n")


def desk(folder: Path, *, byte: str = "5a", logged: bool = True) -> Settings:
    """Settings with a master (a byte, again and again), a log, and a key for each of twelve campaigns."""
    folder, master = folder.resolve(), folder.resolve() / "master"
    master.write_text(byte * 32)
    master.chmod(0o600)
    path = folder / "stillwatch.toml"
    path.write_text(
        f'[dye]\nfolder = "{folder}/dye"\nmaster_file = "{master}"\nepoch = "2026-11"\n'
        f'[evidence]\nkeys = "{folder}/keys"\nlog = "{folder}/log"\norigin = "log.example/evidence"\n'
    )
    settings = load_settings(path)
    if logged:
        new_key(settings, "Desk", "log")
        issue_dyes(settings, list(CAMPAIGNS), scheme=SCHEME, width=WIDTH)
    return settings


@contextmanager
def served(python: Path, folder: Path) -> Iterator[str]:
    """The server, with every model; its address."""
    port = free_port()
    models = [
        {"model": f"{name}.gguf", "model_alias": name, "logits_all": True, "n_ctx": 256, "verbose": False}
        for name in ("suspect", *INNOCENT, "ours")
    ]
    (folder / "server.json").write_text(json.dumps({"host": "127.0.0.1", "port": port, "models": models}))
    command = [str(python.absolute()), "-m", "llama_cpp.server", "--config_file", "server.json"]
    with process(command, port, folder=folder, env={}):
        yield f"http://127.0.0.1:{port}/v1"


def audited(folder: Path, url: str, test: str) -> dict[str, Any]:
    """One audit by command, and what its dossier says."""
    place, out = folder / f"{test}.toml", folder / test
    models = [("[suspect]", "suspect"), *(("[[control]]", name) for name in INNOCENT)]
    models += [("[reference]", "ours")] if test == "soft" else []
    place.write_text(
        f'[audit]\nname = "a served student, {test}"\nseed = 7\ntest = "{test}"\nprompts = "prompts.jsonl"\n'
        f"max_tokens = 80\ntemperature = 1.0\n[mark]\nscheme = \"{SCHEME}\"\nwidth = {WIDTH}\n"
        'tokeniser = "tokenizer.json"\n[effect]\nat_full = 0.1\nsource = "students of the same laboratory"\n'
        + "".join(f'{h}\nname = "{n}"\nurl = "{url}"\nmodel = "{n}"\napi = "completions"\n' for h, n in models)
        + "[budget]\ncalls = 20_000\nper_minute = 1_000_000\nconnections = 1\n"
    )  # fmt: skip
    begun = time.monotonic()
    subprocess.run(
        [sys.executable, "-c", "from stillwatch.cli import main; main()", "prove", "suspect", place, "--yes", "--out",
         out, "--settings", folder / "stillwatch.toml"],
        check=False,
    )  # fmt: skip
    if not (out / "dossier.json").exists():
        raise SystemExit(f"error: no dossier of {test}\nhint: the audit's own words stand above")
    said, took = json.loads((out / "dossier.json").read_text("utf-8")), time.monotonic() - begun
    claim, models = said["claim"], said["models"]
    return {
        "verdict": claim["verdict"], "campaigns": said["campaigns"], "log10_p": claim["log10_p_value"],
        "log10_p_adjusted": claim["log10_p_adjusted"], "scored": claim["scored"], "seconds": round(took),
        "calls": sum(m["answered"] for m in models), "failed": [m["failed"] for m in models],
        "dropped": [m["dropped"] for m in models],
    }  # fmt: skip


def agreement(folder: Path) -> dict[str, int]:
    """Places at which the suspect's lists begin with the token that transformers holds likeliest: read a place on, and
    as they were told."""
    own = np.load(folder / "likeliest.npz")
    path = folder / "hard" / "transcripts" / "0-suspect.jsonl"
    rows = [row for row in map(json.loads, path.read_text("utf-8").splitlines()) if "tokens" in row]
    same = told = places = 0
    for row in rows:
        its = np.array(row["tokens"])[:-1, 0]  # of places from the first whole window on
        ours = own[str(row["n"])][WIDTH - 1 :][: len(its) + 1]  # the first is of the second token
        same += int((its == ours[1:]).sum())
        told += int((its == ours[:-1]).sum())
        places += len(its)
    return {"same": same, "as_told": told, "places": places}


if __name__ == "__main__":
    main()
