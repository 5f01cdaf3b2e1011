"""A student that counts: interpolated n-grams of up to five tokens (Witten-Bell).

It is trained on what it is given and on nothing else, in milliseconds. It is no neural network: it learns a window's
preference where the window was in its data, and never generalises or forgets.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from stillwatch.prove.laws import Floats
from stillwatch.prove.marks.mark import Tokens
from stillwatch.prove.school.teacher import CONTEXT, VOCABULARY, lessons_of

_PART = 8_192
_RADIX = VOCABULARY + 1


class CountingStudent:
    """Counts with back-off to shorter windows.

    >>> student = CountingStudent(np.array([[1, 2, 3, 1, 2, 3, 1, 2, 3]]))
    >>> int(student.log_p(np.array([[2, 3, 1, 2]])).argmax())
    3
    """

    def __init__(self, *texts: Tokens) -> None:
        lessons = [lessons_of(text) for text in texts]
        windows = np.concatenate([window for window, _ in lessons])
        tokens = np.concatenate([token for _, token in lessons])
        once = np.ones(tokens.size, dtype=np.float32)
        self._known: list[Tokens] = []
        self._counts: list[sparse.csr_matrix] = []
        for width in range(1, CONTEXT + 1):
            known, row = np.unique(_number(windows, width), return_inverse=True)
            counts = sparse.csr_matrix((once, (row, tokens)), shape=(known.size + 1, VOCABULARY))
            self._known.append(known)
            self._counts.append(counts)
        one = np.bincount(tokens, minlength=VOCABULARY) + 1.0
        self._one = one / one.sum()

    def log_p(self, windows: Tokens) -> Floats:
        """Log-probabilities float64[n, vocabulary] after windows int64[n, 4]."""
        parts = [self._part(windows[at : at + _PART]) for at in range(0, windows.shape[0], _PART)]
        return np.concatenate(parts) if parts else np.empty((0, VOCABULARY))

    def _part(self, windows: Tokens) -> Floats:
        shorter = np.broadcast_to(self._one, (windows.shape[0], VOCABULARY))
        for width, known, counted in zip(range(1, CONTEXT + 1), self._known, self._counts, strict=True):
            wanted = _number(windows, width)
            row = np.minimum(np.searchsorted(known, wanted), known.size - 1)
            row = np.where(known[row] == wanted, row, known.size)
            counts = counted[row].toarray().astype(np.float64)
            kinds = (counts > 0).sum(axis=1, keepdims=True) + 1.0
            shorter = (counts + kinds * shorter) / (counts.sum(axis=1, keepdims=True) + kinds)
        return np.asarray(np.log(shorter))


def _number(windows: Tokens, width: int) -> Tokens:
    """The last tokens of each window as one number."""
    out = np.zeros(windows.shape[0], dtype=np.int64)
    for column in range(CONTEXT - width, CONTEXT):
        out = out * _RADIX + windows[:, column]
    return out
