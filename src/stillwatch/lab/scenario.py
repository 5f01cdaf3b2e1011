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
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError
from stillwatch.lab.scenario_files import read_table

_FOLDER = Path(__file__).parent / "scenarios"
SPLITS = ("develop", "validate", "sealed")
"""What a scenario may be used for; see :attr:`Scenario.split`."""


@dataclass(frozen=True, slots=True)
class Ordinary:
    """Unrelated honest accounts."""

    accounts: int = 0
    """Number at scale 1."""
    exchanges_per_day: float = 8.0
    """Mean per account and day."""
    volume_sigma: float = 1.75
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
    start: date
    days: int
    ordinary: Ordinary
    honest: Mapping[str, LookAlike]
    campaigns: tuple[CampaignSpec, ...]
    completions: str = "short"
    """``short``: one to three sentences of answer text; ``none``: token counts only."""
    release_share: float = 0.4
    """When the new model comes out, as a share of the scenario."""
    description: str = ""
    version: int = 1
    """Raised whenever the file changes what it simulates."""
    split: str = "develop"
    """``develop``: look and tune; ``validate``: choose between finished settings; ``sealed``: report once."""

    @property
    def digest(self) -> str:
        """SHA-256 of everything but the description, so that two worlds can be told to be of one making."""
        content = {k: v for k, v in asdict(self).items() if k != "description"}
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


def _take(kind: type, table: Mapping[str, Any], where: str) -> dict[str, Any]:
    known = {f.name for f in fields(kind)}
    unknown = sorted(set(table) - known)
    if unknown:
        raise ConfigError(
            f"{where}: unknown keys {', '.join(unknown)}", hint=f"known keys: {', '.join(sorted(known))}"
        )
    return {k: tuple(v) if isinstance(v, list) else v for k, v in table.items()}


def scenarios() -> dict[str, str]:
    """Names of the built-in scenarios and what each is for."""
    found = {}
    for path in sorted(_FOLDER.glob("*.toml")):
        found[path.stem] = str(tomllib.loads(path.read_text(encoding="utf-8")).get("description", ""))
    return found


def load_scenario(name_or_path: str | Path) -> Scenario:
    """Read a built-in scenario by name, or a TOML file by path.

    Raises
    ------
    ConfigError
        Unknown scenario, unknown key, unknown class, variant or level.
    """
    from stillwatch.lab.attackers.check import check_campaign
    from stillwatch.lab.honest import CLASSES

    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = _FOLDER / f"{name_or_path}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in _FOLDER.glob("*.toml")))
        raise ConfigError(f"no scenario {name_or_path!s}", hint=f"built in: {known}; or give a .toml file")
    table = read_table(path, _FOLDER)
    raw_honest = dict(table.pop("honest", {}))
    honest = {}
    for key, value in raw_honest.items():
        if key not in CLASSES:
            raise ConfigError(
                f"{path.name}: unknown honest class {key}", hint=f"known: {', '.join(sorted(CLASSES))}"
            )
        honest[key] = LookAlike(**_take(LookAlike, value, f"{path.name}: honest.{key}"))
    campaigns = []
    for i, value in enumerate(table.pop("campaigns", [])):
        spec = CampaignSpec(**_take(CampaignSpec, value, f"{path.name}: campaigns[{i}]"))
        check_campaign(spec, f"{path.name}: campaigns[{i}]")
        campaigns.append(spec)
    ordinary = Ordinary(**_take(Ordinary, table.pop("ordinary", {}), f"{path.name}: ordinary"))
    plain = _take(Scenario, table, path.name)
    plain.setdefault("name", path.stem)
    if plain.get("completions", "short") not in ("short", "none"):
        raise ConfigError(f"{path.name}: completions must be short or none")
    if plain.get("split", "develop") not in SPLITS:
        raise ConfigError(f"{path.name}: unknown split", hint=f"known: {', '.join(SPLITS)}")
    return Scenario(ordinary=ordinary, honest=honest, campaigns=tuple(campaigns), **plain)


__all__ = ["SPLITS", "CampaignSpec", "LookAlike", "Ordinary", "Scenario", "load_scenario", "scenarios"]
