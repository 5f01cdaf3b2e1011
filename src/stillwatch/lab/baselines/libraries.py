"""Packages that only a baseline needs: imported when it runs, and missed aloud."""

from __future__ import annotations

import importlib
from importlib import metadata
from typing import Any

from stillwatch.errors import ConfigError


def library(module: str, hint: str = "pip install 'stillwatch[lab]'") -> Any:
    """Import a module by name.

    Raises
    ------
    ConfigError
        It is not installed; the hint says how to install it.

    >>> library("no_such_module")
    Traceback (most recent call last):
    ...
    stillwatch.errors.ConfigError: this baseline needs no_such_module, which is not installed
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        root = module.partition(".")[0]
        raise ConfigError(f"this baseline needs {root}, which is not installed", hint=hint) from error


def versions(packages: tuple[str, ...]) -> dict[str, str | None]:
    """Installed version of each distribution; None where there is none.

    >>> versions(("no-such-package",))
    {'no-such-package': None}
    """
    found: dict[str, str | None] = {}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found
