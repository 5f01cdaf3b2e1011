"""``make study-prove``: what the tests of training see and whom they wrong, into docs/data/student_study.json.

Parts that are there already are kept: remove the file, or name ``--again PART``, to make them anew.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from scripts.students import innocent, page, power
from scripts.students.world import ANSWERS, HELD_OUT, KEYS, READ, SCHEME, World

DATA = Path("docs/data/student_study.json")
Part = Callable[[], Iterator[dict[str, Any]]]


def over(part: Callable[[World], Iterator[dict[str, Any]]]) -> Part:
    """A part over the worlds that are reported on."""
    return lambda: (row for seed in HELD_OUT for row in part(World(seed)))


PARTS: dict[str, Part] = {
    "share": over(power.by_share),
    "innocent": lambda: (row for seed in innocent.WORLDS for row in innocent.audits(seed)),
    "treatment": over(power.by_treatment),
    "replies": over(power.by_replies),
    "nulls": lambda: innocent.nulls(World(HELD_OUT[0])),
    "along": over(innocent.along),
    "reading": over(power.by_reading),
}


def main() -> None:
    """Make what is missing, then the page's section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--again", action="append", default=[], choices=list(PARTS))
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    found = json.loads(options.data.read_text("utf-8")) if options.data.exists() else {"cpu_s": {}}
    found["about"] = {
        "scheme": SCHEME, "issued_keys": KEYS, "answers": ANSWERS, "texts_read": READ, "seeds": list(HELD_OUT),
        "innocent_worlds": list(innocent.WORLDS), "issued_keys_innocent": innocent.ISSUED,
    }  # fmt: skip
    for name, part in PARTS.items():
        if name in found and name not in options.again:
            continue
        start, found[name] = time.process_time(), []
        for row in part():
            found[name].append(row)
            print(f"{name}: {len(found[name])}", end="\r", flush=True)
        found["cpu_s"][name] = round(time.process_time() - start)
        print(f"{name}: {len(found[name])} rows, {found['cpu_s'][name]} s of CPU", flush=True)
        options.data.write_text(written(found), encoding="utf-8")
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
