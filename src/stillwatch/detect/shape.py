"""Evidence B: is a linked stream shaped like a data set in the making?

Features between 0 and 1 of a group's linked sub-stream (its accounts times the template families that the
group shows far more than others do), a score with non-negative weights, and a conformal p-value: the rank of
the score among honest groups that themselves pass the controller test. Cover traffic does not dilute it,
because it is computed on the sub-stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any

import ibis
import numpy as np
import pyarrow as pa

from stillwatch.detect.assemble import Group
from stillwatch.detect.baseline import Calibration
from stillwatch.detect.lexicon import Lexicon
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
    """Row numbers, in `Rows`, of the group's exchanges."""
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


@dataclass(frozen=True, slots=True)
class Rows:
    """The exchanges of all groups: as many rows as the groups sent, however large the traffic around them."""

    columns: dict[str, np.ndarray]
    """Rows in order of input."""
    of_group: list[np.ndarray]
    """Row numbers of each group's exchanges, in order of input."""
    families: np.ndarray
    """int64: families that the rows show, ascending."""
    family_units: np.ndarray
    """int64: units of the whole traffic that show each of them."""
    left_out: np.ndarray
    """int64: of these the units with whom the groups of fleets are not compared, and that are in no group."""
    n_left_out: int

    def column(self, name: str) -> np.ndarray:
        """One column of `COLUMNS`."""
        return self.columns[name]


COLUMNS = (
    "seq", "unit", "acct", "ts", "model", "family", "payload", "cues", "turn", "n", "logprobs", "input_tokens",
    "output_tokens", "max_tokens",
)  # fmt: skip
"""What is measured of a group's exchanges, beside ``history`` (continues a conversation) and ``cell``."""


def group_rows(traffic: Traffic, groups: list[Group]) -> Rows:
    """The exchanges of some groups."""
    owner = np.full(traffic.n_units, -1, np.int64)
    for index, group in enumerate(groups):
        owner[group.units] = index
    out = np.zeros(traffic.n_units, np.bool_)
    for left_out in {id(g.left_out): g.left_out for g in groups if g.left_out is not None}.values():
        out |= left_out.marked
    t = traffic.table()
    inside = traffic.engine.local(pa.table({"unit": pa.array(np.flatnonzero(owner >= 0), pa.int32())}))
    found = t.semi_join(inside, "unit") if groups else t.limit(0)
    columns = traffic.fetch(
        found.select(
            *COLUMNS, history=_history(found).cast("int8"), cell=_cell(found, traffic.lexicon)
        ).order_by("seq")
    )
    columns["history"] = columns["history"] != 0
    of = owner[columns["unit"]]
    order = np.argsort(of, kind="stable")
    counts = np.bincount(of, minlength=len(groups))
    return Rows(
        columns,
        np.split(order, np.cumsum(counts)[:-1]) if groups else [],
        *_family_units(traffic, columns["family"], np.flatnonzero(out & (owner < 0))),
    )


def _history(t: Any) -> Any:
    """Whether an exchange continues a conversation."""
    return t.presented.length().fill_null(0) > 0


def _cell(t: Any, lexicon: Lexicon) -> Any:
    """Which of 64 coarse cells an exchange lies in: what it asks for, how long, and how it is sampled."""
    technique = sum(1 << f.bit for f in lexicon.families if f.kind == "technique")
    fmt = sum(1 << f.bit for f in lexicon.families if f.kind == "format")
    tokens_in = ibis.least(ibis.greatest(t.input_tokens, 1), 1 << 60)
    parts = (
        (t.cues & technique) != 0,
        (t.cues & fmt) != 0,
        t.max_tokens >= 4096,
        (t.temperature >= 0) & ~t.temperature.isnan(),
        t.output_tokens > 4 * tokens_in,
        _history(t),
    )
    return sum(
        (ibis.ifelse(part, 1 << i, 0).cast("int64") for i, part in enumerate(parts)), start=ibis.literal(0)
    )


def linked_families(traffic: Traffic, rows: Rows, group: Group, own: np.ndarray) -> np.ndarray:
    """Families that at least three units and one in a hundred of the group show, with a lift of ten."""
    pairs = np.unique(
        np.stack([rows.column("family")[own], rows.column("unit")[own].astype(np.int64)]), axis=1
    )
    mine, count = np.unique(pairs[0], return_counts=True)
    at = np.searchsorted(rows.families, mine)
    outside, rest = rows.family_units[at] - count, traffic.n_units - len(group.units)
    if group.left_out is not None:
        outside, rest = outside - rows.left_out[at], rest - rows.n_left_out
    size, rest = len(group.units), max(rest, 1)
    lift = (count / size) / ((outside + 1.0) / (rest + 1.0))
    keep = (mine != 0) & (count >= max(3, 0.01 * size)) & (lift >= LIFT)
    picked: np.ndarray = mine[keep]
    return picked


def _family_units(
    traffic: Traffic, shown: np.ndarray, left_out: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """The distinct families among some, how many units show each, and how many of these are left out; their number."""
    wanted = traffic.engine.local(pa.table({"family": np.unique(shown)}))
    pairs = traffic.table().select("family", "unit").semi_join(wanted, "family").distinct()
    got = traffic.fetch(pairs.group_by("family").agg(units=pairs.count()).order_by("family"))
    of_them = np.zeros(len(got["family"]), np.int64)
    if len(left_out):
        some = pairs.semi_join(
            traffic.engine.local(pa.table({"unit": pa.array(left_out, pa.int32())})), "unit"
        )
        theirs = traffic.fetch(some.group_by("family").agg(units=some.count()))
        of_them[np.searchsorted(got["family"], theirs["family"])] = theirs["units"]
    return got["family"], got["units"], of_them, len(left_out)


def stream_of(traffic: Traffic, rows: Rows, group: Group, own: np.ndarray) -> Stream:
    """Measure one group, whose exchanges are the rows ``own``."""
    families = linked_families(traffic, rows, group, own)
    family = rows.column("family")
    linked = own[np.isin(family[own], families)]
    use = linked if len(linked) >= max(MIN_LINKED, 0.02 * len(own)) else own
    cues = rows.column("cues")[use]
    features = {
        name: float(((cues & mask) != 0).mean()) if mask else 0.0 for name, mask in _masks(traffic).items()
    }
    features["template"] = len(linked) / len(own) if len(own) else 0.0
    payload = rows.column("payload")[use]
    payload = payload[payload != 0]
    repeats = 1
    if len(payload):
        _, times = np.unique(payload, return_counts=True)
        repeats = int(min(max(np.median(times), 1), 64))
        features["novelty"] = float(min(len(times) * repeats / len(payload), 1.0))
    else:
        features["novelty"] = 0.0
    turn, presented = rows.column("turn")[use], rows.column("history")[use]
    features["single_turn"] = float(((turn <= 1) & ~presented).mean())
    features["hunger"] = _hunger(rows, use)
    features["logits"] = float(((rows.column("n")[use] > 1) | (rows.column("logprobs")[use] == 1)).mean())
    hours = np.bincount((rows.column("ts")[use] // HOUR) % 24, minlength=24) / len(use)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.nansum(np.where(hours > 0, hours * np.log(hours), 0.0))
    features["flatness"] = float(entropy / np.log(24.0))
    features["concentration"] = _concentration(traffic, cues)
    features["harvest"] = features["template"] * features["novelty"] * features["single_turn"]
    features["ask"] = max(features[k] for k in ("reasoning", "grading", "generation", "format"))
    tokens = rows.column("output_tokens")[own]
    return Stream(
        features, len(own), len(linked), int(np.maximum(tokens, 0).sum()), families, own, linked, repeats
    )


def _hunger(rows: Rows, use: np.ndarray) -> float:
    tokens_out, tokens_in = rows.column("output_tokens")[use], rows.column("input_tokens")[use]
    known = (tokens_out >= 0) & (tokens_in >= 0)
    ratio = 0.5
    if known.any():
        logs = np.log2((tokens_out[known] + 1.0) / (tokens_in[known] + 1.0))
        ratio = float(np.clip((logs + 4.0) / 8.0, 0.0, 1.0).mean())
    limit = float((rows.column("max_tokens")[use] >= 4096).mean())
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


def extraction_share(traffic: Traffic, rows: Rows, stream: Stream, seed: int) -> tuple[float, float, float]:
    """Share of the group's exchanges that are extraction, with a 95% interval over accounts.

    The linked sub-stream is extraction by definition; of the rest, the part that looks like it. The rest is a
    mixture of "like the linked stream" and "like everybody else", and the mixing weight is estimated by
    expectation-maximisation over coarse cells, then resampled by unit (200 bootstrap draws).
    """
    own = stream.rows
    if not len(own):
        return 0.0, 0.0, 1.0
    cells = rows.column("cell")
    linked = np.zeros(len(cells), np.bool_)
    linked[stream.linked_rows] = True
    base = _all_cells(traffic) + 0.5
    base = base - np.bincount(cells[own], minlength=64)
    base = np.maximum(base, 0.5) / np.maximum(base, 0.5).sum()
    unit = rows.column("unit")[own]
    _, owner = np.unique(unit, return_inverse=True)
    n_units = int(owner.max()) + 1
    own_linked = np.bincount(owner, weights=linked[own], minlength=n_units)
    total = np.bincount(owner, minlength=n_units).astype(float)
    rest = np.zeros((n_units, 64))
    np.add.at(rest, (owner, cells[own]), (~linked[own]).astype(float))
    like = np.bincount(cells[stream.linked_rows], minlength=64) + 0.05
    like = like / like.sum()
    mixing = len(stream.linked_rows) >= MIN_LINKED

    rng = np.random.default_rng(seed)
    draws = (rng.multinomial(n_units, np.full(n_units, 1.0 / n_units)).astype(float) for _ in range(200))
    found, left, sent = [], [], []
    for weights in chain([np.ones(n_units)], draws):
        found.append(float(weights @ own_linked))
        left.append(weights @ rest)
        sent.append(float(weights @ total))
    shares = np.minimum((np.array(found) + _extra(np.array(left), like, base, mixing)) / np.array(sent), 1.0)
    point = float(shares[0])
    low, high = np.quantile(shares[1:], [0.025, 0.975])
    return point, float(min(low, point)), float(max(high, point))


def _extra(left: np.ndarray, like: np.ndarray, base: np.ndarray, mixing: bool) -> np.ndarray:
    """How much of what is left over (float64[draws, cells]) is like the linked stream, by draw."""
    sizes = left.sum(1)
    out = np.zeros(len(left))
    some = np.flatnonzero(sizes > 0) if mixing else np.zeros(0, np.int64)
    out[some] = _mixtures(left[some], like, base) * sizes[some]
    return out


def _mixtures(counts: np.ndarray, like: np.ndarray, base: np.ndarray) -> np.ndarray:
    share = np.full((len(counts), 1), 0.1)
    sizes = counts.sum(1, keepdims=True)
    for _ in range(60):
        weight = share * like / (share * like + (1.0 - share) * base)
        share = (counts * weight).sum(1, keepdims=True) / sizes
    return share[:, 0]


def _all_cells(traffic: Traffic) -> np.ndarray:
    """int64[64]: exchanges of the whole traffic in each cell."""
    if "cells" not in traffic.cache:
        t = traffic.table()
        got = traffic.fetch(t.group_by(cell=_cell(t, traffic.lexicon)).agg(n=t.count()))
        cells = np.zeros(64, np.int64)
        cells[got["cell"]] = got["n"]
        traffic.cache["cells"] = cells
    out: np.ndarray = traffic.cache["cells"]
    return out


def capability_rows(traffic: Traffic, rows: Rows, use: np.ndarray) -> list[tuple[str, int, int]]:
    """(capability, exchanges, output tokens) of a set of rows, largest first."""
    cues = rows.column("cues")[use]
    tokens = np.maximum(rows.column("output_tokens")[use], 0)
    out = []
    for f in traffic.lexicon.families:
        if f.kind == "capability":
            hit = ((cues >> f.bit) & 1).astype(np.bool_)
            if hit.any():
                out.append((f.name, int(hit.sum()), int(tokens[hit].sum())))
    return sorted(out, key=lambda r: (-r[1], r[0]))
