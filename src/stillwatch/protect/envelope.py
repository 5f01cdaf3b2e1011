"""A keyed envelope around an issued reasoning block, so that a replay is seen without remembering anything.

The gateway wraps each opaque block on its way out and unwraps it on its way back in. The envelope binds the
block to the account (or declared organisation), the conversation and the model family. All of it is encrypted (AES-SIV,
RFC 5297): whoever holds an envelope cannot take the block out of it, and the same block gives the same envelope.

An envelope is base64, as blocks are: some clients decode blocks to bytes, and encode them again in either alphabet.
Inside: ``stillw``, id of the key (4 bytes), seal (16); encrypted: hours since 1970 (4), digests of owner, account,
conversation, model (8 each), how the block was written (1), the block.

Examples
--------
>>> from stillwatch.records import Request
>>> keys = keyring(b"0" * 32)
>>> a = Request("r-1", "acct-1", "m-large-2026", conversation_id="c-1")
>>> b = Request("r-2", "acct-2", "m-large", conversation_id="c-2")
>>> wrapped = wrap("opaque", a, keys, next(iter(keys)), 0.0)
>>> unwrap(wrapped, a, keys).differing, unwrap(wrapped, b, keys).differing
((), ('account', 'conversation'))
>>> unwrap(wrapped, b, keys).block
'opaque'
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from stillwatch.errors import ConfigError, VerificationError
from stillwatch.protect.signals.sealed_replay import model_family, owner_of
from stillwatch.records import Request

_MAGIC = b"stillw"
PREFIX = b64encode(_MAGIC).decode()
_ID = 4
_BINDING = 8
_NONE = bytes(_BINDING)
_HEAD = len(_MAGIC) + _ID
_INSIDE = 4 + 4 * _BINDING
_SEAL = 16
_FORMS = (b64encode, urlsafe_b64encode)
"""How a block may be written that is kept as the bytes it stands for: canonical, so that it comes back as it was."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An envelope whose seal holds."""

    block: str
    differing: tuple[str, ...]
    """What differs from the one it was issued to: ``account``, ``model``, ``conversation``."""
    issued_hour: int


class UnknownKey(VerificationError):
    """The envelope was made with a key that is not held here: retired, or never ours."""


def keyring(secret: bytes) -> dict[bytes, bytes]:
    """The envelope key that belongs to a secret of the operator, by its id."""
    key = blake2b(secret, digest_size=64, person=b"sw-envelope-2").digest()
    return {blake2b(key, digest_size=_ID, person=b"sw-envelope-id").digest(): key}


def usable() -> None:
    """Nothing, where envelopes can be made. Raises `ConfigError` where the library for it is missing."""
    _cipher(bytes(64))


def wrap(block: str, request: Request, keys: Mapping[bytes, bytes], key_id: bytes, now: float) -> str:
    """A block in its envelope. ``keys`` maps key ids to keys; ``key_id`` is the one in use."""
    key, head = keys[key_id], _MAGIC + key_id
    inside = int(now // 3600).to_bytes(4, "big") + b"".join(_bindings(request, key)) + _written(block)
    return b64encode(head + _cipher(key).encrypt(inside, [head])).decode()


def is_wrapped(text: str) -> bool:
    """Whether a text claims to be an envelope."""
    return text.startswith(PREFIX)


def unwrap(text: str, request: Request, keys: Mapping[bytes, bytes]) -> Opened:
    """The block of an envelope, and what differs from whom it was issued to.

    Raises
    ------
    VerificationError
        It is no envelope, its seal does not hold, or (`UnknownKey`) its key is not held. The text is never quoted.
    """
    raw = _decoded(text) if is_wrapped(text) else b""
    if len(raw) <= _HEAD + _SEAL + _INSIDE:
        raise VerificationError(
            "not an envelope", hint="was the block issued before wrapping was switched on?"
        )
    head, sealed = raw[:_HEAD], raw[_HEAD:]
    key = keys.get(head[len(_MAGIC) :])
    if key is None:
        raise UnknownKey(
            "the envelope names a key that is not held here", hint="keep retired keys for reading"
        )
    try:
        inside = _cipher(key).decrypt(sealed, [head])
    except ConfigError:
        raise
    except Exception as error:  # the library's InvalidTag
        raise VerificationError(
            "the envelope's seal does not hold", hint="the block was changed on its way"
        ) from error
    owner, account, conversation, model = (inside[at : at + _BINDING] for at in range(4, _INSIDE, _BINDING))
    my_owner, my_account, my_conversation, my_model = _bindings(request, key)
    differing = []
    if owner != my_owner and account != my_account:
        differing.append("account")
    if model != my_model:
        differing.append("model")
    if _NONE not in (conversation, my_conversation) and conversation != my_conversation:
        differing.append("conversation")
    return Opened(_read(inside[_INSIDE:]), tuple(differing), int.from_bytes(inside[:4], "big"))


def unwrap_all(text: str, request: Request, keys: Mapping[bytes, bytes]) -> Opened:
    """The same for a text that may be several envelopes: what came in pieces, each wrapped, and was put together."""
    try:
        return unwrap(text, request, keys)
    except UnknownKey:
        raise
    except VerificationError:
        pieces = text.split(PREFIX)
        if len(pieces) < 3 or pieces[0]:
            raise
    found = [unwrap(PREFIX + piece, request, keys) for piece in pieces[1:]]
    differing = dict.fromkeys(what for opened in found for what in opened.differing)
    return Opened("".join(opened.block for opened in found), tuple(differing), found[0].issued_hour)


def _cipher(key: bytes) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV
    except ImportError as error:
        raise ConfigError(
            "envelopes need the package cryptography", hint="install it: pip install 'stillwatch[gateway]'"
        ) from error
    return AESSIV(key)


def _bindings(request: Request, key: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Keyed digests of owner, account, conversation and model family."""
    conversation = request.conversation_id
    return (
        _digest("owner", owner_of(request), key),
        _digest("account", request.account_id, key),
        _digest("conversation", conversation, key) if conversation else _NONE,
        _digest("model", model_family(request.model), key),
    )


def _digest(what: str, value: str, key: bytes) -> bytes:
    text = f"{what}\0{value}".encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=_BINDING, key=key).digest()


def _written(block: str) -> bytes:
    """A block as bytes, behind a byte that says how: base64 takes three quarters of its length."""
    text = block.encode("utf-8", "surrogatepass")
    for number, form in enumerate(_FORMS, 1):
        try:
            raw = b64decode(text, altchars=b"-_" if number == 2 else None, validate=True)
        except (ValueError, binascii.Error):
            continue
        if form(raw) == text:
            return bytes([number]) + raw
    return b"\0" + text


def _read(written: bytes) -> str:
    number, raw = written[0], written[1:]
    return (_FORMS[number - 1](raw) if number else raw).decode("utf-8", "surrogatepass")


def _decoded(text: str) -> bytes:
    """Base64 of either alphabet, with or without its padding, and canonical; nothing where it is none."""
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        raw = b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (ValueError, binascii.Error):
        return b""
    return raw if b64encode(raw).decode().rstrip("=") == plain else b""
