"""A member's part in a round of joining: which values its clusters show, their tags, and what was joined with them.

Clusters are the campaigns of a run without a grant, of ten accounts and more, associated ones included. A value
belongs to a cluster when more of the accounts that show it are inside than outside: what all customers show joins
nobody. Values never leave; tags are asked of both key holders at once, and the file of the round, with tags and nonce,
is the owner's alone to read.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stillwatch.errors import ConfigError, VerificationError
from stillwatch.settings import Settings
from stillwatch.wiring.hub_member import Asking, ask_hub, keyholders, membership, see_hub
from stillwatch.wiring.progress import Progress, replace_private, writable

if TYPE_CHECKING:
    import pyarrow as pa

    from stillwatch.share.join.tags import Value

_COLUMNS = ("account_id", "client_ip", "system_prompt", "user_agent", "tls_fingerprint", "device_id")
_EPOCH = re.compile(r"[0-9]{4}-W[0-9]{2}")
MOST_VALUES = 4_000
"""Values of one cluster that are asked for; those shown by most of its accounts first."""
Shown = dict[tuple[str, bytes], set[str]]


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
    clusters, asked = clusters_of(run, inputs, settings, format, mapping, progress)
    if not clusters:
        raise ConfigError(
            "the run has no cluster to join", hint="campaigns of ten accounts and more are joined"
        )
    progress.step(f"asking two key holders for {sum(map(len, asked))} tags")
    contribution, names = _contribution(
        asking, epoch, list(map(str, held.get("publics", []))), clusters, asked
    )
    from stillwatch.share.hub.rules_rounds import sent

    nonce = secrets.token_bytes(32)
    told = {"epoch": epoch, "nonce": nonce.hex(), "clusters": sent(contribution), "campaigns": names}
    with writable(place):
        replace_private(place, json.dumps(told).encode())
    return _committed(file, told)


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
        "campaigns": kept["campaigns"], "already": done["already"],
    }  # fmt: skip


def clusters_of(
    run: Path, inputs: Sequence[str], settings: Settings, format: str | None, mapping: Path | None,
    progress: Progress,
) -> tuple[list[tuple[str, int]], list[list[Value]]]:  # fmt: skip
    """Campaigns with their numbers of accounts, and the values of each."""
    from stillwatch.records import Kind, Tier
    from stillwatch.report import load_result
    from stillwatch.share.join.contribution import FEWEST_ACCOUNTS
    from stillwatch.wiring.intake import open_reader
    from stillwatch.wiring.sources import Span, split_sources

    result = load_result(run)
    members: dict[str, set[str]] = {
        c.campaign_id: set() for c in result.campaigns if c.kind is Kind.CAMPAIGN and not c.granted
    }
    for one in result.members:
        if one.campaign_id in members and one.tier is not Tier.WATCH:
            members[one.campaign_id].add(one.account_id)
    kept = {name: accounts for name, accounts in members.items() if len(accounts) >= FEWEST_ACCOUNTS}
    if not kept:
        return [], []
    progress.step("reading which values the clusters show")
    shown: Shown = {}
    _, logs, _ = split_sources(inputs, Span(None, None))
    if not logs:
        raise ConfigError(
            "these are feature files, which hold digests of this laboratory alone",
            hint="name the logs themselves",
        )
    for batch in open_reader(logs, settings, format, mapping).batches():
        _take(batch, shown)
    return (
        [(name, len(accounts)) for name, accounts in kept.items()],
        [values_of(accounts, shown) for accounts in kept.values()],
    )


def values_of(accounts: set[str], shown: Mapping[tuple[str, bytes], set[str]]) -> list[Value]:
    """The values that belong to a cluster: shown by it more than by all others."""
    from stillwatch.share.join.tags import Value

    inside = {key: len(by & accounts) for key, by in shown.items()}
    own = [key for key, by in shown.items() if inside[key] * 2 > len(by)]
    own.sort(key=lambda key: (-inside[key], key))
    return [Value(kind, value) for kind, value in own[:MOST_VALUES]]


def _take(batch: pa.RecordBatch, shown: Shown) -> None:
    rows = batch.select([c for c in _COLUMNS if c in batch.schema.names]).to_pylist()
    for row in rows:
        for key in _values(row):
            shown.setdefault(key, set()).add(str(row["account_id"]))


def _values(row: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """What an exchange shows, as every member writes it."""
    try:
        address = ipaddress.ip_address(row.get("client_ip") or "")
    except ValueError:
        pass
    else:
        length = 24 if address.version == 4 else 48
        block = ipaddress.ip_network((address, length), strict=False)
        yield f"ipv{address.version}_{length}", str(block).encode()
    client = "\n".join(str(row.get(name) or "") for name in ("user_agent", "tls_fingerprint")).strip()
    for kind, text in (
        ("client", client),
        ("device", row.get("device_id")),
        ("system", row.get("system_prompt")),
    ):
        if text:
            yield kind, hashlib.sha256(" ".join(str(text).split()).encode("utf-8", "replace")).digest()


def _contribution(
    asking: Asking, epoch: str, publics: list[str], clusters: list[tuple[str, int]], asked: list[list[Value]]
) -> tuple[Any, dict[str, str]]:
    """Contribution and own names of its clusters."""
    from stillwatch.share.join.contribution import Contribution, cluster_tags, without_shared

    flat = [value for values in asked for value in values]
    made = iter(_tags(asking, epoch, publics, flat))
    tagged: list[dict[str, list[bytes]]] = []
    for values in asked:
        tags: dict[str, list[bytes]] = {}
        for value in values:
            tags.setdefault(value.kind, []).append(next(made))
        tagged.append(tags)
    ready = [
        (name, cluster_tags(size, tags))
        for (name, size), tags in zip(clusters, without_shared(tagged), strict=True)
    ]
    whole = Contribution(str(asking.rows["member"]), epoch, tuple(cluster for _, cluster in ready))
    return whole, {cluster.name: name for name, cluster in ready}


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


__all__ = [
    "clusters_of",
    "commit_round",
    "publics_of",
    "round_file",
    "round_result",
    "show_round",
    "tags_for",
    "values_of",
]
