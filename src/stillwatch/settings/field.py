"""What every setting is made of: help, unit, and whether it can change a result."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict


def setting(default: Any, help_text: str, unit: str, *, shapes_result: bool = True, **limits: Any) -> Any:
    """A field with help and unit. ``shapes_result=False`` keeps it out of the settings digest."""
    extra: JsonDict = {"unit": unit, "shapes_result": shapes_result}
    return Field(default=default, description=help_text, json_schema_extra=extra, **limits)


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError("give the time zone, for example 2026-01-01T00:00:00Z")
    return moment.astimezone(UTC)


UtcTime = Annotated[datetime | None, AfterValidator(_utc)]


class Section(BaseModel):
    """A part of the settings: frozen, and no key that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


__all__ = ["Section", "UtcTime", "setting"]
