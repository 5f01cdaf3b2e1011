"""Suspects whose weights are here: fixed by their bytes, named from a folder, and never a program of a stranger's."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from stillwatch.errors import ConfigError
from stillwatch.prove.suspects.endpoint import Calls
from stillwatch.prove.suspects.local import Local
from stillwatch.prove.suspects.plan import read_plan
from stillwatch.wiring import suspect as work
from stillwatch.wiring.dye import open_desk
from tests.prove.suspects import world

pytest.importorskip("tokenizers")
ROOT = Path(__file__).resolve().parents[3]
TORCH = ROOT / ".cache/torch/bin/python"
needs_torch = pytest.mark.skipif(not TORCH.exists(), reason="torch is not here: make torch")


def run(*arguments: object, timeout_s: int = 900) -> subprocess.CompletedProcess[str]:
    """Run torch's own Python on this tree."""
    return subprocess.run(
        [TORCH, "-W", "ignore", *map(str, arguments)], capture_output=True, text=True, timeout=timeout_s, cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
             "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def weights(folder: Path, name: str, **files: bytes) -> None:
    """A folder that has the form of a model's."""
    (folder / name).mkdir()
    for file, data in ({"config.json": b"{}", "model.safetensors": name.encode()} | files).items():
        (folder / name / file).write_bytes(data)


def plan(
    folder: Path, models: dict[str, str], test: str = "closed", prompts: int = 3, temperature: float = 1.0
) -> Path:
    """A plan whose models are on disk: lines of a section by the model's name, the suspect first."""
    path = world.plan(folder, "http://127.0.0.1:9/v1", test=test, prompts=prompts)
    head = path.read_text("utf-8").partition("[suspect]")[0]
    head = head.replace("[audit]\n", f"[audit]\ntemperature = {temperature}\n").replace("= 64", "= 12")
    sections = [
        f'{"[[control]]" if n else "[suspect]"}\nname = "{name}"\napi = "completions"\n{line}\n'
        for n, (name, line) in enumerate(models.items())
    ]
    path.write_text(head + "".join(sections), encoding="utf-8")
    return path


def four(folder: Path) -> dict[str, str]:
    """A suspect and three controls that have the form of folders."""
    for n in range(4):
        weights(folder, f"m{n}")
    return {f"m{n}": f'folder = "m{n}"' for n in range(4)}


def test_the_plan_is_fixed_to_the_bytes_of_the_weights(tmp_path: Path) -> None:
    """Another byte in any file is another plan, and so other transcripts; an endpoint's plan is as it was."""
    path = plan(tmp_path, four(tmp_path))
    first = read_plan(path)
    assert first.suspect.weights and first.fixed["suspect"]["weights_sha256"] == first.suspect.weights.sha256
    assert str(tmp_path) not in json.dumps(first.fixed)
    (tmp_path / "m0" / "model.safetensors").write_bytes(b"m0 changed")
    assert read_plan(path).digest([]) != first.digest([])
    url = read_plan(world.plan(tmp_path, "http://127.0.0.1:9/v1"))
    assert set(url.fixed["suspect"]) == {"name", "url", "model", "api", "key_env", "system"}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('folder = "gone"', "config.json"),
        ('folder = "pickled"', "safetensors"),
        ('folder = "m1"\nurl = "http://127.0.0.1/v1"', "'url' is not known"),
        ('folder = "m2"', "one and the same model"),
    ],
)
def test_what_is_no_model_of_numbers_alone_is_refused(tmp_path: Path, line: str, told: str) -> None:
    """Missing, pickled, doubly named and twice the same: each is said before anything is asked."""
    models = four(tmp_path)
    weights(tmp_path, "pickled", **{"pytorch_model.bin": b"\x80"})
    (tmp_path / "pickled" / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match=told):
        read_plan(plan(tmp_path, models | {"m0": line}))


def test_without_torch_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of the program works; asking such a model names the extra and the other way."""
    read = read_plan(plan(tmp_path, four(tmp_path)))
    monkeypatch.setattr("stillwatch.prove.suspects.local.import_module", _absent)
    assert read.suspect.weights
    with pytest.raises(ConfigError) as caught:
        Local(read.suspect, read.suspect.weights, read, Calls(9)).ask_all([(0, "w1")], lambda *_: None)
    assert "prove,torch" in str(caught.value.hint) and "serve it" in str(caught.value.hint)


def _absent(name: str) -> object:
    raise ImportError(name)


AUDIT = """
import sys
from pathlib import Path
from stillwatch.settings import load_settings
from stillwatch.wiring import suspect as work
from stillwatch.wiring.progress import Unheard
plan, out, settings = (Path(word) for word in sys.argv[1:])
settings = load_settings(settings)
opened = work.open_plan(plan, settings)
work.commit(opened, out, settings, logged=False)
work.ask(opened, out, Unheard())
"""


@pytest.mark.slow
@needs_torch
def test_a_suspect_is_named_from_its_weights(tmp_path: Path) -> None:
    """Four small Llamas, really trained: the campaign whose answers taught the suspect is named, by probes in one
    process and without a server."""
    settings = world.desk(tmp_path)
    key = next(d for d in open_desk(settings)[0].issued() if d.issue.subject.campaign_id == world.GUILTY).key
    made = run("-m", "tests.prove.suspects.networks", tmp_path, key)
    assert made.returncode == 0, made.stderr
    prompts = (tmp_path / "prompts.jsonl").read_text("utf-8")
    names = ("suspect", *(f"control-{n}" for n in range(3)))
    path = plan(tmp_path, {name: f'folder = "{name}"' for name in names}, "probes")
    (tmp_path / "prompts.jsonl").write_text(prompts, encoding="utf-8")
    done = run("-c", AUDIT, path, tmp_path / "out", tmp_path / "stillwatch.toml")
    assert done.returncode == 0, done.stdout + done.stderr
    found = work.judge(work.open_plan(path, settings), tmp_path / "out")
    assert found["campaigns"] == [world.GUILTY] and found["evidence"] == "keyed", found["sentence"]
    assert all(one["weights_sha256"] and one["url"] == "" for one in found["models"])
    work.write_dossier(found, tmp_path / "out", settings)
    assert "from its weights" in (tmp_path / "out" / "dossier.html").read_text("utf-8")
