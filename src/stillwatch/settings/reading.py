"""Settings from a file, and digests of them."""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from stillwatch.errors import ConfigError
from stillwatch.settings.page import setting_rows
from stillwatch.settings.sections import Settings

DEFAULT_FILE = "stillwatch.toml"
"""Read from the working directory when ``--settings`` is not given and the file exists."""


def load_settings(path: Path | None = None, *, folder: Path | None = None) -> Settings:
    """Read settings once.

    Parameters
    ----------
    path
        The file the user named; it must exist. Without it, ``stillwatch.toml`` in `folder` is read when it
        exists, else every setting has its default.
    folder
        Where to look; the working directory when not given.

    Raises
    ------
    ConfigError
        The file is missing, is not TOML, or holds an unknown or unusable setting.
    """
    if path is None:
        path = (folder or Path()) / DEFAULT_FILE
        if not path.exists():
            return Settings()
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise ConfigError(f"{path}: {reason}", hint="name a TOML file that you can read") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}", hint=_SHOW_HINT) from error
    return parse_settings(data, where=str(path))


_SHOW_HINT = "`stillwatch settings show` prints every setting in the form the file needs"


def parse_settings(data: Mapping[str, Any], *, where: str) -> Settings:
    """Settings from parsed TOML; `where` names the source in errors."""
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        message, hint = _explain(error)
        raise ConfigError(f"{where}: {message}", hint=hint) from error


def _explain(error: ValidationError) -> tuple[str, str]:
    """The first problem in plain words, and what to do next. Values are not quoted: they may be secret."""
    problem = error.errors(include_url=False, include_input=False)[0]
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        known = [row.name for row in setting_rows()]
        close = difflib.get_close_matches(name, [*known, *Settings.model_fields], n=1)
        return f"{name}: no such setting", f"did you mean {close[0]}?" if close else _SHOW_HINT
    text = problem["msg"].removeprefix("Value error, ")
    return f"{name}: {text[:1].lower()}{text[1:]}", _SHOW_HINT


def settings_digest(settings: Settings) -> str:
    """SHA-256 over every setting that can change a result; stamped on findings so that they can be replayed.

    >>> settings_digest(Settings()) == settings_digest(parse_settings({"run": {"threads": 1}}, where=""))
    True
    >>> settings_digest(Settings()) == settings_digest(parse_settings({"detect": {"kappa": 4.0}}, where=""))
    False
    """
    dumped = settings.model_dump(mode="json")
    shaping = {row.name: _at(dumped, row.name) for row in setting_rows() if row.shapes_result}
    canonical = json.dumps(shaping, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def protect_digest(settings: Settings) -> str:
    """SHA-256 over the settings of live decisions; stamped on decisions so that they can be replayed."""
    canonical = json.dumps(settings.protect.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _at(tree: Mapping[str, Any], name: str) -> Any:
    section, _, key = name.partition(".")
    return tree[section][key]
