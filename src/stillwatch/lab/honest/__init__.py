"""Honest classes: one module each, all of them things a naive detector flags."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from stillwatch.lab.honest import (
    accelerator,
    agency,
    bare_client,
    batch_job,
    byok,
    campus,
    coding_agents,
    data_labelling,
    enterprise,
    eval_harness,
    hackathon,
    key_rotation,
    leaderboard,
    licensed_distiller,
    llm_judge,
    migrated,
    neutrality_research,
    orchestrator,
    popular_sdk,
    red_team,
    reseller,
    style_line,
    support_vendor,
    synthetic_own_docs,
    translation,
    twin_accounts,
    vpn_exit,
)
from stillwatch.lab.scenario import LookAlike
from stillwatch.lab.world import World

Builder = Callable[[World, np.random.Generator, LookAlike, int], None]

CLASSES: Mapping[str, Builder] = {
    module.__name__.rsplit(".", 1)[1]: module.build
    for module in (
        accelerator,
        agency,
        bare_client,
        batch_job,
        byok,
        campus,
        coding_agents,
        data_labelling,
        enterprise,
        eval_harness,
        hackathon,
        key_rotation,
        leaderboard,
        licensed_distiller,
        llm_judge,
        migrated,
        neutrality_research,
        orchestrator,
        popular_sdk,
        red_team,
        reseller,
        style_line,
        support_vendor,
        synthetic_own_docs,
        translation,
        twin_accounts,
        vpn_exit,
    )
}
"""Every look-alike class by name; ordinary accounts are :mod:`stillwatch.lab.honest.ordinary`."""

__all__ = ["CLASSES", "Builder"]
