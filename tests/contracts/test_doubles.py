"""The honest double of a trait: it looks alike at first sight and must not count."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pytest

from stillwatch.detect.families import assign_families
from stillwatch.detect.queue import exact_repeat_log10_e
from stillwatch.detect.run import Options, detect
from stillwatch.detect.trait import EventTrait, QueueTrait, TokenTrait
from stillwatch.detect.traits import builtin_traits
from tests.contracts.factory import (
    NOTHING,
    START,
    Maker,
    World,
    at,
    babble,
    bet_on,
    chat,
    crowd,
    joined,
    names,
    one_hub,
    queue_scores,
    shared,
)
from tests.contracts.golden import PLANTED, QUESTION, balanced, dealt, headers, in_step, passage, tools

TRAIT = {t.id: t for t in builtin_traits()}
CEILING = 1.0
"""log10 e-value that an honest double may reach."""


def token(name: str) -> TokenTrait:
    """A token trait by id."""
    trait = TRAIT[name]
    assert isinstance(trait, TokenTrait)
    return trait


def event(name: str) -> EventTrait:
    """An event trait by id."""
    trait = TRAIT[name]
    assert isinstance(trait, EventTrait)
    return trait


def queue(name: str) -> QueueTrait:
    """A queue trait by id."""
    trait = TRAIT[name]
    assert isinstance(trait, QueueTrait)
    return trait


def alone(maker: Maker, *, k: int = 6, account: bool = False) -> World:
    """Accounts that come near each other but share nothing."""
    return crowd(maker, lambda i: {}, k=k, n=0, account=account)


def launch_day() -> World:
    """New accounts on a launch day: they never used another model, so they did not move."""
    world = World(releases=[("m-2", at(days=1))])
    world.send("old", at())
    for i in range(6):
        world.send(f"p{i}", at(days=1, hours=1), model="m-2")
    world.send("old", at(days=5))
    return world


def early_adopters() -> World:
    """Everyone is on the newest version, and the next one comes later."""
    world = alone(lambda i: {"user_agent": "OpenAI/Python 1.1.0"})
    for days, version in ((-90, "1.0.0"), (-15, "1.1.0"), (60, "1.2.0")):
        world.client_releases.append(("openai/python", version, START + timedelta(days=days)))
    return world


def repeats_itself() -> World:
    """One account sends one template and one question all day; nobody else does."""
    world = crowd(lambda i: {}, lambda i: {}, n=2)
    for j in range(20):
        world.send("p0", at(hours=j), prompt=f"Solve exercise {j} of the book for me please. {QUESTION}.")
    return world


NOTHING_SHARED: dict[str, Callable[[], World]] = {
    "address_block": lambda: alone(
        lambda i: {"client_ip": f"203.0.{i}.9" if i % 2 else f"2001:db8:{i + 1:x}::9"}
    ),
    "exit_address": lambda: alone(lambda i: {"client_ip": f"203.0.113.{i + 1}"}),
    "network_operator": lambda: alone(lambda i: {"client_asn": 0 if i % 2 else None}),
    "payment": lambda: crowd(lambda i: {"payment_digest": "family"}, lambda i: {}, k=4, account=True),
    "phone": lambda: alone(lambda i: {"phone_digest": None if i else "phone"}, account=True),
    "email_domain": lambda: alone(lambda i: {"email_domain": "GMail.com"}, k=12, account=True),
    "signup_address": lambda: alone(lambda i: {"signup_ip": f"203.0.{i}.9"}, account=True),
    "signup_burst": lambda: alone(lambda i: {"created_at": at(hours=7 * i - 900)}, account=True),
    "device_id": lambda: alone(lambda i: {"device_id": "00000000-0000"}, k=26),
    "tls_fingerprint": lambda: alone(lambda i: {"tls_fingerprint": f"t13d{i}"}),
    "client_lag": early_adopters,
    "release_pivot": launch_day,
    "template": repeats_itself,
    "near_duplicate": repeats_itself,
    "payload": repeats_itself,
    "load_equalisation": lambda: crowd(lambda i: {}, lambda i: {}, sends=7),
    "rhythm": lambda: crowd(lambda i: {"when": lambda j: at(hours=j / 2)}, lambda i: {}, sends=25, n=0),
    "header_conflict": lambda: alone(
        lambda i: {"user_agent": "OpenAI/Python 1.2.0", "client_headers": headers("1.2.0")}
    ),
    "language_mix": lambda: alone(lambda i: {}),
    "capability_mix": lambda: alone(lambda i: {}),
    "output_format": lambda: alone(lambda i: {}),
}
"""Trait id to a story in which no value may be shared by two units."""


@pytest.mark.parametrize("name", sorted(NOTHING_SHARED))
def test_the_double_shares_nothing(name: str) -> None:
    """No value of the trait joins two units."""
    traffic = NOTHING_SHARED[name]().traffic()
    households = set(names(traffic))
    assert [a for a in shared(token(name), traffic).values() if len(a) > 1 and a not in households] == []


@pytest.mark.parametrize(("k", "customers"), [(4, 1), (5, 5)])
def test_a_card_of_up_to_four_accounts_is_one_customer(k: int, customers: int) -> None:
    """A household is one unit; a fifth account on the card makes it a link."""
    traffic = crowd(lambda i: {"payment_digest": "card"}, lambda i: {}, k=k, n=3, account=True).traffic()
    assert traffic.n_units == customers + 3


def test_a_device_of_twenty_five_accounts_is_still_one_device() -> None:
    """The placeholder rule begins one account later."""
    traffic = alone(lambda i: {"device_id": "desk"}, k=25).traffic()
    assert len(next(iter(shared(token("device_id"), traffic).values()))) == 25


# Events


def refused(world: World, account: str, *, prompt: str, status: int = 429) -> None:
    """A refusal at noon."""
    world.send(account, at(hours=12), prompt=prompt, status=status)


def own_retry() -> World:
    """The same account tries again."""
    world = World()
    refused(world, "p0", prompt=babble("x"))
    world.send("p0", at(hours=12, seconds=30), prompt=babble("x"))
    world.send("p1", at(hours=12, seconds=40))
    return world


def too_late() -> World:
    """Somebody else sends the same words sixteen minutes later."""
    world = World()
    refused(world, "p0", prompt=babble("x"))
    world.send("p1", at(hours=12, seconds=960), prompt=babble("x"))
    return world


def homework() -> World:
    """Nine students ask one question; the first is refused."""
    world = World()
    refused(world, "p0", prompt=babble("x"))
    for i in range(1, 9):
        world.send(f"p{i}", at(hours=12, seconds=30 * i), prompt=babble("x"))
    return world


def small_talk() -> World:
    """Five words say nothing."""
    world = World()
    refused(world, "p0", prompt="please say hello to me")
    world.send("p1", at(hours=12, seconds=30), prompt="please say hello to me")
    return world


def never_through() -> World:
    """An outage refuses both, and a bad request is no refusal."""
    world = World()
    for status, text in ((503, "x"), (400, "y")):
        refused(world, "p0", prompt=babble(text), status=status)
        world.send("p1", at(hours=12, seconds=30), prompt=babble(text), status=503 if text == "x" else 200)
    return world


def before_it() -> World:
    """The other account was first."""
    world = World()
    world.send("p1", at(hours=11.99), prompt=babble("x"))
    refused(world, "p0", prompt=babble("x"))
    return world


def own_follow_up() -> World:
    """Everyone goes on with their own conversation."""
    world = World()
    for i in range(6):
        ask, answer = babble(("q", i)), babble(("a", i))
        world.send(f"p{i}", at(hours=i), messages=chat(ask), completion=answer, sealed_out=[f"b{i}"])
        world.send(
            f"p{i}", at(hours=i + 1), messages=chat(ask, answer, "more"), completion="ok", sealed_in=[f"b{i}"]
        )
    return world


def public_example() -> World:
    """Eight others paste one account's published conversation, and its block, as an example."""
    world = World()
    world.send("p0", at(), messages=chat("well known"), completion="answer", sealed_out=["public"])
    for i in range(9):
        world.send(
            f"p{i}", at(hours=1 + i), messages=chat("well known", "answer", babble(i)), sealed_in=["public"]
        )
    return world


def same_answer() -> World:
    """Two accounts were given the same answer to the same greeting: who goes on with it is nobody's heir."""
    world = World()
    for i in range(2):
        world.send(f"p{i}", at(hours=i), messages=chat("hello"), completion="hi there", sealed_out=["twice"])
    world.send("p2", at(hours=4), messages=chat("hello", "hi there", "so"), sealed_in=["twice"])
    return world


def quoted_before() -> World:
    """The history was presented before the answer was ever given."""
    world = World()
    world.send("p1", at(hours=1), messages=chat("ask", "answer", "go on"), sealed_in=["early"])
    world.send("p0", at(hours=2), messages=chat("ask"), completion="answer", sealed_out=["early"])
    return world


def own_words() -> World:
    """An account pastes its own answer; two others were given the same text by chance or from one source."""
    world = World()
    world.send("p0", at(), prompt="ask", completion=passage(1))
    world.send("p0", at(hours=1), prompt="Now shorten this: " + passage(1))
    for i in (1, 2):
        world.send(f"p{i}", at(hours=i), prompt="ask", completion=passage(2))
    world.send("p3", at(hours=4), prompt="Please check. " + passage(2))
    return world


def a_phrase() -> World:
    """Forty words in common are a phrase, not a passage."""
    world = World()
    world.send("p0", at(), prompt="ask", completion=" ".join(passage(1).split()[:40]))
    world.send("p1", at(hours=1), prompt="See " + " ".join(passage(1).split()[:40]))
    return world


def published() -> World:
    """Nine others paste one account's answer: public text."""
    world = World()
    world.send("p0", at(), prompt="ask", completion=passage(3))
    for i in range(1, 10):
        world.send(f"p{i}", at(hours=i), prompt=f"No {i}. " + passage(3))
    return world


NO_EVENT = [
    *[("output_reuse", f) for f in (own_words, a_phrase, published)],
    *[("failover", f) for f in (own_retry, too_late, homework, small_talk, never_through, before_it)],
    *[(n, f) for n in ("handoff", "sealed_replay") for f in (own_follow_up, public_example, same_answer)],
    *[(n, quoted_before) for n in ("handoff", "sealed_replay")],
]


@pytest.mark.parametrize(("name", "story"), NO_EVENT, ids=[f"{n}-{f.__name__}" for n, f in NO_EVENT])
def test_the_double_is_no_event(name: str, story) -> None:
    """Nobody did anything with what belongs to another."""
    assert joined(event(name), story().traffic()) == set()


def test_a_block_shown_by_eight_is_still_a_replay() -> None:
    """The rule for public text begins with the ninth unit."""
    world = World()
    world.send("p0", at(), sealed_out=["b"])
    for i in range(1, 9):
        world.send(f"p{i}", at(hours=i), sealed_in=["b"])
    assert len(joined(event("sealed_replay"), world.traffic())) == 8


def test_a_relay_may_rewrite_the_system_message() -> None:
    """A hand-off is seen although the system message changed on the way."""
    world = World()
    world.send("p0", at(), messages=chat("ask"), completion="answer")
    moved = '[{"role":"system","content":"new"},' + chat("ask", "answer", "go on")[1:]
    world.send("p1", at(hours=1), messages=moved)
    assert joined(event("handoff"), world.traffic()) == {("p0", "p1")}


def test_a_pair_that_fails_over_in_both_halves_is_seen_in_both() -> None:
    """The held-out half of the time keeps its own evidence."""
    world = World()
    for day in (0, 6):
        world.send("p0", at(days=day), prompt=babble(day), status=429)
        world.send("p1", at(days=day, seconds=60), prompt=babble(day))
    got = event("failover").extract(world.traffic())
    assert len(got.ts) == 2 and got.ts[1] - got.ts[0] > 5 * 86_400_000_000


# Queues


def classroom(students: int, *, does: float, seed: int = 0) -> World:
    """A class with one sheet of sixty exercises; each student does each with some probability."""
    rng = random.Random(seed)
    world = World()
    for q in range(60):
        text = f"Please check my work on the exercise from the sheet. {babble(('sheet', q), 20)}"
        for i in range(students):
            if rng.random() < does:
                world.send(f"s{i}", at(hours=q, seconds=i), prompt=text)
    return world


def class_score(world: World) -> float:
    """The e-value of everybody in the story as one group."""
    traffic = world.traffic()
    assign_families(traffic)
    return queue("work_queue").extract(traffic, one_hub(np.arange(traffic.n_units)))[0].whole


@pytest.mark.parametrize(("students", "does"), [(8, 1.0), (12, 0.9), (12, 0.3)])
def test_homework_is_no_queue(students: int, does: float) -> None:
    """Every student sends each question once, or skips some: no decade of evidence."""
    assert class_score(classroom(students, does=does)) <= CEILING


def test_a_dispatcher_is_a_queue_and_a_single_pass_is_none() -> None:
    """Exactly four accounts a question speaks; exactly one cannot be told from a crowd with new questions."""
    assert class_score(dealt(False)) > CEILING
    assert class_score(dealt(False, repeats=1)) <= CEILING


@pytest.mark.parametrize("repeats", [2, 4, 8])
def test_exact_repeats_over_many_accounts_speak_loudly(repeats: int) -> None:
    """Two hundred questions, each to exactly R of a thousand accounts, give more than twenty decades."""
    value, best = exact_repeat_log10_e(np.array([repeats]), np.array([200]), 1000)
    assert value > 20 and best == repeats


@pytest.mark.parametrize("mean", [0.5, 2.0, 4.0, 12.0])
def test_chance_repeats_do_not(mean: float) -> None:
    """Poisson multiplicities, popular or rare, stay under one decade over twenty seeds."""
    for seed in range(20):
        draws = np.random.default_rng(seed).poisson(mean, 400)
        m, counts = np.unique(draws[draws > 0], return_counts=True)
        assert exact_repeat_log10_e(m, counts, 1000)[0] <= CEILING, seed


def test_mixed_popularity_is_no_queue() -> None:
    """A benchmark with a few famous questions and many obscure ones stays under one decade."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        draws = rng.poisson(rng.lognormal(0.5, 1.2, 400))
        m, counts = np.unique(draws[draws > 0], return_counts=True)
        assert exact_repeat_log10_e(m, counts, 1000)[0] <= CEILING, seed


def test_growth_around_a_ban_is_no_succession() -> None:
    """New accounts that come as often before a ban as after it replace nobody."""
    world = World()
    for i in range(20):
        world.send(f"p{i}", at(days=2, hours=2 * i + 1), client_ip=f"203.0.113.{i + 1}")
    world.account("p0", status="banned", status_changed_at=at(days=2, hours=20))
    world.send("old", at())
    world.send("old", at(days=9))
    scores = queue_scores(queue("succession"), world.traffic(), [token("address_block")])
    assert list(scores) == [frozenset(f"p{i}" for i in range(20))]
    assert max(scores.values()) <= 0


# Bets


def population(maker: Maker, *, k: int = 12, n: int = 120, sends: int = 8) -> World:
    """A hub of k accounts and a population around it."""
    return crowd(maker, maker, k=k, n=n, sends=sends)


def daylight(regions: bool) -> World:
    """Sixteen people in Japan and ninety elsewhere, each awake in some half hours of their own morning."""
    rng = random.Random(3)
    world = World()
    for i in range(106):
        asia, inside = i < 46, i < 16
        name = f"p{i}" if inside else f"o{i}"
        world.account(name, plan="pay", **({"country": "JP" if asia else "DE"} if regions else {}))
        for _ in range(4):
            slot = rng.randrange(8) / 2 + 0.1
            world.send(name, at(hours=slot + (0 if asia else 12)))
    return world


def test_daylight_explains_itself_within_a_region() -> None:
    """People of one region share its mornings; without regions the same people would look synchronised."""
    hub = [f"p{i}" for i in range(16)]
    assert bet_on(token("rhythm"), daylight(True).traffic(), hub) <= CEILING
    assert bet_on(token("rhythm"), daylight(False).traffic(), hub, kappa=1.0) > bet_on(
        token("rhythm"), daylight(True).traffic(), hub, kappa=1.0
    )


def test_a_rhythm_beyond_daylight_is_seen() -> None:
    """Six accounts in the same three half hours of a week stand out."""
    world = in_step(False)
    for i in range(60):
        for j in range(3):
            world.send(f"r{i}", at(hours=(i * 5 + j * 11) % 160))
    assert bet_on(token("rhythm"), world.traffic(), PLANTED) > CEILING


def test_spread_loads_are_no_balancer() -> None:
    """Loads over two powers of ten share a step by chance; equal loads do so every time."""
    rng = random.Random(1)
    world = World()
    for i in range(60):
        for j in range(int(8 * 10 ** (1.3 * rng.random()))):
            world.send(f"{'p' if i < 12 else 'o'}{i}", at(hours=j / 8))
    assert bet_on(token("load_equalisation"), world.traffic(), [f"p{i}" for i in range(12)]) <= CEILING
    equal = balanced(False)
    equal.rows += world.rows
    for number, row in enumerate(equal.rows):
        row["exchange_id"] = f"x{number}"
        if number >= 60 + 144:
            row["account_id"] = "r" + row["account_id"]
    assert bet_on(token("load_equalisation"), equal.traffic(), PLANTED) > 2


@pytest.mark.parametrize(
    "name", ["address_block", "email_domain", "phone", "signup_burst", "payment", "device_id"]
)
def test_a_common_value_is_worth_nothing(name: str) -> None:
    """What half of everybody shows is no evidence in a hub whose members show it as often."""
    fields = {
        "address_block": ("client_ip", "203.0.113.9"), "email_domain": ("email_domain", "big.example"),
        "phone": ("phone_digest", "all"), "payment": ("payment_digest", "all"), "device_id": ("device_id", "all"),
        "signup_burst": ("created_at", at(days=-1)),
    }  # fmt: skip
    field, value = fields[name]
    account = name not in ("address_block", "device_id")
    n = 12 if name == "device_id" else 40
    world = crowd(
        lambda i: {field: value} if i % 2 else {},
        lambda i: {field: value} if i % 2 else {},
        k=12,
        n=n,
        account=account,
    )
    assert bet_on(token(name), world.traffic(), [f"p{i}" for i in range(12)]) <= CEILING


# The whole scan


def app(i: int) -> dict[str, object]:
    """A customer of a popular app: everything the software sends is the same."""
    return {
        "prompt": lambda j: f"Rewrite the notes below as minutes of the meeting. {babble((i, j, 'notes'), 20)}",
        "user_agent": "minutes-app/3.1", "client_headers": headers("3.1"), "tls_fingerprint": "t13app",
        "system_prompt": "You are the secretary of the board and you write minutes.",
        "tools": tools("calendar", "mail"), "temperature": 0.3, "max_tokens": 900,
        "client_ip": f"198.{18 + i // 200}.{i % 200}.7",
    }  # fmt: skip


def market(*, pool: bool) -> World:
    """Sixty customers of one app and 160 others; with ``pool``, twelve of the app's are behind one relay."""
    world = crowd(app, lambda i: {"client_ip": f"100.64.{i}.1"}, k=60, n=160, sends=3)
    for i, name in enumerate(world.accounts):
        world.account(
            name, created_at=at(days=-400 + 3 * i), payment_digest=f"card {i}", phone_digest=f"phone {i}"
        )
    if pool:
        for i in range(12):
            world.account(
                f"p{i}", payment_digest="one card", created_at=at(days=-9, hours=i / 4), phone_digest="one"
            )
        for row in world.rows:
            if row["account_id"] in {f"p{i}" for i in range(12)}:
                row["client_ip"] = f"203.0.113.{row['account_id'][1:]}"
    return world


def test_a_popular_app_is_no_group_and_a_relay_among_its_customers_is() -> None:
    """Shared software and content alone find nobody; two sources on top find exactly the twelve."""
    honest = detect(market(pool=False).traffic(), builtin_traits(), NOTHING, Options())
    assert honest.groups == []
    traffic = market(pool=True).traffic()
    found = detect(traffic, builtin_traits(), NOTHING, Options())
    who = names(traffic)
    assert [frozenset().union(*(who[u] for u in g.units)) for g in found.groups] == [
        frozenset(f"p{i}" for i in range(12))
    ]
