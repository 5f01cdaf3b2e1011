"""Scenarios: what a world contains, read from TOML. Unknown keys are refused.

Example
-------
>>> load_scenario("demo_day").days
1
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from stillwatch.errors import ConfigError
from stillwatch.lab.population import figure
from stillwatch.lab.scenario_check import SPLITS, check_table
from stillwatch.lab.scenario_files import changed, parse_changes, read_table

_FOLDER = Path(__file__).parent / "scenarios"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Ordinary:
    """Unrelated honest accounts."""

    accounts: int = 0
    """Number at scale 1."""
    exchanges_per_day: float = 8.0
    """Mean per account and day."""
    volume_sigma: float = figure("volume", "sigma")
    """Log-normal spread of volumes; 1.53-2.09 gives the top 10 % of accounts 60-79 % of exchanges."""
    chat_share: float = 0.35
    """Share of accounts that use the chat channel."""
    sentences: float = 6.0
    """Median number of context sentences of a prompt; about 60 characters each."""
    multi_turn: float = 0.7
    """Multiplies the share of conversations."""


@dataclass(frozen=True, slots=True)
class LookAlike:
    """One class of honest organisations that share traits."""

    n_orgs: int = 0
    """Organisations at scale 1."""
    accounts: tuple[int, int] = (2, 10)
    """Accounts per organisation, log-uniform."""
    exchanges: tuple[int, int] = (10, 80)
    """Exchanges per account over the whole scenario, log-uniform per organisation."""


@dataclass(frozen=True, slots=True)
class CampaignSpec:
    """One attacker: a campaign, or a pool (a relay without extraction)."""

    variant: str
    """Text family; ``pool`` needs none and takes ``mixed``."""
    accounts: int
    """Accounts at the start, at scale 1 (never scaled below 6)."""
    exchanges_per_account: float
    """Mean exchanges per account, cover traffic included."""
    level: int = 0
    """Rung 0-8 of the ladder of evasion."""
    kind: str = "campaign"
    """``campaign``, ``pool`` or ``framing``."""
    extraction_share: float | None = None
    """Share of exchanges that serve extraction; unset keeps the level's."""
    repeats: int = 1
    """Best-of-R: every payload is asked this often, on different accounts, minutes apart."""
    sealed_replay: bool = False
    """Present sealed reasoning that was issued to another account of the campaign."""
    templates: int = 2
    """Instruction templates in use."""
    ban_share: float | None = None
    """Share of accounts banned on the way; unset keeps the level's."""
    start_share: float = 0.0
    """When the campaign starts, as a share of the scenario."""
    stealth: bool = False
    """Drop further static traits whatever the level: own exits, no heartbeats, spread load."""
    dials: Mapping[str, float] = field(default_factory=dict)
    """Dials of evasion set otherwise than the level has them: ``[campaigns.dials]``."""
    also: tuple[str, ...] = ()
    """Further text families; work lines are dealt over all of them."""
    headers: str = "fixed"
    """``fixed``: the relay sends one platform per account; ``passed``: its customers' platforms show, and flip."""
    ban_waves: int = 0
    """0 spreads bans over time; otherwise they come in this many waves."""
    victims: int = 0
    """Kind ``framing``: honest accounts to be framed, at scale 1."""
    imitation: Mapping[str, float] = field(default_factory=dict)
    """Kind ``framing``: how closely a victim is imitated: ``[campaigns.imitation]``."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole world."""

    name: str
    """Goes into ``world.json`` and into what figures on the world are kept under."""
    start: date
    """First day, UTC."""
    days: int
    """Length."""
    ordinary: Ordinary
    """Unrelated honest accounts."""
    honest: Mapping[str, LookAlike]
    """Look-alikes by class."""
    campaigns: tuple[CampaignSpec, ...]
    """Attackers, in the order in which they are built."""
    completions: str = "short"
    """``short``: one to three sentences of answer text; ``none``: token counts only."""
    release_share: float = 0.4
    """When the new model comes out, as a share of the scenario."""
    description: str = ""
    """What ``lab scenarios`` shows; no part of the digest."""
    version: int = 1
    """Raised whenever the file changes what it simulates."""
    split: str = "develop"
    """``develop``: look and tune; ``validate``: choose between finished settings; ``sealed``: report once."""
    changes: Mapping[str, str] = field(default_factory=dict)
    """What the command line set otherwise than the file: for ``world.json``. The digest covers the outcome."""

    @property
    def digest(self) -> str:
        """SHA-256 of everything but words about it, so that two worlds can be told to be of one making."""
        content = {k: v for k, v in asdict(self).items() if k not in ("description", "changes")}
        return sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()

    @property
    def start_us(self) -> int:
        """First microsecond."""
        return (
            int(datetime(self.start.year, self.start.month, self.start.day, tzinfo=UTC).timestamp())
            * 1_000_000
        )

    @property
    def end_us(self) -> int:
        """One past the last microsecond."""
        return self.start_us + self.days * 86_400_000_000


def scenarios() -> dict[str, str]:
    """Names of the built-in scenarios and what each is for."""
    found = {}
    for path in sorted(_FOLDER.glob("*.toml")):
        found[path.stem] = str(tomllib.loads(path.read_text(encoding="utf-8")).get("description", ""))
    return found


def load_scenario(name_or_path: str | Path, changes: Mapping[str, str] | None = None) -> Scenario:
    """Read a built-in scenario by name, or a TOML file by path.

    Args
    ----
    changes: keys by dotted name with values as in TOML, set above the file's and checked like them. They become
        part of the scenario's name, so that figures on a changed world are never taken for the file's.

    Raises
    ------
    ConfigError
        Unknown scenario, key, class, variant or value, in a file or in ``changes``; says which, and what may be.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = _FOLDER / f"{name_or_path}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in _FOLDER.glob("*.toml")))
        raise ConfigError(f"no scenario {name_or_path!s}", hint=f"built in: {known}; or give a .toml file")
    table = read_table(path, _FOLDER)
    table.setdefault("name", path.stem)
    if changes:
        named = "".join(f"+{key}={value}" for key, value in sorted(changes.items()))
        table = changed(table, {"name": table["name"] + named} | parse_changes(changes))
        check_table({"name": table["name"]}, "-P")
    return _built(table, path.name, dict(sorted((changes or {}).items())))


def _built(table: Mapping[str, Any], where: str, changes: Mapping[str, str]) -> Scenario:
    from stillwatch.lab.attackers.check import check_campaign

    rest = dict(table)
    attacks, ordinary, classes = rest.pop("campaigns", []), rest.pop("ordinary", {}), rest.pop("honest", {})
    campaigns = [_made(CampaignSpec, c, where, f"campaigns[{i}].") for i, c in enumerate(attacks)]
    for number, spec in enumerate(campaigns):
        check_campaign(spec, f"{where}: campaigns[{number}]")
    return _made(
        Scenario,
        rest
        | {
            "ordinary": _made(Ordinary, ordinary, where),
            "honest": {name: _made(LookAlike, value, where) for name, value in classes.items()},
            "campaigns": campaigns,
            "changes": changes,
        },
        where,
    )


def _made(kind: type[_T], table: Mapping[str, Any], where: str, prefix: str = "") -> _T:
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in table.items()}
    for f in fields(kind):  # type: ignore[arg-type]
        if f.name not in given and f.default is MISSING and f.default_factory is MISSING:
            raise ConfigError(
                f"{where}: {prefix}{f.name} is missing", hint="in this file and in all it includes"
            )
    return kind(**given)


__all__ = ["SPLITS", "CampaignSpec", "LookAlike", "Ordinary", "Scenario", "load_scenario", "scenarios"]
