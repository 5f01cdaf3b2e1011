"""The documents of a package, made from the file on a case. Pure: records in, JSON out.

A claim says what was seen, how sure that is, what speaks against it and which exhibits it rests on. It never says that
somebody is malicious, and a scan alone confirms nothing: until a person has closed the case, the count of confirmed
things is empty, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any

from stillwatch.evidence.exposure import exposure
from stillwatch.records.evidence import CaseFile, CaseRecord, Evasion
from stillwatch.records.finding import Campaign, Finding, Member, Tier

ELEMENTS = {
    "volume, structure, pattern, coordination or timing": ("content", "timing", "behaviour"),
    "concentration on specific capabilities": ("behaviour",),
    "several accounts in a coordinated manner": ("infrastructure", "identity", "timing"),
}
"""What H.R. 8283 section 3(11)(B), as introduced, says purpose may be inferred from, and the families that speak to it.
The fourth, correlation with another model's development, is not seen in logs of queries."""
_VALUE = re.compile(r"#[0-9a-f]{6,}")
"""A shared value, as findings write it."""


def documents(case: CaseFile, prices: Mapping[str, Any], hints: Mapping[Evasion, str]) -> dict[str, Any]:
    """Every document by name; who gets which is up to the profile.

    Args:
        case: the file. prices: as `checked_prices` returned them. hints: what each kind of circumvention means.
    """
    made: dict[str, Any] = {
        "claims": [claim(case, campaign) for campaign in case.campaigns],
        "method": method(case),
        "counts": [counts(case, campaign) for campaign in case.campaigns],
        "terms": [asdict(row) for row in case.acceptances],
        "circumvention": circumvention(case, hints),
        "notices": [asdict(row) for row in case.notices],
        "work": [asdict(row) for row in case.work],
        "exposure": [
            {"campaign_id": c.campaign_id, "figures": [asdict(f) for f in exposure(c, prices, case.work)]}
            for c in case.campaigns
        ],
    }
    if case.attribution is not None:
        made["attribution"] = case.attribution
    if case.record is not None:
        made |= _of_record(case.record)
    return made


def _of_record(record: CaseRecord) -> dict[str, Any]:
    """What people did: the case's head and scans, measures, appeals, its timeline, and accounts that have left it."""
    head = {name: getattr(record, name) for name in ("state", "opened_at", "closed_at", "hours")}
    return {
        "case": {**head, "scans": [asdict(s) for s in record.sightings], "accounts that left": len(record.former)},
        "measures": [asdict(m) for m in record.measures], "appeals": [asdict(a) for a in record.appeals],
        "timeline": [asdict(s) for s in record.steps], "former": [{"account_id": a} for a in record.former],
    }  # fmt: skip


def exhibits(case: CaseFile) -> dict[str, tuple[Any, str]]:
    """The exhibits that a run gives, by name, each with what it is."""
    ids = {c.campaign_id for c in case.campaigns}
    return {
        "campaigns": (
            [campaign_row(c) for c in case.campaigns],
            "the groups of accounts, with every weight of evidence",
        ),
        "members": ([member_row(m) for m in case.members], "their accounts, with the reason for each"),
        "findings": (
            [finding_row(f, ids) for f in case.findings],
            "what was seen, how unusual, against which baseline",
        ),
        "run": (
            {"summary": case.run, "files": case.run_files},
            "versions, digests, what could not be judged",
        ),
    }


def claim(case: CaseFile, campaign: Campaign) -> dict[str, Any]:
    """One claim with its counter-evidence."""
    bits = {str(family): round(value, 2) for family, value in campaign.bits.items()}
    return {
        "campaign_id": campaign.campaign_id,
        "claim": campaign.explanation,
        "kind": campaign.kind,
        "confidence": campaign.confidence,
        "granted": campaign.granted,
        "window": {"first_seen": campaign.first_seen, "last_seen": campaign.last_seen},
        "figures": {
            "accounts": campaign.account_count, "log10_e_value": campaign.log10_e_value, "p_value": campaign.p_value,
            "honest groups it was compared with": campaign.calibration_count,
            "false_discovery_rate": campaign.false_discovery_rate, "bits_by_family": bits,
        },
        "evidence": [asdict(e) for e in campaign.evidence],
        "counter_evidence": [
            {"if_it_had_not_been_seen": e.trait, "log10_e_value_then": e.without_log10_e_value}
            for e in campaign.evidence
        ],
        "innocent_explanations": [{"explanation": name, "in_this_case": said} for name, said in campaign.innocent],
        "would_change": list(campaign.would_change),
        "elements": _elements(campaign),
        "techniques": list(campaign.techniques),
        "exhibits": ["data/exhibits/campaigns.json", "data/exhibits/findings.json"],
        "verdict": case.verdict, "verdict_by": case.verdict_by,
    }  # fmt: skip


def counts(case: CaseFile, campaign: Campaign) -> dict[str, Any]:
    """Attempts and what is confirmed, apart."""
    members = [m for m in case.members if m.campaign_id == campaign.campaign_id]
    firm = [m for m in members if m.tier is Tier.MEMBER]
    share = (campaign.extraction_share_low, campaign.extraction_share, campaign.extraction_share_high)
    confirmed = case.verdict == "true_positive"
    return {
        "campaign_id": campaign.campaign_id,
        "attempts": {
            "accounts": len(members), "accounts that belong firmly": len(firm),
            "exchanges of the group": campaign.exchange_count,
            "exchanges in the extraction": [round(campaign.exchange_count * s) for s in share],
        },
        "confirmed": {
            "accounts": len(firm) if confirmed else None,
            "exchanges, at least": round(campaign.exchange_count * share[0]) if confirmed else None,
            "why": f"closed as true_positive by {case.verdict_by}" if confirmed else "no person has closed the case so",
        },
        "first_known": case.first_known,
    }  # fmt: skip


def method(case: CaseFile) -> dict[str, Any]:
    """Program, settings, baseline, error rates, and what it could not see."""
    kept = ("versions", "settings_digest", "key_id", "seed", "baseline", "reference", "false_discovery_rate", "inputs",
            "time_range", "counts", "abstentions", "incomplete", "null_check", "rejected", "formats")  # fmt: skip
    return {
        "question": "Which accounts act as if run by one controller, and which of these groups work at extraction?",
        "program": "stillwatch",
        **{name: case.run[name] for name in kept if name in case.run},
        "error rates": {
            "stated": "expected share of wrong groups among those reported, under the assumptions below",
            "false_discovery_rate": stated_rate(case),
            "assumptions": [
                "honest accounts outside one declared organisation choose their traits independently up to kappa",
                "the calibration groups resemble the honest groups that are served",
            ],
        },
        "limits": [
            "Evidence of one controller and of extraction shape is no proof of intent; a person decides.",
            "A null result is not 'clean'.",
            "Attribution is no part of detection.",
        ],
        "files_of_the_run": case.run_files,
    }


def stated_rate(case: CaseFile) -> float | None:
    """Expected share of wrong groups: the run's, or that of the weakest group told of here where it is looser, as one
    put forward for review alone is. None where the run's is not on record."""
    rate = case.run.get("false_discovery_rate")
    return None if rate is None else max(float(rate), *(c.false_discovery_rate for c in case.campaigns), 0.0)


def circumvention(case: CaseFile, hints: Mapping[Evasion, str]) -> dict[str, Any]:
    """The timeline, oldest first, and which kinds were not seen."""
    rows = sorted(
        case.circumventions, key=lambda row: (row.at.isoformat() if row.at else "~", row.kind, row.fact)
    )
    seen = {row.kind for row in rows}
    return {
        "timeline": [asdict(row) for row in rows],
        "not on record": {kind: hints[kind] for kind in Evasion if kind not in seen},
    }


def _elements(campaign: Campaign) -> list[dict[str, Any]]:
    bits = {str(family): value for family, value in campaign.bits.items()}
    found = [
        {"element": name, "met_by": sorted(f for f in families if bits.get(f, 0) > 0)}
        for name, families in ELEMENTS.items()
    ]
    found.append({"element": "correlation with another model's development", "met_by": []})
    return found


def campaign_row(campaign: Campaign) -> dict[str, Any]:
    """A group with everything behind it; words of customers are never part of it."""
    row = asdict(campaign)
    row["bits"] = {str(family): value for family, value in campaign.bits.items()}
    row["edges"] = [dict(zip(("account_id", "trait", "value"), edge, strict=True)) for edge in campaign.edges]
    row["timeline"] = [{"hour": hour, "exchanges": n} for hour, n in campaign.timeline]
    row["model_timeline"] = [
        {"model": m, "hour": hour, "exchanges": n} for m, hour, n in campaign.model_timeline
    ]
    row["models"] = [{"model": m, "exchanges": n} for m, n in campaign.models]
    row["taken"] = [{"capability": c, "exchanges": n, "output_tokens": t} for c, n, t in campaign.taken]
    row["innocent"] = [{"explanation": a, "in_this_case": b} for a, b in campaign.innocent]
    del row["exemplars"]
    return row


def member_row(member: Member) -> dict[str, Any]:
    """One account of a group; its own volume stands in fields that a profile can withhold."""
    row = asdict(member)
    for name in ("exchange_count", "first_seen", "last_seen"):
        row[f"account_{name}"] = row.pop(name)
    return row


def finding_row(finding: Finding, ids: Collection[str]) -> dict[str, Any]:
    """A finding whose account and shared values stand in fields that a profile can withhold."""
    row = asdict(finding)
    row["reasons"] = [reason for reason in finding.reasons if not _VALUE.search(reason)]
    row["reasons_with_values"] = [reason for reason in finding.reasons if _VALUE.search(reason)] or None
    if finding.subject not in ids:
        row["subject_account"] = row.pop("subject")
        row["id"] = f"(account):{finding.trait}"
    return row
