"""The other verbs on a real run: explain, baseline, lookups."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from tests.e2e.conftest import Run, Scan, World
from tests.e2e.driving import OTHER_KEY, cli, findings, hints, members, process, summary
from tests.e2e.test_bad_input import refused
from tests.e2e.test_contract import STRICT, agrees, rows


def test_explaining_a_campaign(first: Run) -> None:
    """Evidence, shape, innocent explanations, and what would change the verdict."""
    for one in rows(first.out, "campaigns.parquet"):
        told = cli("explain", first.out, one["campaign_id"])
        assert told.status == 0, told.err
        assert one["campaign_id"] in told.out
        assert "Innocent explanations considered" in told.out
        assert "What would change this verdict" in told.out


def test_explaining_an_account_of_every_kind(first: Run) -> None:
    """One of each tier, and one that is in no group: the last is told what could not be judged."""
    for tier in {m["tier"]: m for m in rows(first.out, "members.parquet")}.values():
        told = cli("explain", first.out, tier["account_id"])
        assert told.status == 0, told.err
        assert f"{tier['tier']} of campaign" in told.out or f"{tier['tier']} of pool" in told.out
    alone = next(a for a, hint in hints(first.out).items() if hint == "none" and not _inside(first.out, a))
    told = cli("explain", first.out, alone)
    assert "in no pool and no campaign" in told.out
    assert "What could not be judged" in told.out


def _inside(out: Path, account: str) -> bool:
    return any(account in group for group in members(out))


def test_explaining_a_pool(world: World, scan: Scan) -> None:
    """It says why it is no campaign."""
    run = scan(world.logs, "--accounts", world.accounts, settings=STRICT)
    pool = next(c for c in rows(run.out, "campaigns.parquet") if c["kind"] == "pool")
    told = cli("explain", run.out, pool["campaign_id"])
    assert "not a campaign" in told.out


@pytest.mark.parametrize("subject", ["acct_unknown", "", "G-", "\x1b[2J", "../summary.json"])
def test_explaining_what_is_not_there(first: Run, subject: str) -> None:
    """Status 2, and the name is shown harmlessly."""
    told = cli("explain", first.out, subject)
    refused(told)
    assert "\x1b" not in told.err


def test_explaining_a_folder_that_is_no_output(tmp_path: Path, first: Run) -> None:
    """Neither an empty one nor a damaged one is a failure of ours."""
    refused(cli("explain", tmp_path, "x"))
    refused(cli("explain", tmp_path / "absent", "x"))
    for path in first.out.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "members.parquet").write_bytes(b"PAR1")
    refused(cli("explain", tmp_path, "x"))


@pytest.mark.parametrize("args", [("traits",), ("formats",), ("version",), ("lab", "scenarios"), ("baseline", "show"),
                                  ("settings", "show"), ("traits", "show", "template")])  # fmt: skip
def test_lookups(args: tuple[str, ...]) -> None:
    """Each prints something, and JSON when asked; none needs a key."""
    plain = cli(*args, key=None)
    assert (plain.status, plain.err) == (0, "")
    assert plain.out.strip()
    told = cli(*args, "--json", key=None)
    assert told.status == 0, told.err
    assert json.loads(told.out)


def test_settings_that_are_shown_can_be_used(world: World, tmp_path: Path) -> None:
    """What ``settings show`` prints is a settings file, of the same digest."""
    (tmp_path / "stillwatch.toml").write_text(cli("settings", "show").out)
    assert tomllib.loads((tmp_path / "stillwatch.toml").read_text())
    digest = cli("settings", "show", "--digest").out
    assert cli("settings", "show", "--digest", "--settings", tmp_path / "stillwatch.toml").out == digest


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str) -> None:
    """A script for each shell."""
    told = cli("completion", shell, key=None)
    assert told.status == 0
    assert "_STILLWATCH_COMPLETE" in told.out


def test_completion_completes() -> None:
    """The real command answers what the script asks."""
    told = process("", _STILLWATCH_COMPLETE="bash_complete", COMP_WORDS="stillwatch sc", COMP_CWORD="1")
    assert "plain,scan" in told.out


@pytest.mark.parametrize(("words", "offered"), [
    ("scan lo", "file,lo"), ("scan x --accounts a", "file,a"), ("scan x -f otlp", "plain,otlp-json"),
    ("traits show han", "plain,handoff"), ("lab generate demo", "plain,demo_day"), ("baseline fit lo", "file,lo"),
    ("explain {run} G-", "plain,G-"), ("explain /nowhere G-", ""),
])  # fmt: skip
def test_completion_offers_paths_and_names(first: Run, words: str, offered: str) -> None:
    """Where a word is typed; and nothing, quietly, where nothing can be listed."""
    line = "stillwatch " + words.format(run=first.out)
    told = process(
        "", _STILLWATCH_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(len(words.split()))
    )
    assert offered in told.out if offered else not told.out.strip()
    assert told.err == ""


def test_the_score_of_a_run(first: Run, world: World) -> None:
    """The lab can be asked how well a run did."""
    told = cli("lab", "score", first.out, world.truth, "--json")
    assert told.status == 0, told.err
    assert json.loads(told.out)["standing"]["mark"] == "unknown"
    read = cli("lab", "score", first.out, "--truth", world.truth.parent)
    assert read.status == 0, read.err
    assert "extractors at member" in read.out


def test_a_suite_with_an_ablation(tmp_path: Path) -> None:
    """The real scan in a suite, with traits taken away, two worlds at a time; then nothing is left to do."""
    (tmp_path / "own.toml").write_text(
        'title = "two small days"\ndetectors = ["ablations"]\n'
        '[[worlds]]\nscenario = "demo_day"\nseeds = [11, 12]\nscale = 0.05\n'
        '[[ablations]]\nid = "bare"\nsettings = {"detect.kappa" = 1.0}\ndrop_traits = ["handoff", "template"]\n'
    )
    run = ("lab", "run", tmp_path / "own.toml", "--out", tmp_path / "results")
    told = cli(*run, "--jobs", "2", "--json", "-q", key=None)
    assert told.status == 0, told.err
    rows = json.loads(told.out)["rows"]
    assert [r["detector"] for r in rows] == ["stillwatch/bare"]
    assert {r["mark"] for r in rows} == {"development"}
    assert (tmp_path / "results" / "report.html").stat().st_size > 5_000
    before = (tmp_path / "results" / "cells.jsonl").read_bytes()
    assert cli(*run, "--json", "-q", key=None).out == told.out
    assert (tmp_path / "results" / "cells.jsonl").read_bytes() == before
    wrong = cli(*run, "--detector", "nobody", key=None)
    refused(wrong)


def test_the_null_check_finds_nothing(world: World, scan: Scan) -> None:
    """Shuffled copies of the same day hold no campaign."""
    run = scan(world.logs, "--accounts", world.accounts, "--check-null=1")
    assert summary(run.out)["null_check"]


def test_a_fitted_baseline(world: World, scan: Scan, tmp_path: Path, quick: Path) -> None:
    """Fit, show, use; a file that is no baseline is not overwritten, and another key cannot use it."""
    place = tmp_path / "own.baseline"
    fit = (
        "baseline",
        "fit",
        world.logs,
        "--accounts",
        world.accounts,
        "--name",
        "own \x1b[2J",
        "--settings",
        quick,
    )
    made = cli(*fit, "--out", place, "--json")
    assert made.status == 0, made.err
    assert json.loads(made.out)["kind"] == "fitted"
    again = cli(*fit, "--out", tmp_path / "again.baseline")
    assert again.status == 0, again.err
    assert "\x1b" not in again.out + again.err
    assert place.read_bytes() == (tmp_path / "again.baseline").read_bytes()

    shown = cli("baseline", "show", place, "--json", key=None)
    assert shown.status == 0, shown.err
    about = json.loads(shown.out)
    assert about["kind"] == "fitted"
    assert about["as_of"] == "2026-03-10"
    assert "\x1b" not in cli("baseline", "show", place).out

    run = scan(world.logs, "--accounts", world.accounts, "--baseline", place)
    agrees(run.out)
    assert summary(run.out)["baseline"]["digest"] == about["digest"]
    assert all(f["baseline"].startswith("own") for f in findings(run.out) if f["trait"] != "grant_scope")

    refused(cli("scan", world.logs, "--baseline", place, "--out", tmp_path / "no", key=OTHER_KEY), "key")
    precious = tmp_path / "precious.jsonl"
    precious.write_text("{}\n")
    refused(cli(*fit, "--out", precious), "is not a baseline")
    assert precious.read_text() == "{}\n"
    refused(cli(*fit[:3], "--name", "n", "--out", tmp_path / "x", "--settings", quick), "trusted")
    refused(cli("baseline", "show", precious))
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_file()) == [
        "again.baseline", "own.baseline", "precious.jsonl"]  # fmt: skip
