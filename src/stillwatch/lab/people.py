"""Accounts as arrays: identity, habits and tools of many accounts at once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from stillwatch.lab.addresses import COUNTRIES, DAY_US, Networks, Plan
from stillwatch.lab.clients import Clients
from stillwatch.lab.hashing import F64, I64, U64, mix
from stillwatch.lab.population import by_quantiles, figure

FREE_MAIL = ("postbox.example", "inboxly.example", "quickmail.example", "mailhub.example", "letters.example")
_FREE_SHARE = np.array([0.55, 0.2, 0.12, 0.08, 0.05])


@dataclass(slots=True)
class Block:
    """Accounts ``first .. first + size``; classes change the arrays before the world is sealed."""

    first: int
    """Number of the first account in the world."""
    size: int
    """Accounts."""
    kind: str
    """Class, as in the truth."""
    key: U64
    """Secret of an account from which ids and habits are hashed."""
    country: I64
    """Row of ``COUNTRIES``."""
    zone_h: I64
    """Offset from UTC, hours."""
    org: U64
    """True organisation, declared or not."""
    declared: U64
    """Declared organisation, 0 when none."""
    created: I64
    """Sign-up, microseconds."""
    payment: U64
    """Digest of the instrument, 0 for none."""
    email: list[str]
    """Mail domain."""
    phone: U64
    """Digest of the number, 0 for none."""
    signup_ip: U64
    """Address at sign-up."""
    plan: list[str]
    """Price plan."""
    verification: list[str]
    """How far the holder was verified."""
    programme: list[str | None]
    """Programme it came in through."""
    chat: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    """Uses the chat, not the API."""
    family: I64
    """Client program, a row of ``FAMILIES``."""
    variant: I64
    """Platform and runtime of the client."""
    lag: I64
    """Microseconds behind the client's releases."""
    plan_ip: Plan
    """Where it calls from."""
    base_model: I64
    """Model before the switch."""
    switch: I64
    """When it takes up the new model."""
    cv: F64
    """Burstiness of arrivals; ``burst`` in ``population.toml``."""
    active: F64
    """Share of ten-minute bins in use; ``active`` in ``population.toml``."""
    weekend: F64
    """Weight of weekend hours against weekdays. Design choice."""
    error_rate: F64
    """Share of attempts that fail; ``failure`` in ``population.toml``."""
    device: U64
    """Device id, 0 for none."""
    status: list[str] = field(default_factory=list)
    """``active``, ``suspended`` or ``banned``."""
    status_at: I64 = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """When that changed, 0 for never."""
    replaces: I64 = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Account of the block that was banned and that this one was opened for, -1 for none."""
    campaign: str | None = None
    """Campaign or pool, none for honest accounts."""
    level: int | None = None
    """Rung of its attacker."""
    apart: bool = False
    """Accounts of one organisation that act each for themselves: a course is no controller of its students."""

    @property
    def controller(self) -> U64:
        """Who decides what an account does: its organisation, or its holder alone."""
        return mix(self.key, 1) if self.apart else self.org

    def one_org(self, org: int, *, declared: bool) -> None:
        """All accounts belong to one organisation, which may have said so."""
        self.org[:] = np.uint64(org)
        self.declared[:] = np.uint64(org) if declared else np.uint64(0)

    def one_card(self) -> None:
        """All accounts pay with the first account's instrument."""
        self.payment[:] = self.payment[0] if self.payment[0] else mix(self.key[0], 99)

    def one_client(self, family: int, *, variants: int = 1, lag_us: int | None = None) -> None:
        """All accounts use one program, in ``variants`` platform variants."""
        self.family[:] = family
        self.variant[:] = (mix(self.key, 5) % np.uint64(variants)).astype(np.int64) * 7 + int(
            mix(self.org[0], 6) % np.uint64(60000)
        )
        if lag_us is not None:
            self.lag[:] = lag_us

    def one_address(self, base: int, spread: int = 1, period: int = DAY_US) -> None:
        """All accounts share one range of addresses."""
        self.plan_ip.base[:] = np.uint64(base)
        self.plan_ip.spread[:] = spread
        self.plan_ip.period[:] = period
        self.plan_ip.alt_share[:] = 0.0


def signup_times(rng: np.random.Generator, size: int, start_us: int, end_us: int) -> I64:
    """Three years of growing sign-ups, a few promotion days, some inside the window."""
    age = (1.0 - np.sqrt(rng.random(size))) * 3 * 365
    created = end_us - (age * DAY_US).astype(np.int64)
    promo = rng.random(size) < 0.08
    days = end_us - rng.integers(5, 900, 6) * DAY_US
    created[promo] = days[rng.integers(0, 6, int(promo.sum()))] + rng.integers(
        0, 2 * DAY_US, int(promo.sum())
    )
    return created.astype(np.int64)


def switch_times(rng: np.random.Generator, size: int, release_us: int) -> I64:
    """When accounts take up a new model: a stampede of 10 % in the first day, a third in weeks, the rest never."""
    kind = rng.random(size)
    days = np.where(
        kind < 0.10, rng.exponential(0.4, size), np.where(kind < 0.45, rng.exponential(12.0, size), 10_000.0)
    )
    return release_us + (days * DAY_US).astype(np.int64)


def draw_people(
    rng: np.random.Generator,
    first: int,
    size: int,
    kind: str,
    world_key: int,
    networks: Networks,
    clients: Clients,
    start_us: int,
    end_us: int,
    release_us: int,
    chat_share: float,
) -> Block:
    """Ordinary, unrelated accounts: each its own organisation."""
    key = mix(world_key, first + np.arange(size))
    country = rng.choice(len(COUNTRIES), size, p=np.array([c[1] for c in COUNTRIES])).astype(np.int64)
    zones = np.array([c[2] for c in COUNTRIES])[country].astype(np.int64)
    chat = rng.random(size) < chat_share
    org = mix(key, 1)
    family, plan = np.zeros(size, dtype=np.int64), None
    family[chat] = clients.draw(rng, int(chat.sum()), chat=True)
    family[~chat] = clients.draw(rng, int((~chat).sum()))
    plan = networks.plan(rng, country, chat=False)
    at_home = networks.plan(rng, country, chat=True)
    for name in ("base", "spread", "period", "alt_base", "alt_spread", "alt_share"):
        getattr(plan, name)[chat] = getattr(at_home, name)[chat]
    verification = rng.choice(
        ["none", "email", "phone", "card", "identity", "business"],
        size,
        p=[0.04, 0.22, 0.2, 0.36, 0.06, 0.12],
    )
    free = rng.random(size) < np.where(chat, 0.8, 0.35)
    pays = rng.random(size) < np.where(chat, 0.45, 0.95)
    mail_no = rng.choice(len(FREE_MAIL), size, p=_FREE_SHARE)
    payment = np.where(pays, mix(key, 2), np.uint64(0))
    family_card = rng.random(size) < 0.01
    payment[family_card] = np.roll(payment, 1)[family_card]
    programme = rng.random(size)
    signup_ip = plan.base + mix(key, 8) % plan.spread.astype(np.uint64)
    block = Block(
        first=first,
        size=size,
        kind=kind,
        key=key,
        country=country,
        zone_h=zones,
        org=org,
        declared=np.where(rng.random(size) < 0.5, org, np.uint64(0)),
        created=signup_times(rng, size, start_us, end_us),
        payment=payment,
        email=[
            FREE_MAIL[m] if f else f"c{o % 10**9}.example"
            for m, f, o in zip(mail_no.tolist(), free.tolist(), org.tolist(), strict=True)
        ],
        phone=np.where(rng.random(size) < 0.55, mix(key, 3), np.uint64(0)),
        signup_ip=signup_ip,
        plan=np.where(
            chat,
            np.where(pays, "plus", "free"),
            rng.choice(["payg", "payg", "tier2", "tier3", "enterprise"], size),
        ).tolist(),
        verification=verification.tolist(),
        programme=[
            None if p > 0.06 else "startup" if p > 0.035 else "education" if p > 0.01 else "research"
            for p in programme.tolist()
        ],
        chat=chat,
        family=family,
        variant=clients.variants(rng, family),
        lag=clients.lags(rng, size),
        plan_ip=plan,
        base_model=rng.choice(3, size, p=[0.12, 0.58, 0.30]).astype(np.int64),
        switch=switch_times(rng, size, release_us),
        cv=by_quantiles(rng, "burst", size),
        active=by_quantiles(rng, "active", size),
        weekend=rng.choice([0.1, 0.4, 0.9, 1.2], size),
        error_rate=np.clip(
            np.exp(rng.normal(figure("failure", "mu"), figure("failure", "sigma"), size)),
            figure("failure", "lowest"),
            figure("failure", "highest"),
        ),
        device=np.where(chat | (rng.random(size) < 0.12), mix(key, 4), np.uint64(0)),
        status=["active"] * size,
        status_at=np.zeros(size, dtype=np.int64),
        replaces=np.full(size, -1, dtype=np.int64),
    )
    for row in np.flatnonzero(
        rng.random(size) < 0.004
    ).tolist():  # card fraud, spam and the like: bans have many causes
        block.status[row] = "banned" if rng.random() < 0.4 else "suspended"
        block.status_at[row] = start_us + int(rng.uniform(0.2, 1.0) * (end_us - start_us))
    return block
