"""Shared by the verbs: settings from options, and where an output may go."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from stillwatch.errors import ConfigError

if TYPE_CHECKING:
    from stillwatch.settings import Settings


def read_settings(path: str | None, key_file: str | None = None) -> Settings:
    """Settings as the options ask for them."""
    from stillwatch.settings import load_settings

    settings = load_settings(Path(path) if path else None)
    return settings.with_key_file(key_file) if key_file else settings


def standard_input(inputs: tuple[str, ...]) -> BinaryIO | None:
    """Standard input when one of the inputs is ``-``, else nothing."""
    if inputs.count("-") > 1:
        raise ConfigError("standard input is named twice", hint="give `-` once")
    return sys.stdin.buffer if "-" in inputs else None


def mapping_path(mapping: str | None) -> Path | None:
    """The mapping file as a path."""
    return Path(mapping) if mapping else None
