"""A member's part in a round of joining: tags of what its clusters show, and what was joined with them.

Which clusters, and which values, is `wiring.join_clusters`'s to say. Values never leave; tags are asked of both key
holders at once, and the file of the round, with tags and nonce, is the owner's alone to read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stillwatch.errors import ConfigError, VerificationError
from stillwatch.settings import Settings
from stillwatch.wiring.hub_member import Asking, ask_hub, keyholders, membership, see_hub
from stillwatch.wiring.progress import Progress, replace_private, writable

if TYPE_CHECKING:
    from stillwatch.share.join.clusters import Cluster
    from stillwatch.share.join.tags import Value

_EPOCH = re.compile(r"[0-9]{4}-W[0-9]{2}")
MOST_CLUSTERS = 64
"""Clusters of a contribution: more would be longer than a hub reads."""
_STANDING = ("act", "review", "watch", "none")


def commit_round(
    file: Path, run: Path, inputs: Sequence[str], *, settings: Settings, format: str | None, mapping: Path | None,
    progress: Progress,
) -> dict[str, Any]:  # fmt: skip
    """Make this week's contribution from a run and its logs, keep it, and commit to it.

    What was kept is committed to again, and no tag is asked for twice: the answer may have been lost.
    """
    asking = membership(file)
    held = see_hub(file, "round")
    epoch = str(held.get("epoch"))
    place = round_file(file, epoch)
    if place.exists():
        return _committed(file, _kept(file, epoch))
    from stillwatch.share.hub.rules_rounds import sent
    from stillwatch.share.join.clusters import asked, prepare
    from stillwatch.wiring.join_clusters import clusters_of

    found = clusters_of(run, inputs, settings=settings, progress=progress, format=format, mapping=mapping)
    clusters = foremost(found)
    if not clusters:
        raise ConfigError(
            "the run has no cluster to join",
            hint="groups of ten accounts and more are joined, without a grant",
        )
    values = asked(clusters)
    progress.step(f"asking two key holders for {len(values)} tags")
    tags = _tags(asking, epoch, list(map(str, held.get("publics", []))), values)
    made = prepare(str(asking.rows["member"]), epoch, clusters, dict(zip(values, tags, strict=True)))
    told = {
        "epoch": epoch,
        "nonce": made.nonce.hex(),
        "clusters": sent(made.contribution),
        "campaigns": dict(made.book),
        "left": len(found) - len(clusters),
    }
    with writable(place):
        replace_private(place, json.dumps(told).encode())
    return _committed(file, told)


def foremost(clusters: Sequence[Cluster]) -> list[Cluster]:
    """As many clusters as a contribution may have: those of the highest standing, of these the largest."""
    ranked = sorted(clusters, key=lambda c: (_STANDING.index(c.standing), -len(c.accounts), c.subject))
    return ranked[:MOST_CLUSTERS]


def show_round(file: Path) -> dict[str, Any]:
    """Show what was committed to, after the cut-off."""
    held = see_hub(file, "round")
    kept = _kept(file, str(held.get("epoch")))
    given = {name: kept[name] for name in ("epoch", "nonce", "clusters")}
    done = ask_hub(file, "contributions", given)
    return {"epoch": kept["epoch"], "done": len(done["done"]), "already": done["already"]}


def round_result(file: Path) -> dict[str, Any]:
    """What the newest round gave, with our own names for our clusters."""
    held = see_hub(file, "round")
    place = round_file(file, str(held.get("epoch")))
    names = _kept(file, str(held.get("epoch")))["campaigns"] if place.exists() else {}
    pairs = [
        p | {"campaign": names.get(p["cluster"], "")} for p in held.get("pairs", []) if isinstance(p, dict)
    ]
    return held | {"pairs": pairs}


def round_file(file: Path, epoch: str) -> Path:
    """Where a member keeps its part of a round.

    Raises:
        VerificationError: what a hub calls a week is none, and would lead somewhere else.
    """
    if not _EPOCH.fullmatch(epoch):
        raise VerificationError("the hub names a week that is none", hint="ask whoever runs it")
    return file.with_name(f"{file.stem}.round-{epoch}.json")


def _kept(file: Path, epoch: str) -> dict[str, Any]:
    try:
        kept: dict[str, Any] = json.loads(round_file(file, epoch).read_bytes())
        return kept
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"this member has made no contribution to {epoch}", hint="stillwatch hub round commit RUN LOGS"
        ) from error


def _committed(file: Path, kept: Mapping[str, Any]) -> dict[str, Any]:
    """Commit to a contribution that is kept."""
    from stillwatch.share.hub.rules_rounds import contribution
    from stillwatch.share.join.contribution import commitment

    epoch, member = str(kept["epoch"]), str(membership(file).rows["member"])
    made = contribution(member, epoch, kept["clusters"])
    committed = commitment(made, bytes.fromhex(kept["nonce"])).hex()
    done = ask_hub(file, "commitments", {"epoch": epoch, "committed": committed})
    tags = sum(len(found) for row in kept["clusters"] for found in row["tags"].values())
    return {
        "epoch": epoch, "clusters": len(kept["clusters"]), "tags": tags, "file": str(round_file(file, epoch)),
        "campaigns": kept["campaigns"], "left": kept.get("left", 0), "already": done["already"],
    }  # fmt: skip


def _tags(asking: Asking, epoch: str, publics: list[str], values: list[Value]) -> list[bytes]:
    from stillwatch.share.join.oprf import LARGEST_BATCH
    from stillwatch.share.join.tags import ask, open_answers

    tags: list[bytes] = []
    with keyholders(asking) as holders, ThreadPoolExecutor(max(1, len(holders))) as pool:
        told = [str(h.get(f"/kh/v1/epochs/{epoch}").get("public", "")) for h in holders]
        if len(told) < 2 or told != publics:
            raise VerificationError(
                "the key holders' keys are not those that the round was opened with, in this order",
                hint="the member's file names both; ask whoever runs the hub, and do not go on with one",
            )
        for start in range(0, len(values), LARGEST_BATCH):
            question = ask(epoch, values[start : start + LARGEST_BATCH])
            given = [(h, f"/kh/v1/epochs/{epoch}/evaluate", question.wire) for h in holders]
            answers = list(pool.map(lambda each: each[0].send(*each[1:]), given))
            tags += open_answers(question, answers, [bytes.fromhex(p) for p in publics])
    return tags


def publics_of(asking: Asking, epoch: str) -> list[str]:
    """The public parts of the key holders' shares, as they tell them."""
    with keyholders(asking, sign=False) as holders:
        return [str(h.get(f"/kh/v1/epochs/{epoch}").get("public", "")) for h in holders]


def tags_for(asking: Asking, epoch: str, publics: list[str], values: list[Value]) -> list[bytes]:
    """Tags of values, for whoever plants honey tags; they cost budget like anybody's."""
    return _tags(asking, epoch, publics, values)


__all__ = ["commit_round", "foremost", "publics_of", "round_file", "round_result", "show_round", "tags_for"]
