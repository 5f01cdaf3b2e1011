"""Who opened which truth, for what; and what is refused because of it."""

from __future__ import annotations

import errno
import json
import tempfile
import types
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.errors import ConfigError, SourceError, VerificationError
from stillwatch.lab.discipline import (
    LEDGER,
    Family,
    Ledger,
    close_world,
    copy_truth,
    ledger,
    open_truth,
    read_family,
    refuse_tuned,
    score_folder,
    seal_folder,
    stamp,
)
from stillwatch.lab.discipline.seal import sealed, unsealed
from stillwatch.lab.suite import load_suite
from tests.lab.judging import accounts, write_world

HELD = Family("ladder_L0", 1101, 0.5, "validate")
"""Of a seed that no built-in suite declares."""


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A held-out world of four attackers and twenty honest accounts."""
    place = write_world(tmp_path / "world", accounts({"A": 4}, 20))
    stamp(place, HELD)
    return place


def a_run_folder(folder: Path) -> Path:
    """A detector's folder that finds the campaign."""
    folder.mkdir()
    rows = {"campaign_id": ["g"] * 4, "account_id": ["A0", "A1", "A2", "A3"]}
    pq.write_table(pa.table(rows), folder / "members.parquet")
    return folder


def test_every_opening_is_recorded_before_truth_is_read(world: Path, tmp_path: Path) -> None:
    """Beside the world and in every other ledger, with purpose, family, opener and time."""
    other = tmp_path / "elsewhere" / "book.jsonl"
    opened = open_truth(world, purpose="report", ledgers=[other], by="a test", at="2026-01-01T00:00:00+00:00")
    assert len(opened.truth.ids) == 24
    for book, head in zip((world / LEDGER, other), opened.heads, strict=True):
        (entry,) = Ledger(book).entries()
        assert (entry["purpose"], entry["scenario"], entry["seed"], entry["by"]) == (
            "report",
            "ladder_L0",
            1101,
            "a test",
        )
        assert (entry["at"], entry["hash"]) == ("2026-01-01T00:00:00+00:00", head)
    (world / "truth" / "accounts.parquet").write_bytes(b"damaged")
    with pytest.raises(SourceError, match="not a world's truth"):
        open_truth(world, purpose="report", by="again")
    assert len(Ledger(world / LEDGER).entries()) == 2


def test_what_was_tuned_on_is_not_reported_on(world: Path, tmp_path: Path) -> None:
    """With the reason and the way out; tuning goes on, and says that it is no result."""
    run = a_run_folder(tmp_path / "run")
    first = score_folder(run, world)
    assert first["standing"]["mark"] == "held out"
    tuned = score_folder(run, world, purpose="tune")
    assert tuned["standing"]["mark"] == "tuning"
    assert tuned["standing"]["openings"] == {"report": 1}
    with pytest.raises(ConfigError, match="ladder_L0, seed 1101: truth was opened for tuning") as caught:
        score_folder(run, world)
    assert "seeds that nobody has opened, from 1102 on" in caught.value.hint
    assert "--seed" in caught.value.hint, "for those who have a world and no suite"
    assert [e["purpose"] for e in Ledger(world / LEDGER).entries()] == ["report", "tune"], (
        "a refusal opens nothing"
    )
    assert score_folder(run, world, purpose="tune")["recall"] == 1.0


def test_another_copy_of_a_tuned_world_is_refused_too(world: Path, tmp_path: Path) -> None:
    """The same scenario and seed, generated again: a shared ledger knows; at another scale as well."""
    shared = tmp_path / "shared.jsonl"
    open_truth(world, purpose="tune", ledgers=[shared])
    again = write_world(tmp_path / "again", accounts({"A": 4}, 30))
    stamp(again, Family("ladder_L0", 1101, 1.0, "validate"))
    with pytest.raises(ConfigError, match="opened for tuning"):
        open_truth(again, purpose="report", ledgers=[shared])
    other_seed = write_world(tmp_path / "other", accounts({"A": 4}, 30))
    stamp(other_seed, Family("ladder_L0", 1102, 0.5, "validate"))
    assert open_truth(other_seed, purpose="report", ledgers=[shared]).standing.mark == "held out"


@pytest.mark.parametrize(
    "family", [Family("demo_day", 1101, 1.0, "develop"), Family("ladder_L0", 11, 1.0, "validate")]
)
def test_development_is_marked_and_never_refused(world: Path, family: Family) -> None:
    """A scenario for development, or a seed the shipped baseline was fitted on."""
    stamp(world, family)
    open_truth(world, purpose="tune")
    standing = open_truth(world, purpose="report").standing
    assert (standing.mark, standing.row()["note"]) == ("development", "development, not a result")


def test_a_world_without_a_family_is_no_result(world: Path) -> None:
    """Nobody can say what was tuned on it; what was tuned here is recognised by the truth itself."""
    (world / "world.json").unlink()
    assert read_family(world) is None
    assert open_truth(world, purpose="report").standing.mark == "unknown"
    open_truth(world, purpose="tune")
    with pytest.raises(ConfigError, match="this world: truth was opened for tuning"):
        open_truth(world, purpose="report")


def test_a_family_is_a_scenario_with_all_its_seeds(world: Path) -> None:
    """One seed opened for tuning takes the others with it; other families are free."""
    open_truth(world, purpose="tune")
    entries = Ledger(world / LEDGER).entries()
    with pytest.raises(ConfigError, match="ladder_L0, seeds 1101 to 1104"):
        refuse_tuned("ladder_L0", (1101, 1102, 1103, 1104), "validate", entries)
    refuse_tuned("ladder_L0", (1102, 1103), "validate", entries)
    refuse_tuned("ladder_L1", (1101,), "sealed", entries)
    refuse_tuned("ladder_L0", (1101,), "develop", entries)


@pytest.mark.parametrize("harm", ["change", "remove", "reorder", "garbage"])
def test_a_ledger_that_was_tampered_with_is_refused(world: Path, harm: str) -> None:
    """Whatever was done to it, nothing is reported, and nothing is appended."""
    for purpose in ("report", "tune", "tune"):
        open_truth(world, purpose=purpose)
    path = world / LEDGER
    lines = path.read_text().splitlines()
    if harm == "change":
        lines[1] = lines[1].replace('"tune"', '"report"')
    elif harm == "remove":
        del lines[1]
    elif harm == "reorder":
        lines[1], lines[2] = lines[2], lines[1]
    else:
        lines[0] = "{}"
    path.write_text("\n".join(lines) + "\n")
    for purpose in ("report", "tune"):
        with pytest.raises(VerificationError) as caught:
            open_truth(world, purpose=purpose)
        assert "use other seeds" in caught.value.hint
    assert path.read_text().splitlines() == lines


@given(st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=5), max_size=3), max_size=5), st.data())
def test_any_changed_character_of_a_line_breaks_the_chain(rows: list, data: st.DataObject) -> None:
    """A chain made by the ledger holds, and the change of a value does not go unseen."""
    with tempfile.TemporaryDirectory() as folder:
        book = Ledger(Path(folder) / LEDGER)
        heads = [book.append({**row, "purpose": "report"}) for row in rows]
        assert [e["hash"] for e in book.entries()] == heads
        if rows:
            lines = book.path.read_text().splitlines()
            index = data.draw(st.integers(0, len(rows) - 1))
            entry = json.loads(lines[index])
            entry["purpose"] = "tune"
            lines[index] = json.dumps(entry)
            book.path.write_text("\n".join(lines) + "\n")
            with pytest.raises(VerificationError):
                book.entries()


def test_an_opening_that_cannot_be_recorded_is_refused(world: Path, tmp_path: Path) -> None:
    """No record, no truth."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be recorded"):
        open_truth(world, purpose="report", ledgers=[tmp_path / "file" / "ledger.jsonl"])


def test_one_opening_in_two_ledgers_is_one(world: Path, tmp_path: Path) -> None:
    """However long the ledgers were before."""
    shared = tmp_path / "shared.jsonl"
    Ledger(shared).append({"purpose": "report", "scenario": "another", "seed": 1})
    for earlier in range(3):
        standing = open_truth(world, purpose="report", ledgers=[shared]).standing
        assert standing.openings.get("report", 0) == earlier


def test_a_world_that_cannot_be_written_is_recorded_elsewhere(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the ledger that was named, and every figure says so; without one nothing is opened."""
    whole = ledger.locked

    def read_only(path: Path) -> Any:
        if path.parent == world.resolve():
            raise OSError(errno.EROFS, "read-only file system")
        return whole(path)

    monkeypatch.setattr(ledger, "locked", read_only)
    with pytest.raises(ConfigError, match="cannot be recorded"):
        open_truth(world, purpose="report")
    shared = tmp_path / "shared.jsonl"
    run = a_run_folder(tmp_path / "run")
    scored = score_folder(run, world, ledgers=[shared])
    assert "recorded only in the ledgers that were named" in scored["standing"]["note"]
    assert scored["standing"]["mark"] == "held out"
    assert [e["by"] for e in Ledger(shared).entries()] == ["score of run"]
    assert not (world / LEDGER).exists()
    assert open_truth(world, purpose="tune", ledgers=[shared]).standing.openings == {"report": 1}
    with pytest.raises(ConfigError, match="opened for tuning"):
        open_truth(world, purpose="report", ledgers=[shared])


def test_a_declared_seed_takes_the_others_with_it(tmp_path: Path) -> None:
    """A world of a built-in suite is refused when another seed of its family was opened for tuning."""
    family = next(w for w in load_suite("ladder").worlds if len(w.seeds) > 1)
    shared = tmp_path / "shared.jsonl"
    Ledger(shared).append({"purpose": "tune", "scenario": family.scenario, "seed": family.seeds[0]})
    for seed, free in ((family.seeds[-1], False), (max(family.seeds) + 1000, True)):
        place = write_world(tmp_path / str(seed), accounts({"A": 4}, 20))
        stamp(place, Family(family.scenario, seed, 1.0, "validate"))
        if free:
            assert open_truth(place, purpose="report", ledgers=[shared]).standing.mark == "held out"
            continue
        with pytest.raises(ConfigError, match=f"{family.scenario}, seeds {min(family.seeds)} to"):
            open_truth(place, purpose="report", ledgers=[shared])
        assert len(Ledger(shared).entries()) == 1, "a refusal opens nothing"


@pytest.mark.parametrize("inside", ["truth/answers", "answers", "exchanges/../answers"])
def test_answers_are_not_written_into_the_world(world: Path, inside: str) -> None:
    """A detector that is given the world would read them; nothing is opened."""
    for place in (world, world / "truth"):
        with pytest.raises(ConfigError, match="lies inside the world"):
            copy_truth(place, world / inside, purpose="tune")
    assert not Ledger(world / LEDGER).entries()
    assert not (world / inside).exists()


def test_answers_may_lie_beside_a_truth_that_stands_alone(tmp_path: Path) -> None:
    """A truth folder that was moved out of its world makes no world of the folder around it."""
    write_world(tmp_path, accounts({"A": 4}, 20))
    copy_truth(tmp_path / "truth", tmp_path / "answers", purpose="tune")
    assert (tmp_path / "answers" / "accounts.parquet").exists()


def test_folders_within_a_truth_are_left_alone(world: Path, tmp_path: Path) -> None:
    """Only its files are truth."""
    (world / "truth" / "notes").mkdir()
    copy_truth(world, tmp_path / "answers", purpose="tune")
    assert sorted(p.name for p in (tmp_path / "answers").iterdir()) == ["accounts.parquet", "campaigns.jsonl"]


def test_a_sealed_world_is_scored_like_any_other(world: Path, tmp_path: Path) -> None:
    """Nothing readable lies in the folder; the score is that of the open world; opening unseals a copy."""
    run = a_run_folder(tmp_path / "run")
    before = score_folder(run, world)
    content = (world / "truth" / "accounts.parquet").read_bytes()
    seal_folder(world / "truth", HELD)
    seal_folder(world / "truth", HELD)
    assert not list((world / "truth").glob("*.parquet"))
    hidden = b"".join(p.read_bytes() for p in (world / "truth").iterdir())
    assert b"PAR1" not in hidden
    assert b"account_id" not in hidden
    after = score_folder(run, world)
    assert {k: v for k, v in after.items() if k != "standing"} == {
        k: v for k, v in before.items() if k != "standing"
    }
    copy_truth(world, tmp_path / "answers", purpose="tune")
    assert (tmp_path / "answers" / "accounts.parquet").read_bytes() == content
    with pytest.raises(ConfigError, match="opened for tuning"):
        score_folder(run, world)
    with pytest.raises(ConfigError, match="not an empty folder"):
        copy_truth(world, tmp_path / "answers", purpose="tune")


@pytest.mark.parametrize(("split", "closed"), [("develop", False), ("validate", False), ("sealed", True)])
def test_only_sealed_scenarios_are_sealed(world: Path, split: str, closed: bool) -> None:
    """And every world says which family it is of; a split that does not exist is refused."""
    family = close_world(world, types.SimpleNamespace(name="rung", split=split), 7, 0.5)
    assert read_family(world) == family == Family("rung", 7, 0.5, split)
    assert {p.suffix == ".sealed" for p in (world / "truth").iterdir()} == {closed}
    assert close_world(world, types.SimpleNamespace(name="rung"), 7, 0.5).split == "develop"
    with pytest.raises(ConfigError, match="unknown split 'secret'"):
        close_world(world, types.SimpleNamespace(name="rung", split="secret"), 7, 0.5)


def test_a_seal_belongs_to_its_world() -> None:
    """Another seed, another file or a changed byte do not open it."""
    closed = sealed(b"truth", "accounts.parquet", HELD)
    assert unsealed(closed, "accounts.parquet", HELD) == b"truth"
    for content, name, family in (
        (closed, "accounts.parquet", Family("ladder_L0", 1102, 0.5, "validate")),
        (closed, "campaigns.jsonl", HELD),
        (closed[:-1] + bytes([closed[-1] ^ 1]), "accounts.parquet", HELD),
        (b"truth", "accounts.parquet", HELD),
    ):
        with pytest.raises(VerificationError, match="seal is broken or of another world"):
            unsealed(content, name, family)


def test_slips_are_told_apart(world: Path, tmp_path: Path) -> None:
    """No truth, a purpose that does not exist, a damaged world file."""
    with pytest.raises(SourceError, match="holds no truth"):
        open_truth(tmp_path, purpose="report")
    with pytest.raises(ConfigError, match="unknown purpose 'peek'"):
        open_truth(world, purpose="peek")
    (world / "world.json").write_text("{")
    with pytest.raises(SourceError, match="not readable as JSON"):
        open_truth(world, purpose="report")
    (world / "world.json").write_text('{"family": {"scenario": "x"}}')
    with pytest.raises(SourceError, match="which family"):
        open_truth(world, purpose="report")


def test_the_family_stands_beside_what_the_generator_wrote(world: Path) -> None:
    """Other keys of world.json stay."""
    (world / "world.json").write_text('{"generator": "0.2"}')
    stamp(world, HELD)
    assert json.loads((world / "world.json").read_text())["generator"] == "0.2"
    assert read_family(world) == HELD
