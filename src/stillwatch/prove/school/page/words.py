"""Texts and figures, made fit for a page and a terminal."""

from __future__ import annotations

import math
import unicodedata

_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def shown(text: str) -> str:
    """Text with control, zero-width, bidi and other unseen characters replaced.

    >>> shown("a\\u202eb")
    'a\\ufffdb'
    """
    return "".join("\ufffd" if unicodedata.category(char) in _UNSEEN else char for char in text)


def power_of_ten(log10_p: float) -> str:
    """A p-value in words.

    >>> power_of_ten(-41.37), power_of_ten(-2.5), power_of_ten(-0.3), power_of_ten(0.0)
    ('10^-41.4', '10^-2.5', '0.50', '1')
    """
    if log10_p > -2:
        return f"{10**log10_p:.2f}" if log10_p < 0 else "1"
    return f"10^{log10_p:.1f}"


def level(alpha: float) -> str:
    """A level in words.

    >>> level(1e-6), level(0.05)
    ('10^-6', '0.05')
    """
    return f"10^{math.log10(alpha):.0f}" if alpha < 1e-3 else f"{alpha:g}"
