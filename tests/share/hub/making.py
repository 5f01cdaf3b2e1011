"""A hub in a folder, with members, and a clock that tests move."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from stillwatch.records.hub import Who
from stillwatch.records.sharing import Sender, Tlp
from stillwatch.share import build, in_bundle
from stillwatch.share.hub import view
from stillwatch.share.hub.asked import Draft
from stillwatch.share.hub.desk import Desk
from stillwatch.share.hub.signing import MemberKey, key_id
from stillwatch.share.taxii.moments import micros_of
from stillwatch.wiring.hub_folder import (
    HubFolder,
    HubLog,
    HubShelf,
    hub_folder,
    hub_log,
    new_hub,
    shelf_store,
)
from tests.share.making import ids, to_share

START = micros_of(datetime(2026, 12, 1, 12, tzinfo=UTC))
HOUR, DAY = 3600 * 10**6, 86_400 * 10**6
EPOCH = "2026-W49"
PEOPLE = {
    "north": ("North Lab", "Ada", False), "south": ("South Lab", "Bo", False), "east": ("East Lab", "Cy", True),
    "west": ("West Lab", "Di", False), "annex": ("North Lab", "Ed", True),
}  # fmt: skip
"""Members: organisation, person, whether a steward. The annex belongs to north's organisation."""


@dataclass
class Clock:
    """Stands still until it is moved."""

    at: int = START

    def __call__(self) -> int:
        return self.at


@dataclass
class Hub:
    """A desk and what is needed to ask it."""

    desk: Desk
    log: HubLog
    folder: HubFolder
    clock: Clock
    engine: Any
    keys: dict[str, MemberKey] = field(default_factory=dict)

    def join(self, name: str, person: str = "", clearance: Tlp = Tlp.AMBER_STRICT) -> MemberKey:
        """A member, or one more person of it."""
        organisation, first, steward = PEOPLE[name]
        key = MemberKey.new()
        if name not in self.desk.state.members:
            self.desk.note(
                Draft(
                    "member",
                    {"name": name, "organisation": organisation, "clearance": int(clearance), "active": True},
                )
            )
        self.desk.note(
            Draft("key", {"member": name, "key_id": key_id(key.public), "public": key.public,
                          "person": person or first, "steward": steward})
        )  # fmt: skip
        self.keys[person or name] = key
        return key

    def who(self, name: str) -> Who:
        """Whose key it is."""
        found, _ = self.desk.who(key_id(self.keys[name].public))
        assert found is not None
        return found

    def do(self, name: str, what: str, **given: Any) -> dict[str, Any]:
        """A member does something."""
        return self.desk.do(self.who(name), what, given)

    def submit(self, name: str, start: int = 1, **more: Any) -> str:
        """A member submits a campaign of its own; the id of the submission."""
        given = {"bundle": bundle(name, start), "tlp": "amber", "epoch": "", "cluster": ""} | more
        done = self.desk.do(self.who(name), "submissions", given)["done"]
        return str(done[0]["entry"]["data"]["id"])

    def inbox(self, name: str) -> dict[str, Any]:
        """What a member sees."""
        return dict(self.desk.see(lambda s, now: view.inbox(s, self.who(name), now)))

    def standing(self, name: str, what: str) -> dict[str, Any]:
        """What a member sees of a submission."""
        return dict(self.desk.see(lambda s, _: view.standing(s, self.who(name), what)))

    def level(self, what: str) -> str:
        """How far a submission is corroborated."""
        return str(self.desk.see(lambda s, _: s.corroboration(s.submissions[what])))


def bundle(name: str, start: int = 1, level: Tlp = Tlp.AMBER, **facts: Any) -> dict[str, Any]:
    """A released bundle of a member; other numbers, other ids."""
    number = 1 + sorted(PEOPLE).index(name)
    sender = Sender(
        f"Member {name} of the hub", f"identity--{UUID(int=number, version=4)}", f"https://{name}.example/x"
    )
    what = to_share(level=level, sender=sender, **facts)
    made = build(what, now=datetime(2026, 11, 30, tzinfo=UTC), ids=ids(start=start * 1000 + number * 100))
    return in_bundle(made, UUID(int=start * 1000 + number * 100 + 99, version=4))


@contextmanager
def hub(folder: Path, *members: str, clearance: Tlp = Tlp.AMBER_STRICT) -> Iterator[Hub]:
    """A hub with members; opened again, it is the same."""
    if not folder.exists():
        new_hub(folder, name="Test hub", url="https://hub.example", contact="")
    found = hub_folder(folder)
    clock = Clock()
    from stillwatch.store.hub_journal import Journal

    with shelf_store(found) as engine, hub_log(found) as log:
        desk = Desk(Journal(folder / "journal.db"), log, HubShelf(found, engine, clock), found.face, clock)
        desk.catch_up()
        made = Hub(desk, log, found, clock, engine)
        for name in members:
            made.join(name, clearance=clearance)
        yield made
