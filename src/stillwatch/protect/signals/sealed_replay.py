"""Sealed-reasoning replay: a block issued to one account, conversation or model is presented by another.

Works from digests alone: what was issued is remembered for a time, and what is presented is looked up. A block
that is not remembered says nothing: it may be older, or of another provider. The stateless way, in which the
gateway wraps issued blocks in a keyed envelope, is :mod:`stillwatch.protect.envelope`; both give the same score.
"""

from __future__ import annotations

import json

from stillwatch.protect.signals.signal import LiveSignal, View
from stillwatch.protect.state import State
from stillwatch.records import Answer, Request, SignalHit

TTL_S = 7 * 86400.0
MOST_BLOCKS = 4_096
"""Blocks of one request that are looked up, from its beginning. More than any conversation carries: padding hides
nothing."""
SCORES = {"seal": 1.0, "account": 1.0, "model": 0.5, "conversation": 0.25}
"""By what differs (``seal``: an envelope that was changed); accounts of one declared organisation are one account."""


def model_family(model: str) -> str:
    """A model's name without the parts that only date it.

    >>> model_family("m-large-2026-01-31"), model_family("m-large-20260131"), model_family("m-large-latest")
    ('m-large', 'm-large', 'm-large')
    """
    parts = model.split("-")
    while len(parts) > 1 and (
        parts[-1] in ("latest", "preview") or (parts[-1].isdigit() and len(parts[-1]) != 1)
    ):
        parts.pop()
    return "-".join(parts)


def owner_of(request: Request) -> str:
    """Whose a block is: the declared organisation, else the account."""
    return f"org:{request.org_id}" if request.org_id else f"account:{request.account_id}"


def issue(state: State, request: Request, answer: Answer, now: float) -> None:
    """Remember to whom blocks were issued."""
    if not answer.sealed_out:
        return
    value = json.dumps(
        [owner_of(request), request.conversation_id, model_family(request.model), request.account_id]
    )
    for block in answer.sealed_out:
        state.remember(f"sealed:{block}", value, TTL_S, now)


def differences(
    request: Request, owner: str, conversation: str | None, family: str, account: str
) -> list[str]:
    """What differs between the one a block was issued to and the one who presents it."""
    out = []
    if owner != owner_of(request) and account != request.account_id:
        out.append("account")
    if family != model_family(request.model):
        out.append("model")
    if conversation and request.conversation_id and conversation != request.conversation_id:
        out.append("conversation")
    return out


def hit(found: list[str], blocks: int) -> SignalHit | None:
    """The signal for what differs, over all blocks of a request; the worst counts.

    >>> hit(["conversation", "account"], 2).score
    1.0
    """
    if not found:
        return None
    what = ", ".join(name for name in SCORES if name in found)
    return SignalHit(
        "sealed_replay", max(SCORES[name] for name in found), f"{blocks} or more blocks of another {what}"
    )


def look(request: Request, view: View) -> SignalHit | None:
    """Looks up the blocks presented; adds what their envelopes say."""
    found = [name for name in request.sealed_differing if name in SCORES]
    blocks = 1 if found else 0
    keys = [f"sealed:{block}" for block in request.sealed_in[:MOST_BLOCKS]]
    for value in view.state.recall_many(keys, view.now) if keys else ():
        if value is not None and (differing := differences(request, *json.loads(value))):
            blocks += 1
            found += differing
    return hit(found, blocks)


SIGNAL = LiveSignal(
    id="sealed_replay",
    title="Sealed-reasoning replay",
    what="An opaque reasoning block issued to one account, conversation or model family is presented by another. "
    "Accounts of one declared organisation count as one.",
    scale="1 for another account, 0.5 for another model family, 0.25 for another conversation only.",
    looks_alike=("a conversation that is forked or carried on elsewhere", "a change of model in mid-conversation",
                 "a gateway of the customer that spreads one conversation over keys of several accounts"),
    look=look,
)  # fmt: skip
