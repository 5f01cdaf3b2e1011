"""Marks that serving engines write into text, one file a scheme: scores, laws, and what each one hashes.

Examples
--------
>>> sorted(MARKS)  # doctest: +ELLIPSIS
['kgw-reference', 'sglang-dual-gumbel', 'sglang-gumbel', 'synthid-reference', 'vllm-dual-gumbel', ...]
>>> make_mark("vllm-gumbel", width=2)
Gumbel(width=2)
"""

from __future__ import annotations

from stillwatch.errors import ConfigError
from stillwatch.prove.marks.gumbel import DualGumbel, Gumbel
from stillwatch.prove.marks.kgw import Kirchenbauer, RedGreen
from stillwatch.prove.marks.mark import Keys, Mark, Tokens, Totals, as_keys, distinct, score_keys
from stillwatch.prove.marks.sbw import Sbw, SbwLeft
from stillwatch.prove.marks.sglang import SglangDualGumbel, SglangGumbel
from stillwatch.prove.marks.synthid import SynthId, SynthIdReference

MARKS: dict[str, type[Mark]] = {
    mark.id: mark
    for mark in (
        Gumbel, DualGumbel, RedGreen, Sbw, SbwLeft, SynthId,
        SglangGumbel, SglangDualGumbel, Kirchenbauer, SynthIdReference,
    )
}  # fmt: skip
"""Every mark by its id."""


def make_mark(mark_id: str, **parameters: float) -> Mark:
    """A mark by its id, with its public parameters."""
    if mark_id not in MARKS:
        raise ConfigError(f"no mark is called {mark_id!r}", hint=f"there are {', '.join(sorted(MARKS))}")
    try:
        return MARKS[mark_id](**parameters)  # type: ignore[arg-type]  # checked by the mark itself
    except TypeError as error:
        raise ConfigError(f"{mark_id} has no such parameter: {error}", hint="see docs/prove.md") from None


__all__ = [
    "MARKS",
    "DualGumbel",
    "Gumbel",
    "Keys",
    "Kirchenbauer",
    "Mark",
    "RedGreen",
    "Sbw",
    "SbwLeft",
    "SglangDualGumbel",
    "SglangGumbel",
    "SynthId",
    "SynthIdReference",
    "Tokens",
    "Totals",
    "as_keys",
    "distinct",
    "make_mark",
    "score_keys",
]
