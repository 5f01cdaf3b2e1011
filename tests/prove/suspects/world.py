"""A small world for suspects: a desk with keys, students of a toy teacher, and an endpoint that serves them as text."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from scripts import served_audit
from stillwatch.prove.marks import Gumbel, as_keys
from stillwatch.settings import Settings
from stillwatch.wiring.dye import open_desk
from tests.prove import toy

SCHEME, WIDTH, GUILTY = served_audit.SCHEME, served_audit.WIDTH, served_audit.GUILTY


def desk(folder: Path, logged: bool = True) -> Settings:
    """Settings with a master, a log, and a key for each of twelve campaigns."""
    return served_audit.desk(folder, byte="ab", logged=logged)


def students(settings: Settings) -> dict[str, toy.Student]:
    """One taught by what campaign C-7 was served under its key; three that learnt from the same teacher, unmarked."""
    found, _ = open_desk(settings)
    dye = next(d for d in found.issued() if d.issue.subject.campaign_id == GUILTY)
    key = as_keys([dye.key])[0]
    served = toy.write(toy.teacher(), 600, toy.LENGTH, 31, Gumbel(width=WIDTH), key)
    innocent = {f"control-{n}": toy.train(toy.base_text(), toy.plain(600, 40 + n)) for n in range(3)}
    return {"suspect": toy.train(toy.base_text(), served), **innocent, "clean": toy.train(toy.plain(600, 50))}


def tokeniser(folder: Path) -> Path:
    """A word for each of the toy's tokens."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit

    made = Tokenizer(WordLevel({f"w{n}": n for n in range(toy.VOCABULARY)} | {"?": toy.VOCABULARY}, "?"))
    made.pre_tokenizer = WhitespaceSplit()
    path = folder / "tokenizer.json"
    made.save(str(path))
    return path


def text(tokens: Any) -> str:
    """Tokens as words."""
    return " ".join(f"w{n}" for n in tokens)


@dataclass
class Served:
    """What an endpoint does and what it was asked."""

    models: dict[str, toy.Student]
    asked: list[tuple[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    broken: list[Any] = field(default_factory=list)
    """Answers to give first, one a call: a status, or bytes of a body."""
    dies_after: int = 10**9
    bend: Callable[[dict[str, Any]], Any] = lambda body: body
    """What becomes of an answer that echoes."""


def echo(model: toy.Model, tokens: Any, top: int) -> dict[str, Any]:
    """A text as completions echo it: its tokens, how likely each was, the likeliest in its place and, where it is not
    among them, itself; then one token more."""
    looks = [f"{' ' * bool(at)}w{n}" for at, n in enumerate(tokens)]
    own: list[float | None] = [None, -4.0]
    lists: list[dict[str, float] | None] = [None, {looks[1]: -4.0, " w126": -4.5, " w127": -5.0}]
    windows = np.lib.stride_tricks.sliding_window_view(tokens, 2)
    for row, following in zip(model.log_p(windows), [*tokens[2:].tolist(), None], strict=True):
        best = np.argsort(-row, kind="stable")[:top].tolist()
        following = best[0] if following is None else following
        lists.append({f" w{n}": float(row[n]) for n in [*best, following]})
        own.append(float(row[following]))
    more = max(lists[-1] or {}, key=lambda look: (lists[-1] or {})[look])
    said = {"tokens": [*looks, more], "token_logprobs": own, "top_logprobs": lists}
    usage = {"prompt_tokens": len(looks), "completion_tokens": 1}
    return {"choices": [{"text": "".join([*looks, more]), "logprobs": said}], "usage": usage}


@contextmanager
def endpoint(served: Served) -> Iterator[str]:
    """Serve models over an OpenAI-compatible interface on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            prompt = asked["prompt"] if self.path == "/v1/completions" else asked["messages"][-1]["content"]
            served.asked.append((asked["model"], prompt))
            served.headers.append(dict(self.headers))
            if served.broken:
                one = served.broken.pop(0)
                return self._send(*((200, one) if isinstance(one, bytes) else (one, b"no")))
            if len(served.asked) > served.dies_after:
                return self._send(402, b"pay")
            before = np.array([[int(w[1:]) for w in prompt.split()]])
            if asked.get("echo"):
                body = served.bend(echo(served.models[asked["model"]], before[0], asked["logprobs"]))
                return self._send(200, body if isinstance(body, bytes) else json.dumps(body).encode())
            seed = sum((i + 1) * int(n) for i, n in enumerate(before[0])) + len(asked["model"])
            said = toy.continue_from(served.models[asked["model"]], before, asked["max_tokens"], seed)
            words = " " + text(said[0])
            choice = {"text": words} if self.path == "/v1/completions" else {"message": {"content": words}}
            body = {
                "choices": [choice],
                "usage": {"prompt_tokens": before.size, "completion_tokens": said.size},
            }
            return self._send(200, json.dumps(body).encode())

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.send_header("retry-after", "0")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def plan(
    folder: Path, url: str, *, suspect: str = "suspect", prompts: int = 60, test: str = "closed", **given: Any
) -> Path:
    """A plan with its prompts and tokeniser."""
    rng = np.random.default_rng(5)
    rows = [json.dumps({"prompt": text(rng.integers(0, toy.VOCABULARY, 6))}) for _ in range(prompts)]
    (folder / "prompts.jsonl").write_text("\n".join(rows), encoding="utf-8")
    tokeniser(folder)
    calls, api = given.get("calls", 10_000), given.get("api", "completions")
    models = "".join(
        f'[{head}]\nname = "{name}"\nurl = "{url}"\nmodel = "{name}"\napi = "{api}"\n{given.get("extra", "")}'
        for head, name in [("suspect", suspect), *(("[control]", f"control-{n}") for n in range(3))]
    )
    path = folder / given.get("name", "plan.toml")
    path.write_text(
        f'[audit]\nname = "toy"\nseed = 9\ntest = "{test}"\nprompts = "prompts.jsonl"\nmax_tokens = 64\n'
        f'[mark]\nscheme = "{SCHEME}"\nwidth = {WIDTH}\ntokeniser = "tokenizer.json"\n'
        f'[effect]\nat_full = 0.3\nsource = "assumed in a test"\n[budget]\ncalls = {calls}\nper_minute = 1000000\n'
        f"usd_per_million_in = 1.0\nusd_per_million_out = 2.0\n{models}",
        encoding="utf-8",
    )
    return path
