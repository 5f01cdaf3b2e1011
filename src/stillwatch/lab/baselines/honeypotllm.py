"""The suspicion scorer of the honeypotllm package, run as published and replayed over the log.

The package scores live requests by the clock on the wall; here its clock is the exchange's own time. The key is the
account. Every account gets a fresh scorer, because the published one forgets all but the last 10,000 keys, which is
kinder to it than production. Only the scorer and its settings are loaded; the package's database layer is not.

References
----------
honeypotllm 0.1.3 (viveks-codes/honeypotllm, Apache-2.0): ``scoring.py``, ``config.py``.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any

import numpy as np

from stillwatch.errors import ConfigError
from stillwatch.lab.baselines.baseline import Baseline, Result, one_each, result
from stillwatch.lab.baselines.frame import LogFrame

PACKAGE = "honeypotllm"
HINT = "pip install honeypotllm==0.1.3"
THRESHOLD = 0.75
"""The package's default ``suspicion_threshold``."""


class _Clock:
    """Stands where the scorer looks for the module ``time``."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def time(self) -> float:
        return self.now_s


def _modules() -> tuple[Any, Any]:
    """Fresh copies of the scorer and its settings, without the package's ``__init__``, which opens a database layer.

    Raises
    ------
    ConfigError
        The package or what its settings need is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.submodule_search_locations is None:
        raise ConfigError(f"this baseline needs {PACKAGE}, which is not installed", hint=HINT)
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == PACKAGE}
    bare = ModuleType(PACKAGE)
    bare.__path__ = list(spec.submodule_search_locations)
    sys.modules[PACKAGE] = bare
    try:
        return importlib.import_module(f"{PACKAGE}.scoring"), importlib.import_module(f"{PACKAGE}.config")
    except ImportError as error:
        raise ConfigError(f"{PACKAGE} does not import: {error}", hint=HINT) from error
    finally:
        for name in [n for n in sys.modules if n.partition(".")[0] == PACKAGE]:
            del sys.modules[name]
        sys.modules.update(before)


def _replay(scoring: Any, clock: _Clock) -> None:
    """Put the log's clock where the scorer reads the time: in its module, and in the default of a new key's state,
    which is bound to the wall clock when the module loads."""
    state = scoring.ScoringState
    scoring.time = clock
    scoring.ScoringState = lambda key_hash: state(key_hash=key_hash, last_seen=clock.now_s)


def run(frame: LogFrame) -> Result:
    """Score: the mean of the highest and the average suspicion of the account, 0 to 1; the highest alone stops at 1 for
    most busy accounts and would rank none of them. Flags where the highest reaches 0.75, the package's default."""
    scoring, config = _modules()
    clock, settings = _Clock(), config.ScoringConfig()
    _replay(scoring, clock)
    starts = frame.starts().tolist()
    scores, highest = np.zeros(len(frame.accounts)), np.zeros(len(frame.accounts))
    for a in range(len(scores)):
        scorer = scoring.SuspicionScorer(settings, THRESHOLD)
        prompts = frame.prompt.slice(starts[a], starts[a + 1] - starts[a]).to_pylist()
        for now_us, prompt in zip(frame.time_us[starts[a] : starts[a + 1]].tolist(), prompts, strict=True):
            clock.now_s = now_us / 1e6
            suspicion = float(scorer.score_request("key", prompt=prompt or "").score_after)
            highest[a] = max(highest[a], suspicion)
            scores[a] += suspicion / len(prompts)
    return result(
        (scores + highest) / 2, one_each(highest >= THRESHOLD, "suspicion reached the package's threshold")
    )


BASELINE = Baseline(
    id="honeypotllm",
    title="honeypotllm suspicion score",
    version="1",
    source="honeypotllm 0.1.3 (package index)",
    needs=("honeypotllm",),
    run=run,
)
