"""``make study-sigma``: whom the rules of the pack raise in worlds of the simulator, honest or not.

Rules are converted by pySigma and run by SQLite. Prints the table of ``docs/practice.md``. Thresholds are not fitted:
they were set before any of these worlds was looked at. Truth is read here and nowhere else.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
from scipy.stats import binomtest

from scripts.lab_run import a_key, generate, stillwatch
from stillwatch.practice.events import FIELDS
from stillwatch.practice.sigma import rules, to_yaml

ROOT = Path(__file__).resolve().parent.parent
PYSIGMA = ROOT / ".cache" / "sigma" / "bin" / "python"
WORLDS = (("smoke", 1.0), ("observed_relay_6", 0.1), ("observed_burst_4k", 0.05))


def study(scenario: str, scale: float, seed: int, place: Path, key: Path) -> str:
    """One world: honest accounts with traffic, those raised, and members of campaigns and pools that were."""
    world, pack, out = place / scenario, place / "pack", place / f"{scenario}.jsonl"
    generate(scenario, seed, scale, world)
    stillwatch("sigma", "events", world / "exchanges", "--key-file", key, "--out", out, "--quiet")
    pack.mkdir(exist_ok=True)
    for one in rules():
        (pack / f"{one.key}.yml").write_text(to_yaml(one))
    command: list[str | Path] = [
        PYSIGMA,
        ROOT / "scripts" / "run_sigma.py",
        pack,
        out,
        *(field.name for field in FIELDS),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    who = [json.loads(line)["stillwatch.account_id"] for line in out.read_text().splitlines()]
    truth = pq.read_table(
        world / "truth" / "accounts.parquet", columns=["account_id", "campaign_id"]
    ).to_pylist()
    group = {row["account_id"]: row["campaign_id"] for row in truth}
    raised = {rule: {who[n - 1] for n in places} for rule, places in json.loads(done.stdout).items()}
    everyone = set().union(*raised.values())
    honest, wronged = ({a for a in accounts if group[a] is None} for accounts in (set(who), everyone))
    rate = binomtest(len(wronged), len(honest)).proportion_ci(0.95)
    by_rule = {rule: len({a for a in found if group[a] is None}) for rule, found in raised.items() if found}
    caught = Counter(group[a] for a in everyone if group[a] is not None)
    return (
        f"{scenario} x {scale:g}, seed {seed}: {len(wronged)} of {len(honest):,} honest accounts raised "
        f"({rate.low:.3%} to {rate.high:.2%}), by {by_rule}; of campaigns and pools {dict(caught)}"
    )


def main() -> None:
    """Every world at one seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=501)
    parser.add_argument("--only", choices=[name for name, _ in WORLDS])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        key = a_key(Path(folder))
        for scenario, scale in WORLDS:
            if given.only in (None, scenario):
                print(study(scenario, scale, given.seed, Path(folder), key), flush=True)


if __name__ == "__main__":
    main()
