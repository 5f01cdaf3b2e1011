"""Texts and figures, made fit for a page and a terminal."""

from __future__ import annotations

import math
import unicodedata

from markupsafe import Markup

_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def shown(text: str) -> str:
    """Text with control, zero-width, bidi and other unseen characters as their code points.

    >>> shown("a\\u202eb")
    'aU+202Eb'
    """
    return "".join(f"U+{ord(char):04X}" if unicodedata.category(char) in _UNSEEN else char for char in text)


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


def power(log10_p: float | None) -> Markup:
    """A p-value from its logarithm: as a figure, or as a power of ten.

    >>> print(power(-0.30103), power(-8.4))
    0.500 4.0 &times; 10<sup>-9</sup>
    """
    if log10_p is None:
        return Markup("0")
    if log10_p > -3:
        return Markup("{:.3f}").format(10**log10_p)
    whole = int(log10_p // 1)
    return Markup("{:.1f} &times; 10<sup>{}</sup>").format(10 ** (log10_p - whole), whole)


def share(value: float | None) -> str:
    """A share as a percentage, in words where it is beyond reach.

    >>> share(0.0312), share(None)
    ('3.1%', 'not even a model trained on marked text alone')
    """
    if value is None or value > 1:
        return "not even a model trained on marked text alone"
    return f"{100 * value:.1f}%"


def figure(value: float | None) -> str:
    """Three digits, or a dash for none.

    >>> figure(0.25), figure(0.0000125), figure(None)
    ('0.250', '1.25e-05', '\u2013')
    """
    return "\u2013" if value is None else f"{value:.3g}" if 0 < abs(value) < 0.0005 else f"{value:.3f}"
