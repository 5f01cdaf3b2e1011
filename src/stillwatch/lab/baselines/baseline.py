"""The nouns of the baselines: a method, what it answers, and a group of accounts it names together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.lab.baselines.frame import LogFrame

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Group:
    """Accounts that a method names together; a per-account method names groups of one."""

    accounts: tuple[int, ...]
    """Indices into ``LogFrame.accounts``, ascending."""
    reason: str
    """One sentence in the method's own terms; never text from a prompt."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a method says of one log. Indices are those of ``LogFrame.accounts``."""

    scores: F64
    """One finite number per account; higher is more suspicious. Units differ between methods."""
    groups: tuple[Group, ...]
    """Disjoint. An account in a group is flagged by the method's own rule."""
    abstained: Bools
    """True where the method had too little to judge by; the score is then its neutral value."""
    abstention: str
    """Why it abstained where it did; empty when it never does."""

    def flagged(self) -> Bools:
        """One truth value per account."""
        mask = np.zeros(len(self.scores), dtype=np.bool_)
        for group in self.groups:
            mask[list(group.accounts)] = True
        return mask


@dataclass(frozen=True, slots=True)
class Baseline:
    """One method that others use or publish, behind the interface every baseline has."""

    id: str
    title: str
    version: str
    """Of this implementation; a change that can change a score changes it."""
    source: str
    """Paper, repository or package the method comes from."""
    needs: tuple[str, ...]
    """Packages beyond the core dependencies."""
    run: Callable[[LogFrame], Result]
    """Pure: no input or output, no clock, no unseeded chance."""


def one_each(flagged: Bools, reason: str) -> tuple[Group, ...]:
    """A group of one for every flagged account.

    >>> one_each(np.array([False, True]), "too many")
    (Group(accounts=(1,), reason='too many'),)
    """
    return tuple(Group((int(a),), reason) for a in np.flatnonzero(flagged))


def result(
    scores: F64,
    groups: Iterable[Group],
    *,
    abstained: Bools | None = None,
    abstention: str = "",
) -> Result:
    """A `Result`; without ``abstained`` the method judged every account.

    Raises
    ------
    ValueError
        A score is not finite, or an account stands in two groups: a fault of the method, not of the log.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if not np.isfinite(scores).all():
        raise ValueError("a score is not finite")
    groups = tuple(groups)
    named = [a for group in groups for a in group.accounts]
    if len(named) != len(set(named)):
        raise ValueError("an account stands in two groups")
    if abstained is None:
        abstained = np.zeros(len(scores), dtype=np.bool_)
    return Result(scores, groups, abstained, abstention if abstained.any() else "")
