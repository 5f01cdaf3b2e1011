"""The list of formats. Built-ins and plugins come through the same door, an entry point each.

Installed is not enabled: a plugin's format is used only when it is named with ``format=``, and one that fails to
load stops the start. Built-ins are also recognised by content.

>>> FORMATS["litellm"].title
'LiteLLM standard logging payloads'
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points

from stillwatch.errors import ConfigError
from stillwatch.ingest.format import Format

GROUP = "stillwatch.formats"
_HERE = "stillwatch.ingest.formats"
BUILT_IN = {
    "canonical": f"{_HERE}.canonical:FORMAT",
    "litellm": f"{_HERE}.litellm:FORMAT",
    "litellm-spend": f"{_HERE}.litellm_spend:FORMAT",
    "otlp-json": f"{_HERE}.otlp:JSON",
    "otlp-proto": f"{_HERE}.otlp:PROTO",
    "openai": f"{_HERE}.openai:FORMAT",
    "bedrock": f"{_HERE}.bedrock:FORMAT",
    "langfuse": f"{_HERE}.langfuse:FORMAT",
}


class _Formats(Mapping[str, Format]):
    """Formats by id, each loaded when it is first asked for."""

    def __init__(self) -> None:
        self._loaded: dict[str, Format] = {}

    def _points(self) -> dict[str, EntryPoint]:
        points = {point.name: point for point in entry_points(group=GROUP)}
        return points | {name: EntryPoint(name, value, GROUP) for name, value in BUILT_IN.items()}

    def __getitem__(self, name: str) -> Format:
        if name not in self._loaded:
            point = self._points()[name]
            try:
                found = point.load()
            except Exception as error:
                raise ConfigError(
                    f"format {name} cannot be loaded", hint=f"check the plugin {point.value}"
                ) from error
            if not isinstance(found, Format):
                raise ConfigError(f"format {name} is not a Format", hint=f"check the plugin {point.value}")
            self._loaded[name] = found
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._points())

    def __len__(self) -> int:
        return len(self._points())


FORMATS: Mapping[str, Format] = _Formats()
"""Every format by id, plugins included."""


def named(name: str) -> Format:
    """The format of that id.

    Raises:
        ConfigError: when there is none.
    """
    if name not in FORMATS:
        raise ConfigError(f"unknown format {name!r}", hint=f"one of: {', '.join(sorted(FORMATS))}")
    return FORMATS[name]


def built_in() -> list[Format]:
    """The formats that are recognised by content."""
    return [FORMATS[name] for name in BUILT_IN]
