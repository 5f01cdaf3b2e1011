"""One person's workshop: a chat account writes task specifications, agents on other accounts carry them out.

*Looks alike*: answers of one account quoted in the prompts of another within minutes, thousands of
structured outputs, tools, around the clock: a teacher and its graders. All of it is about one person's own
few thousand files, on two to five accounts of one card and one home. Source: a paying user was
shut out for "distillation" over exactly this workflow, web chat writing specifications that coding agents
executed on 2,600 files (openai/evals#1826); another held five paid accounts (openai/codex#42655).
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.clients import NUMBER
from stillwatch.lab.scenario import LookAlike
from stillwatch.lab.text.instructions import FORMATS_JSON, choose
from stillwatch.lab.text.tools import tool_definitions
from stillwatch.lab.text.voices import Answer, Fresh, Slots, teacher_nonce
from stillwatch.lab.world import Stream, World, log_uniform

_FOLDERS = ("notes", "letters", "src", "scans", "recipes", "ledger", "maps", "drafts")
_FILES = 2600


def build(world: World, rng: np.random.Generator, p: LookAlike, index: int) -> None:
    """Add one person: account 0 plans in the chat, the others execute."""
    size, each = max(2, log_uniform(rng, p.accounts)), log_uniform(rng, p.exchanges)
    block = world.people(rng, size, "orchestrator")
    block.one_org(int(world.fresh(rng, 1)[0]), declared=False)
    block.one_card()
    block.country[:], block.zone_h[:] = block.country[0], block.zone_h[0]
    block.one_address(int(world.networks.homes(rng, block.country[:1])[0]), 4)
    block.one_client(NUMBER["tern-cli"])
    block.chat[0], block.family[0] = True, NUMBER["chrome"]
    block.active[:], block.weekend[:] = 0.9, 1.1
    planner, worker = _streams(world, rng, index)
    plans = max(2, (size - 1) * each // 20)
    _, t = world.times(rng, block, np.array([plans] + [0] * (size - 1)))
    seed = world.fresh(rng, len(t))
    world.emit(block, np.zeros(len(t), np.int64), t, stream=planner, seed=seed, nonce=teacher_nonce(seed))
    row = np.repeat(np.arange(len(t)), rng.poisson(20, len(t)))
    when = t[row] + (rng.exponential(900.0, len(row)) * 1e6).astype(np.int64) + 20_000_000
    who = rng.integers(1, size, len(row))
    when = np.maximum(when, block.created[who] + 60_000_000)
    world.ask(rng, block, who, when, stream=worker, seed=seed[row])


def _streams(world: World, rng: np.random.Generator, index: int) -> tuple[int, int]:
    files = [
        f"{_FOLDERS[int(f)]}/{number:04d}-{int(tail):05d}.md"
        for number, (f, tail) in enumerate(
            zip(rng.integers(0, len(_FOLDERS), _FILES), rng.integers(0, 10**5, _FILES), strict=True)
        )
    ]
    reply = world.library.get("reply:en")
    planner = Stream(
        voice=world.library.prose("business", "plain"),
        reply=reply,
        pre="Write a task specification for my agents.\n\n",
        length=(1.0, 0.4),
        out=(6.2, 0.5),
        streaming=True,
        reasoning=True,
    )
    spec = Slots((("Specification:\n", Answer(world.library.voices[reply]), "\n\nFile: ", Fresh(files)),))
    worker = Stream(
        voice=world.library.add(f"orchestrator:{index}", spec),
        reply=world.library.get("reply:code"),
        system=world.library.system(rng, 6),
        tools=tool_definitions(rng, 6),
        post=choose(rng, FORMATS_JSON),
        out=(5.6, 0.7),
        hidden=(8.0, 0.7),
        max_tokens=8192,
        streaming=True,
        reasoning=True,
    )
    return world.stream(planner), world.stream(worker)
