"""Our tokens as they look in a text: what an endpoint writes in place of their numbers.

A token is named by its text with the space before it. Part of a character is no text; whatever stands for one
(`odd`) names no token. Two tokens of one look name none either.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError

HALF = "\ufffd"
"""What stands for bytes that are no character, as the first half of one."""
BYTES = re.compile(r"bytes: ?(\\x[0-9a-f]{2})+")
"""What an older interface writes in its place."""


def odd(look: str) -> bool:
    """Whether this may stand for part of a character.

    >>> [odd(look) for look in (" the", "\\ufffd", r"bytes:\\xe2\\x80", "")]
    [False, True, True, True]
    """
    return not look or HALF in look or BYTES.fullmatch(look) is not None


class Pieces:
    """The tokeniser of our engine."""

    def __init__(self, tokeniser: Any) -> None:
        self._tokeniser = tokeniser
        looks = self._looks(range(max(tokeniser.get_vocab(with_added_tokens=True).values()) + 1))
        self._by_number = looks
        self._numbers: dict[str, int] = {}
        twice = set()
        for number, look in enumerate(looks):
            if look in self._numbers:
                twice.add(look)
            self._numbers[look] = number
        for look in twice:
            del self._numbers[look]

    @classmethod
    def of(cls, path: Path) -> Pieces:
        """From ``tokenizer.json``."""
        return cls(load(path))

    def encode(self, text: str) -> list[int]:
        """Text to the numbers of our tokens."""
        return list(self._tokeniser.encode(text, add_special_tokens=False).ids)

    def text(self, tokens: Sequence[int], whole: str) -> str | None:
        """The text that is these tokens, the beginning of ``whole``; None where no text gives just them."""
        for text in (whole, self._tokeniser.decode(list(tokens), skip_special_tokens=False)):
            if self.encode(text) == list(tokens):
                return text
        return None

    def looks(self, tokens: Sequence[int], text: str) -> list[str]:
        """How each token of a text looks; the first one without a space that the text does not begin with."""
        found = [self._by_number[token] for token in tokens]
        if found and found[0].startswith(" ") and not text.startswith(" "):
            found[0] = found[0][1:]
        return found

    def number(self, look: str) -> int | None:
        """The one token that looks so."""
        return None if odd(look) else self._numbers.get(look)

    def _looks(self, numbers: Sequence[int]) -> list[str]:
        """Decoded after another token: by itself, some tokenisers lose the space before it."""
        first = (self.encode("a") or [0])[0]
        before = self._tokeniser.decode([first], skip_special_tokens=False)
        both = self._tokeniser.decode_batch([[first, n] for n in numbers], skip_special_tokens=False)
        return [one[len(before) :] if one.startswith(before) else HALF for one in both]


def load(path: Path) -> Any:
    """The library's tokeniser.

    Raises:
        ConfigError: the extra is not installed, or the file is no tokeniser.
    """
    try:
        tokenizers = import_module("tokenizers")
    except ImportError as error:
        raise ConfigError(
            "asking a suspect needs tokenizers", hint="pip install 'stillwatch[prove]'"
        ) from error
    try:
        return tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare exceptions
        raise ConfigError(
            f"{path.name} is no tokeniser", hint="the tokenizer.json that the serving engine uses"
        ) from error
