"""Settings as their documentation and as a file to start from, made of the fields themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stillwatch.settings.sections import Settings


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting as the documentation shows it."""

    name: str
    """Dotted, as in ``detect.kappa``."""
    default: str
    """In TOML; ``unset`` where there is none."""
    unit: str
    help: str
    shapes_result: bool


def setting_rows() -> Iterator[SettingRow]:
    """Every setting, in the order it is documented."""
    defaults = Settings()
    for section in Settings.model_fields:
        part = getattr(defaults, section)
        for key, info in type(part).model_fields.items():
            extra = info.json_schema_extra
            assert isinstance(extra, dict)  # noqa: S101  every field is made by _setting
            yield SettingRow(
                name=f"{section}.{key}",
                default=toml_value(getattr(part, key)),
                unit=str(extra["unit"]),
                help=info.description or "",
                shapes_result=bool(extra["shapes_result"]),
            )


def toml_value(value: Any) -> str:
    """One value as TOML; ``unset`` for None, which TOML cannot say.

    >>> toml_value(("a", "b")), toml_value(1e-4), toml_value(None)
    ('["a", "b"]', '0.0001', 'unset')
    """
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, tuple):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, str):
        return json.dumps(value)
    return repr(value)


def settings_toml(settings: Settings) -> str:
    """The settings as a TOML file with each help string above its line; unset ones are commented out."""
    lines: list[str] = []
    for row in setting_rows():
        section, _, key = row.name.partition(".")
        if f"[{section}]" not in lines:
            lines += ["", f"[{section}]"] if lines else [f"[{section}]"]
        value = toml_value(getattr(getattr(settings, section), key))
        lines.append(f"# {row.help} ({row.unit})")
        lines.append(f"# {key} =" if value == "unset" else f"{key} = {value}")
    return "\n".join(lines) + "\n"


def settings_table() -> str:
    """The Markdown tables of ``docs/configuration.md``, one per section."""
    blocks: list[str] = []
    rows = list(setting_rows())
    for section, info in Settings.model_fields.items():
        summary = (info.annotation.__doc__ or "").strip() if info.annotation else ""
        blocks += [f"### `[{section}]`", "", summary, ""]
        blocks += ["| setting | default | unit | meaning |", "| --- | --- | --- | --- |"]
        for row in rows:
            if row.name.startswith(section + "."):
                default = "unset" if row.default == "unset" else f"`{row.default}`"
                mark = "" if row.shapes_result else " *"
                blocks.append(f"| `{row.name}`{mark} | {default} | {row.unit} | {row.help} |")
        blocks.append("")
    return "\n".join(blocks).rstrip() + "\n"
