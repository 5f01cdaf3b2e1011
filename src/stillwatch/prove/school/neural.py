"""A student that is a neural network: one hidden layer over the four tokens before, trained here, in NumPy.

Each place of the window has a table of its own, from tokens to the hidden layer; Adam, cross-entropy, a rate that
falls to nothing. It generalises, forgets and is changed by what comes after, as large models are.

References
----------
Bengio, Ducharme, Vincent and Jauvin, *A neural probabilistic language model* (2003). Kingma and Ba, *Adam* (2015).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from stillwatch.prove.laws import Floats
from stillwatch.prove.marks.mark import Tokens
from stillwatch.prove.school.teacher import CONTEXT, VOCABULARY, lessons_of

Singles = NDArray[np.float32]
HIDDEN, BATCH, RATE, EPOCHS = 256, 256, 3e-3, 6
_FIRST, _SECOND, _TINY = 0.9, 0.99, 1e-8
_ROWS = CONTEXT * (VOCABULARY + 1)
_PART = 8_192
_PLACES = np.arange(CONTEXT) * (VOCABULARY + 1)


@dataclass(frozen=True, slots=True)
class NeuralStudent:
    """Weights. Learning gives a new student and leaves this one as it is."""

    table: Singles
    """float32[4 * 129, 256]: from a token at a place to the hidden layer."""
    bias: Singles
    out: Singles
    out_bias: Singles

    @classmethod
    def born(cls, seed: int) -> NeuralStudent:
        """A student that knows nothing yet."""
        rng = np.random.default_rng(seed)
        table = rng.normal(size=(_ROWS, HIDDEN)).astype(np.float32) * np.float32(0.5)
        out = rng.normal(size=(HIDDEN, VOCABULARY)).astype(np.float32) * np.float32(HIDDEN**-0.5)
        return cls(table, np.zeros(HIDDEN, dtype=np.float32), out, np.zeros(VOCABULARY, dtype=np.float32))

    def log_p(self, windows: Tokens) -> Floats:
        """Log-probabilities float64[n, vocabulary] after windows int64[n, 4]."""
        parts = []
        for at in range(0, windows.shape[0], _PART):
            logits = self._hidden(windows[at : at + _PART]) @ self.out + self.out_bias
            parts.append(_normal(logits.astype(np.float64)))
        return np.concatenate(parts) if parts else np.empty((0, VOCABULARY))

    def learn(
        self, *texts: Tokens, seed: int, epochs: int = EPOCHS, rate: float = RATE,
        step: Callable[[int, int], None] = lambda _, __: None,
    ) -> NeuralStudent:  # fmt: skip
        """This student after some passes over texts, in an order drawn from ``seed``."""
        lessons = [lessons_of(text) for text in texts]
        windows = np.concatenate([window for window, _ in lessons]) + _PLACES
        tokens = np.concatenate([token for _, token in lessons])
        new = NeuralStudent(self.table.copy(), self.bias.copy(), self.out.copy(), self.out_bias.copy())
        adam = _Adam((new.table, new.bias, new.out, new.out_bias))
        rng, per = np.random.default_rng(seed), -(-tokens.size // BATCH)
        for epoch in range(epochs):
            order = rng.permutation(tokens.size)
            for at in range(per):
                chosen, done = order[at * BATCH : (at + 1) * BATCH], epoch * per + at
                adam.step(new._slopes(windows[chosen], tokens[chosen]), rate * (1 - done / (epochs * per)))
            step(epoch + 1, epochs)
        return new

    def _hidden(self, windows: Tokens) -> Singles:
        rows = windows + _PLACES
        total = self.bias + self.table[rows[:, 0]]
        for column in range(1, CONTEXT):
            total += self.table[rows[:, column]]
        return np.asarray(np.maximum(total, 0))

    def _slopes(self, rows: Tokens, tokens: Tokens) -> tuple[Singles, Singles, Singles, Singles]:
        """Slopes of the mean cross-entropy of a batch; ``rows`` are rows of the table."""
        count = tokens.size
        where = np.arange(count + 1) * CONTEXT
        inputs = sparse.csr_matrix(
            (np.ones(rows.size, dtype=np.float32), rows.ravel(), where), shape=(count, _ROWS)
        )
        hidden = np.maximum(inputs @ self.table + self.bias, 0)
        said = np.exp(_normal(hidden @ self.out + self.out_bias))
        said[np.arange(count), tokens] -= 1.0
        said /= np.float32(count)
        back = (said @ self.out.T) * (hidden > 0)
        return np.asarray(inputs.T @ back), back.sum(axis=0), hidden.T @ said, said.sum(axis=0)


class _Adam:
    """Moments of one training."""

    def __init__(self, weights: tuple[Singles, ...]) -> None:
        self._weights = weights
        self._mean = [np.zeros_like(w) for w in weights]
        self._square = [np.zeros_like(w) for w in weights]
        self._steps = 0

    def step(self, slopes: tuple[Singles, ...], rate: float) -> None:
        self._steps += 1
        scale = np.float32(rate * (1 - _SECOND**self._steps) ** 0.5 / (1 - _FIRST**self._steps))
        for weight, mean, square, slope in zip(self._weights, self._mean, self._square, slopes, strict=True):
            mean += np.float32(1 - _FIRST) * (slope - mean)
            square += np.float32(1 - _SECOND) * (slope * slope - square)
            weight -= scale * mean / (np.sqrt(square) + np.float32(_TINY))


def _normal(logits: Any) -> Any:
    """Log-probabilities, in the precision of the logits."""
    logits = logits - logits.max(axis=1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
