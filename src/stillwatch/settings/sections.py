"""The whole tree of settings. Each field carries a help string and a unit; the documentation is made of them."""

from __future__ import annotations

from pydantic import ValidationError

from stillwatch.errors import ConfigError
from stillwatch.settings.field import Section
from stillwatch.settings.people import ConsoleSettings, EvidenceSettings, RespondSettings
from stillwatch.settings.scanning import (
    DetectSettings,
    IngestSettings,
    PrivacySettings,
    ReportSettings,
    RunSettings,
)
from stillwatch.settings.serving import (
    DyeSettings,
    EnvoySettings,
    GatewaySettings,
    ProtectSettings,
    ReceiveSettings,
    TaxiiSettings,
)


class Settings(Section):
    """Everything that can be set, in fourteen sections."""

    privacy: PrivacySettings = PrivacySettings()
    detect: DetectSettings = DetectSettings()
    ingest: IngestSettings = IngestSettings()
    report: ReportSettings = ReportSettings()
    run: RunSettings = RunSettings()
    receive: ReceiveSettings = ReceiveSettings()
    protect: ProtectSettings = ProtectSettings()
    gateway: GatewaySettings = GatewaySettings()
    envoy: EnvoySettings = EnvoySettings()
    evidence: EvidenceSettings = EvidenceSettings()
    respond: RespondSettings = RespondSettings()
    console: ConsoleSettings = ConsoleSettings()
    dye: DyeSettings = DyeSettings()
    taxii: TaxiiSettings = TaxiiSettings()

    def with_key_file(self, path: str) -> Settings:
        """The same settings with another key file.

        >>> Settings().with_key_file("other.key").privacy.key_file
        'other.key'
        """
        return self.model_copy(update={"privacy": self.privacy.model_copy(update={"key_file": path})})

    def with_engine(self, engine: str | None, master: str | None) -> Settings:
        """The same settings with another engine.

        >>> Settings().with_engine("spark", "local[2]").run.master
        'local[2]'
        """
        told = {name: value for name, value in (("engine", engine), ("master", master)) if value is not None}
        try:
            run = RunSettings.model_validate(self.run.model_dump() | told)
        except ValidationError as error:
            raise ConfigError(
                f"not a Spark master: {master}",
                hint="name one: local, local[4], spark://HOST:PORT, yarn or k8s://...",
            ) from error
        return self.model_copy(update={"run": run})
