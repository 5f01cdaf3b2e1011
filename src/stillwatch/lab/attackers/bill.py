"""What a planned campaign used up, for its bill."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stillwatch.lab.attackers.accounts import Crew
from stillwatch.lab.attackers.dials import LEVELS, Dials
from stillwatch.lab.cost import AGEING_DAYS, RECENCY_DAYS, Usage
from stillwatch.lab.relay import Planned
from stillwatch.lab.relay_work import Desk
from stillwatch.lab.scenario import CampaignSpec
from stillwatch.lab.world import Stream, World

_PROMPT_TOKENS = 110.0
"""Tokens of a typical instruction and payload in the lab's grammars."""


def usage_of(
    world: World, spec: CampaignSpec, crew: Crew, dials: Dials, desks: Sequence[Desk], relayed: Planned,
    alone: Planned, *, shells: int, shell_exchanges: int, decoy_users: int, wanted: int, days: float,
) -> Usage:  # fmt: skip
    """Add up what a campaign used."""
    block = crew.block
    cloud, bought = crew.within(207, dials.cloud_share), crew.within(203, dials.aged)
    own = ~cloud & ~crew.given
    # Bought accounts come verified.
    phones = sum(
        v == "phone" and n for v, n in zip(block.verification, (own & ~bought).tolist(), strict=True)
    )
    size, answer, prefix = _tokens(world, desks)
    answered = relayed.answered + alone.answered
    done = relayed.exchanges - relayed.refused + alone.exchanges - alone.refused
    doubled = dials.duplicate_share / (1 + dials.duplicate_share)
    moving = relayed.exchanges / max(relayed.exchanges + alone.exchanges, 1)
    lines = sum(d.extraction and not d.teacher for d in desks)
    written = (round(dials.templates) or max(1, spec.templates)) * len({spec.variant, *spec.also})
    return Usage(
        accounts=int(own.sum()), aged_accounts=int((bought & own).sum()),
        cards=crew.cards, verifications=int(phones), cloud_tenants=int(cloud.sum()), shells=shells,
        decoy_users=decoy_users, hosting_addresses=crew.addresses,
        residential_share=moving * float(crew.home.sum()) / max(int((~crew.natural).sum()), 1), days=days,
        extraction=relayed.extraction + alone.extraction, answered=answered, cover=done - answered + shell_exchanges,
        customers=relayed.paid, heartbeats=relayed.heartbeats, input_tokens=size, output_tokens=answer,
        prefix_tokens=prefix, uncached=1.0 - min(dials.sticky_s, 3600.0) / 3600.0,
        paraphrased=round(relayed.answered * dials.paraphrase), duplicates=round(relayed.answered * doubled),
        templates=min(written, lines) if relayed.extraction else 0, worked=alone.exchanges - alone.refused,
        engineering=_engineering(dials) if relayed.exchanges else (),
        delays=_delays(dials, shells, wanted, relayed.exchanges + alone.exchanges, days),
    )  # fmt: skip


def _tokens(world: World, desks: Sequence[Desk]) -> tuple[float, float, float]:
    """Mean input and output tokens, and cacheable input tokens, of an extraction exchange."""
    lines = [world.streams[d.stream] for d in desks if d.extraction]
    if not lines:
        lines = [world.streams[d.stream] for d in desks] or [Stream(voice=0, reply=0)]
    fixed = float(np.mean([len(s.system or "") + len(s.tools or "") for s in lines])) / 3.7
    hidden = float(np.mean([_log_mean(s.hidden) if s.hidden else 0.0 for s in lines]))
    answer = float(np.mean([min(_log_mean(s.out), s.max_tokens or 1e9) for s in lines]))
    return fixed + hidden + _PROMPT_TOKENS, answer, fixed + 0.7 * hidden


def _log_mean(law: tuple[float, float]) -> float:
    return float(np.exp(law[0] + law[1] ** 2 / 2))


def _engineering(dials: Dials) -> tuple[str, ...]:
    plain = LEVELS[0]
    wanted = {
        "own_client": dials.own_client > 0,
        "paraphrase": dials.paraphrase > 0,
        "schedule": dials.sticky_s != plain.sticky_s or dials.rotation < 1 or dials.jitter_s > 0,
        "padding": dials.padding > 0,
        "human_hours": dials.human_hours > 0,
        "staged": dials.staged > 0,
        "cloud": dials.cloud_share > 0,
        "decoy": dials.decoy > 0,
    }
    return tuple(name for name, needed in wanted.items() if needed)


def _delays(dials: Dials, shells: int, wanted: int, planned: int, days: float) -> dict[str, float]:
    """Days by cause; only causes that cost any."""
    causes = {
        "ageing": AGEING_DAYS if shells else 0.0,  # aged accounts are bought, shells have to be raised
        "recency": RECENCY_DAYS * max(0.0, 1 - dials.pivot / LEVELS[0].pivot),
        "staged": dials.staged * days / 2,
        "daily_cap": days * (wanted / planned - 1)
        if planned and dials.daily_cap and wanted > planned
        else 0.0,
        "jitter": dials.jitter_s / 2 / 86_400,
    }
    return {name: value for name, value in causes.items() if value > 0}


__all__ = ["usage_of"]
