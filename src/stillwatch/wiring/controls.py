"""The catalogue of controls: listed, shown, written as OSCAL."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError
from stillwatch.practice.controls import control, controls, mappings, to_oscal
from stillwatch.wiring.progress import writable, write_whole


def list_controls() -> list[dict[str, Any]]:
    """Every control, in order."""
    return [
        {"id": c.id, "title": c.title, "seen in": ", ".join(c.seen_in) or "people alone"} for c in controls()
    ]


def show_control(id: str) -> dict[str, Any]:
    """One control with what it is mapped to."""
    one = control(id)
    return asdict(one) | {"mapped_to": mappings(one)}


def export_controls(out: Path) -> str:
    """Write the catalogue as OSCAL.

    Raises:
        ConfigError: the file is there already.
    """
    if out.exists():
        raise ConfigError(f"{out} exists already", hint="name another file, or remove it")
    with writable(out):
        write_whole(out, json.dumps(to_oscal(), indent=2, ensure_ascii=False) + "\n")
    return str(out)


__all__ = ["export_controls", "list_controls", "show_control"]
