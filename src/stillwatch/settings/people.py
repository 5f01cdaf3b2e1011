"""What shapes the work of people: evidence, cases, the console."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from stillwatch.settings.field import Section, setting
from stillwatch.settings.networks import networks


class EvidenceSettings(Section):
    """How evidence is sealed: keys, log, timestamps. None of it changes a scan."""

    keys: str = setting(
        "evidence/keys",
        "Folder with the key list and the private keys of this machine. There is no default key: "
        "`stillwatch evidence key new` makes one.",
        "folder",
        shapes_result=False,
    )
    log: str = setting(
        "evidence/log", "Folder of the append-only log; in use once there is a key with role `log`.", "folder",
        shapes_result=False,
    )  # fmt: skip
    origin: str = setting(
        "stillwatch.invalid/evidence",
        "Name of the log, in its checkpoints: a domain of yours and a path. Choose it before the first leaf.",
        "name",
        shapes_result=False,
        pattern=r"^[^\s+]{1,200}$",
    )
    witnesses: Annotated[tuple[str, ...], Field(strict=False)] = setting(
        (),
        "Witnesses that sign checkpoints after they have seen that the log only grew: `URL KEY`, the key as one line.",
        "list",
        shapes_result=False,
    )
    witnesses_needed: int = setting(
        0,
        "How many of them must have signed before a package is sealed.",
        "witnesses",
        shapes_result=False,
        ge=0,
        le=20,
    )
    timestamp_authorities: Annotated[tuple[str, ...], Field(strict=False)] = setting(
        (),
        "RFC 3161 authorities that are asked for a timestamp, all of them; `http://` or `https://`. Two are better "
        "than one. The only connections that stillwatch ever opens for evidence go here and to witnesses.",
        "list",
        shapes_result=False,
    )
    two_signatures: Annotated[
        tuple[Literal["court", "government", "cloud", "lab", "public"], ...], Field(strict=False)
    ] = setting(
        ("court", "government"),
        "Profiles whose packages a second person, a reviewer, has to sign.",
        "list",
        shapes_result=False,
    )
    passphrase_env: str = setting(
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
        if len({w.split(" ")[1] for w in self.witnesses}) < len(self.witnesses):
            raise ValueError("evidence.witnesses names one key twice: it would count as two witnesses")
        return self


class RespondSettings(Section):
    """Where people's work is kept and how their decisions are carried out. None of it changes a scan."""

    store: str = setting(
        "sqlite:///stillwatch.db",
        "Database of cases, plans, appeals and grants: `sqlite:///FILE`, or `postgresql://USER@HOST:PORT/DATABASE` "
        "without a password.",
        "address",
        shapes_result=False,
        pattern=r"^(sqlite:///.+|postgresql(\+pg8000)?://[^\s]+)$",
    )
    store_password_env: str = setting(
        "STILLWATCH_DATABASE_PASSWORD",
        "Environment variable that holds the database's password, where it has one.",
        "name",
        shapes_result=False,
        min_length=1,
    )
    two_above: int = setting(
        50,
        "A plan for more accounts than this needs the approval of two people besides the one who made it; up to it, "
        "of one.",
        "accounts",
        shapes_result=False,
        ge=0,
    )
    appeal_url: str | None = setting(
        None,
        "Address of the page where a customer appeals; `{token}` stands for the token of the notice.",
        "address",
        shapes_result=False,
        pattern=r"^https?://[^\s]*\{token\}[^\s]*$",
    )
    appeal_days: int = setting(
        30, "How long after the notice an appeal may be filed.", "days", shapes_result=False, ge=1, le=730
    )
    decide_days: int = setting(
        14, "How long after it was filed an appeal is due.", "days", shapes_result=False, ge=1, le=365
    )
    tripwire_days: int = setting(
        180, "How long a takedown's tripwires stand.", "days", shapes_result=False, ge=1, le=730
    )
    webhook_url: str | None = setting(
        None,
        "Where the steps of a plan and notices to customers are posted; `https`, or `http` on this machine.",
        "address",
        shapes_result=False,
        pattern=r"^https?://[^@\s]+$",
    )
    webhook_secret_env: str = setting(
        "STILLWATCH_WEBHOOK_SECRET",
        "Environment variable that holds the secret by which what is posted is signed.",
        "name",
        shapes_result=False,
        min_length=1,
    )
    litellm_url: str | None = setting(
        None,
        "Address of the LiteLLM proxy whose teams, owners of keys, or keys are blocked.",
        "address",
        shapes_result=False,
        pattern=r"^https?://[^@\s]+$",
    )
    litellm_key_env: str = setting(
        "LITELLM_MASTER_KEY",
        "Environment variable that holds the proxy's admin key.",
        "name",
        shapes_result=False,
        min_length=1,
    )
    litellm_account: Literal["team", "user", "key"] = setting(
        "team",
        "What an account is in LiteLLM: a team, the owner of keys that belong to no team, or a key by its hash.",
        "choice",
        shapes_result=False,
    )
    parallel: int = setting(
        8, "Steps of a plan that are under way at once.", "steps", shapes_result=False, ge=1, le=64
    )
    timeout_s: float = setting(
        10.0, "How long an answer to one step is waited for.", "seconds", shapes_result=False, ge=0.1, le=120
    )
    hold_s: float = setting(
        60.0,
        "How long a step is held by the process that sends it. After a crash it is sent again, under the same key, "
        "once this has run out.",
        "seconds",
        shapes_result=False,
        ge=0.2,
        le=3600,
    )


class ConsoleSettings(Section):
    """The console for people. None of it changes a result."""

    hosts: Annotated[tuple[str, ...], Field(strict=False)] = setting(
        (),
        "Names under which the console is reached, without port; requests for any other are refused. Unset: the "
        "address it listens on, and `localhost`.",
        "names",
        shapes_result=False,
    )
    https: bool = setting(
        False,
        "The console is reached over HTTPS, through a proxy that ends it: cookies are then sent over nothing else. "
        "Needed whenever it listens on more than this machine.",
        "yes or no",
        shapes_result=False,
    )
    trusted_proxies: Annotated[tuple[str, ...], Field(strict=False), AfterValidator(networks)] = setting(
        (),
        "Networks of the proxies in front, whose `X-Forwarded-For` says which address a client has: the last one there "
        "that is none of theirs. Unset: every client has the address of its connection, behind a proxy the proxy's.",
        "networks",
        shapes_result=False,
    )
    session_h: float = setting(
        12.0, "Longest time signed in.", "hours", shapes_result=False, gt=0.0, le=168.0
    )
    idle_min: float = setting(
        30.0,
        "Time without a request after which a session ends.",
        "minutes",
        shapes_result=False,
        ge=1.0,
        le=1440.0,
    )
    token_days: float = setting(
        90.0, "Life of a token for programs.", "days", shapes_result=False, gt=0.0, le=366.0
    )
    max_body_bytes: int = setting(
        32 * 1024 * 1024,
        "Longest request body; the least takes the five documents of 5 MiB that an appeal may hold.", "bytes",
        shapes_result=False, ge=26 * 1024 * 1024, le=256 * 1024 * 1024,
    )  # fmt: skip
    list_price_usd_per_mtok: Annotated[tuple[float, float], Field(strict=False)] = setting(
        (10.0, 75.0),
        "List price of a million output tokens, low and high; an assumption behind what a campaign took. Set your own.",
        "US dollars",
        shapes_result=False,
    )
    avoided_usd_per_exchange: Annotated[tuple[float, float], Field(strict=False)] = setting(
        (0.05, 5.0),
        "What one answer would have cost to have written otherwise, low and high; an assumption, and a wide one.",
        "US dollars",
        shapes_result=False,
    )
    oidc_issuer: str | None = setting(
        None,
        "Address of an OpenID Connect provider, as its discovery document names it. Unset: local accounts alone.",
        "address",
        shapes_result=False,
        pattern=r"^https://[^\s]+$|^http://(127\.0\.0\.1|localhost)(:[0-9]+)?(/[^\s]*)?$",
    )
    oidc_client_id: str = setting(
        "stillwatch", "Client id at the provider.", "name", shapes_result=False, min_length=1
    )
    oidc_secret_env: str = setting(
        "STILLWATCH_OIDC_SECRET",
        "Environment variable that holds the client secret.",
        "name",
        shapes_result=False,
        min_length=1,
    )
    oidc_name: str = setting(
        "single sign-on",
        "What the button on the sign-in page calls the provider.",
        "text",
        shapes_result=False,
        max_length=40,
    )
    oidc_role_claim: str = setting(
        "groups",
        "Claim of the identity token that lists a person's groups.",
        "name",
        shapes_result=False,
        min_length=1,
    )
    oidc_roles: dict[str, str] = setting(
        {}, "Group to role. Nobody whose groups are not listed comes in.", "table", shapes_result=False
    )
    public_url: str | None = setting(
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
