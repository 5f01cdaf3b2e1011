"""Makes the baseline that ships with stillwatch from simulated worlds: ``make baseline``.

Honest linked groups of the look-alike and ladder worlds calibrate the shape score; campaign groups of the
ladder worlds only shape its weights. The seeds used here (11 to 22) are for development: no figure is ever
reported on them. Groups found are kept in a working file, so an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

import stillwatch
from stillwatch.detect.baseline import SHIPPED, Baseline, Calibration, Shares, dump_baseline
from stillwatch.detect.digest import Key
from stillwatch.detect.features import Featurizer
from stillwatch.detect.fit import calibrate, fit_shares, fit_weights
from stillwatch.detect.lexicon import load_lexicon
from stillwatch.detect.run import Options, detect
from stillwatch.detect.shape import FEATURES
from stillwatch.detect.traffic import Loader, Traffic
from stillwatch.detect.traits import load_traits
from stillwatch.ingest import Reader, read_accounts, read_client_releases, read_releases
from stillwatch.lab import generate, load_scenario
from stillwatch.store import open_backend

WORLDS = [("lookalikes", seed) for seed in range(11, 23)] + [
    (f"ladder_L{level}", seed) for seed in (11, 12) for level in (0, 1, 2, 4)
]
SCALE = 0.3
PURITY = 0.8
NOTHING = Calibration(dict.fromkeys(FEATURES, 0.0), {}, np.zeros(0), {}, np.zeros(0, np.int64))
NOBODY = Baseline("none", "", "shipped", 0, None, {}, NOTHING, "", "")
PACKAGE = Path(stillwatch.__file__).parent


def program_digest() -> str:
    """SHA-256 over all that decides what a world holds and what is found in it, the shipped baseline excepted.

    A kept row counts only under the digest it was made with: groups found by another program in another world
    must not be mixed into a baseline.
    """
    every = hashlib.sha256(f"scale {SCALE}".encode())
    for path in sorted(PACKAGE.rglob("*")):
        if path.suffix in {".py", ".toml"}:
            every.update(f"{path.relative_to(PACKAGE).as_posix()}\0".encode())
            every.update(hashlib.sha256(path.read_bytes()).digest())
    return every.hexdigest()


def kept(work: Path, program: str) -> list[dict[str, Any]]:
    """Rows of the working file that this program wrote; a row cut short by an interruption is left out."""
    rows = []
    for line in work.read_text("utf-8").splitlines() if work.exists() else ():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        if row.get("program") == program:
            rows.append(row)
    return rows


def load_world(folder: Path) -> Traffic:
    """A simulated world as detect sees it."""
    feat = Featurizer(Key.derive(b"development worlds need no secret key"), load_lexicon())
    loader = Loader(open_backend(1, "6GB", None), feat)
    for batch in Reader([str(folder / "exchanges")]).batches():
        loader.add(feat.batch(batch))
    accounts, _ = read_accounts([str(folder / "accounts.parquet")])
    releases, _ = read_releases(str(folder / "releases.jsonl"))
    clients, _ = read_client_releases(str(folder / "client_releases.jsonl"))

    def micro(moment: datetime) -> int:
        return int(moment.timestamp() * 1_000_000)

    return loader.finish(
        accounts,
        [(r["model"], micro(r["released_at"])) for r in releases.to_pylist()],
        [(r["client"], r["version"], micro(r["released_at"])) for r in clients.to_pylist()],
    )


def look_at(scenario: str, seed: int) -> dict[str, Any]:
    """Groups found in one world, each with its truth; and how common public values are among its ordinary units."""
    with tempfile.TemporaryDirectory(prefix="stillwatch-fit-") as place:
        folder = Path(place)
        generate(load_scenario(scenario), seed=seed, scale=SCALE, out=folder)
        traffic = load_world(folder)
        found = detect(traffic, load_traits(), NOBODY, Options(reference="baseline+traffic"))
        truth = {r["account_id"]: r for r in pq.read_table(folder / "truth/accounts.parquet").to_pylist()}
        kinds = {}
        for line in (folder / "truth/campaigns.jsonl").read_text("utf-8").splitlines():
            row = json.loads(line)
            kinds[row["campaign_id"]] = row["kind"]
    owners: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for account, unit in enumerate(traffic.unit.tolist()):
        owners[unit].append(truth[traffic.names.account.names[account]])
    groups = []
    for group, stream in zip(found.groups, found.streams, strict=True):
        who = Counter(r["campaign_id"] or r["class"] for unit in group.units.tolist() for r in owners[unit])
        top, most = who.most_common(1)[0]
        groups.append(
            {
                "class": top if top not in kinds else kinds[top], "campaign": kinds.get(top) == "campaign",
                "purity": most / who.total(), "units": len(group.units), "features": stream.features,
            }
        )  # fmt: skip
    ordinary = np.zeros(traffic.n_units, np.bool_)
    for unit, rows in owners.items():
        ordinary[unit] = all(r["class"] == "ordinary" for r in rows)
    shares = fit_shares(traffic, found, ordinary, public_only=True)
    return {
        "scenario": scenario, "seed": seed, "groups": groups, "units": int(ordinary.sum()),
        "shares": {
            k: {"values": v.values.tolist(), "shares": v.shares.tolist(), "units": v.units} for k, v in shares.items()
        },
    }  # fmt: skip


def build(worlds: list[dict[str, Any]], as_of: str) -> Baseline:
    """The baseline from what was found."""
    groups = [g for w in worlds for g in w["groups"] if g["purity"] >= PURITY]
    for group in groups:
        group["features"] = {name: float(group["features"][name]) for name in FEATURES}
    weights = fit_weights([g["features"] for g in groups], [g["campaign"] for g in groups])
    honest = [g for g in groups if not g["campaign"]]
    first = worlds[0]
    shares = {
        k: Shares(np.array(s["values"], np.int64), np.array(s["shares"]), s["units"])
        for k, s in first["shares"].items()
    }
    return Baseline(
        "lab honest population", as_of, "shipped", first["units"], None, shares,
        calibrate(
            [g["features"] for g in honest], [g["class"] for g in honest], [g["units"] for g in honest], weights
        ), "",
        f"simulated: {len(worlds)} worlds, seeds 11 to 22, scale {SCALE}; make baseline",
    )  # fmt: skip


def main() -> None:
    """Look at every world that has not been looked at, then write the baseline."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(".cache/fit-shipped.jsonl"))
    parser.add_argument("--out", type=Path, default=Path("src/stillwatch/detect/data") / SHIPPED)
    parser.add_argument("--jobs", type=int, default=2, help="worlds at a time; each needs about 2 GB")
    parser.add_argument("--as-of", default=datetime.now(tz=UTC).date().isoformat())
    args = parser.parse_args()
    args.work.parent.mkdir(parents=True, exist_ok=True)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    program = program_digest()
    worlds = kept(args.work, program)
    done = {(w["scenario"], w["seed"]) for w in worlds}
    todo = [w for w in WORLDS if w not in done]
    with ProcessPoolExecutor(args.jobs, mp_context=get_context("spawn")) as pool:
        for number, found in enumerate(as_completed([pool.submit(look_at, *w) for w in todo]), start=1):
            worlds.append({**found.result(), "program": program})
            with args.work.open("a", encoding="utf-8") as file:
                file.write(json.dumps(worlds[-1]) + "\n")
            sys.stderr.write(f"{number}/{len(todo)} {worlds[-1]['scenario']} seed {worlds[-1]['seed']}\n")
    worlds.sort(key=lambda w: WORLDS.index((w["scenario"], w["seed"])))
    made = build(worlds, args.as_of)
    args.out.write_bytes(dump_baseline(made))
    sys.stderr.write(
        f"{len(made.calibration.scores)} honest linked groups; weights {made.calibration.weights}\n"
    )


if __name__ == "__main__":
    main()
