"""The cue lexicon: short phrases per family and language, compiled to hash tables for the text kernel.

A cue says what a prompt *asks for*; it accuses nobody. Cue families are features of evidence B and of the
content traits, never a verdict: the same words are used by students, graders and researchers.
"""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import numba as nb
import numpy as np

U64 = np.uint64
WORD_SEED = U64(0x9E3779B97F4A7C15)
FNV = U64(0x100000001B3)
GRAM = U64(0x9E6C63D0876A9A47)
NUMBER = U64(0x2545F4914F6CDD1D)
"""What every run of digits hashes to, so that numbers are slots."""
MAX_PHRASE = 8


@nb.njit(inline="always", cache=True)
def finish(h):  # type: ignore[no-untyped-def]  # numba infers
    """Final avalanche of a word hash (the 64-bit mixer of MurmurHash3)."""
    h ^= h >> U64(33)
    h *= U64(0xFF51AFD7ED558CCD)
    h ^= h >> U64(33)
    h *= U64(0xC4CEB9FE1A85EC53)
    h ^= h >> U64(33)
    return h


@nb.njit(inline="always", cache=True)
def eat_codepoint(h, cp):  # type: ignore[no-untyped-def]  # numba infers
    """Add one lower-cased code point to a running word hash."""
    return (h ^ cp) * FNV


_BEGINS, _ENDS_HERE = 1, 2
_SIEVE = 1 << 18
"""Places of a sieve, each of two bits: 64 KiB, so that it stays in the cache of a core."""


@nb.njit(inline="always", cache=True)
def may_be(sieve, gram):  # type: ignore[no-untyped-def]  # numba infers
    """1 when a longer phrase may begin with these words, plus 2 when a phrase may end here; 0 for most words."""
    place = gram & U64(_SIEVE - 1)
    return np.int64(sieve[place >> U64(2)] >> ((place & U64(3)) << U64(1))) & 3


def _sieve(begins: Iterable[int], ends: Iterable[int]) -> np.ndarray:
    """What `may_be` looks into, from hashes of words."""
    bits = np.zeros(_SIEVE, np.uint8)
    for mark, hashes in ((_BEGINS, begins), (_ENDS_HERE, ends)):
        bits[[h & (_SIEVE - 1) for h in hashes]] |= mark
    four = bits.reshape(-1, 4) << np.array([0, 2, 4, 6], np.uint8)
    packed: np.ndarray = np.bitwise_or.reduce(four, axis=1).astype(np.uint8)
    return packed


def word_hash(token: str) -> np.uint64:
    """Hash of one token as the kernel computes it: ``#`` is the number slot.

    >>> word_hash("#") == NUMBER
    np.True_
    """
    if token == "#":  # noqa: S105
        return NUMBER
    h = int(WORD_SEED)
    for ch in token:
        h = ((h ^ ord(ch)) * int(FNV)) & 0xFFFFFFFFFFFFFFFF
    for shift, mult in ((33, 0xFF51AFD7ED558CCD), (33, 0xC4CEB9FE1A85EC53)):
        h ^= h >> shift
        h = (h * mult) & 0xFFFFFFFFFFFFFFFF
    h ^= h >> 33
    return U64(h)


def is_ideograph(ch: str) -> bool:
    """True for characters that are tokens by themselves: kana, ideographs, hangul syllables."""
    cp = ord(ch)
    return (
        0x3005 <= cp <= 0x3007 or 0x3040 <= cp <= 0x30FF or 0x3400 <= cp <= 0x9FFF or 0xAC00 <= cp <= 0xD7A3
        or 0x20000 <= cp <= 0x3FFFF
    )  # fmt: skip


SEPARATOR, LETTER, DIGIT, IDEOGRAPH, SENTENCE_END = range(5)
_ENDS = frozenset("\u3002\uff01\uff1f\uff1b\uff1a\uff61\u0964\u0965\u061f\u06d4")
"""What ends a sentence with no space after it: CJK, Devanagari and Arabic marks."""


def kind_of(ch: str) -> int:
    """What a character is to the tokeniser; the kernel reads the same rule from `KINDS`.

    >>> [kind_of(ch) for ch in (" ", "a", "\u0663", "\u5b57", "\u061f", "\ufe0f")]
    [0, 1, 2, 3, 4, 0]
    """
    cp = ord(ch)
    if is_ideograph(ch):
        return IDEOGRAPH
    if ch in _ENDS:
        return SENTENCE_END
    if cp >= 0x10000:
        return LETTER if cp < 0x1F000 else SEPARATOR
    if ch.isdigit():
        return DIGIT
    mark = unicodedata.category(ch) in ("Mn", "Mc") and not 0xFE00 <= cp <= 0xFE0F
    return LETTER if mark or ch.isalnum() else SEPARATOR


def fold(ch: str) -> str:
    """A character in lower case and of ordinary width, always one character.

    >>> fold("\u0130"), fold("\uff21"), fold("\u1ebe")
    ('i', 'a', '\u1ebf')
    """
    cp = ord(ch)
    if 0xFF10 <= cp <= 0xFF5A:
        ch = chr(cp - 0xFEE0)
    return ch.lower()[0] if cp < 0x10000 else ch


def _by_code_point(rule: Callable[[str], int], dtype: type) -> np.ndarray:
    return np.fromiter((rule(chr(cp)) for cp in range(0x10000)), dtype, 0x10000)


KINDS = _by_code_point(kind_of, np.uint8)
"""`kind_of` every code point of the basic plane."""
FOLDS = _by_code_point(lambda ch: ord(fold(ch)), np.uint16)
"""`fold` of every code point of the basic plane."""


def tokens_of(text: str) -> list[str]:
    """Split a phrase as the kernel splits text (slow, plain Python: also the oracle of the kernel).

    In a phrase ``#`` stands for a number; the kernel takes a ``#`` in a text for a separator.

    >>> tokens_of("Step-by-step: 1 to 10")
    ['step', 'by', 'step', '#', 'to', '#']
    """
    out: list[str] = []
    word, digits = "", True
    for ch in text + " ":
        kind = kind_of(ch)
        if kind in (LETTER, DIGIT) or ch == "#":
            word += fold(ch)
            digits = digits and kind == DIGIT
            continue
        if word:
            out.append("#" if digits or word == "#" else word)
        word, digits = "", True
        if kind == IDEOGRAPH:
            out.append(ch)
    return out


@dataclass(frozen=True, slots=True)
class CueFamily:
    """One family of cues and the bit it sets."""

    name: str
    title: str
    kind: str
    """``capability``, ``technique`` or ``format``."""
    threshold: int
    bit: int


@dataclass(frozen=True)
class Lexicon:
    """Compiled lexicon: open-addressing tables over n-gram hashes."""

    families: tuple[CueFamily, ...]
    languages: tuple[str, ...]
    keys: np.ndarray
    values: np.ndarray
    phrase_family: np.ndarray
    phrase_weight: np.ndarray
    phrase_next: np.ndarray
    """Next phrase with the same words (of another family); -1 ends the chain."""
    thresholds: np.ndarray
    language_keys: np.ndarray
    language_masks: np.ndarray
    version: int
    steps: np.ndarray
    """Sieve of phrases, and of what longer ones begin with."""
    common: np.ndarray
    """Sieve of the words that tell a language."""

    def bit(self, name: str) -> int:
        """Bit mask of one cue family."""
        return next(1 << f.bit for f in self.families if f.name == name)

    def mask(self, *names: str) -> int:
        """Bit mask of several cue families; unknown names are ignored."""
        return sum(1 << f.bit for f in self.families if f.name in names)

    def names(self, mask: int) -> tuple[str, ...]:
        """Names of the families whose bits are set."""
        return tuple(f.name for f in self.families if mask >> f.bit & 1)


def _table(entries: dict[int, int]) -> tuple[np.ndarray, np.ndarray]:
    size = 1
    while size < 4 * len(entries) + 16:
        size *= 2
    keys = np.zeros(size, dtype=np.uint64)
    values = np.full(size, -2, dtype=np.int64)
    for key, value in entries.items():
        at = key & (size - 1)
        while values[at] != -2:
            at = (at + 1) & (size - 1)
        keys[at], values[at] = U64(key), value
    return keys, values


def _gram(prefix: int, word: int) -> int:
    return ((prefix * int(GRAM)) ^ word) & 0xFFFFFFFFFFFFFFFF


def compile_lexicon(raw: dict[str, object]) -> Lexicon:
    """Compile the parsed TOML; see ``lexicon.toml`` for its form."""
    families: list[CueFamily] = []
    entries: dict[int, int] = {}
    owner: list[int] = []
    weight: list[int] = []
    chain: list[int] = []
    begins: set[int] = set()
    ends: set[int] = set()
    table: Any = raw["family"]
    for bit, (name, spec) in enumerate(table.items()):
        families.append(CueFamily(name, spec["title"], spec["kind"], int(spec.get("threshold", 2)), bit))
        for strength, points in (("strong", 2), ("weak", 1)):
            for phrases in spec.get(strength, {}).values():
                for phrase in phrases:
                    h = 0
                    words = [int(word_hash(t)) for t in tokens_of(phrase)]
                    for word in words[:-1]:
                        h = _gram(h, word)
                        entries.setdefault(h, -1)
                        begins.add(h)
                    h = _gram(h, words[-1])
                    chain.append(entries.get(h, -1))
                    entries[h] = len(owner)
                    ends.add(h)
                    owner.append(bit)
                    weight.append(points)
    languages: list[str] = []
    masks: dict[int, int] = {}
    spoken: Any = raw.get("language", {})
    for index, (code, spec) in enumerate(spoken.items()):
        languages.append(code)
        for word in spec["words"]:
            tokens = tokens_of(word)
            if len(tokens) == 1:
                h = int(word_hash(tokens[0]))
                masks[h] = masks.get(h, 0) | 1 << index
    keys, values = _table(entries)
    language_keys, language_masks = _table(masks)
    version = raw.get("version", 1)
    return Lexicon(
        tuple(families), (*languages, "zh", "ja", "ko"), keys, values,
        np.array(owner, np.int64), np.array(weight, np.int64), np.array(chain, np.int64),
        np.array([f.threshold for f in families], np.int64),
        language_keys, language_masks, int(version) if isinstance(version, int) else 1,
        _sieve(begins, ends), _sieve([], masks),
    )  # fmt: skip


@lru_cache(maxsize=1)
def load_lexicon() -> Lexicon:
    """The lexicon that ships with stillwatch."""
    text = resources.files("stillwatch.detect").joinpath("lexicon.toml").read_text("utf-8")
    return compile_lexicon(tomllib.loads(text))
