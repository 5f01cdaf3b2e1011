"""What a gateway knows of a live request, and what an earlier scan says of its account.

No prompt text is ever written from here: ``prompt`` is read by signals, left out of ``repr`` and of logs.

Examples
--------
>>> Request("r-1", "acct-1", "m-large", prompt="secret")
Request(request_id='r-1', account_id='acct-1', model='m-large', operation='chat', ...)
>>> NOBODY.hint
'none'
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrives, before it is served. Missing facts stay None: rules on them do not match."""

    request_id: str
    """Unique; the decision's id is made from it."""
    account_id: str
    """Whoever is billed."""
    model: str
    """Model asked for."""
    operation: str = "chat"
    """``chat``, ``completion``, ``responses``, ``embedding``, ..."""
    channel: str | None = None
    """``api``, ``chat``, ``batch``, ``reseller``, ..."""
    org_id: str | None = None
    """The organisation the customer declared."""
    verification: str | None = None
    """``none``, ``email``, ``phone``, ``card``, ``identity``, ``business``; the risk table's when None."""
    plan: str | None = None
    programme: str | None = None
    conversation_id: str | None = None
    logprobs: bool = False
    """Log-probabilities are asked for, in whatever form."""
    logit_bias: tuple[str, ...] = ()
    """Token ids whose logits are biased, as text."""
    n: int = 1
    """Samples asked for."""
    sealed_in: tuple[str, ...] = ()
    """Digests of the opaque reasoning blocks that the client presents."""
    sealed_differing: tuple[str, ...] = ()
    """Stateless mode: what differs between whom the blocks presented were issued to and this request."""
    prompt: str | None = field(default=None, repr=False, compare=False)
    """The last user message: read by prompt signals, never kept."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was served, told afterwards: enough to recognise issued blocks and to count against a grant."""

    output_tokens: int = 0
    sealed_out: tuple[str, ...] = ()
    """Digests of the opaque reasoning blocks issued."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the newest scan says of an account: one row of the risk table."""

    tier: str = "none"
    """``none``, ``member``, ``associated``, ``watch``."""
    kind: str = "none"
    """``none``, ``campaign``, ``pool``."""
    hint: str = "none"
    """Disposition hint: ``none``, ``watch``, ``review``, ``act``."""
    confidence: str = "none"
    """``none``, ``low``, ``medium``, ``high``."""
    families: tuple[str, ...] = ()
    """Evidence families that carry at least ten bits for the group."""
    campaign_id: str | None = None
    membership_bits: float = 0.0
    extraction_share: float = 0.0
    """Share of the account's own exchanges in the linked stream, 0..1."""
    false_discovery_rate: float = 1.0
    """Stated rate of the group, 0..1."""
    verification: str | None = None
    plan: str | None = None
    programme: str | None = None


NOBODY = Standing()
"""An account of which no scan says anything."""


@dataclass(frozen=True, slots=True)
class SignalHit:
    """One live signal that spoke: which, how strongly, in safe words."""

    id: str
    score: float
    """0..1, rising with suspicion; not a probability."""
    detail: str
    """Fixed words of ours with figures; never the request's own text."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a decision rests on besides the policy and the clock."""

    request: Request
    standing: Standing = NOBODY
    grant: str = "none"
    """``none``, ``inside``, ``outside``: where this request stands towards the account's grants."""
    signals: tuple[SignalHit, ...] = ()
