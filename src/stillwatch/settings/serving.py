"""What shapes live service: decisions, intake, gateways, marking keys."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from stillwatch.settings.field import Section, setting
from stillwatch.settings.networks import networks

_HEADER_NAME = r"^[A-Za-z0-9-]{1,64}$"


class ProtectSettings(Section):
    """How live decisions are made. None of it changes a scan; decisions carry a digest of this section."""

    fail: Literal["open", "closed"] = setting(
        "open",
        "What happens to a request whose decision cannot be made, for example because the store is gone: `open` "
        "serves it, `closed` does not. The decision says which.",
        "choice",
        shapes_result=False,
    )
    poll_s: float = setting(
        0.2,
        "Time between looks at the policy, the risk table and the kill switches. What changed takes effect at the next "
        "look; a policy at the one after, so that half a file is not taken for a whole one.",
        "seconds",
        shapes_result=False,
        ge=0.01,
        le=0.4,
    )
    store: str | None = setting(
        None,
        "Server that replicas share, for counters, the risk table and kill switches: `valkey://HOST:PORT/DB` or "
        "`redis://...`, `valkeys://` for TLS; without a password. Unset: memory and a file of this process.",
        "address",
        shapes_result=False,
        pattern=r"^(valkey|valkeys|redis|rediss)://[^@\s]+$",
    )
    store_password_env: str = setting(
        "STILLWATCH_STORE_PASSWORD",
        "Environment variable that holds the server's password, where it has one.",
        "name",
        shapes_result=False,
        min_length=1,
    )
    envelopes: bool = setting(
        False,
        "Gateways that see answers put each sealed reasoning block in an envelope bound to account and model, and take "
        "it off again when the block comes back: a replay by another account is seen with nothing remembered. Needs "
        "the digest key.",
        "yes or no",
        shapes_result=False,
    )
    prompt_chars: int = setting(
        8_000,
        "Characters of a prompt that prompt signals read: half from its beginning, half from its end.",
        "characters",
        shapes_result=False,
        ge=100,
        le=1_000_000,
    )
    log_bytes: int = setting(
        256 * 1024 * 1024,
        "Size at which the decision log begins a new file. Old files are kept; remove them as your rules ask.",
        "bytes",
        shapes_result=False,
        ge=4096,
    )


class ReceiveSettings(Section):
    """Bounds on what is received over HTTP. None of it changes a result."""

    max_body_bytes: int = setting(
        20 * 2**20, "A longer request body is refused (413).", "bytes", shapes_result=False, ge=1024
    )
    max_unpacked_bytes: int = setting(
        64 * 2**20, "A body that unpacks to more is refused (413).", "bytes", shapes_result=False, ge=1024
    )
    max_ratio: int = setting(
        200,
        "A compressed body that unpacks to more than this many times its length, and to more than 1 MiB, is refused "
        "(413).",
        "factor",
        shapes_result=False,
        ge=1,
    )
    max_nesting: int = setting(
        128, "JSON that is nested deeper is refused (400).", "levels", shapes_result=False, ge=16, le=1000
    )
    max_waiting_bytes: int = setting(
        128 * 2**20,
        "Bytes of bodies that may be read or wait to be kept at one time; what comes beyond is asked to come again "
        "(429).",
        "bytes",
        shapes_result=False,
        ge=2**20,
    )
    retry_after_s: int = setting(
        2, "What such a sender is told to wait.", "seconds", shapes_result=False, ge=1, le=3600
    )
    read_timeout_s: float = setting(
        30.0, "A request that has not arrived whole after this time is ended (408).", "seconds", shapes_result=False,
        gt=0.0, le=3600.0,
    )  # fmt: skip
    max_connections: int = setting(
        512, "Connections at one time; one more is closed at once.", "connections", shapes_result=False, ge=1
    )
    segment_bytes: int = setting(
        64 * 2**20,
        "A journal that is longer is sealed: it becomes a file that a scan reads.",
        "bytes",
        shapes_result=False,
        ge=4096,
    )
    segment_age_s: float = setting(
        60.0, "A journal that is older is sealed.", "seconds", shapes_result=False, gt=0.0, le=86_400.0
    )

    @model_validator(mode="after")
    def _ordered(self) -> ReceiveSettings:
        if self.max_body_bytes > self.max_waiting_bytes // 2:
            raise ValueError("max_body_bytes must not be above half of max_waiting_bytes")
        return self


class GatewaySettings(Section):
    """Live requests over HTTP: whom to believe, and how much to take. None of it changes a scan."""

    trusted_proxies: Annotated[tuple[str, ...], Field(strict=False), AfterValidator(networks)] = setting(
        ("127.0.0.0/8", "::1/128"),
        "Networks of the gateways that say whose a request is. Told by the address of the connection alone; "
        "`X-Forwarded-For` makes nobody trusted.",
        "networks",
        shapes_result=False,
    )
    account_header: str = setting(
        "x-account-id",
        "Header in which a trusted gateway names the account. It must replace what the client sent under this name.",
        "header",
        shapes_result=False,
        pattern=_HEADER_NAME,
    )
    org_header: str = setting(
        "x-org-id",
        "Header in which it names the organisation that the customer declared, if any.",
        "header",
        shapes_result=False,
        pattern=_HEADER_NAME,
    )
    account_from: Literal["header", "credential"] = setting(
        "header",
        "`credential`: an account is the digest of the API key that the request carries, by the same name as in a "
        "scan; for servers without a gateway in front.",
        "choice",
        shapes_result=False,
    )
    path_header: str = setting(
        "x-original-uri",
        "Header in which a proxy that asks `/check` says what was asked for, where the path of its question does not. "
        "It must replace what the client sent under this name.",
        "header",
        shapes_result=False,
        pattern=_HEADER_NAME,
    )
    policy: str | None = setting(
        None,
        "Policy file of the middleware; unset: the policy that ships, which records.",
        "path",
        shapes_result=False,
    )
    folder: str = setting(
        "gate", "Folder of the middleware's gate.", "path", shapes_result=False, min_length=1
    )
    max_body_bytes: int = setting(
        20 * 2**20, "A longer request body is refused (413).", "bytes", shapes_result=False, ge=1024
    )
    max_waiting_bytes: int = setting(
        256 * 2**20,
        "Bytes of bodies that may be read or wait for a decision at one time; what comes beyond is asked to come again "
        "(429).",
        "bytes",
        shapes_result=False,
        ge=2**20,
    )
    read_timeout_s: float = setting(
        60.0, "A request that has not arrived whole after this time is ended (408).", "seconds", shapes_result=False,
        gt=0.0, le=3600.0,
    )  # fmt: skip
    max_connections: int = setting(
        1024, "Connections of `stillwatch gate` at one time; one more is closed at once.", "connections",
        shapes_result=False, ge=1,
    )  # fmt: skip


class EnvoySettings(Section):
    """Live decisions behind Envoy: whose a request is, and bounds on it. None of it changes a scan."""

    account: Literal["header", "credential", "address"] = setting(
        "header",
        "Whose a request is: `header`, as Envoy names the account; `credential`, by the digest of the API key, which "
        "Envoy must have checked; `address`, the client's address, for a service without accounts.",
        "choice",
        shapes_result=False,
    )
    account_header: str = setting(
        "x-account-id",
        "Header in which Envoy names the account, in place of whatever the client sent under this name; when it comes "
        "twice, the request is refused (400).",
        "header",
        shapes_result=False,
        pattern=r"^[A-Za-z0-9-]{1,64}$",
    )
    org_header: str | None = setting(
        None,
        "Header in which Envoy names the organisation that the customer declared. As trusted as the account's.",
        "header",
        shapes_result=False,
        pattern=r"^[A-Za-z0-9-]{1,64}$",
    )
    forwarded_hops: int = setting(
        0,
        "With `address`: trusted proxies in front of Envoy. The address is that many entries left of the last one in "
        "`X-Forwarded-For`; what stands left of it is the client's own claim and is not read.",
        "proxies",
        shapes_result=False,
        ge=0,
        le=16,
    )
    max_body_bytes: int = setting(
        20 * 2**20, "A longer request body is refused (413).", "bytes", shapes_result=False, ge=1024, le=2**30
    )
    max_waiting_bytes: int = setting(
        256 * 2**20,
        "Bytes of request bodies that may be held at one time; what comes beyond is asked to come again (503).",
        "bytes",
        shapes_result=False,
        ge=2**20,
    )
    max_event_bytes: int = setting(
        4 * 2**20,
        "Longest answer, or event of a streamed answer, that is read for its tokens and issued blocks. A longer one "
        "passes unread and is counted.",
        "bytes",
        shapes_result=False,
        ge=1024,
        le=2**30,
    )
    body_timeout_s: float = setting(
        60.0, "A request body that has not arrived whole after this time is ended (408).", "seconds",
        shapes_result=False, gt=0.0, le=3600.0,
    )  # fmt: skip
    max_calls: int = setting(
        4096,
        "Calls in progress at one time, answers included; for one more Envoy's `failure_mode_allow` decides.",
        "calls",
        shapes_result=False,
        ge=1,
    )


class DyeSettings(Section):
    """Marking keys of campaigns: where they are written down, and whether gateways hand them to the engine."""

    folder: str = setting(
        "dye", "Folder of the dye desk: which keys were issued, and what was served under each.", "folder",
        shapes_result=False,
    )  # fmt: skip
    master_file: str | None = setting(
        None,
        "File with the master of all marking keys, in hexadecimal; wins over the environment. Must not be readable by "
        "others. There is no default: `stillwatch dye master` makes one.",
        "path",
        shapes_result=False,
    )
    master_env: str = setting(
        "STILLWATCH_DYE_MASTER",
        "Environment variable that holds the master.",
        "name",
        shapes_result=False,
        min_length=1,
    )
    epoch: str = setting(
        "1",
        "Period of rotation: keys of another epoch are other keys. For example `2026-11`.",
        "name",
        shapes_result=False,
        pattern=r"^[0-9A-Za-z][0-9A-Za-z.-]{0,31}$",
    )
    inject: bool = setting(
        False,
        "Middleware and Envoy gateway take out what clients say about marks and put in the key that policy names.",
        "yes or no",
        shapes_result=False,
    )
    everyone: str | None = setting(
        None,
        "Name of the key for requests for which policy names none; issue it with a wide window. Unset: those carry no "
        "key.",
        "name",
        shapes_result=False,
    )


class TaxiiSettings(Section):
    """The TAXII server, where others fetch and leave what is shared. None of it changes a scan."""

    store: str = setting(
        "sqlite:///taxii.db",
        "Database of members, collections and objects: `sqlite:///FILE`, or `postgresql://USER@HOST:PORT/DATABASE` "
        "without a password.",
        "address",
        shapes_result=False,
        pattern=r"^(sqlite:///.+|postgresql(\+pg8000)?://[^\s]+)$",
    )
    store_password_env: str = setting(
        "STILLWATCH_TAXII_DATABASE_PASSWORD",
        "Environment variable that holds the database's password, where it has one.",
        "name",
        shapes_result=False,
        min_length=1,
    )
    public_url: str | None = setting(
        None,
        "Address under which members reach the server; where it listens when unset.",
        "address",
        shapes_result=False,
        pattern=r"^https?://[^/?#@\s]+$",
    )
    https: bool = setting(
        False,
        "A proxy in front ends HTTPS. Without it the server listens on this machine alone.",
        "yes or no",
        shapes_result=False,
    )
    title: str = setting(
        "stillwatch",
        "Name of the server, for its members.",
        "text",
        shapes_result=False,
        min_length=1,
        max_length=100,
    )
    contact: str = setting("", "Whom members may ask about it.", "text", shapes_result=False, max_length=200)
    page_objects: int = setting(
        500, "Objects on a page at most.", "objects", shapes_result=False, ge=1, le=5_000
    )
    max_objects: int = setting(
        10_000,
        "A request with more objects is refused (413).",
        "objects",
        shapes_result=False,
        ge=1,
        le=100_000,
    )
    max_body_bytes: int = setting(
        10 * 2**20, "A longer request body is refused (413); members are told.", "bytes", shapes_result=False, ge=1024,
        le=100 * 2**20,
    )  # fmt: skip
    read_timeout_s: float = setting(
        60.0, "A request that has not arrived whole after this time is ended (408).", "seconds", shapes_result=False,
        gt=0.0, le=3600.0,
    )  # fmt: skip
    max_connections: int = setting(
        128, "Connections at one time; one more is closed at once.", "connections", shapes_result=False, ge=1
    )
