"""A translation agency: several accounts, one fixed prompt, the same source text into several languages at
once.

*Looks alike*: identical payloads on different accounts minutes apart, one template, multilingual mirroring.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.addresses import DAY_US
from stillwatch.lab.scenario import LookAlike
from stillwatch.lab.text.instructions import choose
from stillwatch.lab.world import Stream, World, log_uniform

_ASK = (
    "Translate into {l}, keeping line breaks.",
    "Render the text in {l} for print.",
    "Produce a faithful {l} version.",
    "Give the {l} translation only.",
)
_LANGS = (
    ("German", "de"),
    ("French", "fr"),
    ("Spanish", "es"),
    ("Japanese", "ja"),
    ("Korean", "ko"),
    ("Portuguese", "pt"),
    ("Russian", "ru"),
    ("Chinese", "zh"),
)


def build(world: World, rng: np.random.Generator, p: LookAlike, index: int) -> None:
    """Add one agency; each account serves one target language."""
    size, each = log_uniform(rng, p.accounts), log_uniform(rng, p.exchanges)
    block = world.people(rng, size, "translation")
    block.one_org(int(world.fresh(rng, 1)[0]), declared=index % 2 == 0)
    block.one_card()
    block.country[:], block.zone_h[:] = block.country[0], block.zone_h[0]
    block.one_address(int(world.networks.offices(rng, block.country[:1])[0]))
    block.one_client(int(block.family[0]))
    block.created[:] = np.minimum(block.created, world.start - DAY_US)
    ask = choose(rng, _ASK)
    field = ("law", "marketing", "business", "travel")[index % 4]
    texts = world.fresh(rng, max(each, 2))
    local0, t0 = world.times(rng, block, np.array([len(texts)] + [0] * (size - 1)))
    for local in range(size):
        name, code = _LANGS[local % len(_LANGS)]
        stream = world.stream(
            Stream(
                voice=world.library.prose(field, "formal"),
                reply=world.library.get(f"reply:{code}"),
                pre=ask.format(l=name) + "\n\n",
                length=(1.6, 0.4),
                out=(5.2, 0.4),
                temperature=0.2,
            )
        )
        t = t0 + rng.integers(1, 900, len(t0)) * 1_000_000
        world.ask(rng, block, local0 + local, t, stream=stream, seed=texts[: len(t0)])
