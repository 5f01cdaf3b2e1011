"""A member's side: its file, what it asks of the hub, and the receipts that it checks.

A receipt counts when it is for what was asked, its leaf is that of the entry and lies in the log, the checkpoint is
signed with the key that the member pinned, and the log as it is now only grew since that checkpoint and since the one
that the member saw last. A member may demand that witnesses of its choice have signed the log as it is now.
"""

from __future__ import annotations

import base64
import json
import re
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stillwatch.errors import ConfigError, SourceError, UpstreamError, VerificationError
from stillwatch.settings import Settings
from stillwatch.wiring.hub_folder import needs_extra
from stillwatch.wiring.leads import trusted
from stillwatch.wiring.progress import writable, write_private, write_whole
from stillwatch.wiring.witnesses import witness_key

if TYPE_CHECKING:
    from stillwatch.evidence.note import Checkpoint
    from stillwatch.share.hub.client import Client

_KEYS = frozenset(
    {
        "url",
        "log",
        "member",
        "key",
        "ca",
        "keyholders",
        "objects",
        "collection",
        "witnesses",
        "witnesses_needed",
    }
)
_LISTS = frozenset({"keyholders", "witnesses"})
WAIT_S, _AGAIN_S = 30.0, 0.3
"""How long a member waits for witnesses of the hub's log, and how often it looks."""
RECENT_S = 600.0
"""How far the time of an entry may lie from ours when its receipt comes."""
_PLAIN = re.compile(r"[^\"\\\x00-\x1f]{0,500}")
Membership = Mapping[str, Any]


def new_member_key(out: Path) -> dict[str, Any]:
    """Make a person's key; the public half is one line for the hub and the key holders."""
    needs_extra()
    from stillwatch.share.hub.signing import MemberKey, key_id

    key = MemberKey.new()
    with writable(out):
        try:
            write_private(out, key.pem())
        except FileExistsError as error:
            raise ConfigError(f"{out.name} exists and is not replaced", hint="name another file") from error
    return {"private": str(out), "public": key.public, "key_id": key_id(key.public)}


def join_hub(
    url: str, out: Path, *, member: str, key: Path, log: str | None, ca: Path | None, keyholders: Sequence[str],
    witnesses: Sequence[str] = (), witnesses_needed: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Write a member's file, once the hub knows the key.

    Args:
        log: key of the hub's log, which is pinned; else as the hub tells it this once.
        witnesses: keys of witnesses that are trusted; what the hub names is nothing to rely on.
        witnesses_needed: how many of them must have signed the hub's log, each time; else all.
    """
    needs_extra()
    from stillwatch.evidence.note import Verifier

    if out.exists():
        raise ConfigError(f"{out.name} exists and is not replaced", hint="name another file: --out")
    named = list(dict.fromkeys(witness_key(one).vkey for one in witnesses))
    needed = len(named) if witnesses_needed is None else witnesses_needed
    if needed > len(named):
        raise ConfigError(
            f"{needed} witnesses are demanded and {len(named)} named", hint="name each: --witness KEY"
        )
    rows: dict[str, Any] = {
        "url": url.rstrip("/"), "member": member, "key": str(key.resolve()),
        "ca": str(ca.resolve()) if ca else "",
        "keyholders": [one.rstrip("/") for one in keyholders],
    }  # fmt: skip
    with _client(Asking(rows, out, log or ""), sign=False) as hub:
        about = hub.get("/hub/v1/about")
    told = {name: str(about.get(name, "")) for name in ("name", "log", "objects", "collection")}
    if log is not None and told["log"] != log:
        raise VerificationError(
            "the hub's log has another key than the one you were told", hint="ask whoever runs the hub"
        )
    Verifier.parse(told["log"])
    rows |= {"log": told["log"], "objects": told["objects"], "collection": told["collection"]}
    rows |= {"witnesses": named, "witnesses_needed": needed} if named else {}
    lines = [
        f"{name} = {json.dumps(value, ensure_ascii=False)}"
        for name, value in rows.items()
        if _fits(name, value)
    ]
    asking = Asking(rows, out, told["log"])
    with _client(asking) as hub:
        hub.get("/hub/v1/inbox")
        _grown(asking, hub)
    with writable(out):
        write_whole(out, "\n".join(lines) + "\n")
    return {
        "file": str(out), "name": told["name"], "log": told["log"], "pinned_as_told": log is not None,
        "witnesses": list(map(str, about.get("witnesses") or ())), "witnesses_needed": needed,
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asking:
    """A member's file, read."""

    rows: Membership
    path: Path
    log: str

    @property
    def seen(self) -> Path:
        """Where the newest checkpoint that was seen is kept."""
        return self.path.with_suffix(".checkpoint")

    @property
    def needed(self) -> int:
        """Witnesses that must have signed the hub's log."""
        return int(self.rows.get("witnesses_needed", 0))


def membership(path: Path) -> Asking:
    """A member's file."""
    needs_extra()
    try:
        rows = tomllib.loads(path.read_text("utf-8"))
        if set(rows) - _KEYS or not {"url", "log", "member", "key"} <= set(rows):
            raise ValueError("other keys")
        if not all(_of_form(*row) for row in rows.items()):
            raise ValueError("other values")
        if rows.get("witnesses_needed", 0) > len(rows.get("witnesses", [])):
            raise ValueError("more witnesses than are named")
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path.name} is no member's file",
            hint="make one: stillwatch hub join URL --member NAME --key FILE",
        ) from error
    return Asking(rows, path, rows["log"])


def _of_form(name: str, value: Any) -> bool:
    """Whether a value of a member's file is of the kind that it should be."""
    if name in _LISTS:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    return type(value) is (int if name == "witnesses_needed" else str)


def ask_hub(file: Path, what: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Do something at the hub, and check the receipts for it."""
    asking = membership(file)
    with _client(asking) as hub:
        told = hub.post(f"/hub/v1/{what}", given)
        if what == "preview":
            return told
        _grown(asking, hub, *(_checked(asking, what, given, receipt) for receipt in told.get("done", [])))
    return told


def see_hub(file: Path, what: str) -> dict[str, Any]:
    """Look at something at the hub; its log is held against what was seen before."""
    asking = membership(file)
    with _client(asking) as hub:
        told = hub.get(f"/hub/v1/{what}")
        _grown(asking, hub)
    return told


def hub_transparency(url: str, ca: Path | None) -> dict[str, Any]:
    """What everybody may know of a hub."""
    needs_extra()
    asking = Asking({"url": url, "ca": str(ca or "")}, Path("none"), "")
    with _client(asking, sign=False) as hub:
        return hub.get("/hub/v1/transparency")


def submit_to_hub(
    file: Path, draft: Path, *, settings: Settings, epoch: str, cluster: str, preview: bool
) -> dict[str, Any]:
    """Submit a released draft, or look at what the hub would hand on of it."""
    from stillwatch.wiring.sharing import BUNDLE, FORM, check_share

    tlp = "" if preview else check_share(draft, settings=settings)["tlp"]
    try:
        bundle = json.loads((draft / BUNDLE).read_bytes())
        level = json.loads((draft / FORM).read_bytes())["level"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(str(draft), "not a draft", hint="name a folder that `share draft` made") from error
    if preview:
        return ask_hub(file, "preview", {"bundle": bundle, "tlp": level})
    return ask_hub(file, "submissions", {"bundle": bundle, "tlp": tlp, "epoch": epoch, "cluster": cluster})


def check_receipt(asking: Asking, receipt: Any) -> tuple[dict[str, Any], Checkpoint]:
    """The entry that a receipt is for, once everything holds, and the checkpoint of the log in which it lies.

    Raises:
        VerificationError: entry, leaf, proof or signature do not fit together.
    """
    import rfc8785

    from stillwatch.evidence.merkle import check_inclusion, leaf_hash
    from stillwatch.share.hub.desk import commitment

    try:
        entry, proof = dict(receipt["entry"]), receipt["proof"]
        leaf = base64.b64decode(proof["leaf"], validate=True)
        told = json.loads(leaf)
        path = [base64.b64decode(step, validate=True) for step in proof["path"]]
        index, signed = int(proof["index"]), str(proof["checkpoint"])
        made = commitment(rfc8785.dumps(entry), bytes.fromhex(receipt["salt"]))
        seq = int(entry["seq"])
    except (KeyError, TypeError, ValueError, rfc8785.CanonicalizationError) as error:
        raise VerificationError("the receipt is of another form", hint=_TELL) from error
    if told.get("kind") != "hub" or told.get("digest") != f"sha256:{made}" or index != seq - 1:
        raise VerificationError("the receipt's leaf is not that of its entry", hint=_TELL)
    if entry.get("member") != asking.rows["member"]:
        raise VerificationError("the receipt is for what another member did", hint=_TELL)
    seen = _checkpoint(asking, signed)
    check_inclusion(leaf_hash(leaf), index, seen.size, path, seen.root)
    return entry, seen


def _checked(asking: Asking, what: str, given: Mapping[str, Any], receipt: Any) -> Checkpoint:
    """The checkpoint of a receipt for what was asked just now: no older one, and none for other words."""
    entry, seen = check_receipt(asking, receipt)
    try:
        late = abs(int(entry["at_us"]) / 1e6 - time.time()) > RECENT_S
        same = all(entry["data"][name] == given[name] for name in _SAID & set(entry["data"]) & set(given))
    except (KeyError, TypeError, ValueError) as error:
        raise VerificationError("the receipt is of another form", hint=_TELL) from error
    if entry.get("kind") not in _MADE[what] or late or not same:
        raise VerificationError("the receipt is for something else than what was asked", hint=_TELL)
    return seen


def _checkpoint(asking: Asking, signed: str) -> Checkpoint:
    """A checkpoint that the hub's log signed, of this log and no other that its key may sign too."""
    from stillwatch.evidence.note import Checkpoint, Verifier, opened

    key = Verifier.parse(asking.log)
    found = Checkpoint.parse(opened(signed, [key])[0])
    if found.origin != key.name:
        raise VerificationError(f"this is the log of {found.origin!r}, not of {key.name!r}", hint=_TELL)
    return found


def _grown(asking: Asking, hub: Client, *receipts: Checkpoint) -> None:
    """Hold the hub's log against the newest checkpoint that was seen, and those of receipts; the one that it has now,
    signed by as many witnesses as are demanded, is seen from here on."""
    from stillwatch.evidence.merkle import check_consistency

    before = [_checkpoint(asking, asking.seen.read_text("utf-8"))] if asking.seen.exists() else []
    olds = [*before, *receipts]
    signed, new, paths = _now(asking, hub, {old.size for old in olds})
    for old in olds:
        if new.size < old.size:
            raise VerificationError(
                f"the hub's log was truncated: {new.size} leaves, and {old.size} were seen", hint=_TELL
            )
        if old.size:
            check_consistency(old.size, new.size, paths.get(old.size, []), old.root, new.root)
    with writable(asking.seen):
        write_whole(asking.seen, signed)


def _now(asking: Asking, hub: Client, sizes: set[int]) -> tuple[str, Checkpoint, dict[int, list[bytes]]]:
    """The checkpoint that the hub's log has now, and proofs from each size; a witnessed one is waited for."""
    query = "&".join(f"from={size}" for size in sorted(sizes or {0}))
    if not asking.needed:
        return _told(asking, hub.get("/hub/v1/log", query))
    ends, count = time.monotonic() + WAIT_S, 0
    while True:
        told = hub.get("/hub/v1/log", f"{query}&witnessed=1")
        if told.get("checkpoint"):
            found = _told(asking, told)
            count = _witnesses(asking, found[0])
            if count >= asking.needed and found[1].size >= max(sizes, default=0):
                return found
        if time.monotonic() > ends:
            raise VerificationError(
                f"{asking.needed} of your witnesses must have signed the hub's log as it is now, and did not "
                f"({count} signed what it calls witnessed)",
                hint="what you asked is done, but others may be shown another log: ask the witnesses' keepers",
            )
        time.sleep(_AGAIN_S)


def _told(asking: Asking, told: Mapping[str, Any]) -> tuple[str, Checkpoint, dict[int, list[bytes]]]:
    try:
        signed = str(told["checkpoint"])
        paths = {
            int(size): [base64.b64decode(step, validate=True) for step in path]
            for size, path in told["paths"].items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise VerificationError("the proof of the log is of another form", hint=_TELL) from error
    return signed, _checkpoint(asking, signed), paths


def _witnesses(asking: Asking, signed: str) -> int:
    """How many of the member's witnesses signed a checkpoint; by key, whatever they are called."""
    from stillwatch.evidence.note import opened

    count = 0
    for witness in {one.public: one for one in map(witness_key, asking.rows["witnesses"])}.values():
        try:
            opened(signed, [witness])
        except VerificationError:
            continue
        count += 1
    return count


@contextmanager
def _client(asking: Asking, url: str = "", *, sign: bool = True) -> Iterator[Client]:
    import httpx

    from stillwatch.share.hub.client import Client

    with httpx.Client(timeout=120.0, trust_env=False, verify=trusted(asking.rows.get("ca", ""))) as http:
        yield Client(http, url or str(asking.rows["url"]), _key(asking.rows) if sign else None)


@contextmanager
def keyholders(asking: Asking, *, sign: bool = True) -> Iterator[list[Client]]:
    """The key holders, in the order of the member's file."""
    from contextlib import ExitStack

    with ExitStack() as kept:
        yield [
            kept.enter_context(_client(asking, str(url), sign=sign))
            for url in asking.rows.get("keyholders", [])
        ]


def _key(rows: Membership) -> Any:
    from stillwatch.share.hub.signing import MemberKey

    path = Path(str(rows["key"]))
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"{path.name} can be read by others", hint=f"chmod 600 {path}")
        return MemberKey.from_pem(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path.name} cannot be read", hint="the member's file names its key") from error


def _fits(name: str, value: Any) -> bool:
    """Whether a value goes into the file; what a server told could hold anything."""
    if not all(_PLAIN.fullmatch(str(one)) for one in (value if isinstance(value, list) else [value])):
        raise UpstreamError(
            f"{name} is not of the form that a file can hold", hint="ask whoever runs the hub"
        )
    return bool(value)


def moment_us(moment: datetime) -> int:
    """A time, as the hub counts it."""
    return int(moment.astimezone(UTC).timestamp()) * 10**6


_MADE = {
    "submissions": {"submission"}, "confirmations": {"confirmation"}, "feedback": {"feedback"},
    "withdrawals": {"withdrawal"}, "acknowledgements": {"acknowledgement"}, "disputes": {"dispute"},
    "decisions": {"decision", "withdrawal"}, "appeals": {"appeal"}, "answers": {"answer", "withdrawal"},
    "cases": {"case"}, "steps": {"step"}, "commitments": {"commitment"}, "contributions": {"contribution"},
}  # fmt: skip
"""Entries for which an asker may get receipts."""
_SAID = frozenset({"verb", "ground", "upheld", "kind", "at_us", "epoch", "cluster", "committed", "admit"})
"""Words of a request that stand in its entry as they were said."""
_TELL = "keep what you were sent, and ask whoever runs the hub"

__all__ = [
    "Asking", "ask_hub", "check_receipt", "hub_transparency", "join_hub", "keyholders", "membership", "moment_us",
    "new_member_key", "see_hub", "submit_to_hub",
]  # fmt: skip
