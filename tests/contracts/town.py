"""One small town with every contract field in it: a pool, honest people, and canaries in every text field."""

from __future__ import annotations

from datetime import timedelta

from tests.contracts.factory import START, World, at, babble, chat
from tests.contracts.golden import headers, passage, tools

POOL = tuple(f"p{i}" for i in range(8))
CANARY = "zqxcanary"
"""A word that occurs nowhere but in planted raw text and identifiers."""
QUESTIONS = 30


def town() -> World:
    """Eight accounts of one relay, four spares and thirty-two honest ones over four days; 392 exchanges."""
    world = World()
    world.releases = [("m-1", START - timedelta(days=60)), ("m-2", at(days=1))]
    world.client_releases = [
        ("openai/python", "1.0.0", START - timedelta(days=200)),
        ("openai/python", "1.9.0", START - timedelta(days=100)),
        ("openai/python", "2.0.0", START - timedelta(days=10)),
    ]
    _pool(world)
    for i in range(32):
        _citizen(world, i)
    _canary(world)
    return world


def _pool(world: World) -> None:
    for i, name in enumerate(POOL):
        world.account(
            name, created_at=at(days=-20, hours=i / 4), payment_digest="pool card", phone_digest="pool phone",
            email_domain="bulk.example", signup_ip=f"192.0.2.{i + 1}", programme="startup", country="US",
            verification="none", status="banned" if i == 0 else "active",
            status_changed_at=at(days=1, hours=12) if i == 0 else None,
        )  # fmt: skip
    for q in range(QUESTIONS):
        for r in range(4):
            i = (3 * q + r) % 8
            world.send(
                POOL[i], at(hours=1 + q * 2, seconds=60 * r),
                prompt=f"Work through the exercise below, think step by step, answer boxed. {babble(('town', q), 18)}",
                model="m-2" if q > 12 else "m-1", client_ip=f"203.0.113.{i + 1}", client_asn=16509,
                user_agent="OpenAI/Python 1.9.0", client_headers=headers("1.2.0"), tls_fingerprint="t13pool",
                device_id="pool device", system_prompt="You are a tireless solver of exercises for us.",
                tools=tools("run", "submit"), temperature=0.6, top_p=0.95, max_tokens=16384, logprobs=True, n=1,
                seed=q, stream=False, input_tokens=60, output_tokens=2500, reasoning_tokens=1200, turn=1,
                completion=f"done {q} {r}", finish_reason="stop", channel="api", operation="chat", latency_ms=900.0,
            )  # fmt: skip
    for i in (0, 2, 4):
        ask, answer = f"Opening question {babble(('o', i))}", f"Opening answer {babble(('a', i))}"
        give, take = POOL[i], POOL[i + 1]
        world.send(
            give, at(days=3, seconds=i), messages=chat(ask), completion=answer, sealed_out=[f"sealed {i}"]
        )
        world.send(take, at(days=3, hours=1, seconds=i), messages=chat(ask, answer, "go on"), completion="more",
                   sealed_in=[f"sealed {i}"])  # fmt: skip
        world.send(give, at(days=3, hours=1.2, seconds=i), prompt=babble(("long", i)), completion=passage(i))
        world.send(take, at(days=3, hours=1.5, seconds=i), prompt="Rate this answer. " + passage(i))
        world.send(give, at(days=3, hours=2), prompt=babble(("refused", i)), status=429)
        world.send(take, at(days=3, hours=2, seconds=90), prompt=babble(("refused", i)))
        for hours in (i, 9 + i):
            world.send(give, at(days=2, hours=hours), status=429, client_ip=f"203.0.113.{i + 1}")
            world.send(take, at(days=2, hours=hours, seconds=2))
    for i in range(4):
        world.account(f"s{i}", created_at=at(days=1, hours=12 + i), country="US", status="active")
        world.send(f"s{i}", at(days=1, hours=13 + i), client_ip=f"203.0.113.{90 + i}", device_id=f"spare {i}")
    world.send(
        POOL[0], at(hours=0.5), prompt="una respuesta de las que no se puede dar por buena para nosotros"
    )


def _citizen(world: World, i: int) -> None:
    name, old = f"c{i}", i % 3 == 0
    world.account(
        name, created_at=at(days=-200 - 9 * i), payment_digest=f"card {i % 30}", phone_digest=f"phone {i}",
        email_domain="gmail.com" if i % 2 else f"firm{i}.example", signup_ip=f"198.51.{i}.1", country="DE",
        verification="identity" if old else "none", status="active", org_id=f"firm {i // 2}" if i < 8 else None,
        programme="education" if i % 5 == 0 else None,
    )  # fmt: skip
    for j in range(3 + i % 8):
        world.send(
            name, at(days=(i + j) % 4, hours=(7 + 2.3 * i + 1.1 * j) % 24), client_ip=f"198.18.{i}.{j + 1}",
            client_asn=64500 + i % 7, user_agent=f"OpenAI/Python 2.{i % 4}.0", client_headers=headers(f"2.{i % 4}.0"),
            tls_fingerprint=f"t13c{i % 5}", device_id=f"laptop {i}", temperature=0.2 + i / 100, max_tokens=300 + i,
            system_prompt=f"Help the people of shop {i % 6} {babble(('shop', i % 6), 6)}",
            tools=tools("search", f"shop{i % 6}"), input_tokens=400, output_tokens=150, n=1, logprobs=False,
            prompt=f"{babble((i, j), 7)} write a python function that returns only json {babble((j, i), 7)}",
            completion="fine", sealed_out=[f"own {i} {j}"], sealed_in=[f"own {i} {j - 1}"] if j else None,
        )  # fmt: skip
    world.send(
        name,
        at(days=2, hours=i / 2),
        prompt=f"Sum up the newsletter of the day for me please. {babble(i, 9)}",
    )


def _canary(world: World) -> None:
    """Two accounts whose every text and identifier holds the canary, once plain and once in a conversation."""
    for i, name in enumerate(("c0", "c8")):
        texts = {
            field: f"{CANARY} {field}/1.2.3 thing"
            for field in (
                "credential_id", "end_user_id", "client_ip", "user_agent", "tls_fingerprint", "device_id",
                "system_prompt", "tools", "reasoning", "conversation_id", "finish_reason",
            )
        }  # fmt: skip
        world.send(
            name, at(days=3, hours=3 + i), **texts, prompt=f"{CANARY} think step by step {CANARY} prompt boxed",
            client_headers=[("x-stainless-lang", CANARY), (CANARY, CANARY)], completion=f"{CANARY} answer",
            sealed_in=[f"{CANARY} in"], sealed_out=[f"{CANARY} out"], prefix_digests=[f"{CANARY} {k}" for k in "abcd"],
            output_digests=[f"{CANARY} digest"],
        )  # fmt: skip
        world.send(
            name, at(days=3, hours=4 + i), messages=chat(f"{CANARY} one", f"{CANARY} two", f"{CANARY} three")
        )
        world.account(
            name, payment_digest=f"{CANARY} card", phone_digest=f"{CANARY} phone", email_domain=f"{CANARY}.example",
            programme=f"{CANARY} programme", signup_ip=f"{CANARY} address",
        )  # fmt: skip
