"""The steps of a scan in order, from traffic to measured groups. No I/O, no settings, no clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from stillwatch.detect.assemble import Group, assemble, content_groups
from stillwatch.detect.attributor import Attributor
from stillwatch.detect.baseline import Baseline
from stillwatch.detect.controller import HubTests, Pairs, make_pairs, test_hubs
from stillwatch.detect.families import assign_families
from stillwatch.detect.hubs import Hubs, TokenMatrix, hubs_and_matrices
from stillwatch.detect.shape import Rows, Stream, group_rows, stream_of
from stillwatch.detect.split import parts_of
from stillwatch.detect.traffic import DAY, UNKNOWN_TIME, Traffic
from stillwatch.detect.trait import Events, EventTrait, Judged, QueueTrait, Tokens, TokenTrait, Trait
from stillwatch.errors import StillwatchError
from stillwatch.records import Abstention

TENURE = 90 * DAY
DERIVED = {
    "prompt": frozenset({"prompt", "messages"}),
    "system_prompt": frozenset({"system_prompt", "messages"}),
}
"""Fields that another field can stand in for, whatever the trait; a trait may name more of its own."""
LEFT_OUT = {
    "controller": "left out by the settings: any accounts that share a template are a group",
    "shape": "left out by the settings: every group is called a campaign",
    "retest": "left out by the settings: hubs are chosen and believed on the same evidence",
}


@dataclass(frozen=True, slots=True)
class Options:
    """What a detection may be told; see the settings page for units and meaning."""

    kappa: float = 3.0
    alpha_controller: float = 1e-4
    alpha_shape: float = 0.01
    alpha_review: float = 0.05
    hub_min: int = 5
    hub_max: int = 60_000
    hub_sample: int = 5_000
    reference: str = "auto"
    seed: int = 2026
    without: frozenset[str] = frozenset()
    """Parts left out for comparing: ``controller``, ``shape``, ``retest``."""


@dataclass
class Detection:
    """Everything that was computed; `stillwatch.detect.verdict` puts it into words."""

    traits: tuple[Trait, ...]
    shown: dict[str, int]
    """Marks of units that each token trait found."""
    matrices: dict[str, TokenMatrix]
    pairs: list[Pairs]
    hubs: Hubs
    tests: HubTests
    groups: list[Group]
    rows: Rows
    streams: list[Stream]
    attributor: Attributor
    abstentions: list[Abstention] = field(default_factory=list)
    use_traffic: bool = True


def missing_fields(trait: Trait, present: frozenset[str]) -> tuple[str, ...]:
    """Contract fields a trait needs and the input never gave."""
    return tuple(
        sorted(
            f
            for f in trait.needs
            if not (DERIVED.get(f, frozenset({f})) | trait.instead.get(f, frozenset())) & present
        )
    )


def trusted_units(traffic: Traffic) -> np.ndarray:
    """bool[units]: verified or long-standing, and not suspended: whose habits serve as the null rate."""
    frame = traffic.accounts
    old = (frame.created != UNKNOWN_TIME) & (frame.created < traffic.start - TENURE)
    good = (frame.verified | (old & (frame.org >= 0))) & (frame.status <= 1)
    out = np.zeros(traffic.n_units, np.bool_)
    out[traffic.unit[good]] = True
    return out


def extract_tokens(
    traffic: Traffic, traits: tuple[Trait, ...], note: Callable[[Abstention], None]
) -> tuple[dict[str, Tokens], list[tuple[EventTrait, Events]], list[QueueTrait]]:
    """Run every extractor; a trait without its fields abstains, a failing trait is named and the rest go on."""
    present = traffic.present | _extra_fields(traffic)
    tokens: dict[str, Tokens] = {}
    events: list[tuple[EventTrait, Events]] = []
    queues: list[QueueTrait] = []
    for trait in traits:
        missing = missing_fields(trait, present)
        if missing:
            note(Abstention(trait.id, "the input never gave what it needs", missing))
            continue
        try:
            if isinstance(trait, TokenTrait):
                tokens[trait.id] = trait.extract(traffic)
            elif isinstance(trait, EventTrait):
                events.append((trait, trait.extract(traffic)))
            elif isinstance(trait, QueueTrait):
                queues.append(trait)
        except StillwatchError:
            raise
        except Exception as error:  # one broken trait must not stop the others
            note(Abstention(trait.id, f"failed: {type(error).__name__}"))
    return tokens, events, queues


def _extra_fields(traffic: Traffic) -> frozenset[str]:
    extra = set()
    if traffic.releases:
        extra.add("release.released_at")
    if traffic.client_releases:
        extra.add("client_release.version")
    return frozenset(extra)


def detect(
    traffic: Traffic,
    traits: tuple[Trait, ...],
    baseline: Baseline,
    options: Options,
    step: Callable[[str], None] = lambda _: None,
) -> Detection:
    """Find groups behind one controller and measure what they send."""
    abstentions: list[Abstention] = []
    use_traffic = options.reference in ("baseline+traffic", "traffic") or (
        options.reference == "auto" and baseline.kind == "shipped"
    )
    if options.reference == "traffic":
        baseline = replace(baseline, shares={})
    abstentions += [Abstention(part, LEFT_OUT[part]) for part in sorted(options.without)]
    step("families")
    assign_families(traffic)
    step("traits")
    tokens, events, queues = extract_tokens(traffic, traits, abstentions.append)
    trusted = trusted_units(traffic)
    pairs = [make_pairs(traffic, trait, got, trusted) for trait, got in events]
    token_traits = tuple(t for t in traits if isinstance(t, TokenTrait) and t.id in tokens)
    step("hubs")
    shown = {trait_id: len(got.unit) for trait_id, got in tokens.items()}
    hubs, matrices = hubs_and_matrices(
        traffic, tokens, token_traits, low=options.hub_min, high=options.hub_max, sample=options.hub_sample
    )
    step("controller test")
    found = _queues(traffic, hubs, queues, abstentions.append)
    queues = [q for q, _ in found]
    tests = test_hubs(
        traffic, hubs, matrices, pairs, found, baseline,
        kappa=options.kappa, alpha=options.alpha_controller, use_traffic=use_traffic,
        retest="retest" not in options.without, every=False,
    )  # fmt: skip
    step("groups")
    attributor = Attributor(
        traffic, matrices, pairs, baseline, kappa=options.kappa, use_traffic=use_traffic,
        links=[q.units(traffic) for q in queues if q.units],
    )  # fmt: skip
    if "controller" in options.without:
        groups = content_groups(traffic, hubs, attributor, low=options.hub_min)
    else:
        groups = assemble(traffic, hubs, tests, attributor, trusted, low=options.hub_min)
        groups = _split(
            traffic, groups, tests, attributor, matrices, pairs, queues, baseline, options, use_traffic,
            abstentions.append,
        )  # fmt: skip
    step("shape")
    rows = group_rows(traffic, groups)
    streams = [stream_of(traffic, rows, g, own) for g, own in zip(groups, rows.of_group, strict=True)]
    return Detection(
        traits,
        shown,
        matrices,
        pairs,
        hubs,
        tests,
        groups,
        rows,
        streams,
        attributor,
        abstentions,
        use_traffic,
    )


def _queues(
    traffic: Traffic, hubs: Hubs, queues: list[QueueTrait], note: Callable[[Abstention], None]
) -> list[tuple[QueueTrait, Mapping[int, Judged]]]:
    """What each queue trait says of the hubs; one that fails is named and the rest go on."""
    found = []
    for trait in queues:
        try:
            found.append((trait, trait.extract(traffic, hubs)))
        except StillwatchError:
            raise
        except Exception as error:  # one broken trait must not stop the others
            note(Abstention(trait.id, f"failed: {type(error).__name__}"))
    return found


def _split(
    traffic: Traffic, groups: list[Group], tests: HubTests, attributor: Attributor,
    matrices: dict[str, TokenMatrix], pairs: list[Pairs], queues: list[QueueTrait], baseline: Baseline,
    options: Options, use_traffic: bool, note: Callable[[Abstention], None],
) -> list[Group]:  # fmt: skip
    """Split groups in which controllers met, and measure every part as a whole for the ledger.

    The error rate rests on the seed hub, which stood on both halves of the evidence before anything was grown;
    a part inherits its standing. ``Group.log10`` is computed on the finished part: it says how heavy the
    evidence is, and a part without sources of its own is dropped, but it is no second test.
    """
    out: list[Group] = []
    for group in groups:
        parts = (
            [group.units]
            if group.thin
            else parts_of(
                group.units,
                options.hub_min,
                attributor,
                controlled=tests.controlled(group.hubs),
                left_out=group.left_out,
            )
        )
        for units in parts:
            out.append(Group(np.sort(units), group.seed, list(group.hubs), group.thin, group.left_out))
    if not out:
        return []
    order = np.argsort(traffic.unit_order, kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    members = [g.units[np.argsort(rank[g.units])] for g in out]
    lengths = np.array([len(m) for m in members])
    as_hubs = Hubs(
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), np.concatenate(members).astype(np.int32),
        np.full(len(out), -1, np.int16), np.arange(len(out)), lengths, (), 0,
    )  # fmt: skip
    found = _queues(traffic, as_hubs, queues, note)
    own_tests = test_hubs(
        traffic, as_hubs, matrices, pairs, found, baseline,
        kappa=options.kappa, alpha=options.alpha_controller, use_traffic=use_traffic,
    )  # fmt: skip
    for i, group in enumerate(out):
        group.units, parts_ = attributor.score(group.units, group.left_out)
        group.parts = dict(zip(attributor.trait_groups, parts_, strict=True))
        group.channels = dict(zip(own_tests.channels, own_tests.log10[i], strict=True))
        group.controlled = own_tests.controlled([i])
        group.log10 = float(own_tests.combined[i])
    return [g for g, kept in zip(out, own_tests.sourced, strict=True) if kept]
