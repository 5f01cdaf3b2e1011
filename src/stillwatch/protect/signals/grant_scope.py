"""Use outside a grant's scope: another model, another time, or more than was permitted."""

from __future__ import annotations

from stillwatch.protect.signals.signal import LiveSignal, View
from stillwatch.records import Request, SignalHit


def look(request: Request, view: View) -> SignalHit | None:
    """Speaks when the account holds a grant and none of its grants covers this request."""
    if view.grant != "outside":
        return None
    return SignalHit("grant_scope", 1.0, "outside the models, time or volume of every grant of the account")


SIGNAL = LiveSignal(
    id="grant_scope",
    title="Use outside a grant",
    what="The account or its organisation holds a grant, and none covers this model at this time within its volume.",
    scale="1.",
    looks_alike=("a renewal that has not been recorded yet", "use of the account for something else"),
    look=look,
)
