"""One look of a watch: a whole scan of what the state holds, at the look's share of the day's error rates."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.detect.grants import Covered, apply_grants
from stillwatch.detect.run import Detection, Options, detect
from stillwatch.detect.traffic import Traffic
from stillwatch.detect.traits import load_traits
from stillwatch.detect.verdict import Verdict, facts_of, judge
from stillwatch.ingest import read_grants
from stillwatch.records import Kind, Rejected, ScanResult
from stillwatch.settings import Settings
from stillwatch.watch import Levels, Standing, firm, first_names, follow
from stillwatch.wiring.intake import Intake, key_of, load_traffic, some_usable
from stillwatch.wiring.profile import Clock
from stillwatch.wiring.progress import Progress, staging
from stillwatch.wiring.refusals import Refusals
from stillwatch.wiring.run_result import hand_over, summary_of, unseen
from stillwatch.wiring.scanning import enough_memory, load_reference, options_of


@dataclass(frozen=True, slots=True)
class Context:
    """What lies beside the logs; read again at every look."""

    accounts: Sequence[str] = ()
    grants: str | None = None
    releases: str | None = None
    client_releases: str | None = None
    baseline: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What one look is to do."""

    number: int
    day: str
    begun: str
    levels: Levels
    standing: tuple[Standing, ...]
    """Groups of the look before."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look said."""

    result: ScanResult
    standing: tuple[Standing, ...]
    """Groups to compare the next look with."""
    new: tuple[str, ...]
    """Ids of groups that no earlier look showed."""
    left: tuple[str, ...]
    """First ids of groups that are no longer there."""


def look(
    paths: Sequence[Path], plan: Plan, *, settings: Settings, env: Any, context: Context, out: Path,
    refused: tuple[dict[str, int], Iterable[tuple[str, int, str]]], about: dict[str, Any], progress: Progress,
) -> Looked:  # fmt: skip
    """Scan feature files and put the run folder in place.

    Args:
        paths: feature files in the order their rows came in.
        plan: which look this is, and what it may spend.
        refused: reasons with counts and lines of what was refused when the logs were read.
        about: facts of the watch for the summary.
    """
    key = key_of(settings, env)
    reference = load_reference(context.baseline, key.key_id)
    clock = Clock(progress)
    with ExitStack() as stack:
        stack.enter_context(enough_memory(settings))
        place = stack.enter_context(staging(out))
        lines = stack.enter_context(Refusals(Path(place) / "refused"))
        lines.extend(Rejected(*line) for line in refused[1])
        lines.reasons.clear()
        lines.reasons.update(refused[0])
        intake = Intake([str(p) for p in paths], settings, key, format=None, mapping=None, stdin=None,
                        progress=progress, refused=lines)  # fmt: skip
        traffic, facts = load_traffic(
            intake, settings, place, accounts=context.accounts, releases=context.releases,
            client_releases=context.client_releases, clock=clock,
        )  # fmt: skip
        stack.callback(traffic.engine.close)
        permitted = None
        if context.grants:
            permitted, bad = read_grants(context.grants)
            lines.extend(some_usable(context.grants, permitted, bad))
        options = options_of(at_levels(settings, plan.levels.claim, plan.levels))
        traits = load_traits(disabled=tuple(settings.detect.disabled_traits))
        detection = detect(traffic, traits, reference, options, clock.step)
        covered = apply_grants(traffic, permitted)
        clock.step("verdict")
        verdict = judge(traffic, detection, reference, options, covered)
        groups = groups_of(verdict)
        same = follow({s.name: s.accounts for s in plan.standing}, groups)
        verdict = _stand(plan, same, verdict, settings, traffic, detection, reference, covered)
        standing = _standing(plan, same, verdict, groups)
        new = tuple(sorted(groups.keys() - same.keys()))
        left = tuple(sorted({s.name for s in plan.standing} - set(same.values())))
        summary = summary_of(intake, traffic, detection, lines, settings, reference.about(), facts, {})
        summary["false_discovery_rate"] *= max(plan.levels.claim, plan.levels.stand)
        summary["counts"] |= facts_of(verdict)
        summary["inputs"] = [
            {
                "name": "state of the watch",
                "digest": _digest(intake),
                "rows": intake.kept_rows,
                "files": len(paths),
            }
        ]
        summary["watch"] = about | {
            "look": plan.number, "day": plan.day, "begun": plan.begun,
            "shares": {"claim": plan.levels.claim, "stand": plan.levels.stand, "controller": plan.levels.controller},
            "groups": {
                name: {"first": s.name, "since": s.since}
                for name, s in zip(sorted(groups), standing, strict=True)
            },
            "new": list(new), "left": list(left),
        }  # fmt: skip
        result = ScanResult(
            verdict.campaigns, verdict.members, verdict.findings,
            verdict.abstentions + unseen(intake, traffic), verdict.accounts, summary,
        )  # fmt: skip
        return Looked(
            hand_over(result, lines, settings, out, True, clock, lambda _: None), standing, new, left
        )


def _digest(intake: Intake) -> str:
    """One digest of all feature files that were read, in order."""
    lines = "".join(f"{digest} {rows}\n" for digest, rows in intake.kept.values())
    return hashlib.sha256(lines.encode()).hexdigest()


def at_levels(settings: Settings, shape: float, levels: Levels) -> Settings:
    """Settings with the rates that a look may spend."""
    d = settings.detect
    rates = {
        "alpha_controller": d.alpha_controller * levels.controller,
        "alpha_shape": d.alpha_shape * shape,
        "alpha_review": d.alpha_review * shape,
    }
    return settings.model_copy(update={"detect": d.model_copy(update=rates)})


def groups_of(verdict: Verdict) -> dict[str, frozenset[str]]:
    """Accounts of every group."""
    found: dict[str, set[str]] = {c.campaign_id: set() for c in verdict.campaigns}
    for member in verdict.members:
        found[member.campaign_id].add(member.account_id)
    return {name: frozenset(accounts) for name, accounts in found.items()}


def _stand(
    plan: Plan, same: dict[str, str], strict: Verdict, settings: Settings, traffic: Traffic, detection: Detection,
    reference: Any, covered: Covered,
) -> Verdict:  # fmt: skip
    """Campaigns that were firmly claimed earlier today are judged at the rate of the day's first look."""
    claimed = {s.name for s in plan.standing if s.claimed == plan.day}
    again = {name for name, old in same.items() if old in claimed}
    if not again or plan.levels.stand <= plan.levels.claim:
        return strict
    options: Options = options_of(at_levels(settings, plan.levels.stand, plan.levels))
    return combined(strict, judge(traffic, detection, reference, options, covered), again)


def combined(strict: Verdict, loose: Verdict, again: Collection[str]) -> Verdict:
    """Two verdicts on the same groups, the second for those in ``again``."""
    campaigns = [c for c in strict.campaigns if c.campaign_id not in again]
    campaigns += [c for c in loose.campaigns if c.campaign_id in again]
    campaigns.sort(key=lambda c: (c.kind != Kind.CAMPAIGN, -c.exchange_count, c.campaign_id))
    members = [m for m in strict.members if m.campaign_id not in again]
    members += [m for m in loose.members if m.campaign_id in again]
    members.sort(key=lambda m: (m.campaign_id, -m.membership_bits, m.account_id))
    findings = [f for f in strict.findings if f.subject not in again]
    findings += [f for f in loose.findings if f.subject in again]
    theirs = pc.is_in(strict.accounts.column("campaign_id"), value_set=pa.array(sorted(again), pa.string()))
    hints = pc.if_else(
        theirs, loose.accounts.column("disposition_hint"), strict.accounts.column("disposition_hint")
    )
    at = strict.accounts.schema.get_field_index("disposition_hint")
    accounts = strict.accounts.set_column(at, "disposition_hint", hints)
    return replace(
        strict, campaigns=tuple(campaigns), members=tuple(members),
        findings=tuple(sorted(findings, key=lambda f: f.id)), accounts=accounts,
    )  # fmt: skip


def _standing(
    plan: Plan, same: dict[str, str], verdict: Verdict, groups: dict[str, frozenset[str]]
) -> tuple[Standing, ...]:
    """The groups of this look, by id, as the next one compares with them."""
    before = {s.name: s for s in plan.standing}
    names = first_names(before, groups, same, plan.number)
    firmly = {c.campaign_id for c in verdict.campaigns if firm(c.kind, c.confidence)}
    out = []
    for name in sorted(groups):
        old = before.get(same.get(name, ""))
        since, claimed = (old.since, old.claimed) if old else (plan.begun, None)
        if name in firmly:
            claimed = plan.day
        out.append(Standing(names[name], since, claimed, groups[name]))
    return tuple(out)
