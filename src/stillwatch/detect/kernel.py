"""The text kernel: one pass over a prompt, a few keyed digests and flags out, no text kept.

One function over Arrow buffers, compiled by Numba, called by the embedded engine and by any other that can
hand it Arrow batches. Per text it computes

* **template keys**: digests of the first and last eight skeleton words, of the first three and the last
  sentence, and four MinHash bands over word 3-shingles; numbers, quoted spans, code and URLs are slots;
* **payload digests**: of the whole text and of its longest sentence, numbers included;
* **cues**: which families of the lexicon the text speaks, in several languages;
* language, words, bytes, and whether it holds code.

Texts are read up to `HEAD_BYTES` from the front and `TAIL_BYTES` from the back, so an attacker's megabyte
costs no more than a page. All digests end in SipHash under the installation's key.

References
----------
Li, Owen and Zhang, *One permutation hashing* (NeurIPS 2012): eight bins, bands of two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba as nb
import numpy as np
import pyarrow as pa

from stillwatch.detect.digest import Key, domain_key, sip_bytes, sip_word, string_buffers
from stillwatch.detect.lexicon import (
    DIGIT,
    FNV,
    FOLDS,
    GRAM,
    KINDS,
    LETTER,
    MAX_PHRASE,
    NUMBER,
    WORD_SEED,
    Lexicon,
    finish,
    may_be,
)

U64 = np.uint64
HEAD_BYTES = 2000
TAIL_BYTES = 600
MAX_WORDS = 1400

TEMPLATE_KEYS = ("head", "tail", "s1", "s2", "s3", "t1", "b0", "b1", "b2", "b3")
"""Digest columns that may name a template, in order of preference."""
COLUMNS = (*TEMPLATE_KEYS, "full", "longest")
_FLAG_CODE, _FLAG_URL, _FLAG_CJK = 1, 2, 4
_SLOT = U64(0xA0761D6478BD642F)
_KANA, _HANGUL, _HAN = 0, 1, 2


_LETTERS = np.where((KINDS[:256] == LETTER) | (KINDS[:256] == DIGIT), FOLDS[:256], 0).astype(np.uint8)
_LETTERS[128:] = 0
_LETTERS[:128] += (KINDS[:128] == DIGIT).astype(np.uint8) << 7
"""Of each byte that is a letter or digit of ASCII, its lower case, with the top bit set for digits; 0 of any other."""


@nb.njit(inline="always", cache=True)
def _decode(data, i, end):  # type: ignore[no-untyped-def]  # numba infers
    """Code point at ``i`` and its width; malformed bytes count as one separator each."""
    at = U64(i)
    b = data[at]
    if b < 0x80:
        return np.int64(b), 1
    if b >= 0xF0 and i + 3 < end:
        return (
            (np.int64(b & 7) << 18)
            | (np.int64(data[at + U64(1)] & 63) << 12)
            | (np.int64(data[at + U64(2)] & 63) << 6)
            | np.int64(data[at + U64(3)] & 63)
        ), 4
    if b >= 0xE0 and i + 2 < end:
        return (np.int64(b & 15) << 12) | (np.int64(data[at + U64(1)] & 63) << 6) | np.int64(
            data[at + U64(2)] & 63
        ), 3
    if b >= 0xC0 and i + 1 < end:
        return (np.int64(b & 31) << 6) | np.int64(data[at + U64(1)] & 63), 2
    return np.int64(32), 1


@nb.njit(cache=True, nogil=True)
def _tokenise(  # type: ignore[no-untyped-def]  # numba infers
    data, start, end, kinds, folds, words, exact, masked, sentence, count, sent, scripts
):
    """Fill the word arrays from ``data[start:end]``; returns (count, sentence index, flags).

    Characters are judged as `stillwatch.detect.lexicon.kind_of` does, from its table.
    """
    flags = 0
    h = WORD_SEED
    x = WORD_SEED
    length = 0
    digits = 0
    in_quote = False
    in_code = False
    in_url = False
    quote_from = 0
    i = start
    while i <= end:
        first = i
        while i < end:
            letter = np.int64(_LETTERS[data[U64(i)]])
            if letter == 0:
                break
            h = (h ^ U64(letter & 127)) * FNV
            digits += int(letter >> 7)
            i += 1
        length += i - first
        plain = i < end and data[U64(i)] == 32
        if plain:
            cp, width, kind, low = np.int64(32), 1, np.int64(0), U64(32)
        elif i < end:
            cp, width = _decode(data, i, end)
            low = U64(cp)
            if cp < 0x10000:
                kind = np.int64(kinds[U64(cp)])
                low = U64(folds[U64(cp)])
            elif cp < 0x1F000:
                kind = np.int64(1)
            else:
                kind = np.int64(3 if 0x20000 <= cp <= 0x3FFFF else 0)
        else:
            cp, width, kind, low = np.int64(10), 1, np.int64(0), U64(10)
        if kind == 1 or kind == 2:
            h = (h ^ low) * FNV
            length += 1
            if kind == 2:
                digits += 1
            i += width
            continue
        if length > 0:
            if count < words.shape[0]:
                x = finish(h)
                exact[U64(count)] = x
                words[U64(count)] = NUMBER if digits == length else x
                masked[U64(count)] = in_quote or in_code or in_url
                sentence[U64(count)] = sent
                count += 1
            h = WORD_SEED
            length = 0
            digits = 0
        if kind >= 3:
            in_url = False
        if kind == 3:
            if count < words.shape[0]:
                x = finish((WORD_SEED ^ U64(cp)) * FNV)
                exact[U64(count)] = x
                words[U64(count)] = x
                masked[U64(count)] = in_quote or in_code or in_url
                sentence[U64(count)] = sent
                count += 1
            if 0x3040 <= cp <= 0x30FF:
                scripts[_KANA] += 1
            elif 0xAC00 <= cp <= 0xD7A3:
                scripts[_HANGUL] += 1
            else:
                scripts[_HAN] += 1
            flags |= _FLAG_CJK
            i += width
            continue
        if kind == 4:
            sent += 1
            i += width
            continue
        if plain:
            in_url = False
        elif cp == 10 or cp == 13:
            in_url = False
            sent += 1
            if in_quote:
                in_quote = False
        elif cp == 9:
            in_url = False
        elif cp == 96:
            if i + 2 < end and data[i + 1] == 96 and data[i + 2] == 96:
                in_code = not in_code
                flags |= _FLAG_CODE
                i += 3
                continue
        elif cp == 34:
            in_quote = not in_quote and not in_code
            quote_from = i
        elif cp == 0x201C:
            in_quote = not in_code
            quote_from = i
        elif cp == 0x201D:
            in_quote = False
        elif cp == 58:
            if i + 2 < end and data[i + 1] == 47 and data[i + 2] == 47:
                in_url = True
                flags |= _FLAG_URL
            elif not in_quote and (
                i + 1 >= end or data[i + 1] == 32 or data[i + 1] == 10 or data[i + 1] == 13
            ):
                sent += 1
        elif cp == 46 or cp == 33 or cp == 63 or cp == 59:
            if not in_quote and (i + 1 >= end or data[i + 1] == 32 or data[i + 1] == 10 or data[i + 1] == 13):
                sent += 1
        if in_quote and i - quote_from > 400:
            in_quote = False
        i += width
    return count, sent + 1, flags


@nb.njit(cache=True, nogil=True)
def _lookup(keys, values, key):  # type: ignore[no-untyped-def]  # numba infers
    mask = U64(keys.shape[0] - 1)
    at = key & mask
    while values[at] != -2:
        if keys[at] == key:
            return values[at]
        at = (at + U64(1)) & mask
    return -2


@nb.njit(cache=True, nogil=True)
def _cues(  # type: ignore[no-untyped-def]  # numba infers
    words, count, steps, keys, values, owner, weight, following, seen, stamp, scores, at, grams, whole
):
    """Add up the weights of the phrases that the words hold.

    All places go one word further at a time, and those that cannot become a phrase drop out. Nothing branches on what
    a word is, since no processor foresees it.
    """
    for i in range(count):
        at[i] = i
        grams[i] = 0
    left = count
    for depth in range(MAX_PHRASE):
        kept = found = 0
        for c in range(left):
            i = at[c]
            if i + depth >= count:
                break
            g = (grams[c] * GRAM) ^ words[i + depth]
            step = may_be(steps, g)
            at[kept], grams[kept] = i, g
            kept += step & 1
            whole[found] = g
            found += step >> 1
        for c in range(found):
            hit = _lookup(keys, values, whole[c])
            while hit >= 0:
                if seen[hit] != stamp:
                    seen[hit] = stamp
                    scores[owner[hit]] += weight[hit]
                hit = following[hit]
        left = kept
        if left == 0:
            break


@nb.njit(cache=True, nogil=True)
def _language(words, count, common, keys, masks, tally, scripts, n_latin):  # type: ignore[no-untyped-def]  # numba infers
    letters = scripts[_KANA] + scripts[_HANGUL] + scripts[_HAN]
    if letters * 3 > count:
        if scripts[_KANA] * 8 > letters:
            return n_latin + 1
        if scripts[_HANGUL] * 3 > letters:
            return n_latin + 2
        return n_latin
    tally[:] = 0
    for i in range(min(count, 160)):
        if may_be(common, words[i]) == 0:
            continue
        hit = _lookup(keys, masks, words[i])
        if hit >= 0:
            for b in range(n_latin):
                if (hit >> b) & 1:
                    tally[b] += 1
    best, most = -1, (1 if count > 12 else 0)
    for b in range(n_latin):
        if tally[b] > most:
            best, most = b, tally[b]
    return best


@nb.njit(cache=True, nogil=True)
def _bands(words, count, k0, k1, out, row):  # type: ignore[no-untyped-def]  # numba infers
    if count < 8:
        return
    low = np.full(8, 0xFFFFFFFFFFFFFFFF, dtype=np.uint64)
    for i in range(count - 2):
        g = finish((words[i] * GRAM) ^ (words[i + 1] * FNV) ^ words[i + 2])
        b = g >> U64(61)
        v = g & U64(0x1FFFFFFFFFFFFFFF)
        if v < low[b]:
            low[b] = v
    for band in range(4):
        a, b2 = low[2 * band], low[2 * band + 1]
        if a != U64(0xFFFFFFFFFFFFFFFF) and b2 != U64(0xFFFFFFFFFFFFFFFF):
            out[6 + band, row] = np.int64(sip_word(finish(a * GRAM ^ b2) ^ U64(band), k0, k1))


@nb.njit(cache=True, nogil=True)
def _skeleton(words, masked, first, last, step, want):  # type: ignore[no-untyped-def]  # numba infers
    """Hash of ``want`` skeleton words from ``first`` towards ``last``; a masked run is one slot."""
    h = U64(0)
    taken = 0
    slot = False
    i = first
    while i != last and taken < want:
        if masked[i]:
            if not slot:
                h = (h * GRAM) ^ _SLOT
                taken += 1
            slot = True
        else:
            h = (h * GRAM) ^ words[i]
            taken += 1
            slot = False
        i += step
    return h, taken


@nb.njit(cache=True, nogil=True)
def _sentences(words, exact, masked, sentence, count, k0, k1, p0, p1, out, row):  # type: ignore[no-untyped-def]  # numba infers
    found = 0
    best_len = 0
    best_hash = U64(0)
    last_hash = U64(0)
    i = 0
    while i < count:
        j = i
        h = U64(0)
        e = U64(0)
        n = 0
        slot = False
        while j < count and sentence[U64(j)] == sentence[U64(i)]:
            e = (e * GRAM) ^ exact[U64(j)]
            if masked[U64(j)]:
                if not slot:
                    h = (h * GRAM) ^ _SLOT
                slot = True
            else:
                h = (h * GRAM) ^ words[U64(j)]
                n += 1
                slot = False
            j += 1
        if n >= 4:
            if found < 3:
                out[2 + found, row] = np.int64(sip_word(finish(h), k0, k1))
            found += 1
            last_hash = h
        if j - i > best_len:
            best_len = j - i
            best_hash = e
        i = j
    if found > 1:
        out[5, row] = np.int64(sip_word(finish(last_hash), k0, k1))
    if best_len >= 3:
        out[11, row] = np.int64(sip_word(finish(best_hash), p0, p1))


SHINGLE = 48
"""Words of a chunk: about 64 tokens, long enough that an exact match is a copy and not a phrase."""
SAMPLED = 8
"""One chunk in eight is looked at, by its hash, and at most eight of a text are kept."""


@nb.njit(cache=True, nogil=True)
def _sample(exact, count, low, k0, k1, out):  # type: ignore[no-untyped-def]  # numba infers
    """Digests of the sampled chunks of one text, lowest hash first."""
    top = U64(1)
    for _ in range(SHINGLE - 1):
        top *= GRAM
    kept = 0
    rolling = U64(0)
    for i in range(count):
        if i >= SHINGLE:
            rolling -= exact[i - SHINGLE] * top
        rolling = rolling * GRAM + exact[i]
        if i < SHINGLE - 1:
            continue
        g = finish(rolling)
        if g % U64(SAMPLED) != U64(0):
            continue
        at = kept
        while at > 0 and low[at - 1] > g:
            if at < SAMPLED:
                low[at] = low[at - 1]
            at -= 1
        if at < SAMPLED:
            low[at] = g
            kept = min(kept + 1, SAMPLED)
    for i in range(kept):
        out[i] = np.int64(sip_word(low[i], k0, k1))


@nb.njit(cache=True, nogil=True)
def _kernel(  # type: ignore[no-untyped-def]  # numba infers
    data, offsets, valid, kinds, folds, k0, k1, p0, p1, steps, keys, values, owner, weight, following,
    common, lang_keys, lang_masks, n_latin, n_families, out, scores, lang, n_words, flags, c0, c1, chunks,
):  # fmt: skip
    words = np.zeros(MAX_WORDS, dtype=np.uint64)
    exact = np.zeros(MAX_WORDS, dtype=np.uint64)
    masked = np.zeros(MAX_WORDS, dtype=np.bool_)
    sentence = np.zeros(MAX_WORDS, dtype=np.int64)
    seen = np.zeros(owner.shape[0] + 1, dtype=np.int64)
    at = np.zeros(MAX_WORDS, dtype=np.int64)
    grams = np.zeros(MAX_WORDS, dtype=np.uint64)
    whole = np.zeros(MAX_WORDS, dtype=np.uint64)
    tally = np.zeros(64, dtype=np.int64)
    scripts = np.zeros(3, dtype=np.int64)
    low = np.zeros(SAMPLED, dtype=np.uint64)
    for row in range(valid.shape[0]):
        lang[row] = -1
        if not valid[row]:
            continue
        start, end = offsets[row], offsets[row + 1]
        scripts[:] = 0
        if end - start <= HEAD_BYTES + TAIL_BYTES:
            count, sent, flag = _tokenise(
                data, start, end, kinds, folds, words, exact, masked, sentence, 0, 0, scripts
            )
        else:
            count, sent, flag = _tokenise(
                data, start, start + HEAD_BYTES, kinds, folds, words, exact, masked, sentence, 0, 0, scripts
            )
            resume = end - TAIL_BYTES
            while resume < end and data[resume] != 32 and (data[resume] & 0xC0) != 0xC0:
                resume += 1
            count, sent, more = _tokenise(
                data, resume, end, kinds, folds, words, exact, masked, sentence, count, sent, scripts
            )
            flag |= more
        flags[row] = flag
        n_words[row] = count
        if end > start:
            out[10, row] = np.int64(sip_bytes(data, start, end, p0, p1))
        if count == 0:
            continue
        h, taken = _skeleton(words, masked, 0, count, 1, 8)
        if taken >= 4:
            out[0, row] = np.int64(sip_word(finish(h), k0, k1))
        h, taken = _skeleton(words, masked, count - 1, -1, -1, 8)
        if taken >= 8:
            out[1, row] = np.int64(sip_word(finish(h ^ _SLOT), k0, k1))
        _sentences(words, exact, masked, sentence, count, k0, k1, p0, p1, out, row)
        _bands(words, count, k0, k1, out, row)
        _cues(
            words,
            count,
            steps,
            keys,
            values,
            owner,
            weight,
            following,
            seen,
            row + 1,
            scores[row],
            at,
            grams,
            whole,
        )
        lang[row] = _language(words, count, common, lang_keys, lang_masks, tally, scripts, n_latin)
        if chunks.shape[0] and end - start >= 3 * SHINGLE:
            if end - start > HEAD_BYTES + TAIL_BYTES:
                end = start + HEAD_BYTES + TAIL_BYTES
                count, sent, flag = _tokenise(
                    data, start, end, kinds, folds, words, exact, masked, sentence, 0, 0, scripts
                )
            _sample(exact, count, low, c0, c1, chunks[row])


@dataclass(frozen=True, slots=True)
class TextFeatures:
    """Features of ``n`` texts; digests are int64, 0 = none."""

    digests: np.ndarray
    """int64[len(COLUMNS), n]."""
    scores: np.ndarray
    """int16[n, families]: summed cue weights."""
    language: np.ndarray
    """int8[n]: index into ``Lexicon.languages``; -1 = unknown."""
    words: np.ndarray
    """int32[n]: words read (head and tail only for long texts)."""
    flags: np.ndarray
    """uint8[n]: 1 code fence, 2 URL, 4 ideographs."""
    chunks: np.ndarray
    """int64[n, SAMPLED] as of `chunk_digests`; int64[0, SAMPLED] when not asked for."""


def text_features(texts: pa.Array, key: Key, lexicon: Lexicon, *, chunks: bool = False) -> TextFeatures:
    """Run the kernel over a string array; missing texts get zeros. With ``chunks``, `chunk_digests` in the same pass.

    >>> from stillwatch.detect.lexicon import load_lexicon
    >>> key = Key.derive(b"0" * 32)
    >>> f = text_features(pa.array(["Solve this problem step by step now: 2+2", None]), key, load_lexicon())
    >>> f.words.tolist()
    [9, 0]
    """
    data, offsets, valid = string_buffers(texts)
    n = len(texts)
    k0, k1 = domain_key(key, "template")
    p0, p1 = domain_key(key, "payload")
    out = np.zeros((len(COLUMNS), n), dtype=np.int64)
    scores = np.zeros((n, len(lexicon.families)), dtype=np.int16)
    lang = np.full(n, -1, dtype=np.int8)
    words = np.zeros(n, dtype=np.int32)
    flags = np.zeros(n, dtype=np.uint8)
    c0, c1 = domain_key(key, "chunk")
    sampled = np.zeros((n if chunks else 0, SAMPLED), dtype=np.int64)
    _kernel(
        data, offsets, valid, KINDS, FOLDS, k0, k1, p0, p1, lexicon.steps, lexicon.keys, lexicon.values,
        lexicon.phrase_family, lexicon.phrase_weight, lexicon.phrase_next, lexicon.common, lexicon.language_keys,
        lexicon.language_masks,
        len(lexicon.languages) - 3, len(lexicon.families), out, scores, lang, words, flags, c0, c1, sampled,
    )  # fmt: skip
    return TextFeatures(out, scores, lang, words, flags, sampled)


@nb.njit(cache=True, nogil=True)
def _chunks(data, offsets, valid, kinds, folds, k0, k1, out):  # type: ignore[no-untyped-def]  # numba infers
    words = np.zeros(MAX_WORDS, dtype=np.uint64)
    exact = np.zeros(MAX_WORDS, dtype=np.uint64)
    masked = np.zeros(MAX_WORDS, dtype=np.bool_)
    sentence = np.zeros(MAX_WORDS, dtype=np.int64)
    scripts = np.zeros(3, dtype=np.int64)
    low = np.zeros(SAMPLED, dtype=np.uint64)
    for row in range(valid.shape[0]):
        if not valid[row] or offsets[row + 1] - offsets[row] < 3 * SHINGLE:
            continue
        end = min(offsets[row + 1], offsets[row] + HEAD_BYTES + TAIL_BYTES)
        count, _, _ = _tokenise(
            data, offsets[row], end, kinds, folds, words, exact, masked, sentence, 0, 0, scripts
        )
        _sample(exact, count, low, k0, k1, out[row])


def chunk_digests(texts: pa.Array, key: Key) -> np.ndarray:
    """Digests of sampled 48-word chunks of each text; int64[n, 8], 0 = none.

    Sampling goes by hash, not by place, so a passage keeps its chunks wherever it is pasted. Texts are read up to
    `HEAD_BYTES` + `TAIL_BYTES` from the front.

    >>> key, words = Key.derive(b"0" * 32), " ".join(f"w{i}x" for i in range(90))
    >>> a, b = chunk_digests(pa.array([words, "Grade this answer please " + words]), key)
    >>> len(set(a[a != 0]) & set(b[b != 0])) > 0
    True
    """
    data, offsets, valid = string_buffers(texts)
    out = np.zeros((len(texts), SAMPLED), dtype=np.int64)
    k0, k1 = domain_key(key, "chunk")
    _chunks(data, offsets, valid, KINDS, FOLDS, k0, k1, out)
    return out
