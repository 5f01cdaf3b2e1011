"""The study keeps what still counts, and the gates can fail."""

from __future__ import annotations

import argparse
import copy
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from scripts import stability, study
from scripts.benchmarks import gates, plots, words
from scripts.benchmarks.speed import speed
from scripts.benchmarks.words import short, states, upper, wilson
from stillwatch.lab.suite import choose, load_suite
from stillwatch.wiring.lab import LabRunner
from tests.lab.test_suite import WORLD as TINY

SUITE = """
title = "two small worlds"
version = 1
detectors = ["rate_limit"]
[[worlds]]
scenario = "tiny.toml"
seeds = [601, 602]
"""
WORLD = f'split = "validate"\n{TINY}'


@pytest.fixture
def suite(tmp_path: Path) -> str:
    """A suite of two worlds and one baseline."""
    (tmp_path / "tiny.toml").write_text(WORLD)
    (tmp_path / "two.toml").write_text(SUITE)
    return str(tmp_path / "two.toml")


def test_a_study_goes_on_from_its_own_file(suite: str, tmp_path: Path) -> None:
    """What stands in the committed rows is not run again; a row of another plan or program is left out."""
    study.run(suite, {}, tmp_path / "a", jobs=2)
    rows = study.cells_of(suite, {}, tmp_path / "a")
    assert [(r["seed"], r["purpose"], r["score"]["standing"]["mark"]) for r in rows] == [
        (601, "report", "held out"),
        (602, "report", "held out"),
    ]
    out = tmp_path / "study.json"
    study.write(out, rows)
    filed = {r["key"]: r for r in json.loads(out.read_text())}
    study.run(suite, filed, tmp_path / "b", jobs=1)
    assert not (tmp_path / "b" / "cells.jsonl").exists()
    assert study.cells_of(suite, filed, tmp_path / "b") == rows

    study.run(suite, {rows[0]["key"]: rows[0]}, tmp_path / "c", jobs=1)
    assert len((tmp_path / "c" / "cells.jsonl").read_text().splitlines()) == 1
    old = {k.replace("602", "603"): v for k, v in filed.items()}
    assert [r["seed"] for r in study.cells_of(suite, old, tmp_path / "none")] == [601]


def test_what_was_not_asked_for_stays_in_the_file(
    suite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of another state of the program are not thrown away by a run of something else."""
    old = [
        {"suite": s, "key": "old", "stamp": "old"} for s in ("other", "null", "successors", *stability.SUITES)
    ]
    monkeypatch.chdir(Path(suite).parent)
    monkeypatch.setattr(study, "SUITES", ("two.toml", "other"))
    given = argparse.Namespace(work=tmp_path / "work", suite=["two.toml"], jobs=1, worlds=1)
    rows = [r for part in study.parts(given, old) for r in part]
    assert [r for r in rows if r["suite"] != "two.toml"] == old
    assert [r["seed"] for r in rows if r["suite"] == "two.toml"] == [601]


def test_the_present_plan_has_no_seed_of_the_development() -> None:
    """And names every detector once; figures are for report."""
    for name in study.SUITES:
        suite = load_suite(name)
        keys = study.keys_of(suite, choose(suite, LabRunner()))
        assert keys
        assert all(json.loads(k)[1] > 22 for k in keys)
        assert {json.loads(k)[5] for k in keys} == {"report"}
    assert all(seed > 22 for _, seed in [*stability.POISON, *stability.LEAVE_OUT])
    assert study.NULL_SEED > 22


def test_intervals_in_words() -> None:
    """From the laboratory's own rates; nothing tried is no rate."""
    assert wilson(8, 10) == "0.800 (0.490 to 0.943; n = 10)"
    assert short(0, 0) == "-"
    assert (upper(0, 0), round(upper(0, 29_956), 6)) == (1.0, 0.0001)


def cell(suite: str, scenario: str, detector: str = "stillwatch", **score: Any) -> dict[str, Any]:
    """A row of the study in which everything is as asked."""
    found = {"hits": 990, "total": 1000}
    base = {
        "classes": {
            name: {"accounts": 60_000, "member": 0, "orgs": 400, "orgs_claimed": 0, "orgs_review_or_act": 0}
            for name in ("ordinary", "reseller")
        },
        "discovery": {"campaigns": {"claimed": 2 if suite == "ladder" else 0, "false": 0}},
        "campaigns": [
            {"kind": "campaign", "accounts": n, "extractors": n, "extractors_found": n, "fragments": 1}
            for n in (12, 300)
        ],
        "purity": 1.0,
        "ranking": {
            "recall_at": [{"rate": r, "measured": True, "recall": dict(found)} for r in (1e-3, 1e-4)]
        },
    }
    return {
        "suite": suite, "scenario": scenario, "seed": 601, "detector": {"id": detector}, "score": base | score
    }  # fmt: skip


def everything() -> list[dict[str, Any]]:
    """Rows with which every gate holds."""
    rows = [cell("ladder", f"ladder_L{i}") for i in range(9)]
    rows += [cell("ladder", "ladder_L0", "other", ranking={"recall_at": [
        {"rate": r, "measured": True, "recall": {"hits": 1, "total": 1000}} for r in (1e-3, 1e-4)]})]  # fmt: skip
    rows += [cell("honest", "benign") for _ in range(50)] + [cell("mixtures", "mixture_05")]
    for suite in ("load", "observed"):
        rows += [cell(suite, "ladder_L0")]
        rows[-1]["delay"] = {"campaigns": [{"member": {"share_at_most": 0.01}}]}
    for share in (0.01, 0.05):
        rows += [{**cell("poison", f"ladder_{level}"), "share": share} for level in ("L0", "L1", "L2", "L4")]
    rows.append({"suite": "successors", "classes": {"1-10": {"hits": 9, "total": 10}}})
    return [*rows, {"suite": "leave_out", "members": 100, "flips": {"member": 0, "asked": 0}}]


def failing(rows: list[dict[str, Any]]) -> set[str]:
    """Beginnings of the gates that do not hold."""
    return {what[:12] for gate in gates.GATES.values() for what, _, holds in gate(rows) if not holds}


def test_gates_hold_when_all_is_as_asked() -> None:
    """None is missing, and the page says so."""
    rows = everything()
    assert failing(rows) == set()
    page = "\n".join(gates.gates(rows))
    assert "Not measured" not in page
    assert "**no**" not in page
    assert gates.gates([]) == []


@pytest.mark.parametrize(
    ("suite", "change", "said"),
    [
        ("honest", lambda s: s["classes"]["ordinary"].update(member=100), "ordinary acc"),
        ("honest", lambda s: s["classes"]["ordinary"].update(accounts=10), "ordinary acc"),
        ("honest", lambda s: s["classes"]["reseller"].update(orgs_claimed=1), "every look-a"),
        ("honest", lambda s: s["classes"]["reseller"].update(orgs=5), "every look-a"),
        ("honest", lambda s: s["discovery"]["campaigns"].update(claimed=1), "fifty honest"),
        ("ladder", lambda s: s["campaigns"][1].update(extractors_found=100), "L5: recall o"),
        ("ladder", lambda s: s["campaigns"][0].update(extractors_found=3), "L1: recall o"),
        ("ladder", lambda s: s.update(purity=0.9), "L0 to L4: si"),
        ("ladder", lambda s: s["campaigns"][0].update(fragments=4), "L0 to L4: no"),
        ("ladder", lambda s: s["discovery"]["campaigns"].update(false=1), "claimed camp"),
        ("ladder", lambda s: s["ranking"]["recall_at"][1]["recall"].update(hits=0), "no baseline "),
        ("mixtures", lambda s: s["ranking"]["recall_at"][0]["recall"].update(hits=900), "mixtures of "),
        ("poison", lambda s: s["campaigns"][1].update(extractors_found=100), "L2 with 5% o"),
    ],
)
def test_every_gate_can_fail(suite: str, change: Any, said: str) -> None:
    """One figure out of place is told under its own name."""
    rows = copy.deepcopy(everything())
    for row in rows:
        if row["suite"] == suite and row.get("detector", {}).get("id") == "stillwatch":
            change(row["score"])
    assert said in failing(rows)
    assert "**no**" in "\n".join(gates.gates(rows))


def test_late_detection_late_links_and_flips_fail() -> None:
    """The gates that read no score; without their rows they are named as not measured."""
    rows = everything()
    next(r for r in rows if "delay" in r)["delay"]["campaigns"][0]["member"] = None
    rows[-1]["flips"]["member"] = 1
    rows[-2]["classes"]["1-10"]["hits"] = 4
    assert failing(rows) == {"median campa", "dropping any", "successors o"}
    few = [r for r in rows if r["suite"] not in ("load", "observed", "leave_out", "successors")]
    said = "Not measured yet: time to detect; successors; one organisation left out."
    assert said in "\n".join(gates.gates(few))


def test_the_ladder_is_drawn() -> None:
    """One line a detector, the weak ones counted, and well-formed with a hostile name."""
    rows = [*everything(), cell("ladder", "ladder_L0", 'a<b>"&')]
    for row in rows:
        if row["suite"] == "ladder" and row["detector"]["id"] == "other":
            for at in row["score"]["ranking"]["recall_at"]:
                at["recall"]["hits"] = 1
    drawn = plots.ladder_svg(rows)
    root = ElementTree.fromstring(drawn)  # noqa: S314  (made here)
    lines = [e for e in root.iter() if e.tag.endswith("polyline")]
    assert sorted(str(e.get("class")) for e in lines) == ["low", "other", "own"]
    assert "1 more, under 0.02" in drawn
    assert plots.write([], Path()) == []


def test_figures_of_two_states_of_the_program_are_told_apart() -> None:
    """One state needs no word; two are named with what each made."""
    rows: list[dict[str, Any]] = [
        {"suite": "honest", "detector": {"kind": "own", "code": "aa"}},
        {"suite": "null", "stamp": "aa-b-c"},
    ]
    assert states(rows) == []
    rows.append({"suite": "ladder", "detector": {"kind": "own", "code": "bb"}})
    rows.append({"suite": "ladder", "detector": {"kind": "baseline", "code": "cc"}})
    assert "2 states of the program, by digest: `aa`: honest, null; `bb`: ladder." in states(rows)[1]
    for code, scenario in (("aa", "ladder_L0"), ("bb", "ladder_L5"), ("bb", "ladder_L6")):
        rows.append({"suite": "ladder", "scenario": scenario, "detector": {"kind": "own", "code": code}})
    rows.pop(2)
    told = states(rows)[1]
    assert (
        "`aa`: honest, ladder (ladder_L0), null; `bb`: ladder (ladder_L5, ladder_L6). Figures of two" in told
    )
    assert "L4" not in told and "decision" not in told, "nothing is said that the rows do not say"


def test_speed_of_another_program_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures without a digest, or with one of another state, say so on both pages; those of the present do not."""
    monkeypatch.setattr(words, "code_digest", lambda part: f"{part}-now")
    run = {"scenario": "speed", "wall_s": 2.0, "peak_memory_bytes": 2**30, "timings": {"reading": 1.0},
           "counts": {"exchanges": 10, "accounts": 2}}  # fmt: skip
    data = {"machine": "2 cores.", "rows": [run]}
    assert any("digest was not written down" in line for line in speed(data))
    assert any(
        "earlier state of the program**, with the digest `own-old`" in line
        for line in speed({**data, "code": "own-old"})
    )
    assert not any("earlier state" in line for line in speed({**data, "code": "own-now"}))
