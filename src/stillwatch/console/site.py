"""Everything a page may ask: the desk with its store, the run, who signs in. One, made at the start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stillwatch.console.running import Runner
from stillwatch.console.signin.kept import Kept
from stillwatch.console.signin.local import Local
from stillwatch.console.signin.sessions import Sessions
from stillwatch.console.simulating import Simulations
from stillwatch.records import Person
from stillwatch.respond.work import PROGRAM, Work
from stillwatch.settings import Settings
from stillwatch.settings.networks import Networks
from stillwatch.wiring.desk import Desk
from stillwatch.wiring.lead_view import LatestLeads
from stillwatch.wiring.run_view import LatestRun, RunView

if TYPE_CHECKING:
    from stillwatch.console.signin.oidc import Provider


@dataclass(frozen=True, slots=True)
class Site:
    """What pages work with."""

    desk: Desk
    latest: LatestRun
    kept: Kept
    sessions: Sessions
    local: Local
    settings: Settings
    runner: Runner
    provider: Provider | None = None
    """Where people may also sign in."""
    gate: Path | None = None
    """Folder of a gate, for policy and its switches."""
    policy: Path | None = None
    """The policy file in force; else the one that ships."""
    proxies: Networks = field(default_factory=lambda: Networks(()))
    """Proxies in front, whose word about a client's address is taken."""
    simulations: Simulations = field(default_factory=Simulations)
    leads: LatestLeads = field(default_factory=LatestLeads)
    """What others shared that lies beside the run: no part of it, and no verdict."""

    @property
    def secure(self) -> bool:
        """Reached over HTTPS, so that cookies are sent over nothing else."""
        return self.settings.console.https

    @property
    def provider_name(self) -> str:
        """What the provider is called; empty when there is none."""
        return self.settings.console.oidc_name if self.provider else ""

    @property
    def run(self) -> RunView:
        """The run as it is now."""
        return self.latest.view()

    def now(self) -> datetime:
        """The time."""
        return self.desk.now()

    @contextmanager
    def work(self, person: Person | None) -> Iterator[Work]:
        """A transaction in which somebody, or the program, changes things."""
        with self.desk.work(person or PROGRAM) as made:
            yield made

    def record(self, person: Person | None, what: str, subject: str, **details: Any) -> None:
        """A line of the audit record for something that changed nothing else."""
        with self.work(person) as work:
            work.note(what, subject, **details)
