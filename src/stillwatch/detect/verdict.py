"""From measured groups to words: pools and campaigns, tiers, dispositions, reasons, what would change them.

1. Every group stands on a seed hub that was discovered on one half of the evidence and confirmed on the other.
2. Each group gets a conformal p-value of its shape; Benjamini-Hochberg over the groups that stand.
3. Adjusted p at most ``alpha_shape``: campaign. At most ``alpha_review``, and the plain p at most ``alpha_shape``:
   campaign of low confidence, at most ``review``. Otherwise a pool, at most ``watch``. The second condition keeps
   the share of honest groups that come to review at ``alpha_shape``, however many campaigns are about.
4. Only members of a campaign may reach ``act``, with two independent families and a stated rate; where a control
   channel spoke, since people who sit together share an address, a day and their hours, but hand no work on; where
   the shape stands clear of every honest group; with a quarter or more of the account's own traffic in the linked
   stream; and never in a handful, which can be looked at by hand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import ibis
import numpy as np
import pyarrow as pa

from stillwatch.detect.assemble import JOIN_DECADES, Group
from stillwatch.detect.baseline import HANDFUL, Baseline
from stillwatch.detect.betting import bh_adjusted
from stillwatch.detect.grants import Covered
from stillwatch.detect.innocent import explanations
from stillwatch.detect.ledger import GROUP_FAMILY, edges_of, evidence_of, family_bits
from stillwatch.detect.run import Detection, Options, trusted_units
from stillwatch.detect.shape import (
    FEATURES,
    MIN_CALIBRATION,
    Stream,
    capability_rows,
    extraction_share,
    p_value,
    score,
    stands_clear,
)
from stillwatch.detect.traffic import HOUR, Traffic
from stillwatch.detect.trait import CONTROL_GROUPS, SOURCE_GROUPS, ShapeTrait
from stillwatch.records import (
    Abstention,
    Campaign,
    Confidence,
    Disposition,
    Evidence,
    Family,
    Finding,
    Kind,
    Member,
    Shape,
    Tier,
)  # fmt: skip

LOG2_10 = 3.321928094887362
OWN_SHARE = 0.05
"""A member of a campaign sends at least this share of its own traffic into the linked stream."""
ACT_SHARE = 0.25
"""Below this share of its own traffic in the linked stream an account is put up for review at most: whoever joined a
group by an exit and a common kind of question is looked at first."""
THIN_SHARE = 0.5
MAX_EDGES = 400
DERIVED_MEANING = {
    "harvest": "templates times new payloads times single turns",
    "ask": "the commonest of reasoning, grading, task and format asks",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the scan says, before files and facts of the run are added."""

    campaigns: tuple[Campaign, ...]
    members: tuple[Member, ...]
    findings: tuple[Finding, ...]
    abstentions: tuple[Abstention, ...]
    accounts: pa.Table


def _when(micro: int) -> datetime:
    return datetime.fromtimestamp(micro / 1_000_000, tz=UTC)


def judge(
    traffic: Traffic, detection: Detection, baseline: Baseline, options: Options, covered: Covered,
    exemplars: dict[int, list[str]] | None = None,
) -> Verdict:  # fmt: skip
    """Put a detection into words."""
    groups, streams = detection.groups, detection.streams
    p_raw: list[float | None] = [
        0.0  # every group is called a campaign; the record gives no p-value
        if "shape" in options.without
        else p_value(score(s.features, baseline.calibration), baseline.calibration, len(g.units))
        for g, s in zip(groups, streams, strict=True)
    ]
    known = [i for i, p in enumerate(p_raw) if p is not None]
    adjusted = np.full(len(groups), np.nan)
    if known:
        adjusted[known] = bh_adjusted(np.array([p_raw[i] for i in known], float))
    abstentions = list(detection.abstentions)
    if len(known) < len(groups):
        abstentions.append(
            Abstention("shape", f"fewer than {MIN_CALIBRATION} honest linked groups of like size in the baseline: no "
                       f"p-value, so {len(groups) - len(known)} of {len(groups)} groups cannot be called a campaign")
        )  # fmt: skip
    names = _names_of_units(traffic)
    trusted = trusted_units(traffic)
    book = _Book(traffic)
    campaigns: list[Campaign] = []
    members: list[Member] = []
    findings: list[Finding] = list(covered.beyond)
    for i, (group, stream) in enumerate(zip(groups, streams, strict=True)):
        case = _Case(
            traffic, detection, baseline, options, group, stream, p_raw[i],
            None if np.isnan(adjusted[i]) else float(adjusted[i]), names, covered, float(trusted[group.units].mean()),
        )  # fmt: skip
        campaign = case.campaign((exemplars or {}).get(i, []))
        campaigns.append(campaign)
        rows = case.members(campaign)
        members += rows
        findings += case.findings(campaign)
        book.enter(case, campaign, rows)
    order = sorted(
        range(len(campaigns)),
        key=lambda k: (
            campaigns[k].kind != Kind.CAMPAIGN,
            -campaigns[k].exchange_count,
            campaigns[k].campaign_id,
        ),
    )
    members.sort(key=lambda m: (m.campaign_id, -m.membership_bits, m.account_id))
    return Verdict(
        tuple(campaigns[k] for k in order), tuple(members), tuple(sorted(findings, key=lambda f: f.id)),
        tuple(abstentions), book.table(),
    )  # fmt: skip


def _names_of_units(traffic: Traffic) -> dict[int, list[str]]:
    out: dict[int, list[str]] = {}
    for account, unit in enumerate(traffic.unit.tolist()):
        out.setdefault(unit, []).append(traffic.names.account.names[account])
    return {unit: sorted(accounts) for unit, accounts in out.items()}


class _Case:
    """One group on its way to a campaign record."""

    def __init__(
        self, traffic: Traffic, detection: Detection, baseline: Baseline, options: Options, group: Group,
        stream: Stream, p: float | None, adjusted: float | None, names: dict[int, list[str]], covered: Covered,
        trusted_share: float,
    ) -> None:  # fmt: skip
        self.traffic, self.detection, self.baseline, self.options = traffic, detection, baseline, options
        self.group, self.stream, self.p, self.adjusted = group, stream, p, adjusted
        self.peers = len(baseline.calibration.peers(len(group.units)))
        self.kin = int(group.left_out.marked.sum()) if group.left_out is not None else 0
        self.names, self.covered, self.trusted_share = names, covered, trusted_share
        first = int(group.units[np.argmin(traffic.unit_order[group.units])])
        seed = "\x1f".join(names[first])
        self.id = "G-" + hashlib.blake2b(seed.encode("utf-8", "surrogatepass"), digest_size=5).hexdigest()
        self.firm = adjusted is not None and adjusted <= options.alpha_shape
        self.clear = stands_clear(
            score(stream.features, baseline.calibration), baseline.calibration, len(group.units)
        )
        rare = p is not None and p <= options.alpha_shape
        self.weak = adjusted is not None and not self.firm and rare and adjusted <= options.alpha_review
        self.kind = Kind.CAMPAIGN if self.firm or self.weak else Kind.POOL
        rows = detection.rows
        acct = rows.column("acct")[stream.rows]
        self.codes, count = np.unique(acct, return_counts=True)
        linked = np.bincount(
            np.searchsorted(self.codes, rows.column("acct")[stream.linked_rows]), minlength=len(self.codes)
        )
        self.count, self.own_share = count, linked / count
        ts = rows.column("ts")[stream.rows]
        slot = np.searchsorted(self.codes, acct)
        self.first = np.full(len(self.codes), np.iinfo(np.int64).max)
        self.last = np.zeros(len(self.codes), np.int64)
        np.minimum.at(self.first, slot, ts)
        np.maximum.at(self.last, slot, ts)
        permitted = np.isin(rows.column("seq")[stream.rows], covered.seqs)
        self.granted = covered.accounts[self.codes] | (
            np.bincount(slot, weights=permitted, minlength=len(self.codes)) >= count
        )

    def campaign(self, exemplars: list[str]) -> Campaign:
        traffic, stream, group, rows = self.traffic, self.stream, self.group, self.detection.rows
        evidence = evidence_of(traffic, self.detection, group, self.baseline, self.options.kappa)
        self.evidence = evidence
        share, low, high = extraction_share(traffic, rows, stream, self.options.seed)
        if self.kind is Kind.POOL:
            # What a pool is for is not known: the estimate is an upper bound on what could be extraction.
            share, low = 0.0, 0.0
        ts = rows.column("ts")[stream.rows]
        shape = self._shape()
        claimed = self.adjusted if self.kind is Kind.CAMPAIGN and self.adjusted is not None else 0.0
        rate = min(1.0, claimed + self.options.alpha_controller)
        if self.options.without:
            rate = 1.0  # with a part of the method left out nothing is promised
        taken = capability_rows(traffic, rows, stream.linked_rows if len(stream.linked_rows) else stream.rows)
        granted = bool(self.granted.all())
        confidence = self._confidence(evidence)
        hours, per_hour = np.unique(ts // HOUR, return_counts=True)
        model = rows.column("model")[stream.rows]
        pairs, n_pairs = np.unique(np.stack([model.astype(np.int64), ts // HOUR]), axis=1, return_counts=True)
        codes, n_model = np.unique(model, return_counts=True)
        return Campaign(
            campaign_id=self.id, kind=self.kind, first_seen=_when(int(ts.min())), last_seen=_when(int(ts.max())),
            account_count=len(self.codes), exchange_count=stream.exchanges, output_tokens=stream.output_tokens,
            log10_e_value=round(group.log10, 3), p_value=None if "shape" in self.options.without else self.p,
            calibration_count=self.peers,
            false_discovery_rate=round(rate, 6),
            bits=family_bits(evidence, None if "shape" in self.options.without else self.p),
            extraction_share=round(share, 4), extraction_share_low=round(low, 4), extraction_share_high=round(high, 4),
            capabilities=tuple(name for name, _, _ in taken[:6]), techniques=self._techniques(evidence),
            confidence=confidence, granted=granted, explanation=self._explanation(evidence, share, low, high, granted),
            evidence=evidence, shape=shape,
            innocent=explanations(group, stream, evidence, self.trusted_share),
            would_change=self._would_change(evidence),
            timeline=tuple((_when(int(h) * HOUR), int(n)) for h, n in zip(hours, per_hour, strict=True)),
            model_timeline=tuple(
                (traffic.names.model.names[int(m)], _when(int(h) * HOUR), int(n))
                for (m, h), n in zip(pairs.T, n_pairs, strict=True)
            ),
            models=tuple(
                sorted(((traffic.names.model.names[int(c)], int(n)) for c, n in zip(codes, n_model, strict=True)),
                       key=lambda x: (-x[1], x[0]))
            ),
            edges=edges_of(traffic, self.detection, group, self.names, MAX_EDGES),
            exemplars=tuple(exemplars), taken=tuple(taken),
        )  # fmt: skip

    def _shape(self) -> tuple[Shape, ...]:
        meaning = {
            t.column: t.meaning for t in self.detection.traits if isinstance(t, ShapeTrait)
        } | DERIVED_MEANING
        out = []
        for name in FEATURES:
            honest = self.baseline.calibration.features.get(name, np.zeros(0))
            value = self.stream.features[name]
            below, ties = float((honest < value).sum()), float((honest == value).sum())
            rank = (below + ties / 2.0) / len(honest) if len(honest) else 0.5
            median = float(np.median(honest)) if len(honest) else 0.0
            out.append(
                Shape(name, round(value, 4), round(rank, 4), round(median, 4), meaning.get(name, name))
            )
        return tuple(out)

    def _confidence(self, evidence: tuple[Evidence, ...]) -> Confidence:
        if self.kind is Kind.POOL:
            return Confidence.MEDIUM if self.group.log10 >= 12 and not self.group.thin else Confidence.LOW
        if self.weak or self.group.thin:
            return Confidence.LOW
        families = {e.family for e in evidence if e.log10_e_value >= 3.0}
        shipped = self.baseline.kind == "shipped"
        return (
            Confidence.HIGH
            if len(families) >= 2 and self.group.log10 >= 12 and not shipped
            else Confidence.MEDIUM
        )

    def _techniques(self, evidence: tuple[Evidence, ...]) -> tuple[str, ...]:
        out = ["AML.T0008.005", "AML.T0040"]
        if self.kind is Kind.CAMPAIGN:
            out += ["AML.T0024.002", "AML.T0065"]
        if {e.trait for e in evidence} & {
            "signup_burst",
            "signup_address",
            "payment",
            "email_domain",
            "phone",
        }:
            out.append("AML.T0021")
        if self.stream.features["jailbreak"] >= 0.05:
            out.append("AML.T0054")
        return tuple(sorted(out))

    def _explanation(
        self, evidence: tuple[Evidence, ...], share: float, low: float, high: float, granted: bool
    ) -> str:
        spoken = ", ".join(e.trait.replace("_", " ") for e in evidence[:4]) or "no single channel"
        text = (
            f"{len(self.codes)} accounts in {len(self.group.units)} independent units act as if run by one controller: "
            f"weight of evidence 10^{self.group.log10:.0f}, mainly from {spoken}. "
        )
        if self.kind is Kind.POOL:
            why = (
                "there are too few honest groups in the baseline to judge what the traffic is for"
                if self.p is None
                else f"honest groups look like this often enough (p = {self.p:.3f}, adjusted {self.adjusted:.3f})"
            )
            text += f"It is a pool, not a campaign: {why}."
        elif "shape" in self.options.without:
            text += "It is called a campaign because its shape was not tested. "
        else:
            text += (
                f"Their linked traffic is shaped like a data set in the making (p = {self.p:.4f} among "
                f"{self.peers} honest linked groups of like size, adjusted {self.adjusted:.4f}). "
                f"Between {low:.0%} and {high:.0%} of their exchanges belong to it (best estimate {share:.0%})."
            )
        if self.group.thin:
            text += " Most accounts are held by shared content alone and are only associated."
        if self.group.left_out is not None:
            text += (
                " What its members share was compared with accounts that use none of the templates in doubt; "
                f"the {self.kin:,} units that use one were no yardstick."
            )
        if granted:
            text += " Every account is inside a recorded grant."
        return text

    def _would_change(self, evidence: tuple[Evidence, ...]) -> tuple[str, ...]:
        out = []
        if evidence:
            top = evidence[0]
            out.append(
                f"Without {top.trait.replace('_', ' ')} the weight falls from 10^{self.group.log10:.0f} to "
                f"10^{top.without_log10_e_value:.0f}."
            )
        out.append(
            "A record that these accounts belong to one declared organisation makes them one unit: no evidence."
        )
        out.append("A grant that covers the accounts, models and volume ends every action inside its scope.")
        if self.kind is Kind.CAMPAIGN:
            honest = self.peers
            most = max(int(self.options.alpha_shape * (honest + 1)) - 1, 0)
            out.append(
                f"If more than {most} of {honest} honest linked groups of like size scored as high, this would be "
                "a pool."
            )
            lacking = self._lacking()
            out.append(
                f"Nobody here comes to act without {'; '.join(lacking)}."
                if lacking
                else "Members come to act unless less than a quarter of their own traffic is in the linked templates."
            )
            if self.baseline.kind == "shipped":
                out.append(
                    "A baseline fitted on your own honest customers may rank this traffic differently."
                )
        else:
            out.append(
                "More traffic in few templates that ask for parseable, written-out answers would raise its rank."
            )
        return tuple(out)

    def _lacking(self) -> list[str]:
        """What `disposition` asks of a whole group before a member may come to act, as far as it is missing."""
        asked = {
            "a lower adjusted p": self.firm,
            "members that more than shared content holds": not self.group.thin,
            "two independent families of evidence": self._two_families(),
            "a shape that stands clear of every honest group of like size": self.clear,
            "a control channel (work dealt out, handed on or failed over)": self._handed_on(),
            f"at least {HANDFUL} independent units": len(self.group.units) >= HANDFUL,
            "the whole method": not self.options.without,
        }
        return [what for what, there in asked.items() if not there]

    def members(self, campaign: Campaign) -> list[Member]:
        group = self.group
        unit = self.traffic.unit[self.codes]
        at = np.searchsorted(group.units, unit)
        names = list(group.parts)
        parts = np.stack([group.parts[n] for n in names])
        hard = np.array([n in SOURCE_GROUPS or n in CONTROL_GROUPS for n in names])
        control = np.array([n in CONTROL_GROUPS for n in names])
        content = np.array([n == "content" for n in names])
        weight = parts[hard | content].sum(0)
        sure = (weight >= JOIN_DECADES) & self.detection.attributor.qualifies(
            parts, JOIN_DECADES, controlled=group.controlled
        )
        if group.thin:
            sure &= parts[control].max(axis=0, initial=0.0) >= 1.0
        out = []
        for i, code in enumerate(self.codes.tolist()):
            j = int(at[i])
            share = float(self.own_share[i])
            busy = self.kind is Kind.POOL or share >= OWN_SHARE
            tier = Tier.MEMBER if sure[j] and busy else Tier.ASSOCIATED if weight[j] >= 2.0 else Tier.WATCH
            reasons = tuple(
                f"{names[k].replace('_', ' ')}: 10^{parts[k, j]:.1f} for belonging"
                for k in np.argsort(-parts[:, j], kind="stable")
                if parts[k, j] >= 0.5
            )
            if self.kind is Kind.CAMPAIGN:
                reasons += (f"{share:.0%} of its exchanges are in the group's linked templates",)
            if self.granted[i]:
                reasons += ("inside a recorded grant",)
            out.append(
                Member(campaign.campaign_id, self.traffic.names.account.names[code], tier,
                       round(float(weight[j]) * LOG2_10, 2), round(share, 4), int(self.count[i]),
                       _when(int(self.first[i])), _when(int(self.last[i])), reasons)
            )  # fmt: skip
        return out

    def disposition(self, member: Member, granted: bool) -> Disposition:
        """The hint for one account of this group."""
        if granted:
            return Disposition.NONE
        if self.kind is Kind.POOL or member.tier is Tier.WATCH:
            return Disposition.WATCH
        if member.tier is Tier.ASSOCIATED:
            heavy = self.group.thin and self.firm and member.extraction_share >= THIN_SHARE
            return Disposition.REVIEW if heavy else Disposition.WATCH
        unit = int(
            np.searchsorted(
                self.group.units, self.traffic.unit[self.traffic.names.account.index[member.account_id]]
            )
        )
        families = {
            GROUP_FAMILY[n] for n, p in self.group.parts.items() if p[unit] >= 1.0 and n in GROUP_FAMILY
        }
        families.discard(Family.CONTENT)
        own = member.extraction_share >= ACT_SHARE and len(families) >= 1
        return Disposition.ACT if own and not self._lacking() else Disposition.REVIEW

    def _handed_on(self) -> bool:
        """A control channel spoke: work was dealt out, handed on, failed over or taken up again among the members."""
        return any(e.control and e.log10_e_value >= 3.0 for e in self.evidence)

    def _two_families(self) -> bool:
        strong = {e.family for e in self.evidence if e.log10_e_value >= 3.0}
        return len(strong | {Family.CONTENT}) >= 2 and bool(strong)

    def findings(self, campaign: Campaign) -> list[Finding]:
        by_id = {t.id: t for t in self.detection.traits}
        base = f"{self.baseline.name} ({self.baseline.as_of})"
        out = [
            Finding(f"{campaign.campaign_id}:{e.trait}", e.trait, e.family, campaign.campaign_id, float(e.members),
                    "units", base, None, e.log10_e_value,
                    (f"{e.members} units share {e.value}", f"reference share {e.reference_share:.2g}", e.note),
                    by_id[e.trait].looks_alike)
            for e in campaign.evidence
        ]  # fmt: skip
        for s in campaign.shape:
            trait = next(
                (t for t in self.detection.traits if isinstance(t, ShapeTrait) and t.column == s.feature),
                None,
            )
            if trait is not None and s.percentile >= 0.95:
                out.append(
                    Finding(f"{campaign.campaign_id}:{trait.id}", trait.id, trait.family, campaign.campaign_id, s.value,
                            "share", base, round(1.0 - s.percentile, 4), None,
                            (f"{s.meaning}: {s.value:.0%}, honest groups' median {s.honest_median:.0%}",),
                            trait.looks_alike)
                )  # fmt: skip
        return out


class _Book:
    """The accounts table, filled as groups are judged."""

    def __init__(self, traffic: Traffic) -> None:
        self.traffic = traffic
        n = len(traffic.names.account.names)
        self.campaign: list[str | None] = [None] * n
        self.hint = np.full(n, Disposition.NONE.value, dtype=object)

    def enter(self, case: _Case, campaign: Campaign, rows: Sequence[Member]) -> None:
        for i, member in enumerate(rows):
            code = int(case.codes[i])
            self.campaign[code] = campaign.campaign_id
            self.hint[code] = case.disposition(member, bool(case.granted[i])).value

    def table(self) -> pa.Table:
        traffic = self.traffic
        names = traffic.names.account.names
        count, addressed, texted = _by_account(traffic)
        frame = traffic.accounts
        reasons = (
            ("no account record: identity traits not judged", ~frame.known & bool(frame.known.any())),
            ("fewer than 3 exchanges: timing and behaviour not judged", count < 3),
            ("no client address: infrastructure not judged", ~addressed),
            ("no prompt text: content not judged", ~texted),
        )
        offsets = np.zeros(len(names) + 1, np.int32)
        np.cumsum(sum(mask.astype(np.int32) for _, mask in reasons), out=offsets[1:])
        flags = np.stack([mask for _, mask in reasons], 1)
        which = np.nonzero(flags)[1]
        texts = pa.array([text for text, _ in reasons]).take(pa.array(which))
        table = pa.table(
            {
                "account_id": pa.array(names, pa.string()),
                "exchange_count": pa.array(count, pa.int64()),
                "campaign_id": pa.array(self.campaign, pa.string()),
                "disposition_hint": pa.array(self.hint.tolist(), pa.string()),
                "abstentions": pa.ListArray.from_arrays(pa.array(offsets), texts),
            }
        )
        return table.filter(pa.array(count > 0)).sort_by("account_id")


def _by_account(traffic: Traffic) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Exchanges of each account, and whether any of them has an address, or prompt text."""
    t = traffic.table()
    got = traffic.fetch(
        t.group_by("acct").agg(
            n=t.count(), net=ibis.ifelse(t.net != 0, 1, 0).max(), full=ibis.ifelse(t["full"] != 0, 1, 0).max()
        )
    )
    n = len(traffic.names.account.names)
    count, addressed, texted = np.zeros(n, np.int64), np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    count[got["acct"]], addressed[got["acct"]], texted[got["acct"]] = (
        got["n"],
        got["net"] != 0,
        got["full"] != 0,
    )
    return count, addressed, texted


def facts_of(verdict: Verdict) -> dict[str, Any]:
    """Counts for the summary."""
    hints = verdict.accounts.column("disposition_hint").to_pylist()
    return {
        "campaigns": sum(c.kind is Kind.CAMPAIGN for c in verdict.campaigns),
        "pools": sum(c.kind is Kind.POOL for c in verdict.campaigns),
        "accounts_in_campaigns": sum(c.account_count for c in verdict.campaigns if c.kind is Kind.CAMPAIGN),
        **{f"hint_{d.value}": hints.count(d.value) for d in Disposition},
    }
