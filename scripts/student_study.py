"""``make study-prove``: what the tests of training see and whom they wrong, into docs/data/student_study.json.

Worlds that are there already are kept, so a stopped study goes on where it stopped: remove the file, or name
``--again PART``, to make a part anew.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.students import attacks, innocent, page, power
from scripts.students.world import ANSWERS, HELD_OUT, KEYS, READ, SCHEME, World

DATA = Path("docs/data/student_study.json")
Rows = Iterator[dict[str, Any]]


@dataclass(frozen=True)
class Part:
    """Rows of each of some worlds."""

    of: Callable[[int], Rows]
    """From the seed of a world."""
    seeds: tuple[int, ...] = HELD_OUT


def over(part: Callable[[World], Rows]) -> Part:
    """A part over the worlds that are reported on."""
    return Part(lambda seed: part(World(seed)))


PARTS: dict[str, Part] = {
    "share": over(power.by_share),
    "innocent": Part(innocent.audits, innocent.WORLDS),
    "treatment": over(power.by_treatment),
    "replies": over(power.by_replies),
    "nulls": Part(lambda seed: innocent.nulls(World(seed)), HELD_OUT[:1]),
    "along": over(innocent.along),
    "reading": over(power.by_reading),
    "attacks": Part(attacks.by_attack, attacks.SEEDS),
    "innocent_more": Part(lambda seed: innocent.audits(seed, fresh=True), innocent.MORE),
}


def main() -> None:
    """Make what is missing, then the page's section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--again", action="append", default=[], choices=list(PARTS))
    parser.add_argument("--only", action="append", default=[], choices=list(PARTS))
    parser.add_argument("--data", type=Path, default=DATA, help="elsewhere, the page is left as it is")
    options = parser.parse_args()
    found = json.loads(options.data.read_text("utf-8")) if options.data.exists() else {"cpu_s": {}}
    found["about"] = {
        "scheme": SCHEME, "issued_keys": KEYS, "answers": ANSWERS, "texts_read": READ, "seeds": list(HELD_OUT),
        "innocent_worlds": list(innocent.WORLDS), "issued_keys_innocent": innocent.ISSUED,
        "innocent_more_worlds": list(innocent.MORE), "attack_seeds": list(attacks.SEEDS),
    }  # fmt: skip
    wanted = options.only or list(PARTS)
    for name, part in ((name, part) for name, part in PARTS.items() if name in wanted):
        if name in options.again:
            found[name], found["cpu_s"][name] = [], 0
        done = {row["seed"] for row in found.setdefault(name, [])}
        for seed in part.seeds:
            if seed in done:
                continue
            start = time.process_time()
            found[name] += part.of(seed)
            found["cpu_s"][name] = found["cpu_s"].get(name, 0) + round(time.process_time() - start)
            print(
                f"{name}, world {seed}: {len(found[name])} rows, {found['cpu_s'][name]} s of CPU", flush=True
            )
            options.data.write_text(written(found), encoding="utf-8")
    if options.data == DATA:
        page.main()


def written(found: dict[str, Any]) -> str:
    """One row a line, so that a change can be read."""
    parts = []
    for name, value in found.items():
        if isinstance(value, list):
            rows = ",\n".join(json.dumps(row) for row in value)
            parts.append(f'"{name}": [\n{rows}\n]')
        else:
            parts.append(f'"{name}": {json.dumps(value)}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    main()
