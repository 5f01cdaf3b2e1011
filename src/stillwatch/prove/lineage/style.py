"""Style: does the suspect write more like us than the controls do? With a permutation null; never more than style.

Texts become profiles of character n-grams, or of *word-shape templates*: closed-class words stay as they are, other
words become a coarse class by ending, case and digits. That is a stand-in for part-of-speech templates, without a
tagger. On each prompt the suspect's reply is compared with ours and with those of the controls; if our replies
were no nearer than any other's, which of them is called "ours" would not matter, and permuting just that gives the
null.

*Looks alike*: almost everything. Public text by our model, people who write like it, a system prompt that asks for
the manner, shared annotators. It is corroboration.

References
----------
Wadhwa et al., *Who taught you that?* (ACL Findings 2025) for templates; Sun et al., *Idiosyncrasies in large language
models* (ICML 2025) for n-grams. Neither states a p-value; the permutation is ours.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from stillwatch.errors import ConfigError
from stillwatch.prove import alternatives
from stillwatch.prove.power import Effect, detectable
from stillwatch.prove.tails import LN10
from stillwatch.records.claim import Claim, ClaimVerdict, EvidenceClass, Placebo

CLOSED = frozenset(
    "a an the this that these those i you he she it we they me him her us them my your his its our their who which "
    "what and or but nor so yet if then because although while when where as of in on at by for with from to into "
    "over under about after before between through not no is are was were be been being do does did has have had "
    "can could may might must shall should will would there here very more most also just only".split()
)
_WORD = re.compile(r"[A-Za-z]+(?:'[a-z]+)?|\d+(?:[.,]\d+)*|[^\sA-Za-z\d]")
_ENDINGS = ("ing", "ed", "ly", "tion", "ness", "ment", "able", "ive", "ous", "al", "er", "s")


def character_ngrams(text: str, size: int = 4) -> Counter[str]:
    """Character n-grams, white space folded."""
    folded = " ".join(text.split())
    return Counter(folded[i : i + size] for i in range(max(0, len(folded) - size + 1)))


def shape(word: str) -> str:
    """A word's coarse class; closed-class words stand for themselves.

    >>> [shape(w) for w in ("The", "models", "quickly", "42", ",", "Rome")]
    ['the', '~s', '~ly', '0', ',', 'Aa']
    """
    low = word.lower()
    if low in CLOSED:
        return low
    if word[0].isdigit():
        return "0"
    if not word[0].isalpha():
        return word
    ending = next((e for e in _ENDINGS if low.endswith(e) and len(low) > len(e) + 2), "")
    if word[0].isupper() and not ending:
        return "Aa"
    return f"~{ending}"


def templates(text: str, size: int = 3) -> Counter[str]:
    """Runs of word shapes."""
    shapes = [shape(word) for word in _WORD.findall(text)]
    return Counter(" ".join(shapes[i : i + size]) for i in range(max(0, len(shapes) - size + 1)))


PROFILES = {"character-ngrams": character_ngrams, "word-shapes": templates}


def cosine(a: Counter[str], b: Counter[str]) -> float:
    """Cosine of two profiles of square-rooted counts, 0..1."""
    shared = sum(math.sqrt(count * b[part]) for part, count in a.items() if part in b)
    size = math.sqrt(sum(a.values()) * sum(b.values()))
    return shared / size if size else 0.0


def style(
    suspect: str,
    replies: Sequence[str],
    ours: Sequence[str],
    controls: Mapping[str, Sequence[str]],
    effect: Effect,
    seed: int,
    profile: str = "word-shapes",
    permutations: int = 10_000,
    alpha: float = 1e-3,
) -> Claim:
    """Test whether the suspect's replies lie nearer to ours than to the controls', prompt by prompt."""
    if profile not in PROFILES:
        raise ConfigError(f"no profile is called {profile!r}", hint=f"there are {', '.join(PROFILES)}")
    if not controls or any(len(other) != len(replies) for other in (ours, *controls.values())) or not replies:
        raise ConfigError(
            "replies differ in number, or there is no control", hint="ask all models the same prompts"
        )
    make = PROFILES[profile]
    rows = []
    for i, reply in enumerate(replies):
        own = make(reply)
        rows.append([cosine(own, make(text)) for text in (ours[i], *(c[i] for c in controls.values()))])
    near = np.array(rows)
    gap = near - near.mean(axis=1, keepdims=True)
    observed = float(gap[:, 0].mean())
    rng = np.random.default_rng(seed)
    columns = near.shape[1]
    drawn = np.empty(permutations)
    for start in range(0, permutations, 256):
        size = min(256, permutations - start)
        pick = rng.integers(0, columns, (size, near.shape[0]))
        drawn[start : start + size] = gap[np.arange(near.shape[0]), pick].mean(axis=1)
    reached = int((drawn >= observed - 1e-12).sum())
    p_value = (1 + reached) / (1 + permutations)
    placebos = tuple(
        Placebo(
            f"{name} in our place",
            math.log10((1 + int((drawn >= gap[:, j].mean() - 1e-12).sum())) / (1 + permutations)),
            float(gap[:, j].mean() / drawn.std()) if drawn.std() else 0.0,
            len(replies),
        )
        for j, name in enumerate(controls, start=1)
    )
    return Claim(
        test=f"style-{profile}",
        evidence=EvidenceClass.STYLISTIC,
        suspect=suspect,
        verdict=ClaimVerdict.EVIDENCE if p_value < alpha else ClaimVerdict.NO_EVIDENCE,
        statistic="mean cosine to our replies, less the mean over all models",
        value=observed,
        scored=len(replies),
        log10_p_value=math.log(p_value) / LN10,
        log10_p_adjusted=math.log(p_value) / LN10,
        alpha=alpha,
        seed=seed,
        assumptions=(
            "Prompts are distinct; which model's replies are called ours does not matter under the null.",
        ),
        alternatives=alternatives.STYLISTIC,
        placebos=placebos,
        power=detectable(effect, len(replies), alpha),
        notes=(
            f"{permutations} permutations: no smaller p-value than {1 / (1 + permutations):.0e} can come out",
        ),
    )
