"""The honest population's figures, read from ``population.toml``, where each stands with its source.

Example
-------
>>> round(figure("active", "values")[3], 1)
0.3
>>> "ServeGen" in source("burst")
True
"""

from __future__ import annotations

import tomllib
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from stillwatch.lab.hashing import F64

PATH = Path(__file__).parent / "population.toml"


@cache
def tables() -> dict[str, dict[str, Any]]:
    """Every table of the file."""
    return tomllib.loads(PATH.read_text(encoding="utf-8"))


@cache
def digest() -> str:
    """SHA-256 of the file: part of what makes a world."""
    return sha256(PATH.read_bytes()).hexdigest()


def figure(table: str, name: str) -> Any:  # a number or a list of numbers
    """One figure or list of figures."""
    return tables()[table][name]


def source(table: str) -> str:
    """Where a table's figures come from."""
    return str(tables()[table]["source"])


def by_quantiles(rng: np.random.Generator, table: str, size: int) -> F64:
    """Values drawn from a table of quantiles, log-linear between them."""
    shares, values = np.array(figure(table, "shares")), np.log(np.array(figure(table, "values")))
    drawn: F64 = np.exp(np.interp(rng.random(size), shares, values))
    return drawn


def token_law(rng: np.random.Generator, table: str) -> tuple[float, float]:
    """Log-normal law of one stream: its own level, drawn around the population's, and the spread within."""
    level = figure(table, "mu") + figure(table, "between") * rng.normal()
    return float(level), float(figure(table, "within"))
