"""Hard and soft readings of a suspect's weights from plan to dossier, with a table in place of each model."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from stillwatch.cli import main
from stillwatch.errors import ConfigError, VerificationError
from stillwatch.prove.marks import Gumbel, as_keys
from stillwatch.prove.suspects import local
from stillwatch.settings import Settings
from stillwatch.wiring import suspect as work
from stillwatch.wiring.dye import open_desk
from stillwatch.wiring.progress import Unheard
from tests.prove import toy
from tests.prove.suspects import stub, world

pytest.importorskip("tokenizers")
pytest.importorskip("cryptography")
pytest.importorskip("rfc8785")
TEXTS = 120
CONTROLS = tuple(f"control-{n}" for n in range(3))


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A desk that has issued twelve keys."""
    return world.desk(tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="module")
def folders(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders that have the form of a model's, of really trained students and of our own model; and texts of ours,
    new ones under the campaign's key."""
    place = tmp_path_factory.mktemp("weights")
    models: dict[str, toy.Model] = {**world.students(settings), "ours": toy.teacher()}
    pairs = np.stack(np.meshgrid(*[np.arange(toy.VOCABULARY)] * 2, indexing="ij"), -1).reshape(-1, 2)
    for name, model in models.items():
        table = model.log_p(pairs).reshape(toy.VOCABULARY, toy.VOCABULARY, toy.VOCABULARY)
        (place / name).mkdir()
        (place / name / "config.json").write_text("{}")
        with (place / name / "model.safetensors").open("wb") as file:
            np.save(file, table.astype(np.float16))
    key = next(d for d in open_desk(settings)[0].issued() if d.issue.subject.campaign_id == world.GUILTY).key
    rows = toy.write(toy.teacher(), TEXTS, toy.LENGTH, 71, Gumbel(width=world.WIDTH), as_keys([key])[0])
    (place / "texts.jsonl").write_text("".join(json.dumps({"prompt": world.text(r)}) + "\n" for r in rows))
    return place


@pytest.fixture(autouse=True)
def _stub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "PROGRAM", (sys.executable, stub.__file__))


def plan(folder: Path, folders: Path, test: str, suspect: str = "suspect", **given: Any) -> Path:
    """A plan whose models are folders beside it; some texts alone where few are enough."""
    for name in (suspect, *CONTROLS, "ours"):
        if not (folder / name).exists():
            shutil.copytree(folders / name, folder / name)
    path = world.plan(folder, "http://127.0.0.1:9/v1", test=test, prompts=3, calls=given.get("calls", 10_000))
    texts = (folders / "texts.jsonl").read_text("utf-8").splitlines()[: given.get("texts", TEXTS)]
    (folder / "prompts.jsonl").write_text("\n".join(texts), encoding="utf-8")
    head = path.read_text("utf-8").partition("[suspect]")[0]
    sections = [(f"[{'suspect' if name == suspect else '[control]'}]", name) for name in (suspect, *CONTROLS)]
    sections += [("[reference]", "ours")] if test == "soft" else []
    written = "".join(f'{h}\nname = "{n}"\nfolder = "{n}"\napi = "completions"\n' for h, n in sections)
    path.write_text(head + written, encoding="utf-8")
    return path


def audited(path: Path, out: Path, settings: Settings, **given: Any) -> dict[str, Any]:
    """Commit, ask, judge."""
    opened = work.open_plan(path, settings)
    work.commit(opened, out, settings)
    work.ask(opened, out, Unheard())
    return work.judge(opened, out, **given)


@pytest.mark.parametrize("test", ["soft", "hard"])
def test_the_campaign_is_named_from_what_the_weights_hold_likeliest(
    test: str, folders: Path, settings: Settings, tmp_path: Path
) -> None:
    """One of twelve keys fires and three controls count; another student of the same teacher is cleared."""
    found = audited(plan(tmp_path, folders, test), tmp_path / "out", settings)
    assert found["evidence"] == "keyed" and found["campaigns"] == [world.GUILTY], found["sentence"]
    assert found["claim"]["test"] == f"radio-{test}" and len(found["claim"]["counting"]) == 3
    assert found["claim"]["power"]["detectable_share"] < 1
    assert [m["transcript"] for m in found["models"]][-1] == (
        "4-reference.jsonl" if test == "soft" else "3-control.jsonl"
    )
    assert "reference" in found["fixed"] if test == "soft" else "reference" not in found["fixed"]
    place = tmp_path / "clean"
    place.mkdir()
    clean = audited(plan(place, folders, test, "clean"), place / "out", settings)
    assert clean["evidence"] is None and not clean["campaigns"], clean["sentence"]


def test_a_gguf_file_is_shown_alone_and_judged_again_without(
    folders: Path, settings: Settings, tmp_path: Path
) -> None:
    """Nothing that lies beside it is seen by the process that reads it; its bytes are in the plan's digest."""
    path, out = plan(tmp_path, folders, "hard", texts=60), tmp_path / "out"
    data = b"GGUF" + (tmp_path / "suspect" / "model.safetensors").read_bytes()
    (tmp_path / "suspect.gguf").write_bytes(data)
    text = path.read_text("utf-8").replace('folder = "suspect"', 'gguf = "suspect.gguf"')
    path.write_text(text, encoding="utf-8")
    first = audited(path, out, settings)
    assert first["campaigns"] == [world.GUILTY] and first["fixed"]["suspect"]["gguf"] == "suspect.gguf"
    (tmp_path / "suspect.gguf").unlink()
    assert work.judge(work.open_plan(path, settings, again=out), out) == first
    (tmp_path / "suspect.gguf").write_bytes(data[:-1] + b"x")
    with pytest.raises(VerificationError, match="another plan"):
        work.judge(work.open_plan(path, settings, again=out), out)


def test_the_likeliest_alone_are_kept_and_no_text(folders: Path, settings: Settings, tmp_path: Path) -> None:
    """A transcript is bounded: so many tokens a place; texts stand in none of the audit's files."""
    found = audited(plan(tmp_path, folders, "soft", texts=20), tmp_path / "out", settings)
    work.write_dossier(found, tmp_path / "out", settings)
    lines = (tmp_path / "out/transcripts/0-suspect.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines[1:]]
    assert len(rows) == 20 and all(row["reply"] is None for row in rows)
    assert {(len(row["tokens"]), len(row["tokens"][0])) for row in rows} == {(toy.LENGTH - 2, local.TOP)}
    first = json.loads((tmp_path / "prompts.jsonl").read_text("utf-8").splitlines()[0])["prompt"]
    for path in (tmp_path / "out").rglob("*"):
        assert path.is_dir() or first[:40].encode() not in path.read_bytes(), path
    told = work.cost(work.open_plan(tmp_path / "plan.toml", settings))
    assert (
        sum(p.stat().st_size for p in (tmp_path / "out/transcripts").iterdir())
        < told["mb_kept_at_most"] * 10**6
    )
    assert oct((tmp_path / "out/transcripts/0-suspect.jsonl").stat().st_mode)[-3:] == "600"


def test_it_is_judged_again_without_the_weights(
    folders: Path, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transcripts are enough; asking on is not possible, and weights that came back changed are another plan."""
    path, out = plan(tmp_path, folders, "soft", texts=40), tmp_path / "out"
    monkeypatch.chdir(tmp_path)
    command = ["prove", "suspect", str(path), "--out", "out", "--settings"]
    command.append(str(Path(settings.dye.folder).parent / "stillwatch.toml"))
    cost = CliRunner().invoke(main, [*command, "--cost"])
    assert cost.exit_code == 0 and "at most 4 MB of likeliest tokens" in cost.stdout, cost.output
    assert "200 to 5 models" in cost.stdout and "0.00 USD" in cost.stdout
    first = audited(path, out, settings)
    for name in ("suspect", "ours", *CONTROLS):
        shutil.rmtree(tmp_path / name)
    again = CliRunner().invoke(main, [*command, "--replay", "--json"])
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout) == first
    asked = CliRunner().invoke(main, [*command, "--yes"])
    assert asked.exit_code == 2 and "no config.json" in asked.output
    shutil.copytree(folders / "clean", tmp_path / "suspect")
    with pytest.raises(VerificationError, match="another plan"):
        work.judge(work.open_plan(path, settings, again=out), out)


def test_a_process_that_dies_loses_nothing(folders: Path, settings: Settings, tmp_path: Path) -> None:
    """What was answered is kept, and the next run goes on there."""
    path, out = plan(tmp_path, folders, "hard", texts=30), tmp_path / "out"
    opened = work.open_plan(path, settings)
    (tmp_path / "control-1" / "behaves").write_text("dies 10")  # after the digest: as when memory runs out
    work.commit(opened, out, settings)
    with pytest.raises(
        ConfigError, match=r"control-1: the process of control-1 ended while making .*status 7"
    ):
        work.ask(opened, out, Unheard())
    assert len((out / "transcripts/2-control.jsonl").read_text("utf-8").splitlines()) == 1 + 10
    (tmp_path / "control-1" / "behaves").unlink()
    assert set(work.ask(opened, out, Unheard()).values()) == {0}
    assert (out / "transcripts/calls").stat().st_size == 4 * 30 + 1
    assert (tmp_path / "loaded").read_text().split() == [
        "suspect",
        "control-0",
        *["control-1"] * 2,
        "control-2",
    ]


@pytest.mark.parametrize(
    ("how", "told"),
    [("stalls", "gave no sign for 1 s while loading"), ("hangs", "gave no sign for 1 s while making tokens"),
     ("dreams", "gave no sign for 1 s while answering"), ("babbles", "ended while")],
)  # fmt: skip
def test_whoever_gives_no_sign_is_ended(
    folders: Path, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, told: str
) -> None:
    """Weights, a template or a model without end: a clear error, soon."""
    path = plan(tmp_path, folders, "hard", texts=2)
    (tmp_path / "suspect" / "behaves").write_text(how)
    opened = work.open_plan(path, settings)
    work.commit(opened, tmp_path / "out", settings)
    for name, value in {"stalls": ("LOAD_S", 1), "hangs": ("TEMPLATE_S", 1)}.items():
        monkeypatch.setattr(local, value[0], float(value[1]) if how == name else 60.0)
    monkeypatch.setattr(type(opened.plan.budget), "timeout_s", 1 / 64 if how == "dreams" else 60)
    with pytest.raises(ConfigError, match=told) as caught:
        work.ask(opened, tmp_path / "out", Unheard())
    assert caught.value.hint


@pytest.mark.parametrize("how", ["lies", "repeats", "fails", "shortens"])
def test_a_reading_that_is_none_is_a_text_less(
    folders: Path, settings: Settings, tmp_path: Path, how: str
) -> None:
    """Probabilities above one, a token twice, places that are missing: counted by reason; of nobody else's reading."""
    path, out = plan(tmp_path, folders, "soft", texts=40), tmp_path / "out"
    (tmp_path / "control-2" / "behaves").write_text(f"{how} 20")
    found = audited(path, out, settings)
    assert found["campaigns"] == [world.GUILTY]
    assert found["claim"]["scored"] < 20 * 46 * 8
    if how != "shortens":
        assert sum(found["models"][3]["failed"].values()) == 20
    (tmp_path / "control-2" / "behaves").write_text(how)
    with pytest.raises(ConfigError, match="nothing that every model answered; control-2 answered 0 of 40"):
        audited(path, tmp_path / "other", settings)


@pytest.mark.parametrize(
    "bend",
    [lambda row: row["tokens"][0].reverse(), lambda row: row["log_p"].pop(), lambda row: row.update(tokens=[[-1]]),
     lambda row: row["log_p"][0].reverse(), lambda row: row.update(tokens="ab"), lambda row: row.pop("log_p"),
     lambda row: row["tokens"][0].append(2**40)],
)  # fmt: skip
def test_a_reading_that_was_bent_is_not_judged(
    folders: Path, settings: Settings, tmp_path: Path, bend: Callable[[Any], Any]
) -> None:
    """Where its form shows it; where it does not, the digest of the transcript in the signed dossier does."""
    path, out = plan(tmp_path, folders, "hard", texts=5), tmp_path / "out"
    first = audited(path, out, settings)
    file = out / "transcripts" / "0-suspect.jsonl"
    lines = file.read_text("utf-8").splitlines()
    row = json.loads(lines[2])
    bend(row)
    file.write_text("\n".join([*lines[:2], json.dumps(row), *lines[3:], ""]), encoding="utf-8")
    try:
        again = work.judge(work.open_plan(path, settings), out)
    except VerificationError as error:
        assert error.hint
    else:
        assert again["models"][0]["transcript_sha256"] != first["models"][0]["transcript_sha256"]


def test_the_cost_is_shown_and_the_budget_holds(folders: Path, settings: Settings, tmp_path: Path) -> None:
    """A call is a text of one model; nothing is paid for; what could be seen is said for the test that is made."""
    soft, hard = (plan(tmp_path, folders, test, texts=20, calls=70) for test in ("soft", "hard"))
    told = work.cost(work.open_plan(hard, settings))
    assert (
        told["mb_kept_at_most"] == 2
        and told["calls"] == 80
        and told["usd_at_most"] == 0
        and told["tokens_out_at_most"] == 0
    )
    assert told["scored_at_most"] == 20 * (toy.LENGTH - 2) - _repeated(tmp_path)
    opened = work.open_plan(soft, settings)
    work.commit(opened, tmp_path / "out", settings)
    left = work.ask(opened, tmp_path / "out", Unheard())
    assert sum(left.values()) == 80 - 70


def _repeated(folder: Path) -> int:
    lines = (folder / "prompts.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line)["prompt"].split() for line in lines]
    pairs = [list(pairwise(row[:-1])) for row in rows]
    return sum(len(row) - len(set(row)) for row in pairs)


def asked(folder: Path, folders: Path, test: str, kind: str, suspect: str = "suspect", **given: Any) -> Path:
    """A plan whose models are asked, as folders or as GGUF files; prompts of several lengths, some in served words."""
    path = plan(folder, folders, test, suspect, **given)
    rows = [
        json.loads(line)["prompt"].split()
        for line in (folders / "texts.jsonl").read_text("utf-8").splitlines()
    ]
    if test == "probes":
        found = {" ".join(row[:cut]) for row in rows for cut in range(6, toy.LENGTH, 5)}
    else:
        found = {" ".join(row[: 4 + n % 5]) for n, row in enumerate(rows)}
    lines = [json.dumps({"prompt": text}) for text in sorted(found)[: given.get("prompts", 1_000)]]
    (folder / "prompts.jsonl").write_text("\n".join(lines), encoding="utf-8")
    if kind == "gguf":
        for name in (suspect, *CONTROLS):
            data = (folder / name / "model.safetensors").read_bytes()
            (folder / f"{name}.gguf").write_bytes(b"GGUF" + data)
        text = path.read_text("utf-8")
        path.write_text(re.sub('folder = "(.*)"', r'gguf = "\1.gguf"', text), encoding="utf-8")
    return path


@pytest.mark.parametrize(("test", "kind"), [("closed", "gguf"), ("probes", "gguf"), ("closed", "folder")])
def test_the_campaign_is_named_from_what_the_weights_say(
    test: str, kind: str, folders: Path, settings: Settings, tmp_path: Path
) -> None:
    """Asked without a server, and judged again without the weights; a student that learnt unmarked words is cleared."""
    path, out = asked(tmp_path, folders, test, kind), tmp_path / "out"
    found = audited(path, out, settings)
    assert found["evidence"] == "keyed" and found["campaigns"] == [world.GUILTY], found["sentence"]
    assert found["claim"]["test"] == f"radio-{test}" and len(found["claim"]["counting"]) == 3
    assert any("as the GGUF file describes it, of suspect" in note for note in found["notes"]) == (
        kind == "gguf"
    )
    for name in ("suspect", *CONTROLS):
        shutil.rmtree(tmp_path / name)
        (tmp_path / f"{name}.gguf").unlink(missing_ok=True)
    assert work.judge(work.open_plan(path, settings, again=out), out) == found
    place = tmp_path / "clean"
    place.mkdir()
    clean = audited(asked(place, folders, test, kind, "clean"), place / "out", settings)
    assert clean["evidence"] is None and not clean["campaigns"], clean["sentence"]


def test_prompts_that_go_together_are_paid_one_by_one(
    folders: Path, settings: Settings, tmp_path: Path
) -> None:
    """The budget ends amid some that are asked together, a process dies: what was paid and answered is kept, and the
    answers are those of an audit that was not disturbed."""
    path, out = asked(tmp_path, folders, "closed", "folder", prompts=30, calls=100), tmp_path / "out"
    opened = work.open_plan(path, settings)
    (tmp_path / "control-0" / "behaves").write_text("dies 32")  # after 30 prompts and two times some together
    work.commit(opened, out, settings)
    with pytest.raises(ConfigError, match="control-0: the process of control-0 ended while answering"):
        work.ask(opened, out, Unheard())
    paid = (out / "transcripts/calls").stat().st_size
    kept = len(_replies(out / "transcripts/1-control.jsonl"))
    assert 0 < kept < paid - 30 <= kept + local.TOGETHER
    (tmp_path / "control-0" / "behaves").unlink()
    left = work.ask(opened, out, Unheard())
    assert (out / "transcripts/calls").stat().st_size == 100
    assert sum(left.values()) == 120 - 100 + (paid - 30 - kept)
    place = tmp_path / "whole"
    place.mkdir()
    other = asked(place, folders, "closed", "folder", prompts=30)
    audited(other, place / "out", settings)
    replies = [_replies(one / "transcripts/1-control.jsonl") for one in (out, place / "out")]
    assert replies[0] == replies[1] and len(replies[0]) == 30


def _replies(path: Path) -> dict[int, str]:
    return {row["n"]: row["reply"] for row in map(json.loads, path.read_text("utf-8").splitlines()[1:])}
