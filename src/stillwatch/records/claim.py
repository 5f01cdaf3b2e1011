"""What a test of a suspect model says: statistic, p-value, assumptions, and which words it may be put in.

A claim never holds a key or a text: keys stand under the name they were issued with, texts are counted.

Examples
--------
>>> [evidence.value for evidence in EvidenceClass]
['keyed', 'comparative', 'stylistic']
>>> EvidenceClass.STYLISTIC.may_say
'writes in a manner like ours'
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

LEAST_CONTROLS = 3
"""Control models that a keyed test needs before anything may be said of it; canaries need none."""


class EvidenceClass(StrEnum):
    """How strong a kind of test is, strongest first. They are reported apart and never added up."""

    may_say: str
    meaning: str

    def __new__(cls, value: str, may_say: str, meaning: str) -> EvidenceClass:
        word = str.__new__(cls, value)
        word._value_ = value
        word.may_say = may_say
        word.meaning = meaning
        return word

    KEYED = (
        "keyed", "trained on our outputs",
        "The chance that it would say so of an innocent model comes from coins that we flipped and committed to.",
    )  # fmt: skip
    COMPARATIVE = (
        "comparative", "nearer to our model than every control model in the pool",
        "It is measured against other models; the choice of those models decides what it means.",
    )  # fmt: skip
    STYLISTIC = (
        "stylistic", "writes in a manner like ours",
        "It looks at habits of writing, which are learnt from many places.",
    )  # fmt: skip


class ClaimVerdict(StrEnum):
    """What one test comes to. ``NO_EVIDENCE`` never means that the model is clean."""

    EVIDENCE = "evidence"
    """The test fired at its stated level and its own checks hold."""
    NO_EVIDENCE = "no_evidence"
    """The test did not fire; `Power` says what it could have seen."""
    INVALID = "invalid"
    """The test contradicts its own null: it says nothing, in either direction."""


@dataclass(frozen=True, slots=True)
class NullCheck:
    """The statistic under keys that nobody was ever served, on the same material."""

    keys: int
    """Random keys drawn; at least 400."""
    mean: float
    """Mean of the standardised statistic over them; about 0."""
    sd: float
    """Its standard deviation; about 1."""
    ks_p_value: float
    """Kolmogorov-Smirnov: do their p-values look uniform?"""
    reached: int
    """How many of them reach the statistic observed."""
    monte_carlo_p: float
    """(1 + reached) / (1 + keys), for reading beside the exact p-value."""
    agrees: bool
    """False makes the claim invalid."""
    reason: str
    """In which way they disagree; empty when they agree."""
    standardised: tuple[float, ...] = ()
    """The statistics themselves, sorted, for a plot."""


@dataclass(frozen=True, slots=True)
class Power:
    """What this budget could have seen."""

    scored: int
    effect_at_full: float
    """Mean shift of one score, in its standard deviations, of a model trained on marked text alone."""
    detectable_share: float
    """Smallest share of marked training data seen with probability ``power``; above 1 = none could be seen."""
    alpha: float
    power: float
    assumption: str
    """Where the effect comes from and what is assumed of it."""


@dataclass(frozen=True, slots=True)
class Placebo:
    """The same test where nothing can be there: a sibling in the place of the served reply, a control model."""

    name: str
    log10_p_value: float
    standardised: float
    scored: int
    """Of a control, under the key that leads for the suspect: one that scored next to nothing cannot fire."""


@dataclass(frozen=True, slots=True)
class KeyResult:
    """One issued key: what the test says of the campaign that was served under it."""

    key_id: str
    """The name it was issued under; never the key."""
    campaign_id: str | None
    scored: int
    value: float
    standardised: float
    log10_p_value: float
    log10_p_adjusted: float
    """After Holm over every key ever issued."""
    fired: bool
    exposure_share: float | None = None
    """Share of what the campaign was served that the suspect's material touched, 0..1; None without a ledger."""
    null: NullCheck | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """The result of one test of one suspect."""

    test: str
    """``radio-closed``, ``radio-probes``, ``radio-hard``, ``radio-soft``, ``siblings``, ``canary-...``, ..."""
    evidence: EvidenceClass
    suspect: str
    verdict: ClaimVerdict
    statistic: str
    """What ``value`` is, in words."""
    value: float
    scored: int
    log10_p_value: float
    log10_p_adjusted: float
    """After correction over everything that was tested together."""
    alpha: float
    seed: int
    """Of every random choice in the test: null keys, ties."""
    assumptions: tuple[str, ...]
    alternatives: tuple[str, ...]
    """Other explanations of the same observation; printed each time."""
    dropped: tuple[tuple[str, int], ...] = ()
    """(reason, how many) of what was not scored."""
    null: NullCheck | None = None
    keys: tuple[KeyResult, ...] = ()
    placebos: tuple[Placebo, ...] = ()
    controls: tuple[Placebo, ...] = ()
    power: Power | None = None
    notes: tuple[str, ...] = ()

    @property
    def counting(self) -> tuple[Placebo, ...]:
        """Controls that scored at least half of what the suspect did; a thinner one had no chance to fire."""
        return tuple(c for c in self.controls if c.scored and 2 * c.scored >= self.scored)

    @property
    def controlled(self) -> bool:
        """Whether enough controls count for a keyed test; a canary's null is its draw and needs none."""
        return self.test.startswith("canary-") or len(self.counting) >= LEAST_CONTROLS

    @property
    def sentence(self) -> str:
        """The strongest words that the class and the verdict allow.

        >>> Claim("siblings", EvidenceClass.KEYED, "m", ClaimVerdict.NO_EVIDENCE, "rank sum", 1.0, 9, -0.3, -0.3,
        ...       1e-6, 1, (), ()).sentence
        'm: no evidence. This does not say that it is clean.'
        """
        if self.verdict is ClaimVerdict.INVALID:
            return f"{self.suspect}: the test is invalid and says nothing."
        if self.verdict is ClaimVerdict.NO_EVIDENCE:
            return f"{self.suspect}: no evidence. This does not say that it is clean."
        if self.evidence is EvidenceClass.KEYED and not self.controlled:
            return f"{self.suspect}: the test fired without three controls; nothing may be said of it."
        return f"{self.suspect}: {self.evidence.may_say}."
