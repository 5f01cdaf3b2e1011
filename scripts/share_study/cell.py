"""One network over one number of laboratories: what each finds alone, with hashed addresses, and with the join."""

from __future__ import annotations

import hashlib
import hmac
import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from scripts.share_study import deal
from stillwatch.lab import generate, load_scenario
from stillwatch.settings import Settings
from stillwatch.share.join.clusters import Cluster, asked, corroborated, leads_of, prepare, told_p
from stillwatch.share.join.rule import join
from stillwatch.share.join.tags import encoded
from stillwatch.wiring.join_clusters import clusters_of
from stillwatch.wiring.progress import Unheard
from stillwatch.wiring.scanning import scan

EPOCH = "2026-W48"
WORLD = Path(__file__).with_name("world.toml")
Row = dict[str, Any]
SMALL = {"ordinary.accounts": "500", "every_campaign.accounts": "120"}
"""For a test: a third of the world."""


@dataclass(frozen=True)
class Lab:
    """One laboratory's logs, what its scan said, and its clusters."""

    folder: Path
    hints: Mapping[str, str]
    members: Mapping[str, Sequence[str]]
    """Accounts of each cluster."""
    groups: Mapping[str, set[str]]
    """Accounts of each group of the run, those under watch included."""
    p_values: Mapping[str, float]
    clusters: Sequence[Cluster]
    decoys: Sequence[Cluster]


def world_of(level: int, seed: int, folder: Path, *, small: bool = False) -> Path:
    """The world of a rung and a seed, made when it is not there."""
    out = folder / f"world-{level}-{seed}"
    if not (out / "world.json").exists():
        changes = {"every_campaign.level": str(level), **(SMALL if small else {})}
        generate(load_scenario(str(WORLD), changes), seed=seed, out=out, processes=1)
    return out


def run_cell(level: int, labs: int, seed: int, folder: Path, *, groups: int = 40, small: bool = False) -> Row:
    """Everything that is counted of one cell; rates are formed from the counts later."""
    world = world_of(level, seed, folder, small=small)
    truth = pq.read_table(world / "truth" / "accounts.parquet").to_pylist()
    truth = [row for row in truth if row["exchanges"] > 0]
    places = deal.deal(truth, labs, seed)
    place = folder / f"labs-{level}-{labs}-{seed}"
    shutil.rmtree(place, ignore_errors=True)
    every = [_lab(world, truth, places, n, place / str(n), groups, seed) for n in range(labs)]
    network = {row["account_id"] for row in truth if row["campaign_id"] is not None}
    label = {row["account_id"]: row["campaign_id"] or f"org:{row['org_key']}" for row in truth}
    alone = [{a for a, hint in lab.hints.items() if hint in ("review", "act")} for lab in every]
    hashed = _hashed(every, alone)
    lenient = [
        a | {m for c in lab.clusters if c.standing in ("review", "act") for m in lab.groups[c.subject]}
        for a, lab in zip(alone, every, strict=True)
    ]
    joined, pairs = _joined(every, label)
    shutil.rmtree(place)
    return {
        "level": level, "labs": labs, "seed": seed, "small": small, "accounts": len(truth), "network": len(network),
        "alone": _counts(alone, network), "lenient": _counts(lenient, network),
        "hashed": _counts(hashed, network),
        "join": _counts([a | j for a, j in zip(alone, joined, strict=True)], network), **pairs,
    }  # fmt: skip


def _lab(
    world: Path, truth: list[Row], places: Mapping[str, int], n: int, folder: Path, groups: int, seed: int
) -> Lab:
    deal.write(world, places, n, folder)
    settings = Settings.model_validate({"run": {"threads": 1}})
    logs, table = [str(folder / "exchanges.parquet")], [str(folder / "accounts.parquet")]
    key = hashlib.sha256(f"lab {n} of {seed}".encode()).hexdigest()
    result = scan(logs, settings=settings, out=folder / "run", accounts=table, progress=Unheard(),
                  env={**os.environ, "STILLWATCH_KEY": key})  # fmt: skip
    hints = dict(
        zip(result.accounts["account_id"].to_pylist(), result.accounts["disposition_hint"].to_pylist(), strict=True)
    )  # fmt: skip
    also = deal.decoys(truth, places, n, groups, seed)
    every = clusters_of(folder / "run", logs, table, settings=settings, progress=Unheard(), also=also)
    real = [c for c in every if c.subject not in also]
    groups_of: dict[str, set[str]] = {}
    for m in result.members:
        groups_of.setdefault(m.campaign_id, set()).add(m.account_id)
    return Lab(
        folder, hints, {c.subject: c.accounts for c in real}, groups_of,
        {c.campaign_id: 1.0 if c.p_value is None else c.p_value for c in result.campaigns}, real,
        [c for c in every if c.subject in also],
    )  # fmt: skip


def _hashed(labs: Sequence[Lab], alone: Sequence[set[str]]) -> list[set[str]]:
    """Who would be flagged if laboratories told each other plain hashes of the addresses of those they flagged."""
    seen: list[dict[str, set[str]]] = []
    for lab in labs:
        log = pq.read_table(lab.folder / "exchanges.parquet", columns=["account_id", "client_ip"])
        mine: dict[str, set[str]] = {}
        for account, ip in zip(log["account_id"].to_pylist(), log["client_ip"].to_pylist(), strict=True):
            if ip:
                mine.setdefault(account, set()).add(hashlib.sha256(ip.encode()).hexdigest())
        seen.append(mine)
    told = [
        set().union(*(addresses for a, addresses in mine.items() if a in flagged))
        for mine, flagged in zip(seen, alone, strict=True)
    ]
    out = []
    for n, mine in enumerate(seen):
        others = set().union(*(told[m] for m in range(len(labs)) if m != n))
        out.append(alone[n] | {a for a, addresses in mine.items() if addresses & others})
    return out


def _joined(labs: Sequence[Lab], label: Mapping[str, str]) -> tuple[list[set[str]], Row]:
    """Who is flagged where a group was matched, and how often clusters were joined that have nothing in common.

    Flagged are all accounts of a matched group, those under watch too, if it stands by itself or is corroborated.
    """
    prepared = [_prepared(n, lab.clusters) for n, lab in enumerate(labs)]
    week = join(EPOCH, [each.contribution for each in prepared])
    told = {
        (f"lab{n}", name): told_p(next(c.p_value for c in lab.clusters if c.subject == subject))
        for n, lab in enumerate(labs)
        for name, subject in prepared[n].book.items()
    }
    rate = Settings().detect.alpha_shape
    flagged, leads, lifted = [], 0, 0
    for n, lab in enumerate(labs):
        mine = leads_of(week.for_member(f"lab{n}"), f"lab{n}", prepared[n].book)
        leads += len(mine)
        heard: dict[str, list[float]] = {}
        for lead in mine:
            heard.setdefault(lead.subject, []).append(told[lead.member, lead.theirs])
        by_itself = {c.subject for c in lab.clusters if c.standing in ("review", "act")}
        standing = (by_itself | set(corroborated(lab.p_values, heard, rate))) & set(heard)
        lifted += len(standing - by_itself)
        flagged.append({a for subject in standing for a in lab.groups[subject]})
    return flagged, {
        "leads": leads,
        "lifted": lifted,
        "clusters": sum(len(lab.clusters) for lab in labs),
        **_pairs(labs, label),
    }


def _pairs(labs: Sequence[Lab], label: Mapping[str, str]) -> Row:
    """All pairs of clusters of two laboratories, decoys among them, by whether they are related and were joined.

    Of real clusters the majority of the accounts says what they are; related are two of one network or organisation.
    """
    names: dict[tuple[str, str], str] = {}
    contributions = []
    for n, lab in enumerate(labs):
        for group in (lab.clusters, lab.decoys):
            prepared = _prepared(n, group, suffix="" if group is lab.clusters else "d")
            contributions.append(prepared.contribution)
            for name, subject in prepared.book.items():
                names[prepared.contribution.member, name] = _label(lab, subject, label)
    week = join(EPOCH, contributions)
    told = {(m.members[0], m.clusters[0], m.members[1], m.clusters[1]) for m in week.matches}
    counted: Counter[str] = Counter()
    ordered = sorted(names)
    for at, one in enumerate(ordered):
        for other in ordered[at + 1 :]:
            if one[0].rstrip("d") == other[0].rstrip("d"):
                continue
            kind = "related" if names[one] == names[other] else "unrelated"
            counted[kind] += 1
            if (*one, *other) in told:
                counted[f"{kind}_joined"] += 1
                if kind == "related" and not names[one].startswith("org:"):
                    counted["network_joined"] += 1
            if kind == "related" and not names[one].startswith("org:"):
                counted["network"] += 1
    return {"pairs": dict(sorted(counted.items()))}


def _label(lab: Lab, subject: str, label: Mapping[str, str]) -> str:
    if subject not in lab.members:
        return subject
    most, count = Counter(label[a] for a in lab.members[subject]).most_common(1)[0]
    return most if count * 2 > len(lab.members[subject]) else f"mixed:{lab.folder.name}:{subject}"


def _prepared(n: int, clusters: Sequence[Cluster], suffix: str = "") -> Any:
    """Tags by a keyed hash in place of both key holders: to the joiner either is a random string for a value."""
    tags = {
        v: hmac.new(b"a key that nobody keeps", encoded(EPOCH, v), "sha512").digest() for v in asked(clusters)
    }
    return prepare(f"lab{n}{suffix}", EPOCH, clusters, tags)


def _counts(flagged: Sequence[set[str]], network: set[str]) -> Row:
    everybody = set().union(*flagged)
    return {"flagged": len(everybody), "right": len(everybody & network)}


__all__ = ["EPOCH", "Lab", "run_cell", "world_of"]
