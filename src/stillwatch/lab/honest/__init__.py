"""Honest classes: one module each, all of them things a naive detector flags."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from stillwatch.lab.honest import (
    agency,
    batch_job,
    byok,
    campus,
    coding_agents,
    enterprise,
    eval_harness,
    key_rotation,
    llm_judge,
    neutrality_research,
    popular_sdk,
    red_team,
    reseller,
    synthetic_own_docs,
    translation,
    twin_accounts,
)
from stillwatch.lab.scenario import LookAlike
from stillwatch.lab.world import World

Builder = Callable[[World, np.random.Generator, LookAlike, int], None]

CLASSES: Mapping[str, Builder] = {
    module.__name__.rsplit(".", 1)[1]: module.build
    for module in (
        agency,
        batch_job,
        byok,
        campus,
        coding_agents,
        enterprise,
        eval_harness,
        key_rotation,
        llm_judge,
        neutrality_research,
        popular_sdk,
        red_team,
        reseller,
        synthetic_own_docs,
        translation,
        twin_accounts,
    )
}
"""Every look-alike class by name; ordinary accounts are :mod:`stillwatch.lab.honest.ordinary`."""

__all__ = ["CLASSES", "Builder"]
