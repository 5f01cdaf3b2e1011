"""Evidence B: is a linked stream shaped like a data set in the making?

Features between 0 and 1 of a group's linked sub-stream (its accounts times the template families that the
group shows far more than others do), a score with non-negative weights, and a conformal p-value: the rank of
the score among honest groups that themselves pass the controller test. Cover traffic does not dilute it,
because it is computed on the sub-stream.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.detect.assemble import Group
from stillwatch.detect.baseline import Calibration
from stillwatch.detect.traffic import HOUR, Traffic

FEATURES = (
    "reasoning", "jailbreak", "prompt_extraction", "grading", "generation", "format", "template", "novelty",
    "single_turn", "hunger", "logits", "flatness", "concentration", "harvest", "ask",
)  # fmt: skip
"""``harvest`` is templates times novelty times single turns; ``ask`` the largest share of one kind of ask."""
MIN_LINKED = 20
LIFT = 10.0
MIN_CALIBRATION = 100
"""Below this many honest groups no p-value is given: extrapolation would be a guess."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Features and figures of one group."""

    features: dict[str, float]
    exchanges: int
    linked: int
    output_tokens: int
    families: np.ndarray
    rows: np.ndarray
    """Row numbers of the group's exchanges."""
    linked_rows: np.ndarray
    """Row numbers of the linked sub-stream."""
    repeats: int
    """Usual number of exchanges per payload in the linked stream."""


def _masks(traffic: Traffic) -> dict[str, int]:
    lex = traffic.lexicon
    return {
        "reasoning": lex.mask("reasoning_elicitation", "reasoning_reconstruction"),
        "jailbreak": lex.mask("jailbreak"),
        "prompt_extraction": lex.mask("system_prompt_extraction"),
        "grading": lex.mask("rubric_grading", "score_number"),
        "generation": lex.mask("task_generation", "safe_rewrite"),
        "format": lex.mask("boxed_answer", "json_fields", "xml_tags", "score_number"),
    }


def group_rows(traffic: Traffic, groups: list[Group]) -> list[np.ndarray]:
    """Row numbers of each group's exchanges, in time order of the input."""
    owner = np.full(traffic.n_units, -1, np.int64)
    for index, group in enumerate(groups):
        owner[group.units] = index
    of = owner[traffic.column("unit")]
    order = np.argsort(of, kind="stable")
    counts = np.bincount(of[of >= 0], minlength=len(groups))
    start = int((of < 0).sum())
    return np.split(order[start:], np.cumsum(counts)[:-1]) if groups else []


def linked_families(traffic: Traffic, group: Group, rows: np.ndarray) -> np.ndarray:
    """Families that at least three units and one in a hundred of the group show, with a lift of ten."""
    family, unit = traffic.column("family"), traffic.column("unit")
    if "family_units" not in traffic.cache:
        pairs = (
            np.unique(np.stack([family, unit.astype(np.int64)]), axis=1) if len(family) else np.zeros((2, 0))
        )
        values, units = np.unique(pairs[0], return_counts=True)
        traffic.cache["family_units"] = (values, units)
    values, units = traffic.cache["family_units"]
    own = np.unique(np.stack([family[rows], unit[rows].astype(np.int64)]), axis=1)
    mine, count = np.unique(own[0], return_counts=True)
    at = np.searchsorted(values, mine)
    outside = units[at] - count
    size, rest = len(group.units), max(traffic.n_units - len(group.units), 1)
    lift = (count / size) / ((outside + 1.0) / (rest + 1.0))
    keep = (mine != 0) & (count >= max(3, 0.01 * size)) & (lift >= LIFT)
    picked: np.ndarray = mine[keep]
    return picked


def stream_of(traffic: Traffic, group: Group, rows: np.ndarray) -> Stream:
    """Measure one group."""
    families = linked_families(traffic, group, rows)
    family = traffic.column("family")
    linked = rows[np.isin(family[rows], families)]
    use = linked if len(linked) >= max(MIN_LINKED, 0.02 * len(rows)) else rows
    cues = traffic.column("cues")[use]
    features = {
        name: float(((cues & mask) != 0).mean()) if mask else 0.0 for name, mask in _masks(traffic).items()
    }
    features["template"] = len(linked) / len(rows) if len(rows) else 0.0
    payload = traffic.column("payload")[use]
    payload = payload[payload != 0]
    repeats = 1
    if len(payload):
        _, times = np.unique(payload, return_counts=True)
        repeats = int(min(max(np.median(times), 1), 64))
        features["novelty"] = float(min(len(times) * repeats / len(payload), 1.0))
    else:
        features["novelty"] = 0.0
    turn, presented = traffic.column("turn")[use], _has_history(traffic)[use]
    features["single_turn"] = float(((turn <= 1) & ~presented).mean())
    features["hunger"] = _hunger(traffic, use)
    features["logits"] = float(
        ((traffic.column("n")[use] > 1) | (traffic.column("logprobs")[use] == 1)).mean()
    )
    hours = np.bincount((traffic.column("ts")[use] // HOUR) % 24, minlength=24) / len(use)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.nansum(np.where(hours > 0, hours * np.log(hours), 0.0))
    features["flatness"] = float(entropy / np.log(24.0))
    features["concentration"] = _concentration(traffic, cues)
    features["harvest"] = features["template"] * features["novelty"] * features["single_turn"]
    features["ask"] = max(features[k] for k in ("reasoning", "grading", "generation", "format"))
    tokens = traffic.column("output_tokens")[rows]
    return Stream(
        features, len(rows), len(linked), int(np.maximum(tokens, 0).sum()), families, rows, linked, repeats
    )


def _has_history(traffic: Traffic) -> np.ndarray:
    if "history" not in traffic.cache:
        got = traffic.con.con.execute(
            "SELECT coalesce(len(presented), 0) > 0 AS h FROM exchange ORDER BY seq"
        ).fetchnumpy()["h"]
        traffic.cache["history"] = np.asarray(got, np.bool_)
    out: np.ndarray = traffic.cache["history"]
    return out


def _hunger(traffic: Traffic, rows: np.ndarray) -> float:
    tokens_out, tokens_in = traffic.column("output_tokens")[rows], traffic.column("input_tokens")[rows]
    known = (tokens_out >= 0) & (tokens_in >= 0)
    ratio = 0.5
    if known.any():
        logs = np.log2((tokens_out[known] + 1.0) / (tokens_in[known] + 1.0))
        ratio = float(np.clip((logs + 4.0) / 8.0, 0.0, 1.0).mean())
    limit = float((traffic.column("max_tokens")[rows] >= 4096).mean())
    return 0.5 * ratio + 0.5 * limit


def _concentration(traffic: Traffic, cues: np.ndarray) -> float:
    bits = [f.bit for f in traffic.lexicon.families if f.kind == "capability"]
    counts = np.array([((cues >> b) & 1).sum() for b in bits], float)
    if counts.sum() < 1:
        return 0.0
    p = counts / counts.sum()
    return float((p * p).sum())


def score(features: dict[str, float], calibration: Calibration) -> float:
    """Weighted sum of features; every weight is non-negative, so more of a feature never clears anyone."""
    return float(sum(calibration.weights.get(name, 0.0) * features[name] for name in FEATURES))


def p_value(value: float, calibration: Calibration, units: int) -> float | None:
    """Conformal p-value of the shape score of a group of so many units, among honest groups of like size.

    None where there are too few of them to say.
    """
    peers = calibration.peers(units)
    n = len(peers)
    if n < MIN_CALIBRATION:
        return None
    at_least = n - int(np.searchsorted(peers, value, side="left"))
    return (1 + at_least) / (n + 1)


def stands_clear(value: float, calibration: Calibration, units: int) -> bool:
    """Whether a score lies above every honest group of like size by as much as the highest of them lies above the
    ninety-ninth in a hundred.

    A rank among n groups promises no less than 1 / (n + 1), which one honest group in a thousand reaches; a margin asks
    for more than any rank can. It narrows what the conformal test has let through and promises no rate of its own.
    """
    peers = calibration.peers(units)
    if len(peers) < MIN_CALIBRATION:
        return False
    return bool(value > peers[-1] + (peers[-1] - float(np.quantile(peers, 0.99))))


def extraction_share(traffic: Traffic, stream: Stream, seed: int) -> tuple[float, float, float]:
    """Share of the group's exchanges that are extraction, with a 95% interval over accounts.

    The linked sub-stream is extraction by definition; of the rest, the part that looks like it. The rest is a
    mixture of "like the linked stream" and "like everybody else", and the mixing weight is estimated by
    expectation-maximisation over coarse cells, then resampled by unit (200 bootstrap draws).
    """
    rows = stream.rows
    if not len(rows):
        return 0.0, 0.0, 1.0
    cells = _cells(traffic)
    linked = np.zeros(len(cells), np.bool_)
    linked[stream.linked_rows] = True
    base = np.bincount(cells, minlength=64) + 0.5
    base = base - np.bincount(cells[rows], minlength=64)
    base = np.maximum(base, 0.5) / np.maximum(base, 0.5).sum()
    unit = traffic.column("unit")[rows]
    _, owner = np.unique(unit, return_inverse=True)
    n_units = int(owner.max()) + 1
    own_linked = np.bincount(owner, weights=linked[rows], minlength=n_units)
    total = np.bincount(owner, minlength=n_units).astype(float)
    rest = np.zeros((n_units, 64))
    np.add.at(rest, (owner, cells[rows]), (~linked[rows]).astype(float))
    like = np.bincount(cells[stream.linked_rows], minlength=64) + 0.05
    like = like / like.sum()
    mixing = len(stream.linked_rows) >= MIN_LINKED

    def estimate(weights: np.ndarray) -> float:
        found = float(weights @ own_linked)
        left = weights @ rest
        extra = _mixture(left, like, base) * left.sum() if mixing and left.sum() > 0 else 0.0
        return min((found + extra) / float(weights @ total), 1.0)

    point = estimate(np.ones(n_units))
    rng = np.random.default_rng(seed)
    draws = [
        estimate(rng.multinomial(n_units, np.full(n_units, 1.0 / n_units)).astype(float)) for _ in range(200)
    ]
    low, high = np.quantile(draws, [0.025, 0.975])
    return point, float(min(low, point)), float(max(high, point))


def _mixture(counts: np.ndarray, like: np.ndarray, base: np.ndarray) -> float:
    share = 0.1
    for _ in range(60):
        weight = share * like / (share * like + (1.0 - share) * base)
        share = float((counts * weight).sum() / counts.sum())
    return share


def _cells(traffic: Traffic) -> np.ndarray:
    if "cells" not in traffic.cache:
        lex = traffic.lexicon
        cues = traffic.column("cues")
        technique = sum(1 << f.bit for f in lex.families if f.kind == "technique")
        fmt = sum(1 << f.bit for f in lex.families if f.kind == "format")
        traffic.cache["cells"] = (
            ((cues & technique) != 0).astype(np.int64)
            + 2 * ((cues & fmt) != 0)
            + 4 * (traffic.column("max_tokens") >= 4096)
            + 8 * (traffic.column("temperature") >= 0)
            + 16 * (traffic.column("output_tokens") > 4 * np.maximum(traffic.column("input_tokens"), 1))
            + 32 * _has_history(traffic)
        )
    out: np.ndarray = traffic.cache["cells"]
    return out


def capability_rows(traffic: Traffic, rows: np.ndarray) -> list[tuple[str, int, int]]:
    """(capability, exchanges, output tokens) of a set of rows, largest first."""
    cues = traffic.column("cues")[rows]
    tokens = np.maximum(traffic.column("output_tokens")[rows], 0)
    out = []
    for f in traffic.lexicon.families:
        if f.kind == "capability":
            hit = ((cues >> f.bit) & 1).astype(np.bool_)
            if hit.any():
                out.append((f.name, int(hit.sum()), int(tokens[hit].sum())))
    return sorted(out, key=lambda r: (-r[1], r[0]))
