"""Collects accounts and exchanges while the week is played, then writes them with the truth beside them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.records.exchange import ACCOUNT_SCHEMA, EXCHANGE_SCHEMA

from .arrivals import WEEK, Sizes
from .sources import Dialogue, Message, Sources
from .world import START, Env, World, digest, stream

PART_ROWS = 25_000
MODELS: dict[str, tuple[float, bool]] = {
    # name: (days before the week's start when it was released, reasons in a sealed block)
    "atlas-2": (410, False),
    "atlas-3": (150, False),
    "atlas-3-mini": (150, False),
    "atlas-3-think": (90, True),
    "atlas-4-think": (-3.4, True),
}
NEW_MODEL = "atlas-4-think"
NEW_MODEL_AT = 3.4 * 86400.0
OPENERS = (
    "",
    "Sure. ",
    "Of course. ",
    "Happy to help. ",
    "Good question. ",
    "Here is what I think. ",
    "Certainly! ",
    "Okay. ",
    "Let me answer that. ",
    "Thanks for asking. ",
    "Right, ",
    "In short: ",
)

TICKETS = ("Ticket {}: ", "[{}] ", "Hi, customer {} here. ", "Re order {}. ", "(case {}) ")


@dataclass(slots=True)
class Account:
    """One billed account: its row, the truth about it, and where its requests come from."""

    row: dict[str, Any]
    org_key: str
    klass: str
    campaign_id: str | None
    is_extractor: bool
    envs: list[Env]
    keys: list[str]
    channel: str = "api"
    conversation_ids: bool = False
    dead_from: float = WEEK
    born_at: float = 0.0
    limited: float = 0.012
    """Share of requests that are refused with 429."""
    summaries: bool = False
    """Sees a summary of the model's reasoning."""

    def env(self, t: float) -> Env:
        return self.envs[int(t // 43200) % len(self.envs)]


@dataclass(slots=True)
class Talk:
    """A conversation being held; it can move from one account to another between turns."""

    model: str
    steps: list[tuple[list[Message], Message]]
    """What is added to the request, and what is answered, turn by turn."""
    system: str | None = None
    tools: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    context: tuple[int, int, float] | None = None
    """Measured input tokens, output tokens and reused share, for traffic whose bulk is not in the log."""
    conversation: str | None = None
    end_user: str | None = None
    operation: str = "chat"
    finish: str = "stop"
    history: list[Message] = field(default_factory=list)
    seals: list[str] = field(default_factory=list)
    turn: int = 0

    @property
    def done(self) -> bool:
        return self.turn >= len(self.steps)


class Ledger:
    """The week so far."""

    def __init__(
        self,
        seed: int,
        sources: Sources,
        world: World,
        sizes: Sizes,
        models: dict[str, tuple[float, bool]] = MODELS,
    ) -> None:
        self.seed, self.text, self.world, self.sizes, self.models = seed, sources, world, sizes, models
        self.accounts: list[Account] = []
        self.rows: list[tuple[Any, ...]] = []
        self.campaigns: list[dict[str, Any]] = []
        self.grants: list[dict[str, Any]] = []
        self._rnd = stream(seed, "ledger")
        self.planted: dict[str, list[str]] = {}
        self._used: set[str] = set()

    # --- accounts --------------------------------------------------------------------------------------

    def account(
        self,
        rnd: random.Random,
        *,
        klass: str,
        org_key: str,
        envs: list[Env],
        org_id: str | None = None,
        campaign: str | None = None,
        extractor: bool = False,
        created: datetime | None = None,
        card: str | None = "own",
        domain: str | None = None,
        country: str | None = None,
        plan: str | None = None,
        programme: str | None = None,
        verification: str | None = None,
        keys: int = 1,
        channel: str = "api",
        limited: float = 0.012,
        signup_ip: str | None = None,
    ) -> Account:
        """A new account. ``card='own'`` gives it an instrument of its own."""
        name = digest(self.seed, "account", len(self.accounts), rnd.random(), size=7)
        # sign-ups grow over three years
        created = created or START - timedelta(days=1095 * (1 - rnd.random() ** 0.5) + 0.2)
        country = country or envs[0].country
        card = digest("card", name, size=16) if card == "own" else card
        if plan is None:
            plan = rnd.choices(("free", "pay_as_you_go", "team", "enterprise"), (15, 65, 15, 5))[0]
        if verification is None:
            verification = rnd.choices(("none", "email", "phone", "card", "business"), (3, 22, 25, 40, 10))[0]
        domain = (
            domain
            or rnd.choices(
                ("gmail.com", "outlook.com", "icloud.com", "proton.me", "yahoo.com", "own"),
                (48, 10, 5, 4, 5, 28),
            )[0]
        )
        if domain == "own":
            domain = f"{digest('company', org_key, size=4)}.example"
        tos = created + timedelta(minutes=rnd.uniform(0.2, 4))
        row = {
            "account_id": f"acct_{name}",
            "org_id": org_id,
            "created_at": created,
            "programme": programme,
            "payment_digest": card if plan != "free" else None,
            "email_domain": domain,
            "phone_digest": digest("phone", name, size=16) if verification in ("phone", "card") else None,
            "signup_ip": signup_ip or envs[0].ip,
            "country": country,
            "plan": plan,
            "verification": verification,
            "tos_version": f"{created.year}-{1 + 6 * (created.month > 6):02d}",
            "tos_accepted_at": tos,
            "status": "active",
            "status_changed_at": None,
        }
        made = Account(
            row,
            org_key,
            klass,
            campaign,
            extractor,
            envs,
            [digest("key", name, i, size=16) for i in range(keys)],
            channel,
            limited=limited,
        )
        made.summaries = rnd.random() < 0.3
        made.conversation_ids = channel == "chat" or rnd.random() < 0.25
        self.accounts.append(made)
        return made

    def campaign(
        self, campaign_id: str, kind: str, recipe: str, rung: str, members: Sequence[Account]
    ) -> None:
        """Records the truth about a campaign or pool."""
        ids = sorted(a.row["account_id"] for a in members)
        self.campaigns.append(
            {
                "campaign_id": campaign_id,
                "kind": kind,
                "recipe": recipe,
                "rung": rung,
                "account_count": len(ids),
                "accounts": ids,
            }
        )

    # --- text ------------------------------------------------------------------------------------------

    def reply(self, rnd: random.Random, real: str | None = None, sentences: int = 3) -> str:
        """A plausible answer: the real one, reworded by cutting; or sentences of real answers."""
        source = (
            real if real is not None else rnd.choice(self.text.answers) + " " + rnd.choice(self.text.answers)
        )
        parts = source.replace("\n", " ").split(". ")
        if real is not None:
            kept = [p for p in parts if rnd.random() < 0.85] or parts[:1]
            if len(parts) < 4:
                kept += [rnd.choice(rnd.choice(self.text.answers).replace("\n", " ").split(". "))]
        else:
            rnd.shuffle(parts)
            kept = parts[:sentences]
        return (rnd.choice(OPENERS) + ". ".join(p.strip() for p in kept if p.strip())).strip() or "Yes."

    def script(
        self, rnd: random.Random, dialogue: Dialogue, limit: int = 8
    ) -> list[tuple[list[Message], Message]]:
        """Turns of a real dialogue. Its first use is word for word; later ones answer in other words."""
        fresh = dialogue.key not in self._used
        self._used.add(dialogue.key)
        ticket = "" if fresh or rnd.random() < 0.3 else rnd.choice(TICKETS).format(rnd.randrange(1000, 99999))
        steps: list[tuple[list[Message], Message]] = []
        waiting: list[Message] = []
        for message in dialogue.turns:
            if message["role"] != "assistant":
                message = {**message}
                if message["role"] == "user":
                    message["content"], ticket = ticket + message["content"], ""
                waiting.append(message)
                if len(waiting) > 1 and message["role"] == "user":
                    steps.append((waiting[:-1], self._answer(rnd, None)))
                    waiting = [message]
                continue
            if not waiting:
                continue
            if "call" in message:
                call = {"id": message["call"], "type": "function", "function": message["function"]}
                answer: Message = {"role": "assistant", "content": message["content"], "tool_calls": [call]}
            else:
                answer = self._answer(rnd, message["content"], fresh)
            steps.append((waiting, answer))
            waiting = []
        if waiting and waiting[-1]["role"] == "user":
            steps.append((waiting, self._answer(rnd, None)))
        return steps[:limit]

    def _answer(self, rnd: random.Random, real: str | None, fresh: bool = False) -> Message:
        return {"role": "assistant", "content": real if fresh and real else self.reply(rnd, real)}

    def single(self, prompt: str, answer: str) -> list[tuple[list[Message], Message]]:
        """One question and its answer."""
        return [([{"role": "user", "content": prompt}], {"role": "assistant", "content": answer})]

    # --- exchanges -------------------------------------------------------------------------------------

    def say(
        self,
        account: Account,
        t: float,
        talk: Talk,
        *,
        status: int = 200,
        env: Env | None = None,
        retry: int = 0,
        out_tokens: int | None = None,
        sealed_in: list[str] | None = None,
    ) -> float:
        """The next turn of ``talk`` on ``account``; a refused turn can be said again. Returns its latency."""
        rnd = self._rnd
        incoming, answer = talk.steps[talk.turn]
        messages = [*talk.history, *incoming]
        text = sum(len(m["content"]) for m in messages) + len(talk.system or "") + len(talk.tools or "")
        input_tokens, cached = text // 4 + 4 * len(messages), 0
        if talk.context is not None:
            input_tokens = max(input_tokens, talk.context[0])
            out_tokens = out_tokens or talk.context[1]
            cached = int(input_tokens * talk.context[2]) // 128 * 128
        elif talk.turn:
            cached = int(input_tokens * 0.8) // 128 * 128
        out = out_tokens or max(1, len(answer["content"]) // 4)
        seals = self.models[talk.model][1]
        thought = int(out * rnd.uniform(0.8, 4.0)) if seals else 0
        issued = [digest("seal", self.seed, len(self.rows), size=16)] if seals and status == 200 else None
        shown = sealed_in if sealed_in is not None else (talk.seals[-3:] if seals and talk.seals else None)
        ok = status == 200
        if "max_tokens" in talk.params:
            out = min(out, talk.params["max_tokens"])
            thought = min(thought, talk.params["max_tokens"] - out)
        called = "tool_calls" in answer
        finish = (
            ("tool_calls" if called else "length" if rnd.random() < 0.02 else talk.finish) if ok else None
        )
        reasoning = self.reply(rnd) if thought and ok and account.summaries else None
        latency = 180.0 + (out + thought) * rnd.uniform(7, 19) if ok else rnd.uniform(8, 60)
        self.rows.append(
            (
                t,
                account,
                talk,
                env or account.env(t),
                retry,
                tuple(messages),
                answer if ok else None,
                reasoning,
                shown,
                issued,
                input_tokens,
                out + thought if ok else 0,
                thought if ok else 0,
                cached if ok else 0,
                status,
                finish,
                latency,
                talk.turn,
                account.keys[int(t * 7) % len(account.keys)],
            )
        )
        if ok:
            talk.history += [*incoming, answer]
            talk.seals += issued or []
            talk.turn += 1
        return latency / 1000.0

    def hold(
        self, rnd: random.Random, account: Account, t: float, talk: Talk, pause: float = 40.0, **more: Any
    ) -> int:
        """All turns on one account, waiting out refusals as SDKs do. Returns how many exchanges that took."""
        before = len(self.rows)
        while not talk.done and t < WEEK:
            tries = 0
            while rnd.random() < account.limited and tries < 3:
                self.say(account, t, talk, status=429, retry=tries, **more)
                tries += 1
                t += rnd.uniform(0.5, 2.0) * 2**tries
            if t >= WEEK:
                break
            t += self.say(account, t, talk, retry=tries, **more) + rnd.expovariate(1 / pause) + 0.5
        return len(self.rows) - before

    # --- writing ---------------------------------------------------------------------------------------

    def canary(self, name: str) -> str:
        """A marked string that must never come out of a scan."""
        planted = self.planted.setdefault(name, [])
        planted.append(f"zqx{digest('canary', self.seed, name, len(planted))}")
        return planted[-1]

    def marked(self, messages: Sequence[Message]) -> Message:
        """The message that carries a marked string: the last one, which may be a tool's result."""
        return messages[-1]

    def plant(self) -> None:
        """Canaries in honest and hostile exchanges; later turns of the same conversation repeat them."""
        rnd = stream(self.seed, "canaries")
        answered = [i for i, r in enumerate(self.rows) if r[6] is not None]
        hostile = [i for i in answered if self.rows[i][1].campaign_id]
        honest = [i for i in answered if not self.rows[i][1].campaign_id]
        tooled = [i for i in honest if self.rows[i][2].tools]
        for name in ("prompt", "system_prompt", "completion", "tools", "headers"):
            for i in rnd.sample(hostile, 24) + rnd.sample(tooled if name == "tools" else honest, 24):
                row = self.rows[i]
                talk, messages = row[2], row[5]
                if name == "prompt":
                    self.marked(messages)["content"] += f" {self.canary(name)}"
                elif name == "system_prompt":
                    talk.system = f"{talk.system or 'You are careful.'} {self.canary(name)}"
                elif name == "completion":
                    row[6]["content"] += f" {self.canary(name)}"
                elif name == "tools":
                    extra = {"type": "function", "function": {"name": self.canary(name), "parameters": {}}}
                    talk.tools = json.dumps([*json.loads(talk.tools or "[]"), extra])
                else:
                    marked = replace(row[3], headers=(*row[3].headers, ("x-request-tag", self.canary(name))))
                    self.rows[i] = (*row[:3], marked, *row[4:])

    def write(self, out: Path) -> None:
        """Everything, in order of time, so that no file's order tells who is who."""
        self.plant()
        (out / "truth").mkdir(parents=True, exist_ok=True)
        (out / "exchanges").mkdir(exist_ok=True)
        rows = sorted(
            (r for r in self.rows if 0 <= r[0] < WEEK), key=lambda r: (r[0], r[1].row["account_id"])
        )
        for part, first in enumerate(range(0, len(rows), PART_ROWS)):
            table = _table(rows[first : first + PART_ROWS], first, self.seed)
            pq.write_table(
                table, out / "exchanges" / f"part-{part:04d}.parquet", compression="zstd", compression_level=1
            )
        accounts = sorted(self.accounts, key=lambda a: a.row["account_id"])
        pq.write_table(
            pa.Table.from_pylist([a.row for a in accounts], ACCOUNT_SCHEMA), out / "accounts.parquet"
        )
        truth = [
            {
                "account_id": a.row["account_id"],
                "org_key": a.org_key,
                "class": a.klass,
                "campaign_id": a.campaign_id,
                "is_extractor": a.is_extractor,
            }
            for a in accounts
        ]
        pq.write_table(pa.Table.from_pylist(truth), out / "truth" / "accounts.parquet")
        _jsonl(out / "truth" / "campaigns.jsonl", self.campaigns)
        _jsonl(
            out / "truth" / "canaries.jsonl", [{"field": k, "canaries": v} for k, v in self.planted.items()]
        )
        _jsonl(out / "grants.jsonl", self.grants)
        _jsonl(
            out / "releases.jsonl",
            [{"model": m, "released_at": START - timedelta(days=d)} for m, (d, _) in self.models.items()],
        )
        _jsonl(
            out / "client_releases.jsonl",
            [
                {"client": c, "version": v, "released_at": when}
                for c, found in self.world.releases.items()
                for v, when in found
            ],
        )


def relay(
    rnd: random.Random,
    jobs: Iterable[tuple[float, str | None, Callable[[Account, float, int], float]]],
    accounts: list[Account],
    *,
    refused: float,
    sticky: float = 3600.0,
) -> None:
    """A relay's scheduler: the least recently used account, kept for an hour by session key.

    A refused account rests 60, 300 or 1,800 s and the same request goes to the next account at once.
    """
    order = list(accounts)
    rest = dict.fromkeys((id(a) for a in accounts), 0.0)
    pinned: dict[str, tuple[Account, float]] = {}

    def usable(a: Account, t: float) -> bool:
        return rest[id(a)] <= t and a.born_at <= t < a.dead_from

    for t, key, send in sorted(jobs, key=lambda j: j[0]):
        for _ in range(4):
            held = pinned.get(key) if key else None
            if held is not None and held[1] > t and usable(held[0], t):
                chosen = held[0]
            else:
                chosen = next((a for a in order if usable(a, t)), order[0])
            order.remove(chosen)
            order.append(chosen)
            if key:
                pinned[key] = (chosen, t + sticky)
            if rnd.random() >= refused:
                send(chosen, t, 200)
                break
            send(chosen, t, 429)
            rest[id(chosen)] = t + rnd.choices((60.0, 300.0, 1800.0), (6, 3, 1))[0]
            t += rnd.uniform(0.2, 2.2)


def _jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_bytes(b"".join(orjson.dumps(r, option=orjson.OPT_APPEND_NEWLINE) for r in rows))


def _plain(message: Message) -> Message:
    return {k: v for k, v in message.items() if k not in ("call", "function")}


def _table(rows: list[tuple[Any, ...]], first: int, seed: int) -> pa.Table:
    n = range(len(rows))
    envs = [r[3] for r in rows]
    epoch = int(START.timestamp()) * 1_000_000

    def headers(r: tuple[Any, ...]) -> list[tuple[str, str]] | None:
        kept = list(r[3].headers)
        if any(k == "x-stainless-lang" for k, _ in kept):
            kept.append(("x-stainless-retry-count", str(r[4])))
        return kept or None

    def messages(r: tuple[Any, ...]) -> str:
        head = [{"role": "system", "content": r[2].system}] if r[2].system else []
        return orjson.dumps([*head, *map(_plain, r[5])]).decode()

    def prompt(r: tuple[Any, ...]) -> str | None:
        return next((m["content"] for m in reversed(r[5]) if m["role"] == "user"), None)

    params = [r[2].params for r in rows]
    columns: dict[str, list[Any] | np.ndarray] = {
        "exchange_id": [f"x_{digest(seed, 'exchange', first + i)}" for i in n],
        "started_at": np.array([epoch + round(r[0] * 1e6) for r in rows], dtype=np.int64),
        "account_id": [r[1].row["account_id"] for r in rows],
        "model": [r[2].model for r in rows],
        "org_id": [r[1].row["org_id"] for r in rows],
        "credential_id": [r[18] for r in rows],
        "end_user_id": [r[2].end_user for r in rows],
        "channel": [r[1].channel for r in rows],
        "operation": [r[2].operation for r in rows],
        "client_ip": [e.ip for e in envs],
        "client_asn": [e.asn for e in envs],
        "client_country": [e.country for e in envs],
        "user_agent": [e.user_agent for e in envs],
        "tls_fingerprint": [e.tls for e in envs],
        "device_id": [e.device for e in envs],
        "client_headers": [headers(r) for r in rows],
        "system_prompt": [r[2].system for r in rows],
        "prompt": [prompt(r) for r in rows],
        "messages": [messages(r) for r in rows],
        "tools": [r[2].tools for r in rows],
        "completion": [r[6] and r[6]["content"] for r in rows],
        "reasoning": [r[7] for r in rows],
        "sealed_in": [r[8] for r in rows],
        "sealed_out": [r[9] for r in rows],
        "prefix_digests": [None for _ in n],
        "output_digests": [None for _ in n],
        "temperature": [p.get("temperature") for p in params],
        "top_p": [p.get("top_p") for p in params],
        "n": [p.get("n") for p in params],
        "max_tokens": [p.get("max_tokens") for p in params],
        "seed": [p.get("seed") for p in params],
        "logprobs": [p.get("logprobs") for p in params],
        "stream": [p.get("stream") for p in params],
        "input_tokens": [r[10] for r in rows],
        "output_tokens": [r[11] for r in rows],
        "reasoning_tokens": [r[12] for r in rows],
        "cached_tokens": [r[13] for r in rows],
        "status": [r[14] for r in rows],
        "finish_reason": [r[15] for r in rows],
        "latency_ms": [r[16] for r in rows],
        "conversation_id": [r[2].conversation if r[1].conversation_ids else None for r in rows],
        "turn": [r[17] if r[1].conversation_ids else None for r in rows],
    }
    arrays = []
    for name in EXCHANGE_SCHEMA.names:
        kind = EXCHANGE_SCHEMA.field(name).type
        if name == "started_at":
            arrays.append(pa.array(columns[name]).cast(kind))
        else:
            arrays.append(pa.array(columns[name], type=kind))
    return pa.Table.from_arrays(arrays, schema=EXCHANGE_SCHEMA)
