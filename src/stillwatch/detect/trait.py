"""What a trait is: something an account shows that another may share, with its null and its honest doubles.

Four kinds, four dataclasses, no framework:

* `TokenTrait`: a value a unit shows (a card, an address block, a template). Its null is "units draw values
  independently, at most kappa times as often as the reference cohort".
* `EventTrait`: something one unit does with what belongs to another (continues its conversation, replays its
  sealed reasoning). Its null is a Poisson rate per opportunity.
* `QueueTrait`: how work is dealt out over a hub as a whole. Each has its own null.
* `ShapeTrait`: a number between 0 and 1 about a stream of exchanges. Its null is the honest linked groups of
  the baseline (conformal).

A *unit* is a declared organisation, or a household (up to four accounts on one card), or an account that is
neither: links inside a unit are never evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from stillwatch.records import Family

if TYPE_CHECKING:
    from stillwatch.detect.traffic import Traffic


@dataclass(frozen=True, slots=True)
class Tokens:
    """Which unit shows which value how often: three equally long arrays."""

    unit: np.ndarray
    """int32."""
    value: np.ndarray
    """int64 keyed digests or small codes; 0 is never a value."""
    count: np.ndarray
    """int64 exchanges (or 1 for account fields)."""

    @classmethod
    def empty(cls) -> Tokens:
        """No tokens at all."""
        return cls(np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.int64))


@dataclass(frozen=True, slots=True)
class Events:
    """Pairs of units joined by an event, and how many opportunities each unit had."""

    giver: np.ndarray
    """int32 unit the thing was issued to."""
    taker: np.ndarray
    """int32 unit that presented it."""
    ts: np.ndarray
    """int64 microseconds of the taking."""
    exposure: np.ndarray
    """int64[n_units] opportunities of each unit."""


class Judged(NamedTuple):
    """log10 e-values of one hub: of all that was seen, and of two independent halves of it.

    ``select`` chooses hubs and ``retest`` tests the chosen again; nan where a trait keeps everything for one of them.
    """

    whole: float
    select: float
    retest: float


@dataclass(frozen=True, slots=True, eq=False)
class Judgements(Mapping[int, Judged]):
    """What is said of many hubs, in columns: a mapping that does not hold an object for each of a million."""

    hub: np.ndarray
    """int64, ascending."""
    log10: np.ndarray
    """float64[hubs, 3], in the order of `Judged`."""

    @classmethod
    def of(cls, judged: Mapping[int, Judged]) -> Judgements:
        """The same in columns."""
        if isinstance(judged, Judgements):
            return judged
        hubs = sorted(judged)
        return cls(np.array(hubs, np.int64), np.array([judged[h] for h in hubs], float).reshape(-1, 3))

    def __getitem__(self, hub: int) -> Judged:
        """What is said of one hub."""
        at = int(np.searchsorted(self.hub, hub))
        if at == len(self.hub) or self.hub[at] != hub:
            raise KeyError(hub)
        return Judged(*self.log10[at].tolist())

    def __iter__(self) -> Iterator[int]:
        """The hubs, ascending."""
        return iter(self.hub.tolist())

    def __len__(self) -> int:
        """How many hubs something is said of."""
        return len(self.hub)


@dataclass(frozen=True, slots=True)
class _About:
    """What every trait says of itself; the documentation page is made from it."""

    id: str
    title: str
    family: Family
    needs: frozenset[str]
    """Contract fields without which the trait abstains (all of them must be seen)."""
    what: str
    null: str
    looks_alike: tuple[str, ...]
    source: str
    instead: Mapping[str, frozenset[str]] = field(default_factory=dict, kw_only=True, hash=False)
    """Fields that hold what this trait reads of a needed one, such as digests of it."""


@dataclass(frozen=True, slots=True)
class TokenTrait(_About):
    """A value a unit shows."""

    extract: Callable[[Traffic], Tokens]
    group: str
    """Traits of one group are one source: their evidence is never added. ``payment``, ``identity``,
    ``egress`` and ``device`` are independent; ``schedule`` adds weight and is no source;
    ``software`` and ``content`` never suffice."""
    defines_hubs: bool = False
    bets: bool = False
    """True when sharing it speaks of control, not of shared software: it may be bet on."""
    block: int = 2
    """Which of the two evidence blocks it belongs to (selection 1, re-test 2) for small hubs."""
    public: bool = False
    """True when the values are closed vocabulary that a shipped baseline can name."""
    label: Callable[[Traffic, int], str] | None = None
    """Safe words for a value; None shows a digest."""
    stratum: Callable[[np.ndarray], np.ndarray] | None = None
    """Stratum (0..7) of each value where values carry one; frequencies are then taken within it."""


@dataclass(frozen=True, slots=True)
class EventTrait(_About):
    """Something one unit does with what belongs to another."""

    extract: Callable[[Traffic], Events]
    rate: float
    """Events per opportunity among honest units; the larger of this and the traffic's own rate is used."""
    group: str = "control"


@dataclass(frozen=True, slots=True)
class ShapeTrait(_About):
    """A number about a stream of exchanges that rises with how dataset-shaped it is."""

    column: str
    """Name of the feature in `stillwatch.detect.shape`."""
    meaning: str


class UnitEvidence(Protocol):
    """How strongly single units belong to a group."""

    def decades(self, units: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """float64[units] log10 e-values against the units marked in ``inside`` (bool[n_units]), leave-one-out."""
        ...

    def at_most(self, units: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """float64[units]: what ``decades`` does not exceed, for less work.

        Several threads may ask at one time.
        """
        ...

    def partners(self, inside: np.ndarray) -> np.ndarray:
        """int32 units that may belong to those marked ``inside``."""
        ...


@dataclass(frozen=True, slots=True)
class QueueTrait(_About):
    """Evidence about a whole hub that no single unit shows: how work or successors are dealt out."""

    extract: Callable[..., Mapping[int, Judged]]
    """(traffic, hubs) to log10 e-values by hub index, for the hubs it can judge."""
    group: str = "queue"
    units: Callable[[Traffic], UnitEvidence] | None = None
    """Evidence of single units, where the trait has any; it counts as control events do."""
    shuffled: Callable[..., Mapping[int, Judged]] | None = None
    """(traffic, hubs, rng) to the same after every real link was broken; None where that is not possible."""


Trait = TokenTrait | EventTrait | ShapeTrait | QueueTrait

SOURCE_GROUPS = frozenset({"payment", "identity", "egress", "device"})
"""Groups that count as independent sources; two of them are needed where no control channel speaks.

Schedule is not among them: seats of one hosted product share an exit and carry like loads."""
CONTROL_GROUPS = frozenset({"control", "queue"})
"""Groups of which one alone suffices."""
