"""What whoever runs a hub does: members, people's keys, rounds. All of it is entries of the journal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stillwatch.errors import ConfigError
from stillwatch.records.sharing import Tlp
from stillwatch.wiring.hub_folder import HUB, HubFolder, HubShelf, hub_folder, shelf_store
from stillwatch.wiring.taxii import now_us

if TYPE_CHECKING:
    from stillwatch.share.hub.asked import Draft
    from stillwatch.share.hub.state import State

_MEMBER = re.compile(r"[a-z][a-z0-9-]{1,31}")
_TOKEN_DAYS = 365
MOST_HOURS = 96.0


def put_hub_member(
    folder: Path,
    name: str,
    *,
    organisation: str | None,
    clearance: str | None,
    suspend: bool,
    new_token: bool,
) -> dict[str, Any]:
    """Add a member or change one; a new one gets a token for the objects, which is told this once."""
    from stillwatch.share.hub.asked import Draft

    hub = hub_folder(folder)
    if not _MEMBER.fullmatch(name) or name == HUB:
        raise ConfigError("a member's name: small letters, digits and hyphens, 2 to 32", hint="not `hub`")

    def drafts(state: State) -> list[Draft]:
        before = state.members.get(name)
        if before is None and (organisation is None or clearance is None):
            raise ConfigError(f"{name} is new: say of which organisation it is, and what may be shown to it",
                              hint="--organisation NAME --clearance amber")  # fmt: skip
        whose = organisation or (before.organisation if before else "")
        level = int(Tlp.of(clearance)) if clearance else before.clearance if before else 0
        made = {"name": name, "organisation": _spelt(whose, state), "clearance": level, "active": not suspend}
        return [Draft("member", made)]

    state, new = _noted(hub, drafts, lambda s: name not in s.members)
    return {"member": name, "new": new, "active": not suspend} | _reader(hub, state, name, new or new_token)


def put_hub_person(
    folder: Path, member: str, *, person: str | None, key: str, steward: bool, end: bool
) -> dict[str, Any]:
    """Add a person's key to a member, or end one."""
    hub = hub_folder(folder)
    from stillwatch.share.hub.asked import Draft
    from stillwatch.share.hub.signing import key_id

    which = key_id(key)

    def drafts(state: State) -> list[Draft]:
        if member not in state.members:
            raise ConfigError(
                f"there is no member {member!r}", hint="stillwatch hub member FOLDER NAME adds one"
            )
        there = state.keys.get(which)
        if end:
            if there is None or there.member != member or there.ended:
                raise ConfigError(
                    "this member has no such key in use", hint="stillwatch hub roster lists them"
                )
            return [Draft("key_ended", {"key_id": which})]
        if there is not None:
            raise ConfigError(
                "this key is listed already", hint="a key is listed once, also when it was ended"
            )
        if person is None:
            raise ConfigError("a key belongs to a person", hint="--person NAME")
        made = {"member": member, "key_id": which, "public": key, "person": _text(person), "steward": steward}
        return [Draft("key", made)]

    _noted(hub, drafts, lambda _: None)
    return {"member": member, "key_id": which, "person": person, "steward": steward, "ended": end}


def begin_round(
    folder: Path, *, commit_hours: float | None, show_hours: float, keyholders: Sequence[str], ca: Path | None,
    honey: Path | None, key: Path | None,
) -> dict[str, Any]:  # fmt: skip
    """Open this week's round, with the public keys that the key holders tell, and plant honey tags.

    Args:
        commit_hours: from now to the cut-off, which lies in this week: then the key holders destroy their shares. Else
            as long as the week lasts, and at most `MOST_HOURS`.
        honey: lines of kind (address, device or identity), a blank, and a value that no traffic has.
        key: of the hub, which both key holders know.
    """
    from stillwatch.share.join.holder import epoch_of
    from stillwatch.wiring.hub_join import publics_of, tags_for
    from stillwatch.wiring.hub_member import Asking
    from stillwatch.wiring.join_clusters import unused

    hub_folder(folder)
    now = datetime.now(UTC)
    epoch = epoch_of(now)
    rows = {
        "url": "",
        "member": HUB,
        "key": str(key or ""),
        "ca": str(ca or ""),
        "keyholders": list(keyholders),
    }
    asking = Asking(rows, folder / "round", "")
    publics = publics_of(asking, epoch)
    tags: list[bytes] = []
    if honey is not None:
        if key is None:
            raise ConfigError(
                "honey tags are asked of the key holders", hint="--key FILE: a key that both know"
            )
        lines = [
            line.split(" ", 1) for line in honey.read_text("utf-8", "replace").splitlines() if line.strip()
        ]
        if any(len(line) != 2 for line in lines):
            raise ConfigError(
                f"{honey.name}: each line is a kind, a blank and a value", hint="address 192.0.2.0/24"
            )
        planted = [each for kind, value in lines for each in unused(kind, value.strip())]
        tags = tags_for(asking, epoch, publics, planted)
    left = (_week_ends(now) - now).total_seconds() / 3600
    if commit_hours is not None and commit_hours > left:
        raise ConfigError(
            f"the week ends in {left:.1f} hours, and with it its key",
            hint="choose fewer --commit-hours, or wait",
        )
    cut_off = now + timedelta(hours=min(MOST_HOURS, left) if commit_hours is None else commit_hours)
    made = open_round(
        folder, epoch=epoch, commit_until=cut_off, reveal_until=cut_off + timedelta(hours=show_hours), publics=publics,
        honey=[tag.hex() for tag in tags],
    )  # fmt: skip
    return made | {"commit_until": cut_off.isoformat(timespec="seconds"), "publics": publics}


def open_round(
    folder: Path, *, epoch: str, commit_until: datetime, reveal_until: datetime, publics: Sequence[str],
    honey: Sequence[str] = (),
) -> dict[str, Any]:  # fmt: skip
    """Open a round of joining.

    Args:
        publics: public parts of the key holders' shares of this epoch, in hexadecimal, as the key holders told them.
        honey: tags of values that no traffic has, in hexadecimal; no member is told.
    """
    hub = hub_folder(folder)
    from stillwatch.share.hub.asked import Draft
    from stillwatch.share.join.group import element
    from stillwatch.share.taxii.moments import written

    times = [int(t.timestamp() * 1e6) for t in (commit_until, reveal_until)]
    if not now_us() < times[0] < times[1]:
        raise ConfigError(
            "a round's cut-off lies ahead, and its end after the cut-off",
            hint="--commit-until, --reveal-until",
        )
    for one in publics:
        element(_hex(one))
    if len(set(publics)) < 2:
        raise ConfigError("there are two key holders at least", hint="one alone could look every value up")

    def drafts(state: State) -> list[Draft]:
        if epoch in state.rounds:
            raise ConfigError(
                f"the round of {epoch} has been opened", hint="there is one round for each week"
            )
        ends = max((r.reveal_until_us for r in state.rounds.values() if not r.closed_us), default=0)
        if ends > now_us():
            raise ConfigError(
                f"members may show their parts of the last round until {written(ends)[:16].replace('T', ' ')} UTC",
                hint="open this one afterwards: members see one round at a time",
            )
        data = {
            "epoch": epoch, "commit_until_us": times[0], "reveal_until_us": times[1], "publics": list(publics),
        }  # fmt: skip
        return [Draft("round", data, json.dumps(list(honey)).encode() if honey else b"")]

    _noted(hub, drafts, lambda _: None)
    return {"epoch": epoch, "honey_tags": len(honey)}


def hub_roster(folder: Path) -> dict[str, Any]:
    """Members, their people, rounds, and what waits for somebody; for whoever runs the hub."""
    hub = hub_folder(folder)
    state, _ = _noted(hub, lambda _: [], lambda _: None)
    return {
        "members": [
            {"name": m.name, "organisation": m.organisation, "clearance": Tlp(m.clearance).label, "active": m.active,
             "keys": [
                 {"person": k.person, "key": k.public, "steward": k.steward, "ended": k.ended}
                 for k in state.keys.values() if k.member == m.name
             ]}
            for m in state.members.values()
        ],
        "submissions": len(state.submissions),
        "withdrawals": [
            {"submission": s.id, "not_acknowledged": sorted(s.readers - s.heard)}
            for s in state.submissions.values() if s.withdrawn_us
        ],
        "open_disputes": [d.id for d in state.disputes.values() if d.open],
        "open_appeals": [a.id for a in state.appeals.values() if a.open],
        "rounds": [
            {"epoch": r.epoch, "committed": sorted(r.committed), "shown": sorted(r.shown), "closed": bool(r.closed_us),
             "set_aside": r.aside}
            for r in state.rounds.values()
        ],
    }  # fmt: skip


def _noted(
    hub: HubFolder, drafts: Callable[[State], list[Draft]], before: Callable[[State], Any]
) -> tuple[State, Any]:
    """Enter drafts into the journal; its leaves follow when the hub runs. The state, and what was looked at before."""
    from stillwatch.records.hub import Entry
    from stillwatch.share.hub.desk import enter
    from stillwatch.share.hub.state import State
    from stillwatch.store.hub_journal import Journal

    state = State()
    with Journal(hub.path / "journal.db").writing() as writer:
        for _, body, _ in writer.since(0):
            state.apply(Entry(**json.loads(body)))
        seen = before(state)
        made = enter(writer, state.seq, None, drafts(state), now_us())
    for _, body, _ in made:
        state.apply(Entry(**json.loads(body)))
    return state, seen


def _reader(hub: HubFolder, state: State, name: str, token: bool) -> dict[str, Any]:
    """The same member as a reader of the objects."""
    from stillwatch.share.taxii import members
    from stillwatch.store.sql import writing

    of = state.members[name]
    ends = now_us() + _TOKEN_DAYS * 86_400 * 10**6
    with shelf_store(hub) as engine:
        HubShelf(hub, engine).admit(name, of.clearance, of.active)
        with writing(engine) as conn:
            made = (
                members.new_token(conn, name, expires_us=ends, now_us=now_us(), alone=True) if token else None
            )
    until = datetime.fromtimestamp(ends / 1e6, UTC).date().isoformat() if made else None
    return {"token": made, "token_ends": until}


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def _week_ends(now: datetime) -> datetime:
    """When the ISO week ends, in UTC."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return day + timedelta(days=7 - day.weekday())


def _spelt(organisation: str, state: State) -> str:
    """An organisation as it was spelt first: two spellings are not two organisations."""
    made = " ".join(_text(organisation).split())
    known = {m.organisation.casefold(): m.organisation for m in state.members.values()}
    return known.get(made.casefold(), made)


def _text(words: str) -> str:
    if not words.strip() or not words.isprintable() or len(words) > 100:
        raise ConfigError("a name is 1 to 100 printable characters", hint="--organisation, --person")
    return words.strip()


__all__ = ["begin_round", "hub_roster", "open_round", "put_hub_member", "put_hub_person"]
