"""The ledger behind a verdict: which channel gave how much, what is shared, what stands without it."""

from __future__ import annotations

import math

import numpy as np

from stillwatch.detect.assemble import Group
from stillwatch.detect.baseline import Baseline
from stillwatch.detect.controller import share_of
from stillwatch.detect.hubs import TokenMatrix
from stillwatch.detect.run import Detection
from stillwatch.detect.traffic import Traffic
from stillwatch.detect.trait import CONTROL_GROUPS, EventTrait, QueueTrait, TokenTrait
from stillwatch.records import Evidence, Family

GROUP_FAMILY = {
    "payment": Family.IDENTITY,
    "identity": Family.IDENTITY,
    "programme": Family.IDENTITY,
    "egress": Family.INFRASTRUCTURE,
    "network": Family.INFRASTRUCTURE,
    "device": Family.INFRASTRUCTURE,
    "software": Family.INFRASTRUCTURE,
    "schedule": Family.TIMING,
    "pivot": Family.TIMING,
    "control": Family.BEHAVIOUR,
    "queue": Family.BEHAVIOUR,
    "content": Family.CONTENT,
    "language": Family.CONTENT,
}
"""Evidence family of each trait group."""
SHOWN = 0.3
"""Channels under this many decades are not listed."""


def safe_value(traffic: Traffic, trait: TokenTrait, value: int) -> str:
    """A value in safe words: its label where the trait has a closed vocabulary, else a short digest."""
    if trait.label is not None:
        return trait.label(traffic, int(value))
    return f"#{int(value) & 0xFFFFFFFFFFFFFFFF:016x}"[:11]


def top_value(matrix: TokenMatrix, units: np.ndarray) -> tuple[int, int, int]:
    """(code, members that show it, members that show anything) of the commonest value among units."""
    codes = matrix.codes[units]
    shown, counts = np.unique(codes[codes >= 0], return_counts=True)
    if not len(shown):
        return -1, 0, 0
    most = int(counts.argmax())
    return int(shown[most]), int(counts[most]), int((codes[:, 0] >= 0).sum())


def evidence_of(
    traffic: Traffic, detection: Detection, group: Group, baseline: Baseline, kappa: float
) -> tuple[Evidence, ...]:
    """Channels that spoke, strongest first."""
    by_id = {t.id: t for t in detection.traits}
    values = {k: v for k, v in group.channels.items() if not math.isnan(v)}
    out = []
    for trait_id, log10 in values.items():
        trait = by_id[trait_id]
        if log10 < SHOWN:
            continue
        rest = [v for k, v in values.items() if k != trait_id]
        without = _average(rest)
        if isinstance(trait, TokenTrait):
            matrix = detection.matrices[trait_id]
            code, members, present = top_value(matrix, group.units)
            (reference,), floor = share_of(matrix, baseline, [code])
            outside = max(matrix.n_present - present, 0)
            share = max(
                float(reference), floor,
                (float(matrix.having[code]) - members + 1.0) / (outside + 1.0) if detection.use_traffic else 0.0,
            )  # fmt: skip
            distinct = len(np.unique(matrix.codes[group.units][matrix.codes[group.units] >= 0]))
            note = f"{present} of {len(group.units)} members show something; {distinct} distinct values"
            value = safe_value(traffic, trait, int(matrix.values[code]))
        elif isinstance(trait, EventTrait):
            pairs = next(p for p in detection.pairs if p.trait.id == trait_id)
            inside = np.zeros(traffic.n_units, np.bool_)
            inside[group.units] = True
            both = inside[pairs.giver] & inside[pairs.taker]
            touched = np.unique(np.concatenate([pairs.giver[both], pairs.taker[both]]))
            members, share = len(touched), min(pairs.rate, 1.0)
            chances = int(pairs.exposure[group.units].sum())
            note = f"{int(both.sum())} distinct pairs of accounts, {chances} opportunities"
            value = "between members"
        elif isinstance(trait, QueueTrait):
            members, share, note, value = len(group.units), 0.0, trait.title.lower(), "over the whole group"
        else:
            continue
        out.append(
            Evidence(trait_id, trait.family, value, members, min(share, 1.0), kappa, round(log10, 3),
                     trait.group in CONTROL_GROUPS, round(without, 3), note)
        )  # fmt: skip
    return tuple(sorted(out, key=lambda e: (-e.log10_e_value, e.trait)))


def _average(values: list[float]) -> float:
    if not values:
        return 0.0
    top = max(values)
    return top + math.log10(sum(10.0 ** max(v - top, -300.0) for v in values) / len(values))


def family_bits(evidence: tuple[Evidence, ...], p_value: float | None) -> dict[Family, float]:
    """Bits per family: the strongest channel inside each; content counts through the shape p-value."""
    bits = {family: 0.0 for family in Family}
    for e in evidence:
        if e.family is not Family.CONTENT:
            bits[e.family] = max(bits[e.family], e.log10_e_value * math.log2(10.0))
    if p_value is not None:
        bits[Family.CONTENT] = max(-math.log2(p_value), 0.0)
    return {family: round(value, 2) for family, value in bits.items()}


def edges_of(
    traffic: Traffic, detection: Detection, group: Group, accounts: dict[int, list[str]], limit: int
) -> tuple[tuple[str, str, str], ...]:
    """(account, trait, value) triples for the graph: values that at least three members share, bounded."""
    out: list[tuple[str, str, str]] = []
    for trait_id, matrix in sorted(detection.matrices.items()):
        trait = matrix.trait
        if trait.group in ("language", "programme", "pivot") or not (trait.defines_hubs or trait.bets):
            continue
        codes = matrix.codes[group.units]
        shown, counts = np.unique(codes[codes >= 0], return_counts=True)
        for at in np.argsort(-counts, kind="stable")[:3]:
            if counts[at] < 3:
                break
            code = shown[at]
            value = safe_value(traffic, trait, int(matrix.values[code]))
            for unit in group.units[(codes == code).any(1)][:40]:
                out += [(account, trait_id, value) for account in accounts[int(unit)][:1]]
    return tuple(out[:limit])
