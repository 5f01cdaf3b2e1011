"""Sample results for the report's tests: three campaigns, a pool, hostile strings, three hundred members."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from stillwatch.records import (
    Abstention,
    Campaign,
    Confidence,
    Evidence,
    Family,
    Finding,
    Kind,
    Member,
    ScanResult,
    Shape,
    Tier,
)

START = datetime(2026, 10, 1, tzinfo=UTC)
HOSTILE = (
    "<script>alert(1)</script>",
    '"onload="alert(2)',
    "{{7*7}}",
    "acct-\u202egnp.exe",
    "nul\x00and\x1b[31mred\x1b]0;title\x07",
    "</style></script><!--",
    "x" * 900,
    "line\u2028sep\u200bzero",
    "z\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308algo",
    "javascript:alert(3)",
)
LINES = (
    ("payment_digest", Family.IDENTITY, "pay:9f2c41aa07", 0.0004, 3.6, True),
    ("signup_burst", Family.IDENTITY, "2026-09-28 03h, programme education", 0.003, 1.9, False),
    ("prompt_template", Family.CONTENT, "tpl:5d1e7731c0", 0.0007, 4.2, False),
    ("client_fingerprint", Family.INFRASTRUCTURE, "ja4:t13d1516h2_8daaf6152771", 0.012, 1.6, False),
    ("address_block", Family.INFRASTRUCTURE, "blk:77a0c3", 0.002, 1.2, False),
    ("release_surge", Family.TIMING, "within 9 h of aurora-5", 0.06, 2.4, False),
    ("sealed_handoff", Family.BEHAVIOUR, "61 blocks presented by a second account", 0.00001, 5.1, True),
)
SHAPES = (
    ("distinct_payload_share", 0.993, 0.998, 0.41, "Almost no request is asked twice, by any member."),
    ("capability_concentration", 0.81, 0.97, 0.33, "Traffic keeps to a few capabilities."),
    ("training_ready_output_share", 0.74, 0.99, 0.09, "Answers are asked for as records with fields."),
    ("follow_up_share", 0.02, 0.92, 0.38, "Answers are seldom read and asked about."),
    ("day_night_ratio", 1.08, 0.71, 2.9, "Little difference between day and night."),
)
INNOCENT = (
    ("An evaluation team running public benchmarks", "Against: 0.3 % of payloads are in the public benchmark set, "
     "where evaluation teams show 40 % or more."),
    ("A product with many keys", "Against: the accounts declare different organisations and pay with three cards. "
     "For: the client is the same throughout."),
    ("A reseller with many customers", "Against: end-user ids are absent and one work queue is shared out without "
     "repeats, which independent customers do not do."),
)  # fmt: skip
CHANGE = (
    "A grant that covers these accounts and models.",
    "Proof that the three cards belong to one declared organisation.",
    "Benchmark overlap above 40 % once completions can be compared.",
)


def make_campaign(
    name: str = "C-2026-001",
    accounts: int = 96,
    kind: Kind = Kind.CAMPAIGN,
    seed: int = 1,
    days: int = 14,
    **changes: Any,
) -> Campaign:
    """One campaign with everything filled in; keyword arguments replace fields."""
    rng = random.Random(seed)
    strength = 1 if kind is Kind.CAMPAIGN else 0.5
    lines = LINES if kind is Kind.CAMPAIGN else LINES[2:5]
    evidence = tuple(
        Evidence(t, f, v, max(2, round(accounts * rng.uniform(0.4, 1))), q, 3.0, w * strength, c, 0.0)
        for t, f, v, q, w, c in ((t, f, v, q, w * rng.uniform(0.7, 1.3), c) for t, f, v, q, w, c in lines)
    )
    bits: dict[Family, float] = {}
    for e in evidence:
        bits[e.family] = max(bits.get(e.family, 0.0), e.log10_e_value * math.log2(10) * 1.1)
    total = sum(bits.values()) / math.log2(10)
    evidence = tuple(
        Evidence(e.trait, e.family, e.value, e.members, e.reference_share, e.kappa, e.log10_e_value,
                 e.control, total - e.log10_e_value * 0.8, e.note) for e in evidence
    )  # fmt: skip
    hours = [START + timedelta(hours=h) for h in range(days * 24)]
    release = days * 24 * 0.55
    models = []
    for i, hour in enumerate(hours):
        wave = 1 + 0.4 * math.sin(i / 24 * 2 * math.pi)
        old = round(60 * wave * (1 if i < release else 0.25) * rng.uniform(0.6, 1.4))
        new = round(70 * wave * (0 if i < release else min(1.0, (i - release) / 20)) * rng.uniform(0.6, 1.4))
        models += [
            (m, hour, n) for m, n in (("aurora-4.6", old), ("aurora-5", new), ("dawn-mini", i % 7)) if n
        ]
    by_model: dict[str, int] = {}
    for m, _, n in models:
        by_model[m] = by_model.get(m, 0) + n
    names = account_names(name, accounts)
    edges = []
    for j, a in enumerate(names):
        for k, e in enumerate(evidence):
            if rng.random() < (0.9, 0.6, 0.95, 0.8, 0.5, 0.3, 0.3)[k]:
                suffix = (
                    f"-{j % 5}"
                    if e.trait == "address_block"
                    else f"-{j % 3}"
                    if e.trait == "payment_digest"
                    else ""
                )
                edges.append((a, e.trait, e.value + suffix))
    exchanges = sum(by_model.values())
    fields: dict[str, Any] = dict(
        campaign_id=name, kind=kind, first_seen=START + timedelta(minutes=7), last_seen=START + timedelta(days=days),
        account_count=accounts, exchange_count=exchanges, output_tokens=exchanges * 1830, log10_e_value=total,
        p_value=0.0024 if kind is Kind.CAMPAIGN else 0.31, calibration_count=412, false_discovery_rate=0.01, bits=bits,
        extraction_share=0.78 if kind is Kind.CAMPAIGN else 0.12,
        extraction_share_low=0.71 if kind is Kind.CAMPAIGN else 0.05,
        extraction_share_high=0.84 if kind is Kind.CAMPAIGN else 0.22,
        capabilities=("reasoning_traces", "agentic_coding"),
        techniques=("AML.T0024.002", "AML.T0008.005", "AML.T0021"),
        confidence=Confidence.HIGH if kind is Kind.CAMPAIGN else Confidence.MEDIUM, granted=False,
        explanation=f"{accounts} accounts of 31 declared organisations work through one list of tasks. They share "
        "three payment instruments, one prompt template and one client build, and hand sealed reasoning blocks "
        "to each other. Work moved to aurora-5 within nine hours of its release."
        if kind is Kind.CAMPAIGN
        else f"{accounts} accounts share one client build and one address block. Their traffic is mixed and "
        "looks like a product's.",
        evidence=evidence,
        shape=tuple(Shape(f, v, p if kind is Kind.CAMPAIGN else p * 0.6, m, t) for f, v, p, m, t in SHAPES),
        innocent=INNOCENT if kind is Kind.CAMPAIGN else INNOCENT[1:], would_change=CHANGE,
        timeline=tuple((h, sum(n for _, x, n in models if x == h)) for h in hours), model_timeline=tuple(models),
        models=tuple(sorted(by_model.items())), edges=tuple(edges),
        taken=(("reasoning_traces", round(exchanges * 0.41), exchanges * 900), ("agentic_coding",
               round(exchanges * 0.27), exchanges * 700), ("rubric_grading", round(exchanges * 0.1), exchanges * 60)),
    )  # fmt: skip
    return Campaign(**{**fields, **changes})


def account_names(campaign: str, n: int) -> list[str]:
    """Pseudonymous account ids of a campaign."""
    rng = random.Random(campaign)
    return [f"acct_{rng.getrandbits(48):012x}" for _ in range(n)]


def make_members(campaign: Campaign, names: list[str] | None = None) -> tuple[Member, ...]:
    """Members of ``campaign`` over the three tiers."""
    rng = random.Random(campaign.campaign_id)
    reasons = ("shares payment instrument", "same prompt template", "took over a sealed block within 4 min",
               "moved to aurora-5 within 9 h")  # fmt: skip
    found = []
    for i, name in enumerate(names or account_names(campaign.campaign_id, campaign.account_count)):
        tier = Tier.MEMBER if i % 6 < 4 else Tier.ASSOCIATED if i % 6 == 4 else Tier.WATCH
        found.append(
            Member(campaign.campaign_id, name, tier, rng.uniform(4, 31), rng.random(), rng.randrange(4, 900), START,
                   START + timedelta(days=rng.randrange(1, 14)), tuple(rng.sample(reasons, rng.randrange(1, 4))))
        )  # fmt: skip
    return tuple(found)


def make_accounts(members: tuple[Member, ...], honest: int = 200) -> pa.Table:
    """The accounts table: members and honest others."""
    hints = {Tier.MEMBER: "act", Tier.ASSOCIATED: "review", Tier.WATCH: "watch"}
    rows: list[tuple[Any, ...]] = [
        (m.account_id, m.exchange_count, m.campaign_id, hints[m.tier], []) for m in members
    ]
    gap = ["payment_digest: no account table was given", "sealed_handoff: fewer than 20 exchanges"]
    rows += [(f"honest_{i:05d}", 3 + i % 90, None, "none", gap if i % 3 == 0 else []) for i in range(honest)]
    schema = pa.schema(
        [("account_id", pa.string()), ("exchange_count", pa.int64()), ("campaign_id", pa.string()),
         ("disposition_hint", pa.string()), ("abstentions", pa.list_(pa.string()))]
    )  # fmt: skip
    return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema=schema)


def make_finding(subject: str = "C-2026-001", trait: str = "payment_digest") -> Finding:
    """One finding about ``subject``."""
    return Finding(
        f"F-{subject[:20]}-{trait}",
        trait,
        Family.IDENTITY,
        subject,
        41.0,
        "accounts",
        "reference-2026-09",
        None,
        3.6,
        ("41 accounts pay with 3 instruments",),
        ("a family or office card", "a reseller"),
    )


SUMMARY: dict[str, Any] = {
    "counts": {"exchanges": 412_310, "accounts": 5_214, "organisations": 1_902},
    "versions": {"stillwatch": "0.1.0", "python": "3.11.9"},
    "settings_digest": "sha256:4f1c" + "a7" * 30,
    "inputs": [{"name": "exchanges.parquet", "digest": "sha256:" + "09" * 32, "rows": 412_310}],
    "time_range": {"start": "2026-10-01T00:00:00Z", "end": "2026-10-15T00:00:00Z"},
    "baseline": {"name": "reference-2026-09", "dated": "2026-09-15", "digest": "sha256:" + "5e" * 32},
    "false_discovery_rate": 0.01,
    "seed": 7,
    "null_check": {"shuffles": 20, "groups_found": 0, "largest_decades": 1.4},
    "releases": [{"model": "aurora-5", "released_at": "2026-10-08T15:00:00Z"},
                 {"model": "dusk-2", "released_at": "2026-10-09T09:00:00Z"}],
    "rejected": {"started_at is not a time": 12, "repeated exchange_id": 3},
    "timings": {"read_s": 3.21, "links_s": 11.9, "peak_memory_bytes": 1_410_000_000},
}  # fmt: skip
ABSTENTIONS = (
    Abstention("output_provenance", "No digests of answers: hand-over of answers between accounts cannot be seen.",
               ("output_digests", "completion")),
    Abstention("device_sharing", "No device ids in this source.", ("device_id",)),
    Abstention("sealed_handoff", "fewer than 20 exchanges", (), "honest_00000"),
)  # fmt: skip


def make_result(hostile: bool = True) -> ScanResult:
    """Three campaigns and a pool, 300 members; with ``hostile``, outside strings wherever they can stand."""
    bad = HOSTILE if hostile else ("plain",) * len(HOSTILE)
    first, second = make_campaign(), make_campaign("C-2026-002", 140, seed=2, days=30)
    third = make_campaign(
        f"C-2026-003 {bad[3]}", 40, seed=3, days=5, confidence=Confidence.LOW, granted=True, p_value=0.04,
        explanation=f"Accounts that call {bad[0]} and {bad[4]} {bad[2]}", capabilities=(bad[1],), techniques=(bad[9],),
        taken=((bad[0], 41, 0), (bad[1], 3, 70)), innocent=((bad[5], bad[2]),), would_change=(bad[0], bad[7]),
        exemplars=(bad[0], bad[6], bad[8]),
        model_timeline=tuple((bad[i % 8], START + timedelta(hours=i), 1 + i % 5) for i in range(100)),
    )  # fmt: skip
    pool = make_campaign("P-2026-001", 24, Kind.POOL, seed=4)
    members = make_members(first) + make_members(second) + make_members(pool)
    odd = [*bad, *account_names(third.campaign_id, 40 - len(bad))] if hostile else None
    members += make_members(third, odd)
    findings = (make_finding(), make_finding("C-2026-002", "prompt_template"), make_finding(bad[0], bad[1]))
    summary = {**SUMMARY, "note": bad[5]}
    return ScanResult(
        (pool, third, second, first), members, findings, ABSTENTIONS, make_accounts(members), summary
    )


def make_empty() -> ScanResult:
    """Nothing found."""
    summary = {k: v for k, v in SUMMARY.items() if k not in {"rejected", "releases"}}
    return ScanResult((), (), (), ABSTENTIONS, make_accounts(()), summary)
