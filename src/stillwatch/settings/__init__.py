"""Settings: one frozen tree, unknown keys refused, read once from TOML.

Only ``wiring``, ``gateway`` and ``cli`` import this room; the others take plain arguments. Each field carries a help
string and a unit, and the table in ``docs/configuration.md`` is generated from them. The environment holds
secrets only, and secrets have no default.

Examples
--------
>>> Settings().detect.kappa
3.0
>>> parse_settings({"detect": {"kapa": 4}}, where="stillwatch.toml")
Traceback (most recent call last):
...
stillwatch.errors.ConfigError: stillwatch.toml: detect.kapa: no such setting
"""

from stillwatch.settings.key import KEY_HINT, MIN_KEY_BYTES, load_key
from stillwatch.settings.page import SettingRow, setting_rows, settings_table, settings_toml, toml_value
from stillwatch.settings.people import ConsoleSettings, EvidenceSettings, RespondSettings
from stillwatch.settings.reading import (
    DEFAULT_FILE,
    load_settings,
    parse_settings,
    protect_digest,
    settings_digest,
)
from stillwatch.settings.scanning import (
    DetectSettings,
    IngestSettings,
    PrivacySettings,
    ReportSettings,
    RunSettings,
)
from stillwatch.settings.sections import Settings
from stillwatch.settings.serving import (
    DyeSettings,
    EnvoySettings,
    GatewaySettings,
    ProtectSettings,
    ReceiveSettings,
    TaxiiSettings,
)

__all__ = [
    "DEFAULT_FILE",
    "KEY_HINT",
    "MIN_KEY_BYTES",
    "ConsoleSettings",
    "DetectSettings",
    "DyeSettings",
    "EnvoySettings",
    "EvidenceSettings",
    "GatewaySettings",
    "IngestSettings",
    "PrivacySettings",
    "ProtectSettings",
    "ReceiveSettings",
    "ReportSettings",
    "RespondSettings",
    "RunSettings",
    "SettingRow",
    "Settings",
    "TaxiiSettings",
    "load_key",
    "load_settings",
    "parse_settings",
    "protect_digest",
    "setting_rows",
    "settings_digest",
    "settings_table",
    "settings_toml",
    "toml_value",
]
