"""What decides now: policy, risk table, grants and switches, loaded whole from where they are published."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from stillwatch.errors import ConfigError
from stillwatch.protect.grants import Grants, LiveGrant, grants_from
from stillwatch.protect.policy import Policy
from stillwatch.protect.risk import RiskTable, empty_table
from stillwatch.records import Action
from stillwatch.wiring.gate_folder import RISK, keep_policy, read_switches
from stillwatch.wiring.policy_files import read_policy


@dataclass(frozen=True, slots=True)
class InForce:
    """Swapped as a whole, so that no decision is half of one and half of another."""

    policy: Policy
    table: RiskTable
    grants: Grants
    off: frozenset[str] = frozenset()
    signals: frozenset[str] = frozenset()
    """Live signals that the policy asks for."""

    @classmethod
    def of(cls, policy: Policy, table: RiskTable, off: frozenset[str] = frozenset()) -> InForce:
        """These together."""
        return cls(policy, table, Grants(grants_of(table)), off, policy.signals)

    @classmethod
    def load(cls, path: str | Path | None, folder: Path, *, keyed: bool) -> InForce:
        """Everything, at the start of a gate. Without a table nobody stands anywhere."""
        policy = usable_policy(path, folder, keyed=keyed)
        table = RiskTable.open(folder / RISK) if (folder / RISK).exists() else empty_table()
        return cls.of(policy, table, read_switches(folder))

    def with_policy(self, policy: Policy) -> InForce:
        """The same under another policy."""
        return replace(self, policy=policy, signals=policy.signals)


def usable_policy(path: str | Path | None, folder: Path, *, keyed: bool) -> Policy:
    """A policy that this gate can carry out; its text is kept for replay."""
    policy = read_policy(path)
    if not keyed and any(rule.action is Action.VERIFY for rule in policy.rules):
        raise ConfigError("the policy verifies, which needs the digest key",
                          hint="make one with `stillwatch key new` and name it in privacy.key_file")  # fmt: skip
    keep_policy(folder, policy)
    return policy


def grants_of(table: RiskTable) -> list[LiveGrant]:
    """Grants that a table carries."""
    times = ("valid_from", "valid_until")
    return grants_from({**g, **{t: datetime.fromisoformat(g[t]) for t in times}} for g in table.grants)
