"""Shared by the verbs: settings from options, and where an output may go."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
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


def with_memory_limit(settings: Settings, limit: str | None) -> Settings:
    """The same settings with another ``run.memory_limit``."""
    if limit is None:
        return settings
    from stillwatch.settings import parse_settings

    tree = settings.model_dump(mode="python", exclude_unset=True)
    tree.setdefault("run", {})["memory_limit"] = limit
    try:
        return parse_settings(tree, where="--memory-limit")
    except ConfigError as error:
        raise ConfigError(
            f"--memory-limit: {limit!r} is no size", hint="write a number and KB, MB, GB or TB, such as 4GB"
        ) from error


def utc(moment: datetime | None) -> datetime | None:
    """A time of an option: it is UTC."""
    return moment.replace(tzinfo=UTC) if moment else None


def standard_input(inputs: tuple[str, ...]) -> BinaryIO | None:
    """Standard input when one of the inputs is ``-``, else nothing."""
    if inputs.count("-") > 1:
        raise ConfigError("standard input is named twice", hint="give `-` once")
    return sys.stdin.buffer if "-" in inputs else None


def mapping_path(mapping: str | None) -> Path | None:
    """The mapping file as a path."""
    return Path(mapping) if mapping else None
