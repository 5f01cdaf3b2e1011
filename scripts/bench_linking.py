"""The linking step beside Splink, on the same accounts with the same values.

    python -m scripts.bench_linking --world FOLDER --beside .cache/peers/bin/python --out docs/data/linking.json

Reads a world of the lab, extracts what its accounts show, and hands both the same values: for each account the one it
shows most of its payment, telephone, device, address block, sign-up network, mail domain, client and template. Ours is
timed over hubs, controller test and groups, which weigh more than these (timing, hand-offs, work queues); Splink from
the table to clusters, training included. Both in CPU seconds. How far each is right is read from the lab's truth,
which neither has seen.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections import Counter
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from scripts.bench import machine
from stillwatch.detect.baseline import load_baseline
from stillwatch.detect.digest import Key
from stillwatch.detect.features import Featurizer
from stillwatch.detect.lexicon import load_lexicon
from stillwatch.detect.run import Options, detect, extract_tokens
from stillwatch.detect.traffic import Loader, Traffic
from stillwatch.detect.trait import Tokens
from stillwatch.detect.traits import load_traits
from stillwatch.ingest import Reader, read_accounts
from stillwatch.lab.suite.code import code_digest
from stillwatch.store import open_backend

KEY = Key.derive(b"linking-bench-key")
TRAITS = (
    "payment", "phone", "device_id", "address_block", "signup_address", "email_domain", "client_software", "template",
)  # fmt: skip
STEPS = ("hubs", "controller test", "groups")
SMALLEST = 5
"""Accounts of a cluster that counts, as `detect.hub_min` has it."""


def main() -> None:
    """Measure both and print one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--world", type=Path, required=True, help="made by `stillwatch lab generate`")
    parser.add_argument("--beside", metavar="PYTHON", required=True, help="interpreter that has splink")
    parser.add_argument(
        "--block-max", type=int, default=500, help="Splink blocks on what so many accounts share"
    )
    parser.add_argument("--memory-limit", default="6GB")
    parser.add_argument("--out", type=Path, help="where the result is written; it is always printed")
    given = parser.parse_args()
    made = json.loads((given.world / "world.json").read_text("utf-8"))
    table, own, group = ours(given.world, given.memory_limit)
    path = given.world / "accounts-to-link.parquet"
    pq.write_table(table, path)
    script = Path(__file__).with_name("bench_splink.py")
    done = subprocess.run(
        [given.beside, script, path, str(given.block_max)], check=True, stdout=subprocess.PIPE, text=True
    )
    theirs = json.loads(done.stdout.strip().splitlines()[-1])
    cluster = theirs.pop("cluster")
    truth = pq.read_table(given.world / "truth" / "accounts.parquet").to_pylist()
    sent = set(table.column("unique_id").to_pylist())
    truth = [row for row in truth if row["account_id"] in sent]  # nobody links who sent nothing
    controller = {row["account_id"]: row["controller"] for row in truth}
    operated = {row["account_id"] for row in truth if row["campaign_id"]}
    n = len(table)
    result = {
        "machine": machine(), "scenario": made["scenario"], "seed": made["seed"], "scale": made["scale"],
        "exchanges": made["exchanges"], "accounts": n, "traits": list(TRAITS), "block_max": given.block_max,
        "code": code_digest("own"),
        "stillwatch": own | _rate(n, own) | against_truth(group, controller, operated),
        "splink": theirs | _rate(n, theirs) | against_truth(cluster, controller, operated),
        "pairs": agreement(group, cluster),
    }  # fmt: skip
    text = json.dumps(result, indent=1) + "\n"
    print(text)
    if given.out:
        given.out.write_text(text, encoding="utf-8")


def _rate(accounts: int, cost: Mapping[str, Any]) -> dict[str, int]:
    return {"accounts_per_s_per_core": round(accounts / cost["cpu_s"])}


def ours(world: Path, memory_limit: str) -> tuple[pa.Table, dict[str, Any], dict[str, int]]:
    """The table of accounts; what linking it takes; and the group of each account that is in one."""
    traffic = _traffic(world, memory_limit)
    seconds: Counter[str] = Counter()
    running, since = "", time.process_time()

    def step(name: str) -> None:
        nonlocal running, since
        now = time.process_time()
        seconds[running] += now - since  # type: ignore[assignment]  # a counter of seconds
        running, since = name, now

    found = detect(traffic, load_traits(), load_baseline(None, KEY.key_id), Options(), step)
    step("")
    names = traffic.names.account.names
    tokens, _, _ = extract_tokens(traffic, load_traits(), lambda _: None)
    columns = {"unique_id": pa.array(names)} | {t: _shown_most(traffic, tokens.get(t)) for t in TRAITS}
    group = {
        names[account]: number
        for number, made in enumerate(found.groups)
        for account in np.flatnonzero(np.isin(traffic.unit, made.units))
    }
    spent = {name: seconds[name] for name in STEPS}
    return pa.table(columns), {"cpu_s": sum(spent.values()), "steps": spent}, group


def _traffic(world: Path, memory_limit: str) -> Traffic:
    feat = Featurizer(KEY, load_lexicon())
    loader = Loader(open_backend(1, memory_limit, None), feat)
    for batch in Reader([str(world / "exchanges")]).batches():
        loader.add(feat.batch(batch))
    accounts, _ = read_accounts([str(world / "accounts.parquet")])
    return loader.finish(accounts)


def _shown_most(traffic: Traffic, tokens: Tokens | None) -> pa.Array:
    """The value that each account's unit shows most, as words; null where it shows none."""
    column = np.zeros(traffic.n_units, np.int64)
    if tokens is not None:
        order = np.lexsort((-tokens.count, tokens.unit))
        unit, first = np.unique(tokens.unit[order], return_index=True)
        column[unit] = tokens.value[order][first]
    values = column[traffic.unit]
    return pa.array([str(v) if v else None for v in values.tolist()], pa.string())


def against_truth(
    cluster: Mapping[str, Any], controller: Mapping[str, str], operated: Set[str]
) -> dict[str, int]:
    """What clusters of at least five accounts hold, by who controls each account.

    A cluster is that of the controller of most of its accounts; an honest account of any other is wronged.

    >>> controller = dict.fromkeys("abcde", "op") | {"f": "f"}
    >>> found = against_truth(dict.fromkeys("abcdef", 1), controller, set("abcde"))
    >>> found["operated_with_their_own"], found["honest_with_strangers"]
    (5, 1)
    """
    inside: dict[Any, list[str]] = {}
    for account, number in cluster.items():
        inside.setdefault(number, []).append(account)
    large = [accounts for accounts in inside.values() if len(accounts) >= SMALLEST]
    own = strangers = 0
    for accounts in large:
        most, _ = Counter(controller[a] for a in accounts).most_common(1)[0]
        own += sum(a in operated and controller[a] == most for a in accounts)
        strangers += sum(a not in operated and controller[a] != most for a in accounts)
    return {
        "clusters": len(large), "accounts_in_clusters": sum(map(len, large)),
        "operated": len(operated), "operated_with_their_own": own,
        "honest": len(controller) - len(operated), "honest_with_strangers": strangers,
    }  # fmt: skip


def agreement(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, int]:
    """Pairs of accounts that each puts together, and that both do; counted by cells, never pair by pair.

    >>> agreement({"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 1, "c": 2})
    {'stillwatch': 3, 'splink': 1, 'both': 1}
    """

    def pairs(cells: Counter[Any]) -> int:
        return sum(n * (n - 1) // 2 for n in cells.values())

    return {
        "stillwatch": pairs(Counter(one.values())),
        "splink": pairs(Counter(other.values())),
        "both": pairs(Counter((one[a], other[a]) for a in one if a in other)),
    }


if __name__ == "__main__":
    main()
