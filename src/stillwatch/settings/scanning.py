"""What shapes a scan: what is kept, how evidence is weighed, what is read, where it runs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field, model_validator

from stillwatch.settings.field import Section, UtcTime, setting


class PrivacySettings(Section):
    """What is kept of a customer's words, and where the digest key is found."""

    content: Literal["features", "retain"] = setting(
        "features",
        "`features` keeps counts and keyed digests only; `retain` also keeps prompt text, so that the report "
        "can quote it.",
        "choice",
    )
    key_env: str = setting(
        "STILLWATCH_KEY",
        "Environment variable that holds the digest key: hexadecimal, at least 32 bytes, or any other string "
        "of at least 32 characters.",
        "name",
        shapes_result=False,
        min_length=1,
    )
    key_file: str | None = setting(
        None,
        "File that holds the digest key; wins over the environment. Must not be readable by others.",
        "path",
        shapes_result=False,
    )


class DetectSettings(Section):
    """How much evidence is asked for before accounts are linked and traffic is called extraction."""

    kappa: float = setting(
        3.0,
        "How many times more common than in the reference cohort a value may innocently be. Higher asks for "
        "more evidence.",
        "factor",
        ge=1.0,
        le=100.0,
    )
    alpha_controller: float = setting(
        1e-4,
        "False discovery rate allowed among groups said to have one controller.",
        "rate",
        gt=0.0,
        lt=1.0,
    )
    alpha_shape: float = setting(
        0.01,
        "False discovery rate allowed among groups said to be at work on extraction.",
        "rate",
        gt=0.0,
        lt=1.0,
    )
    alpha_review: float = setting(
        0.05,
        "Looser rate at which a group is put forward for review by a person, if its plain p-value is at most "
        "`alpha_shape`. Not below `alpha_shape`.",
        "rate",
        gt=0.0,
        lt=1.0,
    )
    hub_min: int = setting(
        5, "Fewest accounts that must share a value before it is tested.", "accounts", ge=2
    )
    hub_max: int = setting(
        60_000, "Most accounts that may share a value; beyond that it is public.", "accounts", ge=2
    )
    hub_sample: int = setting(
        5_000, "Accounts drawn from a larger hub for the test of one controller.", "accounts", ge=50
    )
    reference: Literal["auto", "baseline", "baseline+traffic", "traffic"] = setting(
        "auto",
        "Where trait frequencies come from: the fitted baseline, the baseline together with the traffic outside each "
        "hub, whichever of these two the input allows, or the traffic alone (for comparing).",
        "choice",
    )
    without: Annotated[tuple[Literal["controller", "shape", "retest"], ...], Field(strict=False)] = setting(
        (),
        "Parts of the method that are left out, for comparing: the test of one controller, the test of shape, the "
        "second test on held-out evidence. No rate is stated then, nothing gets beyond `review`, and the report says "
        "so.",
        "parts",
    )
    seed: int = setting(2026, "Seed of every draw; printed in the report.", "number", ge=0, le=2**63 - 1)
    disabled_traits: Annotated[tuple[str, ...], Field(strict=False)] = setting(
        (), "Traits that are not computed. The report says that they were switched off.", "trait ids"
    )

    @model_validator(mode="after")
    def _ordered(self) -> DetectSettings:
        if self.hub_min > self.hub_max:
            raise ValueError("hub_min must not be above hub_max")
        if self.alpha_review < self.alpha_shape:
            raise ValueError("alpha_review must not be below alpha_shape")
        return self


class IngestSettings(Section):
    """What is read, and when a record is refused instead."""

    max_record_bytes: int = setting(
        16 * 1024 * 1024, "A longer input record is refused and counted.", "bytes", ge=1024
    )
    earliest: UtcTime = setting(
        datetime(2018, 1, 1, tzinfo=UTC),
        "A record that started before this is refused and counted: a wrong clock or a wrong unit.",
        "UTC time",
    )
    latest: UtcTime = setting(
        None,
        "A record that started at or after this is refused and counted. Unset: the year 2100.",
        "UTC time",
    )
    batch_rows: int = setting(
        8_192, "Exchanges handled at a time.", "exchanges", shapes_result=False, ge=64, le=1_048_576
    )

    @model_validator(mode="after")
    def _ordered(self) -> IngestSettings:
        if self.earliest and self.latest and self.earliest >= self.latest:
            raise ValueError("earliest must be before latest")
        return self


class ReportSettings(Section):
    """How much the report shows. The Parquet files are always complete."""

    max_campaigns: int = setting(
        200, "Pools and campaigns shown in report.html.", "campaigns", ge=1, le=10_000
    )
    max_members: int = setting(200, "Members shown per campaign in report.html.", "accounts", ge=1, le=10_000)
    max_edges: int = setting(400, "Links drawn per campaign in report.html.", "links", ge=0, le=10_000)
    max_exemplars: int = setting(
        5, 'Prompts quoted per campaign; only with `privacy.content = "retain"`.', "prompts", ge=0, le=100
    )


class RunSettings(Section):
    """What the machine may be asked for. None of it changes a result."""

    engine: Literal["duckdb", "spark"] = setting(
        "duckdb",
        "Where tables lie and are worked on: in this process, or on Spark (`pip install 'stillwatch[spark]'`), which "
        "is slower on one machine and goes on over many.",
        "choice",
        shapes_result=False,
    )
    master: str = setting(
        "local",
        "Spark's master: `local`, `spark://HOST:PORT`, `yarn`, `k8s://...`. Inputs must lie at the same path on every "
        'worker. Read with `engine = "spark"` only.',
        "address",
        shapes_result=False,
        pattern=r"^(local(\[[0-9*,]+\])?|local-cluster\[[0-9, ]+\]|yarn|spark://\S+|k8s://\S+|sc://\S+)$",
    )
    threads: int = setting(0, "Threads used; 0 = every core.", "threads", shapes_result=False, ge=0, le=1024)
    memory_limit: str = setting(
        "8GB",
        "Memory the engine may use before it spills to disk.",
        "bytes",
        shapes_result=False,
        pattern=r"^[0-9]+(\.[0-9]+)?\s?(KB|MB|GB|TB|KiB|MiB|GiB|TiB)$",
    )
