"""What transcripts of a suspect and of control models come to: one claim, from what was said alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from stillwatch.errors import ConfigError
from stillwatch.prove import power
from stillwatch.prove.marks import make_mark
from stillwatch.prove.power import Effect, detectable
from stillwatch.prove.radio import (
    CANDIDATES,
    Plan,
    free_generation,
    from_likeliest,
    hard,
    prefix_probes,
    reading_positions,
    soft,
)
from stillwatch.prove.suspects.echoed import ANOTHER
from stillwatch.prove.suspects.pieces import load

if TYPE_CHECKING:
    from stillwatch.prove.laws import Floats
    from stillwatch.prove.marks.mark import Tokens
    from stillwatch.prove.radio import Distributions, IssuedKey
    from stillwatch.prove.suspects.plan import AuditPlan
    from stillwatch.prove.suspects.transcript import Along, Said
    from stillwatch.records.claim import Claim, Power

MOST_PLACES = 400_000
"""Places of all texts of a plan."""
PLACE_BYTES = 400
"""At most that many are kept of a place, for each model."""
MOST_APART = 0.05
"""Share of texts that a model may cut into other tokens than ours: few enough that leaving them out chooses nothing."""
MOST_OWN = 0.98
"""Share of places at which no model that reads a new text guesses its next token."""
SURE, ENOUGH = 4.0, 100
"""Standard deviations by which a model must guess one of two places better, for its lists to be of that one; and from
how many guesses on they have to be of one."""
LATE = "lists that stand one place late: read as what they are, the first place of each text unused"
BORDER = "answer does not begin at a border of our tokens"
Lost = dict[str, dict[str, int]]


def tokeniser(plan: AuditPlan) -> Callable[[str], list[int]]:
    """Text to token ids of our engine's tokeniser."""
    loaded = load(plan.tokeniser)
    return lambda text: list(loaded.encode(text, add_special_tokens=False).ids)


def texts(plan: AuditPlan) -> list[list[int]]:
    """What is asked, in our tokens; of what is read along, as much as the plan reads.

    Raises:
        ConfigError: more is read than a transcript should hold.
    """
    encode = tokeniser(plan)
    if not plan.reads:
        return [encode(prompt) for prompt in plan.prompts]
    cut = [encode(prompt)[: plan.max_tokens] for prompt in plan.prompts]
    if sum(map(len, cut)) > MOST_PLACES:
        raise ConfigError(
            f"the texts have {sum(map(len, cut)):,} places, above {MOST_PLACES:,}",
            hint="fewer texts, or a smaller max_tokens: tokens read of each",
        )
    return cut


def seen_at_most(plan: AuditPlan, tokens: Sequence[Sequence[int]], keys: int) -> Power:
    """What the plan could see if everything is answered."""
    needed = power.chernoff if plan.test == "soft" else power.exact
    if plan.reads:
        scored = reading_positions(tokens, plan.width).place.size * (CANDIDATES if plan.test == "soft" else 1)
    elif plan.test == "probes":
        scored = len(tokens)
    else:
        scored = max(0, len(tokens) * (plan.max_tokens - plan.width))
    return detectable(Effect(plan.effect, plan.effect_source), scored, plan.alpha, keys, needed=needed)


def claim_of(
    plan: AuditPlan, keys: Sequence[IssuedKey], said: Mapping[str, Mapping[int, Said]]
) -> tuple[Claim, Lost]:
    """The plan's test on what its models said, and what of it could not be used, by model and reason.

    Raises:
        ConfigError: there is nothing that every model answered.
    """
    fixed = Plan(seed=plan.seed, effect=Effect(plan.effect, plan.effect_source), alpha=plan.alpha)
    if plan.reads:
        return _read(plan, fixed, keys, said)
    return (_probed if plan.test == "probes" else _written)(plan, fixed, keys, said)


def _written(
    plan: AuditPlan, fixed: Plan, keys: Sequence[IssuedKey], said: Mapping[str, Mapping[int, Said]]
) -> tuple[Claim, Lost]:
    encode, prompts = tokeniser(plan), texts(plan)
    answers = {
        model.name: [
            (prompts[n], encode(one.text)) for n, one in sorted(said[model.name].items()) if one.text
        ]
        for model in plan.models
    }
    controls = [(model.name, answers[model.name]) for model in plan.controls]
    suspect, mark = plan.suspect.name, make_mark(plan.scheme, width=plan.width)
    return free_generation(suspect, mark, answers[suspect], keys, fixed, controls), {}


def _probed(
    plan: AuditPlan, fixed: Plan, keys: Sequence[IssuedKey], said: Mapping[str, Mapping[int, Said]]
) -> tuple[Claim, Lost]:
    prefixes, lost = texts(plan), Lost()
    tokens = {
        model.name: _next(plan, prefixes, said[model.name], lost.setdefault(model.name, {}))
        for model in plan.models
    }
    whole = _by_all(plan, tokens, said)
    by_name = {name: [one[n] for n in whole] for name, one in tokens.items()}
    others = [(model.name, by_name[model.name]) for model in plan.controls]
    suspect, mark = plan.suspect.name, make_mark(plan.scheme, width=plan.width)
    claim = prefix_probes(suspect, mark, [prefixes[n] for n in whole], by_name[suspect], keys, fixed, others)
    return claim, lost


def _read(
    plan: AuditPlan, fixed: Plan, keys: Sequence[IssuedKey], said: Mapping[str, Mapping[int, Said]]
) -> tuple[Claim, Lost]:
    tokens = texts(plan)
    _check_apart(said)
    read = {name: {n: s.along for n, s in one.items() if s.along is not None and n < len(tokens)
                   and s.along.tokens.shape[0] == max(0, len(tokens[n]) - plan.width)}
            for name, one in said.items()}  # fmt: skip
    whole = _by_all(plan, read, said)
    late = _late(plan, read, {n: tokens[n][plan.width :] for n in whole})
    at = reading_positions([tokens[n] for n in whole], plan.width)
    if any(late.values()):
        told = at.place > plan.width
        at = type(at)(at.text[told], at.place[told], at.contexts[told], at.seen_before)
    mark, suspect = make_mark(plan.scheme, width=plan.width), plan.suspect.name
    lost: Lost = {name: {LATE: len(whole)} for name in late if late[name]}

    def along(name: str) -> tuple[Tokens, Floats]:
        """The model's likeliest at every position: all its places, of which windows that came before are left out."""
        parts = [read[name][n] for n in whole]
        least = min(one.tokens.shape[1] for one in parts)
        first = np.cumsum([0, *(one.tokens.shape[0] for one in parts)])
        kept = first[at.text] + at.place - plan.width - late[name]
        return (
            np.concatenate([one.tokens[:, :least] for one in parts])[kept],
            np.concatenate([one.log_p[:, :least] for one in parts])[kept],
        )

    if plan.reference is None:
        controls = [(model.name, along(model.name)[0][:, 0]) for model in plan.controls]
        return hard(suspect, mark, at, along(suspect)[0][:, 0], keys, fixed, controls), lost
    ours = along(plan.reference.name)

    def against(name: str) -> Distributions:
        return from_likeliest(*along(name), *ours)

    others = [(model.name, against(model.name)) for model in plan.controls]
    return soft(suspect, mark, at, against(suspect), keys, fixed, others), lost


def _check_apart(said: Mapping[str, Mapping[int, Said]]) -> None:
    """Texts that a model cuts otherwise are left out, and which those are hangs on their marked tokens: few may be."""
    for name, one in said.items():
        apart = sum(reply.failed == ANOTHER for reply in one.values())
        if apart > MOST_APART * len(one):
            raise ConfigError(
                f"{name} cuts {apart:,} of {len(one):,} texts into other tokens than ours",
                hint="it has another tokeniser: another plan with probes or closed, which need no common one",
            )


def _late(
    plan: AuditPlan, read: Mapping[str, Mapping[int, Along]], own: Mapping[int, Sequence[int]]
) -> dict[str, int]:
    """By how many places each model's lists stand too late in its texts: 0 or 1; an endpoint alone can be wrong there.

    A list that stands beside the token before its place knows that token, which the mark chose: read as it stands, a
    model that likes to say a word twice would be found guilty. What a model guesses tells which place a list is of,
    unless it says more words twice than it guesses.

    Raises:
        ConfigError: that cannot be told, or an endpoint names a text's own token as the likeliest everywhere, so it did
            not read.
    """
    late = dict.fromkeys((model.name for model in plan.models), 0)
    for model in plan.models:
        if model.weights is not None:
            continue
        # Each place's lists, of which one or all tokens are looked at, beside its token and beside the next.
        parts = [(read[model.name][n].tokens, np.asarray(its)) for n, its in own.items()]
        found = [
            [(told[: len(its) - shift] == its[shift:, None]).sum(0) for told, its in parts]
            for shift in (0, 1)
        ]
        here, next_to = (sum(int(each.sum()) for each in one) for one in found)
        away = SURE * (next_to + here) ** 0.5
        late[model.name] = int(next_to - here > away)
        if here + next_to >= ENOUGH and abs(next_to - here) <= away:
            raise ConfigError(
                f"{model.name} lists the token of a place {here:,} times and the one after it {next_to:,} times",
                hint="which place its lists are of cannot be told, and they may know what the mark chose: another "
                "server, or another plan with probes",
            )
        same = sum(int(each[0]) for each in found[late[model.name]])
        count = sum(len(its) - late[model.name] for _, its in parts)
        if same > MOST_OWN * count:
            raise ConfigError(
                f"{model.name} holds the text's own token likeliest at {same:,} of {count:,} places",
                hint="its endpoint may tell the text back, or it knows these texts by heart: another plan with new "
                "texts, or with probes",
            )
    return late


def _by_all(
    plan: AuditPlan, found: Mapping[str, Mapping[int, object]], said: Mapping[str, Mapping[int, Said]]
) -> list[int]:
    """Numbers of what every model answered, so that all are asked the same."""
    whole = [n for n in range(len(plan.prompts)) if all(n in one for one in found.values())]
    if whole:
        return whole
    least = min(found, key=lambda name: len(found[name]))
    reasons = sorted({one.failed for one in said[least].values() if one.failed})[:3]
    raise ConfigError(
        f"there is nothing that every model answered; {least} answered {len(found[least]):,} of {len(plan.prompts):,}"
        + (f" ({'; '.join(reasons)})" if reasons else ""),
        hint="leave out a control that cannot be asked (another plan); see `failed` in the transcripts",
    )


def _next(
    plan: AuditPlan, prefixes: Sequence[Sequence[int]], said: Mapping[int, Said], lost: dict[str, int]
) -> dict[int, int]:
    """The token of ours that follows each prefix; where the two do not join at a border of tokens, none."""
    encode = tokeniser(plan)
    out: dict[int, int] = {}
    for n, one in said.items():
        if not one.text:
            continue
        whole, prefix = encode(plan.prompts[n] + one.text), list(prefixes[n])
        if len(whole) > len(prefix) and whole[: len(prefix)] == prefix:
            out[n] = whole[len(prefix)]
        else:
            lost[BORDER] = lost.get(BORDER, 0) + 1
    return out
