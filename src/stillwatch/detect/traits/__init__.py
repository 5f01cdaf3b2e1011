"""Every trait, one file each. Deleting a file removes the trait and nothing else breaks.

Built-ins are found by looking at the files of this folder; other packages add theirs through the entry point
group ``stillwatch.traits`` (each entry names a trait object) and are used only when settings name them.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import lru_cache
from importlib.metadata import entry_points

from stillwatch.detect.trait import Trait
from stillwatch.errors import ConfigError


@lru_cache(maxsize=1)
def builtin_traits() -> tuple[Trait, ...]:
    """The built-in traits, sorted by id.

    >>> [t.id for t in builtin_traits()][:2]
    ['address_block', 'capability_concentration']
    """
    found = []
    for module in pkgutil.iter_modules(__path__):
        if not module.name.startswith("_"):
            found.append(importlib.import_module(f"{__name__}.{module.name}").TRAIT)
    return tuple(sorted(found, key=lambda t: t.id))


def load_traits(*, disabled: tuple[str, ...] = (), plugins: tuple[str, ...] = ()) -> tuple[Trait, ...]:
    """Built-in traits less the disabled ones, plus named plugins; an unknown name is a `ConfigError`."""
    traits = {t.id: t for t in builtin_traits()}
    unknown = sorted(set(disabled) - set(traits))
    if unknown:
        raise ConfigError(f"unknown trait to disable: {', '.join(unknown)}", hint="see `stillwatch traits`")
    doors = {e.name: e for e in entry_points(group="stillwatch.traits")}
    for name in plugins:
        if name not in doors:
            raise ConfigError(f"trait plugin {name!r} is not installed", hint="pip install its package")
        trait = doors[name].load()
        traits[trait.id] = trait
    return tuple(traits[i] for i in sorted(traits) if i not in disabled)
