"""Rounds of joining: commitments before the cut-off, contributions after it, pairs to their two members.

Tags come from members alone, stay here until the round is closed and are destroyed then; of a round remain the names of
clusters, which are random, and which of them belong together.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Set
from typing import Any

from stillwatch.errors import VerificationError
from stillwatch.records.hub import Who
from stillwatch.share.hub.asked import Draft, NotAllowed, fields, within_budget
from stillwatch.share.hub.pseudonym import Face
from stillwatch.share.hub.state import Round, State
from stillwatch.share.join.contribution import (
    ClusterTags,
    Contribution,
    accounts_bucket,
    check_commitment,
)
from stillwatch.share.join.rule import Rule, join

EPOCH = re.compile(r"\d{4}-W\d\d")
HEX32, NAME = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-z]{1,32}")
KIND = re.compile(r"[a-z][a-z0-9_]{0,31}")
BUCKETS = frozenset(accounts_bucket(n) for n in (10, 50, 200, 1000, 10_000))


def commit(state: State, who: Who, given: Any, now_us: int, face: Face) -> list[Draft]:
    """Commit to a contribution, once, before the cut-off."""
    asked = fields(given, epoch=EPOCH, committed=HEX32)
    held = _round(state, asked["epoch"])
    if held.committed.get(who.member) == asked["committed"]:
        return []
    if who.member in held.committed:
        raise NotAllowed(
            409, "this member has committed to something else", "there is one commitment a round"
        )
    if now_us >= held.commit_until_us:
        raise NotAllowed(409, "the cut-off has passed", "take part in the next round")
    within_budget(state, who, "commitment", now_us)
    return [Draft("commitment", {"epoch": held.epoch, "committed": asked["committed"]})]


def contribute(state: State, who: Who, given: Any, now_us: int, face: Face) -> list[Draft]:
    """Show what was committed to, after the cut-off."""
    asked = fields(given, epoch=EPOCH, nonce=HEX32, clusters=list)
    held = _round(state, asked["epoch"])
    if who.member not in held.committed:
        raise NotAllowed(409, "this member has not committed to anything", "commit before the cut-off")
    if now_us < held.commit_until_us:
        raise NotAllowed(409, "the cut-off has not passed", "show it afterwards: until then it stays at home")
    if held.closed_us or now_us >= held.reveal_until_us:
        raise NotAllowed(409, "the round is over", "take part in the next round")
    made = contribution(who.member, held.epoch, asked["clusters"])
    try:
        check_commitment(made, bytes.fromhex(asked["nonce"]), bytes.fromhex(held.committed[who.member]))
    except VerificationError as error:
        raise NotAllowed(422, error.message, "show exactly what you committed to") from None
    if who.member in held.shown:
        return []
    within_budget(state, who, "contribution", now_us)
    data = {
        "epoch": held.epoch, "sha256": hashlib.sha256(made.bytes()).hexdigest(),
        "clusters": sorted(c.name for c in made.clusters),
    }  # fmt: skip
    return [Draft("contribution", data, json.dumps(asked["clusters"]).encode())]


def contribution(member: str, epoch: str, clusters: list[Any]) -> Contribution:
    """A contribution from what was sent."""
    made = []
    for row in clusters:
        asked = fields(row, name=NAME, accounts=str, tags=dict)
        if asked["accounts"] not in BUCKETS:
            raise NotAllowed(400, "accounts is not one of the buckets", "see the page on joining")
        tags = {}
        for kind, found in asked["tags"].items():
            if not KIND.fullmatch(kind) or not isinstance(found, list):
                raise NotAllowed(400, "tags are lists by kind", "see the page on joining")
            tags[kind] = frozenset(map(_tag, found))
        made.append(ClusterTags(asked["name"], asked["accounts"], tags))
    return Contribution(member, epoch, tuple(made))


def sent(made: Contribution) -> list[dict[str, Any]]:
    """The clusters of a contribution as they are sent."""
    return [
        {"name": c.name, "accounts": c.accounts,
         "tags": {kind: [t.hex() for t in sorted(tags)] for kind, tags in c.tags.items()}}
        for c in made.clusters
    ]  # fmt: skip


def due(held: Round, now_us: int) -> bool:
    """Whether a round can be closed: its time is over, or everybody who committed has shown."""
    everybody = bool(held.committed) and set(held.committed) == set(held.shown)
    return not held.closed_us and (
        now_us >= held.reveal_until_us or (now_us >= held.commit_until_us and everybody)
    )


def close(held: Round, contributions: list[Contribution], honey: Set[bytes]) -> Draft:
    """Join what was shown."""
    told = join(held.epoch, contributions, Rule(), honey)
    silent = sorted(set(held.committed) - set(held.shown))
    return Draft("joined", {
        "epoch": held.epoch,
        "pairs": [
            {"id": secrets.token_hex(8), "members": list(m.members), "clusters": list(m.clusters), "common": m.common}
            for m in told.matches
        ],
        "aside": [[each.member, each.reason] for each in told.set_aside] + [[m, "not_shown"] for m in silent],
    })  # fmt: skip


def _tag(text: Any) -> bytes:
    try:
        return bytes.fromhex(text)
    except (TypeError, ValueError):
        raise NotAllowed(400, "a tag is written in hexadecimal", "see the page on joining") from None


def _round(state: State, epoch: str) -> Round:
    held = state.rounds.get(epoch)
    if held is None:
        raise NotAllowed(404, "there is no such round", "ask for the current one")
    return held


__all__ = ["close", "commit", "contribute", "contribution", "due", "sent"]
