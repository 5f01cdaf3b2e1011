"""A keyed envelope around an issued reasoning block, so that a replay is seen without remembering anything.

The gateway wraps each opaque block on its way out and unwraps it on its way back in. The envelope binds the
block to the account (or declared organisation), the conversation and the model family. It names none of them:
it holds keyed digests. The block itself is the provider's, already sealed; the envelope adds integrity.

Form: ``sw1.<key id>.<hours since 1970, hexadecimal>.<owner>.<account>.<conversation>.<model>.<tag>.<block>``

Examples
--------
>>> from stillwatch.records import Request
>>> keys = {"k1": b"0" * 32}
>>> a = Request("r-1", "acct-1", "m-large-2026", conversation_id="c-1")
>>> b = Request("r-2", "acct-2", "m-large", conversation_id="c-2")
>>> wrapped = wrap("opaque", a, keys, "k1", 0.0)
>>> unwrap(wrapped, a, keys).differing, unwrap(wrapped, b, keys).differing
((), ('account', 'conversation'))
>>> unwrap(wrapped, b, keys).block
'opaque'
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b, sha256

from stillwatch.errors import VerificationError
from stillwatch.protect.signals.sealed_replay import model_family, owner_of
from stillwatch.records import Request

PREFIX = "sw1."
_NONE = "-"


@dataclass(frozen=True, slots=True)
class Opened:
    """An envelope whose seal holds."""

    block: str
    differing: tuple[str, ...]
    """What differs from the one it was issued to: ``account``, ``model``, ``conversation``."""
    issued_hour: int


def derive_key(secret: bytes) -> bytes:
    """The envelope key that belongs to a secret of the operator."""
    return blake2b(secret, digest_size=32, person=b"sw-envelope-1").digest()


def wrap(block: str, request: Request, keys: Mapping[str, bytes], key_id: str, now: float) -> str:
    """A block in its envelope. ``keys`` maps key ids to secrets; ``key_id`` is the one in use."""
    head = ".".join((key_id, format(int(now // 3600), "x"), *_bindings(request, keys[key_id])))
    return f"{PREFIX}{head}.{_tag(head, block, keys[key_id])}.{block}"


def is_wrapped(text: str) -> bool:
    """Whether a text claims to be an envelope."""
    return text.startswith(PREFIX)


def unwrap(text: str, request: Request, keys: Mapping[str, bytes]) -> Opened:
    """The block of an envelope, and what differs from whom it was issued to.

    Raises
    ------
    VerificationError
        It is no envelope, its key is unknown, or its seal does not hold. The text is never quoted.
    """
    parts = text.removeprefix(PREFIX).split(".", 7) if is_wrapped(text) else []
    if len(parts) != 8:
        raise VerificationError(
            "not an envelope", hint="was the block issued before wrapping was switched on?"
        )
    key_id, hour, owner, account, conversation, model, tag, block = parts
    key = keys.get(key_id)
    if key is None:
        raise VerificationError(
            "the envelope names a key that is not held here", hint="keep retired keys for reading"
        )
    if not hmac.compare_digest(tag.encode(), _tag(".".join(parts[:6]), block, key).encode()):
        raise VerificationError("the envelope's seal does not hold", hint="the block was changed on its way")
    my_owner, my_account, my_conversation, my_model = _bindings(request, key)
    differing = []
    if owner != my_owner and account != my_account:
        differing.append("account")
    if model != my_model:
        differing.append("model")
    if _NONE not in (conversation, my_conversation) and conversation != my_conversation:
        differing.append("conversation")
    return Opened(block, tuple(differing), int(hour, 16))


def _bindings(request: Request, key: bytes) -> tuple[str, str, str, str]:
    """Keyed digests of owner, account, conversation and model family."""
    conversation = request.conversation_id
    return (
        _digest("owner", owner_of(request), key),
        _digest("account", request.account_id, key),
        _digest("conversation", conversation, key) if conversation else _NONE,
        _digest("model", model_family(request.model), key),
    )


def _digest(what: str, value: str, key: bytes) -> str:
    text = f"{what}\0{value}".encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=8, key=key).hexdigest()


def _tag(head: str, block: str, key: bytes) -> str:
    whole = head.encode("utf-8", "surrogatepass") + b"\0" + block.encode("utf-8", "surrogatepass")
    return hmac.new(key, whole, sha256).hexdigest()[:32]
