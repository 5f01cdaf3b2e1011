"""Time of a private join, measured small: two members, two key holders, one rule.

    python -m scripts.bench_join --values 2000

Every party computes in this one process, one after another. Work grows with the number of values: the figure
for 100,000 is a projection, and printed as one. Two cores halve it where the parties are spread over them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from stillwatch.share.join import group, oprf
from stillwatch.share.join.contribution import ClusterTags, Contribution
from stillwatch.share.join.evidence import PARTS
from stillwatch.share.join.holder import KeyHolder, Refused
from stillwatch.share.join.ledger import FileLedger
from stillwatch.share.join.rule import join
from stillwatch.share.join.tags import Value, ask, open_answers

EPOCH = "2026-W48"


def main() -> None:
    """Measures, prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--values", type=int, default=2000, help="values of each member, half of them common")
    count = parser.parse_args().values
    spent: dict[str, float] = dict.fromkeys(("ask", "answer", "open", "join"), 0.0)
    with tempfile.TemporaryDirectory() as folder:
        holders = [
            KeyHolder(
                {EPOCH: group.random_scalar()}, {"a": count, "b": count}, FileLedger(Path(folder, f"{at}.db"))
            )
            for at in range(2)
        ]
        contributions = []
        for member, start in (("a", 0), ("b", count // 2)):
            values = [
                Value(("content", "address")[at % 2], str(at).encode()) for at in range(start, start + count)
            ]
            contributions.append(Contribution(member, EPOCH, _clusters(holders, member, values, spent)))
        began = time.process_time()
        found = join(EPOCH, contributions).matches
        spent["join"] += time.process_time() - began
    print(f"{count} x {count} values, CPU seconds of all parties; {len(found)} pairs found")
    for name, seconds in spent.items():
        print(f"  {name:7} {seconds:8.2f} s")
    total = sum(spent.values())
    print(
        f"  total   {total:8.2f} s; projected to 100,000 x 100,000: {total * 100_000 / count:.0f} CPU seconds"
    )


def _clusters(
    holders: list[KeyHolder], member: str, values: list[Value], spent: dict[str, float]
) -> tuple[ClusterTags, ...]:
    """As many clusters as the values fill."""
    by_kind: dict[str, list[bytes]] = {"content": [], "address": []}
    for at in range(0, len(values), oprf.LARGEST_BATCH):
        batch = values[at : at + oprf.LARGEST_BATCH]
        marks = [time.process_time()]
        question = ask(EPOCH, batch)
        marks.append(time.process_time())
        answers = [holder.answer(member, EPOCH, question.wire) for holder in holders]
        marks.append(time.process_time())
        publics = [holder.public(EPOCH) for holder in holders]
        given = [each for each in answers if not isinstance(each, Refused)]
        tags = open_answers(question, given, [each for each in publics if not isinstance(each, Refused)])
        marks.append(time.process_time())
        for name, one, other in zip(("ask", "answer", "open"), marks, marks[1:], strict=False):
            spent[name] += other - one
        for value, tag in zip(batch, tags, strict=True):
            by_kind[value.kind].append(tag)
    return tuple(
        ClusterTags(
            f"{member}{at}",
            "10-49",
            {kind: frozenset(tags[at : at + PARTS]) for kind, tags in by_kind.items()},
        )
        for at in range(0, (len(values) + 1) // 2, PARTS)
    )


if __name__ == "__main__":
    main()
