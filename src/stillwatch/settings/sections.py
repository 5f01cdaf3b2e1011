"""Every setting, by section. Each field carries a help string and a unit; the documentation is made of them."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.config import JsonDict

from stillwatch.errors import ConfigError

_HEADER_NAME = r"^[A-Za-z0-9-]{1,64}$"


def _setting(default: Any, help_text: str, unit: str, *, shapes_result: bool = True, **limits: Any) -> Any:
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


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class PrivacySettings(_Section):
    """What is kept of a customer's words, and where the digest key is found."""

    content: Literal["features", "retain"] = _setting(
        "features",
        "`features` keeps counts and keyed digests only; `retain` also keeps prompt text, so that the report "
        "can quote it.",
        "choice",
    )
    key_env: str = _setting(
        "STILLWATCH_KEY",
        "Environment variable that holds the digest key: hexadecimal, at least 32 bytes, or any other string "
        "of at least 32 characters.",
        "name",
        shapes_result=False,
        min_length=1,
    )
    key_file: str | None = _setting(
        None,
        "File that holds the digest key; wins over the environment. Must not be readable by others.",
        "path",
        shapes_result=False,
    )


class DetectSettings(_Section):
    """How much evidence is asked for before accounts are linked and traffic is called extraction."""

    kappa: float = _setting(
        3.0,
        "How many times more common than in the reference cohort a value may innocently be. Higher asks for "
        "more evidence.",
        "factor",
        ge=1.0,
        le=100.0,
    )
    alpha_controller: float = _setting(
        1e-4,
        "False discovery rate allowed among groups said to have one controller.",
        "rate",
        gt=0.0,
        lt=1.0,
    )
    alpha_shape: float = _setting(
        0.01,
        "False discovery rate allowed among groups said to be at work on extraction.",
        "rate",
        gt=0.0,
        lt=1.0,
    )
    alpha_review: float = _setting(
        0.05,
        "Looser rate at which a group is put forward for review by a person, if its plain p-value is at most "
        "`alpha_shape`. Not below `alpha_shape`.",
        "rate",
        gt=0.0,
        lt=1.0,
    )
    hub_min: int = _setting(
        5, "Fewest accounts that must share a value before it is tested.", "accounts", ge=2
    )
    hub_max: int = _setting(
        60_000, "Most accounts that may share a value; beyond that it is public.", "accounts", ge=2
    )
    hub_sample: int = _setting(
        5_000, "Accounts drawn from a larger hub for the test of one controller.", "accounts", ge=50
    )
    reference: Literal["auto", "baseline", "baseline+traffic", "traffic"] = _setting(
        "auto",
        "Where trait frequencies come from: the fitted baseline, the baseline together with the traffic outside each "
        "hub, whichever of these two the input allows, or the traffic alone (for comparing).",
        "choice",
    )
    without: Annotated[tuple[Literal["controller", "shape", "retest"], ...], Field(strict=False)] = _setting(
        (),
        "Parts of the method that are left out, for comparing: the test of one controller, the test of shape, the "
        "second test on held-out evidence. No rate is stated then, nothing gets beyond `review`, and the report says "
        "so.",
        "parts",
    )
    seed: int = _setting(2026, "Seed of every draw; printed in the report.", "number", ge=0, le=2**63 - 1)
    disabled_traits: Annotated[tuple[str, ...], Field(strict=False)] = _setting(
        (), "Traits that are not computed. The report says that they were switched off.", "trait ids"
    )

    @model_validator(mode="after")
    def _ordered(self) -> DetectSettings:
        if self.hub_min > self.hub_max:
            raise ValueError("hub_min must not be above hub_max")
        if self.alpha_review < self.alpha_shape:
            raise ValueError("alpha_review must not be below alpha_shape")
        return self


class IngestSettings(_Section):
    """What is read, and when a record is refused instead."""

    max_record_bytes: int = _setting(
        16 * 1024 * 1024, "A longer input record is refused and counted.", "bytes", ge=1024
    )
    earliest: UtcTime = _setting(
        datetime(2018, 1, 1, tzinfo=UTC),
        "A record that started before this is refused and counted: a wrong clock or a wrong unit.",
        "UTC time",
    )
    latest: UtcTime = _setting(
        None,
        "A record that started at or after this is refused and counted. Unset: the year 2100.",
        "UTC time",
    )
    batch_rows: int = _setting(
        8_192, "Exchanges handled at a time.", "exchanges", shapes_result=False, ge=64, le=1_048_576
    )

    @model_validator(mode="after")
    def _ordered(self) -> IngestSettings:
        if self.earliest and self.latest and self.earliest >= self.latest:
            raise ValueError("earliest must be before latest")
        return self


class ReportSettings(_Section):
    """How much the report shows. The Parquet files are always complete."""

    max_campaigns: int = _setting(
        200, "Pools and campaigns shown in report.html.", "campaigns", ge=1, le=10_000
    )
    max_members: int = _setting(
        200, "Members shown per campaign in report.html.", "accounts", ge=1, le=10_000
    )
    max_edges: int = _setting(400, "Links drawn per campaign in report.html.", "links", ge=0, le=10_000)
    max_exemplars: int = _setting(
        5, 'Prompts quoted per campaign; only with `privacy.content = "retain"`.', "prompts", ge=0, le=100
    )


class RunSettings(_Section):
    """What the machine may be asked for. None of it changes a result."""

    engine: Literal["duckdb", "spark"] = _setting(
        "duckdb",
        "Where tables lie and are worked on: in this process, or on Spark (`pip install 'stillwatch[spark]'`), which "
        "is slower on one machine and goes on over many.",
        "choice",
        shapes_result=False,
    )
    master: str = _setting(
        "local",
        "Spark's master: `local`, `spark://HOST:PORT`, `yarn`, `k8s://...`. Inputs must lie at the same path on every "
        'worker. Read with `engine = "spark"` only.',
        "address",
        shapes_result=False,
        pattern=r"^(local(\[[0-9*,]+\])?|local-cluster\[[0-9, ]+\]|yarn|spark://\S+|k8s://\S+|sc://\S+)$",
    )
    threads: int = _setting(0, "Threads used; 0 = every core.", "threads", shapes_result=False, ge=0, le=1024)
    memory_limit: str = _setting(
        "8GB",
        "Memory the engine may use before it spills to disk.",
        "bytes",
        shapes_result=False,
        pattern=r"^[0-9]+(\.[0-9]+)?\s?(KB|MB|GB|TB|KiB|MiB|GiB|TiB)$",
    )


class ProtectSettings(_Section):
    """How live decisions are made. None of it changes a scan; decisions carry a digest of this section."""

    fail: Literal["open", "closed"] = _setting(
        "open",
        "What happens to a request whose decision cannot be made, for example because the store is gone: `open` "
        "serves it, `closed` does not. The decision says which.",
        "choice",
        shapes_result=False,
    )
    poll_s: float = _setting(
        0.2,
        "Time between looks at the policy, the risk table and the kill switches. What changed takes effect at the next "
        "look; a policy at the one after, so that half a file is not taken for a whole one.",
        "seconds",
        shapes_result=False,
        ge=0.01,
        le=0.4,
    )
    store: str | None = _setting(
        None,
        "Server that replicas share, for counters, the risk table and kill switches: `valkey://HOST:PORT/DB` or "
        "`redis://...`, `valkeys://` for TLS; without a password. Unset: memory and a file of this process.",
        "address",
        shapes_result=False,
        pattern=r"^(valkey|valkeys|redis|rediss)://[^@\s]+$",
    )
    store_password_env: str = _setting(
        "STILLWATCH_STORE_PASSWORD",
        "Environment variable that holds the server's password, where it has one.",
        "name",
        shapes_result=False,
        min_length=1,
    )
    prompt_chars: int = _setting(
        8_000,
        "Characters of a prompt that prompt signals read: half from its beginning, half from its end.",
        "characters",
        shapes_result=False,
        ge=100,
        le=1_000_000,
    )
    log_bytes: int = _setting(
        256 * 1024 * 1024,
        "Size at which the decision log begins a new file. Old files are kept; remove them as your rules ask.",
        "bytes",
        shapes_result=False,
        ge=4096,
    )


class ReceiveSettings(_Section):
    """Bounds on what is received over HTTP. None of it changes a result."""

    max_body_bytes: int = _setting(
        20 * 2**20, "A longer request body is refused (413).", "bytes", shapes_result=False, ge=1024
    )
    max_unpacked_bytes: int = _setting(
        64 * 2**20, "A body that unpacks to more is refused (413).", "bytes", shapes_result=False, ge=1024
    )
    max_ratio: int = _setting(
        200,
        "A compressed body that unpacks to more than this many times its length, and to more than 1 MiB, is refused "
        "(413).",
        "factor",
        shapes_result=False,
        ge=1,
    )
    max_nesting: int = _setting(
        128, "JSON that is nested deeper is refused (400).", "levels", shapes_result=False, ge=16, le=1000
    )
    max_waiting_bytes: int = _setting(
        128 * 2**20,
        "Bytes of bodies that may be read or wait to be kept at one time; what comes beyond is asked to come again "
        "(429).",
        "bytes",
        shapes_result=False,
        ge=2**20,
    )
    retry_after_s: int = _setting(
        2, "What such a sender is told to wait.", "seconds", shapes_result=False, ge=1, le=3600
    )
    read_timeout_s: float = _setting(
        30.0, "A request that has not arrived whole after this time is ended (408).", "seconds", shapes_result=False,
        gt=0.0, le=3600.0,
    )  # fmt: skip
    max_connections: int = _setting(
        512, "Connections at one time; one more is closed at once.", "connections", shapes_result=False, ge=1
    )
    segment_bytes: int = _setting(
        64 * 2**20,
        "A journal that is longer is sealed: it becomes a file that a scan reads.",
        "bytes",
        shapes_result=False,
        ge=4096,
    )
    segment_age_s: float = _setting(
        60.0, "A journal that is older is sealed.", "seconds", shapes_result=False, gt=0.0, le=86_400.0
    )

    @model_validator(mode="after")
    def _ordered(self) -> ReceiveSettings:
        if self.max_body_bytes > self.max_waiting_bytes // 2:
            raise ValueError("max_body_bytes must not be above half of max_waiting_bytes")
        return self


def _networks(given: tuple[str, ...]) -> tuple[str, ...]:
    for text in given:
        try:
            ipaddress.ip_network(text)
        except ValueError:
            raise ValueError(f"{text!r} is no network: write it as 10.0.0.0/8 or ::1/128") from None
    return given


class GatewaySettings(_Section):
    """Live requests over HTTP: whom to believe, and how much to take. None of it changes a scan."""

    trusted_proxies: Annotated[tuple[str, ...], Field(strict=False), AfterValidator(_networks)] = _setting(
        ("127.0.0.0/8", "::1/128"),
        "Networks of the gateways that say whose a request is. Told by the address of the connection alone; "
        "`X-Forwarded-For` makes nobody trusted.",
        "networks",
        shapes_result=False,
    )
    account_header: str = _setting(
        "x-account-id",
        "Header in which a trusted gateway names the account. It must replace what the client sent under this name.",
        "header",
        shapes_result=False,
        pattern=_HEADER_NAME,
    )
    org_header: str = _setting(
        "x-org-id",
        "Header in which it names the organisation that the customer declared, if any.",
        "header",
        shapes_result=False,
        pattern=_HEADER_NAME,
    )
    account_from: Literal["header", "credential"] = _setting(
        "header",
        "`credential`: an account is the digest of the API key that the request carries, by the same name as in a "
        "scan; for servers without a gateway in front.",
        "choice",
        shapes_result=False,
    )
    policy: str | None = _setting(
        None,
        "Policy file of the middleware; unset: the policy that ships, which records.",
        "path",
        shapes_result=False,
    )
    folder: str = _setting(
        "gate", "Folder of the middleware's gate.", "path", shapes_result=False, min_length=1
    )
    max_body_bytes: int = _setting(
        20 * 2**20, "A longer request body is refused (413).", "bytes", shapes_result=False, ge=1024
    )
    max_waiting_bytes: int = _setting(
        256 * 2**20,
        "Bytes of bodies that may be read or wait for a decision at one time; what comes beyond is asked to come again "
        "(429).",
        "bytes",
        shapes_result=False,
        ge=2**20,
    )
    read_timeout_s: float = _setting(
        60.0, "A request that has not arrived whole after this time is ended (408).", "seconds", shapes_result=False,
        gt=0.0, le=3600.0,
    )  # fmt: skip
    max_connections: int = _setting(
        1024, "Connections of `stillwatch gate` at one time; one more is closed at once.", "connections",
        shapes_result=False, ge=1,
    )  # fmt: skip


class EnvoySettings(_Section):
    """Live decisions behind Envoy: whose a request is, and bounds on it. None of it changes a scan."""

    account: Literal["header", "credential", "address"] = _setting(
        "header",
        "Whose a request is: `header`, as Envoy names the account; `credential`, by the digest of the API key, which "
        "Envoy must have checked; `address`, the client's address, for a service without accounts.",
        "choice",
        shapes_result=False,
    )
    account_header: str = _setting(
        "x-account-id",
        "Header in which Envoy names the account, in place of whatever the client sent under this name; when it comes "
        "twice, the account counts as unknown.",
        "header",
        shapes_result=False,
        pattern=r"^[A-Za-z0-9-]{1,64}$",
    )
    org_header: str | None = _setting(
        None,
        "Header in which Envoy names the organisation that the customer declared. As trusted as the account's.",
        "header",
        shapes_result=False,
        pattern=r"^[A-Za-z0-9-]{1,64}$",
    )
    forwarded_hops: int = _setting(
        0,
        "With `address`: trusted proxies in front of Envoy. The address is that many entries left of the last one in "
        "`X-Forwarded-For`; what stands left of it is the client's own claim and is not read.",
        "proxies",
        shapes_result=False,
        ge=0,
        le=16,
    )
    max_body_bytes: int = _setting(
        20 * 2**20, "A longer request body is refused (413).", "bytes", shapes_result=False, ge=1024, le=2**30
    )
    max_waiting_bytes: int = _setting(
        256 * 2**20,
        "Bytes of request bodies that may be held at one time; what comes beyond is asked to come again (503).",
        "bytes",
        shapes_result=False,
        ge=2**20,
    )
    max_event_bytes: int = _setting(
        4 * 2**20,
        "Longest answer, or event of a streamed answer, that is read for its tokens and issued blocks. A longer one "
        "passes unread and is counted.",
        "bytes",
        shapes_result=False,
        ge=1024,
        le=2**30,
    )
    body_timeout_s: float = _setting(
        60.0, "A request body that has not arrived whole after this time is ended (408).", "seconds",
        shapes_result=False, gt=0.0, le=3600.0,
    )  # fmt: skip
    max_calls: int = _setting(
        4096,
        "Calls in progress at one time, answers included; for one more Envoy's `failure_mode_allow` decides.",
        "calls",
        shapes_result=False,
        ge=1,
    )


class EvidenceSettings(_Section):
    """How evidence is sealed: keys, log, timestamps. None of it changes a scan."""

    keys: str = _setting(
        "evidence/keys",
        "Folder with the key list and the private keys of this machine. There is no default key: "
        "`stillwatch evidence key new` makes one.",
        "folder",
        shapes_result=False,
    )
    log: str = _setting(
        "evidence/log", "Folder of the append-only log; in use once there is a key with role `log`.", "folder",
        shapes_result=False,
    )  # fmt: skip
    origin: str = _setting(
        "stillwatch.invalid/evidence",
        "Name of the log, in its checkpoints: a domain of yours and a path. Choose it before the first leaf.",
        "name",
        shapes_result=False,
        pattern=r"^[^\s+]{1,200}$",
    )
    witnesses: Annotated[tuple[str, ...], Field(strict=False)] = _setting(
        (),
        "Witnesses that sign checkpoints after they have seen that the log only grew: `URL KEY`, the key as one line.",
        "list",
        shapes_result=False,
    )
    witnesses_needed: int = _setting(
        0,
        "How many of them must have signed before a package is sealed.",
        "witnesses",
        shapes_result=False,
        ge=0,
        le=20,
    )
    timestamp_authorities: Annotated[tuple[str, ...], Field(strict=False)] = _setting(
        (),
        "RFC 3161 authorities that are asked for a timestamp, all of them; `http://` or `https://`. Two are better "
        "than one. The only connections that stillwatch ever opens for evidence go here and to witnesses.",
        "list",
        shapes_result=False,
    )
    two_signatures: Annotated[
        tuple[Literal["court", "government", "cloud", "lab", "public"], ...], Field(strict=False)
    ] = _setting(
        ("court", "government"),
        "Profiles whose packages a second person, a reviewer, has to sign.",
        "list",
        shapes_result=False,
    )
    passphrase_env: str = _setting(
        "STILLWATCH_SIGNING_PASSPHRASE",
        "Environment variable with the passphrase under which private keys are sealed; unset: they are not.",
        "name",
        shapes_result=False,
    )

    @model_validator(mode="after")
    def _fits(self) -> EvidenceSettings:
        if self.witnesses_needed > len(self.witnesses):
            raise ValueError(
                "evidence.witnesses_needed asks for more witnesses than evidence.witnesses names"
            )
        for url in (*self.timestamp_authorities, *(w.split(" ")[0] for w in self.witnesses)):
            if not url.startswith(("http://", "https://")):
                raise ValueError("give addresses with http:// or https://")
        if any(w.count(" ") != 1 for w in self.witnesses):
            raise ValueError("a witness is written `URL KEY`")
        return self


class DyeSettings(_Section):
    """Marking keys of campaigns: where they are written down, and whether gateways hand them to the engine."""

    folder: str = _setting(
        "dye", "Folder of the dye desk: which keys were issued, and what was served under each.", "folder",
        shapes_result=False,
    )  # fmt: skip
    master_file: str | None = _setting(
        None,
        "File with the master of all marking keys, in hexadecimal; wins over the environment. Must not be readable by "
        "others. There is no default: `stillwatch dye master` makes one.",
        "path",
        shapes_result=False,
    )
    master_env: str = _setting(
        "STILLWATCH_DYE_MASTER",
        "Environment variable that holds the master.",
        "name",
        shapes_result=False,
        min_length=1,
    )
    epoch: str = _setting(
        "1",
        "Period of rotation: keys of another epoch are other keys. For example `2026-11`.",
        "name",
        shapes_result=False,
        pattern=r"^[0-9A-Za-z][0-9A-Za-z.-]{0,31}$",
    )
    inject: bool = _setting(
        False,
        "Middleware and Envoy gateway take out what clients say about marks and put in the key that policy names.",
        "yes or no",
        shapes_result=False,
    )
    everyone: str | None = _setting(
        None,
        "Name of the key for requests for which policy names none; issue it with a wide window. Unset: those carry no "
        "key.",
        "name",
        shapes_result=False,
    )


class RespondSettings(_Section):
    """Where people's work is kept and how their decisions are carried out. None of it changes a scan."""

    store: str = _setting(
        "sqlite:///stillwatch.db",
        "Database of cases, plans, appeals and grants: `sqlite:///FILE`, or `postgresql://USER@HOST:PORT/DATABASE` "
        "without a password.",
        "address",
        shapes_result=False,
        pattern=r"^(sqlite:///.+|postgresql(\+pg8000)?://[^\s]+)$",
    )
    store_password_env: str = _setting(
        "STILLWATCH_DATABASE_PASSWORD",
        "Environment variable that holds the database's password, where it has one.",
        "name",
        shapes_result=False,
        min_length=1,
    )
    two_above: int = _setting(
        50,
        "A plan for more accounts than this needs the approval of two people besides the one who made it; up to it, "
        "of one.",
        "accounts",
        shapes_result=False,
        ge=0,
    )
    appeal_url: str | None = _setting(
        None,
        "Address of the page where a customer appeals; `{token}` stands for the token of the notice.",
        "address",
        shapes_result=False,
        pattern=r"^https?://[^\s]*\{token\}[^\s]*$",
    )
    appeal_days: int = _setting(
        30, "How long after the notice an appeal may be filed.", "days", shapes_result=False, ge=1, le=730
    )
    decide_days: int = _setting(
        14, "How long after it was filed an appeal is due.", "days", shapes_result=False, ge=1, le=365
    )
    tripwire_days: int = _setting(
        180, "How long a takedown's tripwires stand.", "days", shapes_result=False, ge=1, le=730
    )
    webhook_url: str | None = _setting(
        None,
        "Where the steps of a plan and notices to customers are posted; `https`, or `http` on this machine.",
        "address",
        shapes_result=False,
        pattern=r"^https?://[^@\s]+$",
    )
    webhook_secret_env: str = _setting(
        "STILLWATCH_WEBHOOK_SECRET",
        "Environment variable that holds the secret by which what is posted is signed.",
        "name",
        shapes_result=False,
        min_length=1,
    )
    litellm_url: str | None = _setting(
        None,
        "Address of the LiteLLM proxy whose teams or keys are blocked.",
        "address",
        shapes_result=False,
        pattern=r"^https?://[^@\s]+$",
    )
    litellm_key_env: str = _setting(
        "LITELLM_MASTER_KEY",
        "Environment variable that holds the proxy's admin key.",
        "name",
        shapes_result=False,
        min_length=1,
    )
    litellm_account: Literal["team", "key"] = _setting(
        "team", "What an account is in LiteLLM: a team, or a key by its hash.", "choice", shapes_result=False
    )
    parallel: int = _setting(
        8, "Steps of a plan that are under way at once.", "steps", shapes_result=False, ge=1, le=64
    )
    timeout_s: float = _setting(
        10.0, "How long an answer to one step is waited for.", "seconds", shapes_result=False, ge=0.1, le=120
    )
    hold_s: float = _setting(
        60.0,
        "How long a step is held by the process that sends it. After a crash it is sent again, under the same key, "
        "once this has run out.",
        "seconds",
        shapes_result=False,
        ge=0.2,
        le=3600,
    )


class ConsoleSettings(_Section):
    """The console for people. None of it changes a result."""

    hosts: Annotated[tuple[str, ...], Field(strict=False)] = _setting(
        (),
        "Names under which the console is reached, without port; requests for any other are refused. Unset: the "
        "address it listens on, and `localhost`.",
        "names",
        shapes_result=False,
    )
    https: bool = _setting(
        False,
        "The console is reached over HTTPS, through a proxy that ends it: cookies are then sent over nothing else. "
        "Needed whenever it listens on more than this machine.",
        "yes or no",
        shapes_result=False,
    )
    session_h: float = _setting(
        12.0, "Longest time signed in.", "hours", shapes_result=False, gt=0.0, le=168.0
    )
    idle_min: float = _setting(
        30.0,
        "Time without a request after which a session ends.",
        "minutes",
        shapes_result=False,
        ge=1.0,
        le=1440.0,
    )
    token_days: float = _setting(
        90.0, "Life of a token for programs.", "days", shapes_result=False, gt=0.0, le=366.0
    )
    max_body_bytes: int = _setting(
        16 * 1024 * 1024, "Longest request body, documents of an appeal included.", "bytes", shapes_result=False,
        ge=65_536, le=256 * 1024 * 1024,
    )  # fmt: skip
    list_price_usd_per_mtok: Annotated[tuple[float, float], Field(strict=False)] = _setting(
        (10.0, 75.0),
        "List price of a million output tokens, low and high; an assumption behind what a campaign took. Set your own.",
        "US dollars",
        shapes_result=False,
    )
    avoided_usd_per_exchange: Annotated[tuple[float, float], Field(strict=False)] = _setting(
        (0.05, 5.0),
        "What one answer would have cost to have written otherwise, low and high; an assumption, and a wide one.",
        "US dollars",
        shapes_result=False,
    )
    oidc_issuer: str | None = _setting(
        None,
        "Address of an OpenID Connect provider, as its discovery document names it. Unset: local accounts alone.",
        "address",
        shapes_result=False,
        pattern=r"^https://[^\s]+$|^http://(127\.0\.0\.1|localhost)(:[0-9]+)?(/[^\s]*)?$",
    )
    oidc_client_id: str = _setting(
        "stillwatch", "Client id at the provider.", "name", shapes_result=False, min_length=1
    )
    oidc_secret_env: str = _setting(
        "STILLWATCH_OIDC_SECRET",
        "Environment variable that holds the client secret.",
        "name",
        shapes_result=False,
        min_length=1,
    )
    oidc_name: str = _setting(
        "single sign-on",
        "What the button on the sign-in page calls the provider.",
        "text",
        shapes_result=False,
        max_length=40,
    )
    oidc_role_claim: str = _setting(
        "groups",
        "Claim of the identity token that lists a person's groups.",
        "name",
        shapes_result=False,
        min_length=1,
    )
    oidc_roles: dict[str, str] = _setting(
        {}, "Group to role. Nobody whose groups are not listed comes in.", "table", shapes_result=False
    )
    public_url: str | None = _setting(
        None,
        "Address under which people reach the console; needed for OpenID Connect and for appeal links in notices.",
        "address",
        shapes_result=False,
        pattern=r"^https?://[^\s]+$",
    )

    @model_validator(mode="after")
    def _ranges(self) -> ConsoleSettings:
        for name in ("list_price_usd_per_mtok", "avoided_usd_per_exchange"):
            low, high = getattr(self, name)
            if not 0 <= low <= high:
                raise ValueError(f"{name}: low before high, neither negative")
        return self


class Settings(_Section):
    """Everything that can be set, in thirteen sections."""

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
