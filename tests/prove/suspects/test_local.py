"""Suspects whose weights are here: fixed by their bytes, named from a folder, and never a program of a stranger's."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stillwatch.errors import ConfigError
from stillwatch.prove.suspects import loaded, local
from stillwatch.prove.suspects.endpoint import Calls
from stillwatch.prove.suspects.local import Local
from stillwatch.prove.suspects.plan import read_plan
from stillwatch.wiring import suspect as work
from stillwatch.wiring.dye import open_desk
from tests.prove import toy
from tests.prove.suspects import world

pytest.importorskip("tokenizers")
NO_NUMBER = "a likelihood that is no number"
ROOT = Path(__file__).resolve().parents[3]
TORCH = ROOT / ".cache/torch/bin/python"
needs_torch = pytest.mark.skipif(not TORCH.exists(), reason="torch is not here: make torch")


def run(*arguments: object, timeout_s: int = 1_800) -> subprocess.CompletedProcess[str]:
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


@pytest.mark.parametrize("length", [2, 2_049])
def test_how_much_of_a_text_is_read_is_bounded(tmp_path: Path, length: int) -> None:
    """More than the window, and no more than a transcript should hold."""
    path = plan(tmp_path, four(tmp_path), "hard")
    path.write_text(path.read_text("utf-8").replace("= 12", f"= {length}"), encoding="utf-8")
    with pytest.raises(ConfigError, match="no length of a text to read"):
        read_plan(path)


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


def test_a_gguf_file_is_read_with_nothing_before_the_text(tmp_path: Path) -> None:
    """It is asked in every way; what a template puts before a text that is read is not rebuilt for it."""
    models = four(tmp_path)
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    for test, api in (("closed", "chat"), ("probes", "prefill"), ("hard", "completions")):
        path = plan(tmp_path, models | {"m1": 'gguf = "m.gguf"'}, test)
        path.write_text(path.read_text("utf-8").replace("completions", api), encoding="utf-8")
        assert [one.weights and one.weights.kind for one in read_plan(path).models].count("gguf") == 1
    path.write_text(path.read_text("utf-8").replace("completions", "prefill"), encoding="utf-8")
    with pytest.raises(ConfigError, match="read along tokens of ours") as caught:
        read_plan(path)
    assert caught.value.hint


def test_without_torch_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of the program works; asking such a model names the extra and the other way."""
    monkeypatch.setattr(loaded, "import_module", _absent)
    monkeypatch.setattr(loaded, "_limit", lambda memory: None)
    out = io.BytesIO()
    loaded.main(io.BytesIO(b'{"name": "suspect 7", "memory": 1, "path": "m"}\n'), out)
    told = json.loads(out.getvalue())
    assert "needs torch" in told["wrong"] and "prove,torch" in told["hint"] and "serve it" in told["hint"]


def test_the_process_of_a_model_sees_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither keys for endpoints nor the master of the marking keys are in its environment."""
    (tmp_path / "prints.py").write_text(
        "import json, os, sys\nprint(json.dumps({'wrong': ' '.join(os.environ)}), flush=True)\nsys.stdin.read()\n"
    )
    monkeypatch.setattr(local, "PROGRAM", (sys.executable, str(tmp_path / "prints.py")))
    monkeypatch.setenv("SUSPECT_KEY", "sk-91")
    read = read_plan(plan(tmp_path, four(tmp_path)))
    assert read.suspect.weights
    with pytest.raises(ConfigError, match="HF_HUB_OFFLINE") as caught:
        Local(read.suspect, read.suspect.weights, read, Calls(9)).ask_all([(0, "w1")], lambda *_: None)
    assert "SUSPECT_KEY" not in str(caught.value) and "MASTER" not in str(caught.value)


def _absent(name: str) -> object:
    raise ImportError(name)


AUDIT = """
import sys
from pathlib import Path
from stillwatch.settings import load_settings
from stillwatch.wiring import suspect as work
from stillwatch.wiring.progress import Unheard
settings = load_settings(Path(sys.argv[1]))
for plan in map(Path, sys.argv[2:]):
    opened = work.open_plan(plan, settings)
    work.commit(opened, plan.parent / "out", settings, logged=False)
    work.ask(opened, plan.parent / "out", Unheard())
"""


@pytest.mark.slow
@needs_torch
def test_a_suspect_is_named_from_its_weights(tmp_path: Path) -> None:
    """Small Llamas, really trained: the campaign whose answers taught the suspect is named without a server, by probes,
    and softly by what the weights hold likeliest along new texts, against our own model."""
    settings = world.desk(tmp_path)
    key = next(d for d in open_desk(settings)[0].issued() if d.issue.subject.campaign_id == world.GUILTY).key
    made = run("-m", "tests.prove.suspects.networks", tmp_path, key)
    assert made.returncode == 0, made.stderr
    names = ("suspect", *(f"control-{n}" for n in range(3)))
    paths = {}
    for test in ("probes", "soft"):
        place = tmp_path / test
        place.mkdir()
        paths[test] = plan(place, {name: f'folder = "../{name}"' for name in names}, test)
        shutil.copy(tmp_path / f"{test}.jsonl", place / "prompts.jsonl")
    text = paths["soft"].read_text("utf-8").replace("max_tokens = 12", "max_tokens = 64")
    ours = '[reference]\nname = "ours"\nfolder = "../ours"\napi = "completions"\n'
    paths["soft"].write_text(text + ours, encoding="utf-8")
    done = run("-c", AUDIT, tmp_path / "stillwatch.toml", *paths.values())
    assert done.returncode == 0, done.stdout + done.stderr
    for test, path in paths.items():
        found = work.judge(work.open_plan(path, settings), tmp_path / test / "out")
        assert found["campaigns"] == [world.GUILTY] and found["evidence"] == "keyed", (
            test,
            found["sentence"],
        )
        assert all(one["weights_sha256"] and one["url"] == "" for one in found["models"])
        work.write_dossier(found, tmp_path / test / "out", settings)
        page = (tmp_path / test / "out" / "dossier.html").read_text("utf-8")
        assert "from its weights" in page


@pytest.mark.slow
@needs_torch
def test_hostile_weights_end_in_words(tmp_path: Path) -> None:
    """Numbers that are none, configurations and heads of files that lie, tensors that are lacking, code beside the
    weights, tokenisers of another kind, templates without end: each is told, nothing is run, nothing hangs."""
    done = run("-m", "tests.prove.suspects.hostile", tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["good"] == found["permuted"] and len(found["good"]["tokens"]) == 38
    assert found["prefill"][:4] == [9, toy.VOCABULARY, 5, 6] and len(found["prefill"]) == 2 + 40
    told = {
        "nan": f"failed: {'; '.join([NO_NUMBER, ', '.join([NO_NUMBER] * 2)])}",
        "vocabulary": "asks for", "hidden": "asks for", "negative": "could not be loaded", "lacking": "asks for",
        "renamed": "lacks 3 of the tensors", "code": "could not be loaded",
        "head beyond the file": "SafetensorError", "tensor beyond the file": "SafetensorError",
        "shape of another size": "SafetensorError", "empty tokeniser": "is one of ours",
        "foreign tokeniser": "is one of ours", "broken tokeniser": "could not be loaded",
        "template: endless": "gave no sign for 15 s while making tokens",
        "template: a power": "gave no sign for 15 s while",
        "template: a wall of text": "MemoryError", "template: reaches out": "SecurityError",
    }  # fmt: skip
    assert set(told) | {"good", "permuted", "prefill"} == set(found)
    for name, words in told.items():
        assert words in found[name], (name, found[name])
    assert not (tmp_path / "code" / "ran").exists()


@pytest.mark.slow
@needs_torch
def test_a_gguf_file_reads_as_its_twin(tmp_path: Path) -> None:
    """The same Llama as safetensors and as GGUF, whose tokens have other numbers: the tokens of a hostile text are the
    same pieces, and so are the likeliest tokens and their logarithms. What is not understood is refused."""
    if run("-c", "import gguf").returncode:
        pytest.skip("gguf is not in torch's environment: make torch")
    done = run("-m", "tests.prove.suspects.twin", tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    twin, packed = found["twin"], found["plain"]
    assert found["tokens"] > 40 and twin["placed"] != packed["placed"]
    assert twin["pieces"] == packed["pieces"] and twin["tokens"] == packed["tokens"]
    for ours, theirs in zip(twin["log_p"], packed["log_p"], strict=True):
        assert ours == pytest.approx(theirs, abs=2e-3)
    assert all("not read here" in found[name] for name in ("scaled", "odd", "deep"))
    assert "could not be loaded" in found["cut"]


@pytest.mark.slow
@needs_torch
def test_a_gguf_file_is_asked_as_its_twin(tmp_path: Path) -> None:
    """The likeliest words after every prompt are those of the same model as safetensors, chat included; drawn ones are
    drawn as often as they are likely, and the same again whoever is asked beside them; a hostile prompt ends in words.
    """
    if run("-c", "import gguf").returncode:
        pytest.skip("gguf is not in torch's environment: make torch")
    done = run("-m", "tests.prove.suspects.asked", tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["twin"]["cold"] == found["gguf"]["cold"] and any(found["gguf"]["cold"])
    assert found["twin"]["chat"] == found["gguf"]["chat"]
    assert found["lead"] == [found["bos"]] and found["ends"] == [[], [found["bos"]]]
    for kind in ("twin", "gguf"):
        assert found[kind]["warm"] == found[kind]["alone"] and len(set(found[kind]["warm"])) > 1
    assert found["chi_square_p"] > 1e-3, "drawn otherwise than the model's distribution"
    assert found["long"][0]["failed"] and "reply" in found["long"][1]
