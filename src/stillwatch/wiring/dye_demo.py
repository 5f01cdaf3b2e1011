"""The whole loop on a small scale: a campaign is found, its answers are dyed, a student learns them, a test names it.

Everything between is the real thing: the scan, the risk table, the gate under the policy that ships, the desk with its
log and its ledger, the request body that a gateway hands to an engine, and the tests over every key ever issued. Small
are the traffic (the lab's), the engine (a teacher of 128 tokens, which writes the mark that the request asks for) and
the students, which are really trained.

What a fully dyed student shows is measured beforehand, on a rehearsal student of ours under a key that is never issued.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stillwatch.errors import ConfigError
from stillwatch.records import Kind, ScanResult, Tier
from stillwatch.settings import Settings, parse_settings
from stillwatch.wiring.dye import check_dyes, issue_dyes
from stillwatch.wiring.progress import Progress, writable, write_whole

if TYPE_CHECKING:
    from stillwatch.prove.school.page import Subject

SCHEME, NARROW, WIDE = "sglang-gumbel", 2, 4
KEYS = 64
"""Campaigns' keys in all: those of the campaigns found, and those of earlier ones."""
ANSWERS = 1_000
EPOCH, EARLIER, EVERYONE = "demo", "earlier", "everyone"
CAMPAIGNS = 2
"""At most so many campaigns teach a student."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the loop is asked to do."""

    out: Path
    seed: int = 7
    scenario: str = "demo_day"
    answers: int = ANSWERS
    run: Path | None = None
    """Folder of a scan that is there already; no world is made then."""


def demo_dye(wish: Wish, *, settings: Settings, progress: Progress) -> dict[str, Any]:
    """Run the loop into a new folder; returns what ``dye.json`` holds."""
    from stillwatch.wiring.dye_demo_school import serve, take_tests
    from stillwatch.wiring.evidence_keys import needs_extra

    needs_extra()
    out, there = wish.out, _there(wish)
    with writable(out):
        if out.exists() and any(out.iterdir()):
            raise ConfigError(f"{out.name} is not empty", hint="name a new folder")
        out.mkdir(parents=True, exist_ok=True)
    mine = _settings(out, settings, wish.seed)
    run = wish.run or out / "report"
    result = there or _scanned(wish, mine, progress)
    accounts = _chosen(result)
    progress.step(f"issuing {KEYS + 1} keys, each committed in the log first")
    _issue(mine, list(accounts))
    served = serve(wish, run, mine, accounts, progress)
    subjects, seeds, power = take_tests(wish, mine, served, progress)
    progress.step("holding every key against the log")
    checked = check_dyes(mine)
    facts = [
        ("traffic", f"scenario {wish.scenario}, seed {wish.seed}" if wish.run is None else f"run {wish.run.name}"),
        ("campaigns found", f"{sum(c.kind is Kind.CAMPAIGN for c in result.campaigns)} of kind campaign"),
        ("dyed here", ", ".join(accounts)),
        ("keys", f"{checked} issued and found in the log as committed; {KEYS} of campaigns are tested at once"),
        ("served", f"{wish.answers:,} answers of 48 tokens a student; {served.tokens:,} tokens in the ledger"),
        ("seeds", seeds),
        ("effects", power),
    ]  # fmt: skip
    return _written(out, wish, facts, subjects, checked)


def _settings(out: Path, settings: Settings, seed: int) -> Settings:
    """Settings whose desk, log and keys lie in the demo's folder.

    The master comes from the seed, so that a run can be repeated; a real one is drawn (``stillwatch dye master``).
    """
    master = out / "dye.master"
    descriptor = os.open(master, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(hashlib.sha256(f"demo master {seed}".encode()).hexdigest() + "\n")
    tree = settings.model_dump(mode="python", exclude_unset=True)
    tree["dye"] = {
        "folder": str(out / "dye"), "master_file": str(master), "epoch": EPOCH, "inject": True, "everyone": EVERYONE,
    }  # fmt: skip
    tree["evidence"] = {"keys": str(out / "keys"), "log": str(out / "log"), "origin": "demo.invalid/dye"}
    return parse_settings(tree, where="the demo")


def _scanned(wish: Wish, settings: Settings, progress: Progress) -> ScanResult:
    from stillwatch.wiring.lab import generate
    from stillwatch.wiring.scanning import scan

    traffic = wish.out / "traffic"
    generate(wish.scenario, wish.seed, 1.0, traffic, progress)
    there = {name: traffic / f"{name}.jsonl" for name in ("grants", "releases", "client_releases")}
    context = {name: str(path) for name, path in there.items() if path.exists()}
    return scan(
        [str(traffic / "exchanges")], settings=settings, out=wish.out / "report", progress=progress,
        accounts=[str(traffic / "accounts.parquet")], grants=context.get("grants"),
        releases=context.get("releases"), client_releases=context.get("client_releases"),
        env={settings.privacy.key_env: hashlib.sha256(f"demo digests {wish.seed}".encode()).hexdigest()},
    )  # fmt: skip


def _there(wish: Wish) -> ScanResult | None:
    """The scan that is there already; else None. What cannot be had is told before anything is written."""
    from stillwatch.lab import load_scenario
    from stillwatch.report import load_result

    if wish.run is not None:
        return load_result(wish.run)
    load_scenario(wish.scenario)
    return None


def _chosen(result: ScanResult) -> dict[str, str]:
    """The largest campaigns, each with one of its members."""
    ranked = sorted(
        (c for c in result.campaigns if c.kind is Kind.CAMPAIGN and not c.granted),
        key=lambda campaign: -campaign.exchange_count,
    )
    member: dict[str, str] = {}
    for one in result.members:
        if one.tier is Tier.MEMBER:
            member.setdefault(one.campaign_id, one.account_id)
    chosen = {c.campaign_id: member[c.campaign_id] for c in ranked if c.campaign_id in member}
    if not chosen:
        raise ConfigError("the scan found no campaign to dye", hint="try another --seed or --scenario")
    return dict(list(chosen.items())[:CAMPAIGNS])


def _issue(settings: Settings, campaigns: list[str]) -> None:
    """Everyone's key, those of the campaigns found, and those of earlier campaigns."""
    from stillwatch.wiring.evidence_keys import new_key

    new_key(settings, "Dye desk", "log")
    issue_dyes(settings, earlier(len(campaigns)), scheme=SCHEME, width=NARROW, epoch=EARLIER)
    issue_dyes(settings, [EVERYONE], scheme=SCHEME, width=WIDE)
    issue_dyes(settings, [f"campaign:{name}" for name in campaigns], scheme=SCHEME, width=NARROW)


def earlier(found: int) -> list[str]:
    """Names of earlier campaigns, beside so many found."""
    return [f"campaign:earlier-{n}" for n in range(1, KEYS - found + 1)]


def _written(
    out: Path, wish: Wish, facts: list[tuple[str, str]], subjects: list[Subject], checked: int
) -> dict[str, Any]:
    """``dye.json`` and ``dye.html``."""
    from stillwatch.prove.school.page import Page, conclusion_row, render

    right = all(subject.as_expected for subject in subjects)
    page = Page(
        "A campaign is found, dyed and named",
        (
            "Simulated traffic was scanned; the campaigns found were given marking keys; the gate had their answers "
            "marked under these, and everybody else's under one wide key; students were trained on what was served; "
            "every campaign's key that was ever issued was tried on each of them.",
            "Traffic, engine and students are small and made here. Policy, keys, log, ledger and tests are the real "
            "ones. How well this works on large models is not shown by it.",
        ),
        facts,
        subjects,
    )
    write_whole(out / "dye.html", render(page))
    found = {
        "seed": wish.seed, "answers": wish.answers, "keys": KEYS, "keys_in_log": checked, "as_expected": right,
        "facts": dict(facts), "page": str(out / "dye.html"),
        "students": [
            {"about": s.about, "expected": list(s.expected or ()), "as_expected": s.as_expected,
             **conclusion_row(s.conclusion)}
            for s in subjects
        ],
    }  # fmt: skip
    write_whole(out / "dye.json", json.dumps(found, indent=1, allow_nan=False) + "\n")
    return found


def as_texts(rows: list[list[int]]) -> np.ndarray[Any, Any]:
    """Answers of one length as an array."""
    return np.array(rows, dtype=np.int64)
