"""What a model held likeliest along a text, from an endpoint that echoes the text with log-probabilities.

One call reads a whole text: ``echo`` with ``logprobs`` of a completions endpoint. What comes back is a stranger's and
is held against the text before anything of it counts:

* the echoed tokens must be ours, one by one. Reading where borders happen to agree would choose places by what follows
  them, which the mark chose; another tokeniser is therefore no reading (`ANOTHER`);
* each list of likeliest tokens belongs to its place: the text's own token stands in it as likely as the endpoint says,
  or is less likely than all of it;
* the last of a list is not used: endpoints add the text's own token at the end of one where it does not belong to the
  likeliest, and that token was chosen by the mark. A list of one is therefore no list.

*Looks alike*: an endpoint that names the text's own token as the likeliest whatever it is. Over one text it could be a
model that knows it; whoever judges all texts looks at that.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from stillwatch.prove.suspects.pieces import Pieces, odd
from stillwatch.prove.suspects.transcript import LEAST_LOG_P, NONE_OF_OURS, Along, Said

ANOTHER = "the echoed tokens are not those of our tokeniser"
MOST_TOKENS = 1 << 40
MOST_LISTED = 256
"""Longest list of likeliest tokens that is looked at."""
WHOLE = 2
"""Letters of a character with the space before it."""
SLACK = 0.01
"""By how much two statements of one logarithm may differ."""
Listed = list[tuple[float, str]]
"""Logarithms and looks, the likeliest first."""


class NoReading(Exception):
    """Why an answer is none."""


def asks(top: int) -> dict[str, Any]:
    """Of a request: that the text comes back, with the likeliest tokens of each place. One token is written, since not
    every server takes none, and is not looked at."""
    return {"echo": True, "logprobs": top, "max_tokens": 1, "temperature": 1.0}


def read_echo(answer: bytes, pieces: Pieces, tokens: Sequence[int], text: str, width: int) -> Said:
    """What an answer says of every place of a text from the first whole window on."""
    try:
        found = json.loads(answer)
        usage = found.get("usage") or {}
        said = found["choices"][0].get("logprobs")
        if not isinstance(said, Mapping):
            raise NoReading("an answer without log-probabilities of the text")
        along = _along(said, pieces, tokens, text, width)
    except NoReading as error:
        return Said(None, failed=str(error))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return Said(None, failed="an answer that is no completion")
    asked, wrote = count(usage.get("prompt_tokens")), count(usage.get("completion_tokens"))
    return Said(None, asked, wrote, along=along)


def _along(said: Mapping[str, Any], pieces: Pieces, tokens: Sequence[int], text: str, width: int) -> Along:
    echoed, own, lists = (_listed(said, name) for name in ("tokens", "token_logprobs", "top_logprobs"))
    if not len(echoed) == len(own) == len(lists):
        raise NoReading("lists of unequal length")
    looks = pieces.looks(tokens, text)
    lead = _lead(looks, echoed)
    places = [lead + n for n in range(width, len(looks))]
    rows = [_row(lists[n]) for n in places]
    for n, row in zip(places, rows, strict=True):
        _check(row, echoed[n], own[n])
    kept = min(map(len, rows)) - 1
    named = [[pieces.number(look) for _, look in row[:kept]] for row in rows]
    numbers = [[NONE_OF_OURS if one is None else one for one in row] for row in named]
    return Along.of(numbers, [[round(max(p, LEAST_LOG_P), 4) for p, _ in row[:kept]] for row in rows])


def _listed(said: Mapping[str, Any], name: str) -> list[Any]:
    found = said.get(name)
    if not isinstance(found, list):
        raise NoReading("an answer without log-probabilities of the text")
    return found


def _lead(looks: Sequence[str], echoed: Sequence[object]) -> int:
    """How many tokens the endpoint put before the text: none, or one that begins every text of the model."""
    for lead in (0, 1):
        its = echoed[lead : lead + len(looks)]
        if len(its) == len(looks) and len(echoed) <= lead + len(looks) + 1 and all(map(_same, looks, its)):
            return lead
    raise NoReading(ANOTHER)


def _same(ours: str, its: object) -> bool:
    """Part of a character may also stand as the whole of one, with its last part."""
    return isinstance(its, str) and (its == ours or (odd(ours) and (odd(its) or len(its) <= WHOLE)))


def _row(found: object) -> Listed:
    """One place's likeliest tokens."""
    if not isinstance(found, dict) or not 2 <= len(found) <= MOST_LISTED:
        raise NoReading("a place without its likeliest tokens")
    row = sorted((-_log_p(value), look) for look, value in found.items())
    if sum(math.exp(-p) for p, _ in row) > 1 + SLACK * len(row):
        raise NoReading("likelihoods above one in all")
    return [(-p, look) for p, look in row]


def _check(row: Listed, its: object, own: object) -> None:
    """Whether a list belongs to its place."""
    said = _log_p(own)
    listed = next((p for p, look in row if look == its), None)
    fits = said <= row[-1][0] + SLACK if listed is None else abs(listed - said) <= SLACK
    if not fits and not odd(str(its)):
        raise NoReading("likeliest tokens of another place")


def _log_p(value: object) -> float:
    """A logarithm of a likelihood."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NoReading("a log-probability that is no number")
    try:
        found = float(value)
    except OverflowError:
        found = math.nan
    if not math.isfinite(found) or found > SLACK:
        raise NoReading("a log-probability that is none")
    return min(found, 0.0)


def count(value: object) -> int:
    """A count of tokens as an endpoint tells it; 0 for what cannot be one."""
    return value if type(value) is int and 0 <= value < MOST_TOKENS else 0
