"""Build a world from a scenario and write it: inputs for a scan, and the sealed truth beside them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import ConfigError
from stillwatch.lab.attackers import VARIANTS
from stillwatch.lab.attackers import campaign as campaigns
from stillwatch.lab.corpus import Corpus, load_corpus
from stillwatch.lab.folder import world_folder, write_about
from stillwatch.lab.hashing import I64
from stillwatch.lab.honest import CLASSES, ordinary
from stillwatch.lab.ledgers import (
    TRUTH_ACCOUNTS,
    write_accounts,
    write_campaigns,
    write_permissions,
    write_releases,
)
from stillwatch.lab.parts import CHUNK_ROWS, write_parts
from stillwatch.lab.plan import SortedPlan
from stillwatch.lab.population import digest as population_digest
from stillwatch.lab.render import Renderer
from stillwatch.lab.scenario import Scenario
from stillwatch.lab.world import World

GENERATOR = 3
"""Version of the generator: worlds of different versions differ in bytes and are not to be mixed in one study."""

TRUTH_EXCHANGES = pa.schema([("exchange_id", pa.string()), ("extraction", pa.bool_())])
"""Sealed truth, one row per exchange."""

Progress = Callable[[int, int], None]


def build_world(
    scenario: Scenario,
    *,
    seed: int,
    scale: float = 1.0,
    scratch: Path | None = None,
    corpus: Corpus | None = None,
) -> World:
    """Plan every exchange; nothing but scratch is written.

    Args
    ----
    scratch: folder for plans too long for memory; ``None`` keeps the plan in memory, 75 bytes an exchange.
    corpus: text of others to speak with; ``None`` for the lab's own grammars.
    """
    world = World(scenario, seed, scale, scratch, corpus)
    ordinary.build(world)
    for name in sorted(scenario.honest):
        spec = scenario.honest[name]
        rng = world.generator(f"honest:{name}")
        for index in range(max(1, round(spec.n_orgs * scale)) if spec.n_orgs else 0):
            CLASSES[name](world, rng, spec, index)
    for index, attack in enumerate(scenario.campaigns):
        campaigns.build(world, attack, index, VARIANTS[attack.variant])
    return world


def generate(
    scenario: Scenario,
    *,
    seed: int,
    scale: float = 1.0,
    out: Path,
    progress: Progress | None = None,
    processes: int | None = None,
    corpus: Path | None = None,
) -> None:
    """Write one world under ``out``.

    Memory: about 0.5 GB in all with one process, 0.4 GB for each further one, and 3 kB per account and process;
    long plans go to a scratch folder inside ``out``, 75 bytes an exchange, which is removed at the end.

    Args
    ----
    scenario: what to simulate.
    seed: an integer, not negative; same scenario, seed and scale give the same bytes.
    scale: multiplies accounts and organisations, not exchanges per account.
    out: folder; created, an older or interrupted world in it is replaced. ``world.json`` is written last: a folder
        without it holds no whole world.
    progress: called with rows written and rows planned.
    processes: how many write exchanges at once, with the same bytes for any number; ``None`` uses one for small
        worlds and every core for large ones.
    corpus: folder of text to speak with (see :mod:`stillwatch.lab.corpus`); ``None`` for the lab's own grammars.

    Raises
    ------
    ConfigError, SourceError
        A number out of range, a folder that is something else, or a corpus that is missing, too small or not of
        the layout.
    """
    if seed < 0 or not 0 < scale < math.inf or (processes is not None and processes < 1):
        raise ConfigError(
            f"seed {seed}, scale {scale}, processes {processes}",
            hint="seed 0 or more, scale above 0, processes 1 or more",
        )
    out, text = Path(out), load_corpus(Path(corpus)) if corpus else None
    with world_folder(out) as scratch:
        world = build_world(scenario, seed=seed, scale=scale, scratch=scratch, corpus=text)
        plan, renderer = world.events.sealed(), Renderer(world)
        seen, extraction = _write_truth(world, renderer, plan, out)
        write_accounts(world, renderer, seen, extraction, out)
        write_permissions(world, renderer, out)
        write_releases(world, out)
        write_campaigns(world, seen, extraction, out)
        about = _about(world, len(plan))
        del world
        write_parts(renderer, plan, out / "exchanges", scratch, processes, _counted(progress, len(plan)))
        write_about(out, about)


def _counted(progress: Progress | None, total: int) -> Callable[[int], None]:
    done = 0

    def told(rows: int) -> None:
        nonlocal done
        done += rows
        if progress is not None:
            progress(done, total)

    return told


def _write_truth(world: World, renderer: Renderer, plan: SortedPlan, out: Path) -> tuple[I64, I64]:
    """Truth per exchange; returns exchanges and extraction exchanges of every account."""
    seen, extraction = np.zeros(world.accounts, np.int64), np.zeros(world.accounts, np.int64)
    path = out / "truth" / "exchanges.parquet"
    with pq.ParquetWriter(path, TRUTH_EXCHANGES, compression="zstd") as writer:
        for first, rows in plan.batches(CHUNK_ROWS):
            ids = renderer.exchange_ids(first, len(rows["t"]))
            writer.write_table(pa.table([ids, pa.array(rows["extraction"])], schema=TRUTH_EXCHANGES))
            seen += np.bincount(rows["account"], minlength=world.accounts)
            extraction += np.bincount(rows["account"][rows["extraction"]], minlength=world.accounts)
    return seen, extraction


def _about(world: World, exchanges: int) -> dict[str, Any]:
    """What made this world, so that it can be made again and told from others."""
    scenario = world.scenario
    return {
        "scenario": scenario.name,
        "scenario_version": scenario.version,
        "scenario_digest": scenario.digest,
        "changes": dict(scenario.changes),
        "split": scenario.split,
        "seed": world.seed,
        "scale": world.scale,
        "generator": GENERATOR,
        "exchanges": exchanges,
        "corpus_digest": world.corpus.digest if world.corpus else None,
        "population_digest": population_digest(),
    }


__all__ = ["GENERATOR", "TRUTH_ACCOUNTS", "TRUTH_EXCHANGES", "build_world", "generate"]
