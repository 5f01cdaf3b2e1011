"""Campaigns and runs, small enough to be checked by eye."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import pyarrow as pa

from stillwatch.records import (
    Campaign,
    Confidence,
    Evidence,
    Family,
    Finding,
    Kind,
    Measure,
    Member,
    Person,
    Plan,
    ScanResult,
    Tier,
)
from stillwatch.report.tables import campaign_row, dumps
from stillwatch.respond import planning
from stillwatch.respond.importing import Imported, file_run
from stillwatch.respond.planning import Wanted
from tests.protect.making import NOW
from tests.respond.conftest import Office

CARD = ("payment", "d:card", Family.IDENTITY, True, 1e-5)
TLS = ("tls_fingerprint", "d:tls", Family.INFRASTRUCTURE, False, 1e-4)
APP = ("client_software", "popular", Family.INFRASTRUCTURE, False, 0.6)
Value = tuple[str, str, Family, bool, float]


def campaign(
    name: str, accounts: Sequence[str], values: Sequence[Value] = (), *, kind: Kind = Kind.CAMPAIGN, at: datetime = NOW,
    exemplars: tuple[str, ...] = (), fdr: float = 0.01,
) -> Campaign:  # fmt: skip
    """A campaign whose accounts all show the values."""
    return Campaign(
        campaign_id=name,
        kind=kind,
        first_seen=at - timedelta(days=2),
        last_seen=at,
        account_count=len(accounts),
        exchange_count=10 * len(accounts),
        output_tokens=900 * len(accounts),
        log10_e_value=9.0,
        p_value=0.001,
        calibration_count=200,
        false_discovery_rate=fdr,
        bits={f: 20.0 if f in (Family.IDENTITY, Family.TIMING) else 0.0 for f in Family},
        extraction_share=0.8,
        extraction_share_low=0.6,
        extraction_share_high=0.9,
        capabilities=("reasoning",),
        techniques=("AML.T0024.002",),
        confidence=Confidence.HIGH,
        granted=False,
        explanation="",
        evidence=tuple(
            Evidence(t, f, v, len(accounts), share, 3.0, 6.0, control, 3.0)
            for t, v, f, control, share in values
        ),
        edges=tuple((a, t, v) for t, v, *_ in values for a in accounts),
        exemplars=exemplars,
    )


def result(
    groups: Mapping[str, Sequence[str]] | Sequence[tuple[Campaign, Sequence[str]]], at: datetime = NOW
) -> ScanResult:
    """A run with these groups; every account is a firm member unless its name begins with ``w``."""
    pairs = (
        [(campaign(name, accounts, at=at), accounts) for name, accounts in groups.items()]
        if isinstance(groups, Mapping) else list(groups)
    )  # fmt: skip
    members = [
        Member(c.campaign_id, a, Tier.WATCH if a.startswith("w") else Tier.MEMBER, 40.0 - place / 100, 0.8, 10,
               c.first_seen, c.last_seen, ("shares a payment card",))
        for c, accounts in pairs for place, a in enumerate(accounts)
    ]  # fmt: skip
    findings = [
        Finding(
            f"{c.campaign_id}:payment",
            "payment",
            Family.IDENTITY,
            c.campaign_id,
            4.0,
            "accounts",
            "baseline",
            None,
            6.0,
            ("all pay with one card",),
            ("one company's card",),
        )
        for c, _ in pairs
    ]
    return ScanResult(
        tuple(c for c, _ in pairs), tuple(members), tuple(findings), (),
        pa.table({"account_id": [f"x{k}" for k in range(1000)]}), {"settings_digest": "5e" * 32, "version": "0.1"},
    )  # fmt: skip


def run_id(one: ScanResult) -> str:
    """As the files' digest would be: another run, another id."""
    return hashlib.sha256(repr((one.campaigns, one.members)).encode()).hexdigest()[:32]


def filed(office: Office, one: ScanResult, by: str = "ana") -> Imported:
    """File a run."""
    with office.work(by) as work:
        return file_run(
            work, one, run_id=run_id(one), label="run", row_of=lambda c: json.loads(dumps(campaign_row(c)))
        )


def names(prefix: str, count: int) -> list[str]:
    """Account ids."""
    return [f"{prefix}{k:03}" for k in range(count)]


def planned(
    office: Office,
    case_number: int,
    wanted: Wanted | None = None,
    *,
    two_above: int = 50,
    agree: Sequence[str] = ("pia",),
) -> Plan:
    """A plan that was agreed to."""
    with office.work() as work:
        plan = planning.make(
            work,
            case_number,
            wanted or Wanted(Measure.BLOCK, "webhook"),
            estimate=lambda case, bits, others: {"accounts": len(bits) + others},
            two_above=two_above,
        )
    for name in agree:
        with office.work(name) as work:
            plan = planning.approve(
                work, plan.number, agreed=True, digest=plan.digest[:8], version=plan.version
            )
    return plan


def person(office: Office, name: str) -> Person:
    """Somebody of the team."""
    return office.team[name]
