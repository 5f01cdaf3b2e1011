"""``make bench-auditors``: other auditors beside ours on the same students, into docs/prove.md.

knowlyr-modelaudit asks students and teacher over HTTP, as its users do; textseal's scoring reads the likeliest tokens
along texts under textseal's own mark; ours reads the same students under SGLang's. The guilty learnt from both marks.
Answers are spelled as common words. Worlds that are in docs/data/auditors.json already are kept.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from scripts.students.innocent import audited, ranked
from scripts.students.page import table
from scripts.students.power import TESTS
from scripts.students.world import Texts, World, mark_of, plan_of
from stillwatch.prove.audit.resample import share_interval
from stillwatch.prove.laws import Exponential, Floats
from stillwatch.prove.marks.mark import Keys, Mark, Tokens
from stillwatch.prove.nulls import random_keys
from stillwatch.prove.radio import reading_positions
from stillwatch.prove.school import LENGTH, VOCABULARY, Exam, Model, rank_siblings, windows_before, write

DATA, PAGE = Path("docs/data/auditors.json"), Path("docs/prove.md")
BEGIN, END = "<!-- begin: scripts.bench_auditors -->", "<!-- end: scripts.bench_auditors -->"
SEEDS = (401, 402, 403, 404, 405)
WIDTH, DYED, READ, KEY, OTHER_KEYS = 2, 250, 50, 4_242, tuple(range(7_001, 7_011))
INNOCENT = (
    "public text alone", "another laboratory's answers", "another laboratory's answers under marks of its own",
)  # fmt: skip
WORDS = (
    "the of and to a in is it you that he was for on are with as his they be at one have this from or had "
    "by hot but some what there we can out other were all your when up use word how said an each she "
    "which do their time if will way about many then them would write like so these her long make thing "
    "see him two has look more day could go come did my sound no most number who over know water than "
    "call first people may down side been now find any new work part take get place made live where after "
    "back little only round man year came show every good me give our under name very through just "
).split()[:VOCABULARY]  # fmt: skip


@dataclass(frozen=True)
class Foreign(Mark):
    """A Gumbel mark whose keyed numbers another program made: to write under, as an engine would."""

    id: ClassVar[str] = "textseal-gumbel"
    engine: ClassVar[str] = "textseal 0.0.5"
    uniform: Floats = field(default_factory=lambda: np.empty(0))
    """float[vocabulary ** (width + 1)]."""

    @property
    def law(self) -> Exponential:
        return Exponential()

    def scores(self, key: Keys, contexts: Tokens, tokens: Tokens) -> Floats:
        """-log(1 - u), as textseal has it; the key is in the table."""
        row = np.zeros(tokens.shape[0], dtype=np.int64)
        for column in (*contexts.T, tokens):
            row = row * VOCABULARY + column
        return np.asarray(-np.log1p(-np.clip(self.uniform[row], 1e-9, 1 - 1e-9)))


def strange(world: World) -> Keys:
    """Another laboratory's key. One of the issued keys here would be a stolen key, and convict rightly."""
    return np.asarray(random_keys(world.draw(74), 1)[0])


def students(world: World, theirs: Foreign, others: Foreign) -> dict[str, Model]:
    """One that learnt from us, and three that did not."""
    rest = world.plain(1_000 - 2 * DYED, 11)
    marked = write(world.ours, DYED, seed=world.draw(70), mark=theirs, key=world.keys[0])
    a = write(world.other, DYED, seed=world.draw(71), mark=others, key=world.keys[0])
    b = write(world.other, DYED, seed=world.draw(72), mark=mark_of(WIDTH), key=strange(world))
    elsewhere = write(world.other, 1_000, seed=world.draw(16))
    learn = world.base.learn
    return {
        "our answers": learn(world.dyed(DYED, 10, WIDTH), marked, rest, seed=world.draw(12)),
        INNOCENT[0]: learn(write(world.public, 1_000, seed=world.draw(73)), seed=world.draw(12)),
        INNOCENT[1]: learn(elsewhere, seed=world.draw(12)),
        INNOCENT[2]: learn(a, b, elsewhere[2 * DYED :], seed=world.draw(12)),
    }


@contextmanager
def served(models: dict[str, Model]) -> Iterator[str]:
    """Models behind an OpenAI-compatible address of this machine, answering greedily as modelaudit asks."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            text = said(models[asked["model"]], asked["messages"][-1]["content"])
            choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
            body = json.dumps({"id": "1", "object": "chat.completion", "created": 0, "model": asked["model"],
                               "choices": [choice]}).encode()  # fmt: skip
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


def said(model: Model, prompt: str) -> str:
    """A model's likeliest answer to the two tokens that a prompt's digest names, spelled as words."""
    digest = sha256(prompt.encode()).digest()
    out = np.full((1, LENGTH), VOCABULARY, dtype=np.int64)
    out[0, :2] = digest[0] % VOCABULARY, digest[1] % VOCABULARY
    for at in range(2, LENGTH):
        out[0, at] = int(
            model.log_p(windows_before(out, np.zeros(1, dtype=np.int64), np.full(1, at))).argmax()
        )
    return " ".join(WORDS[token] for token in out[0]).capitalize() + "."


def run(program: list[str], *arguments: str) -> list[dict[str, Any]]:
    """The lines that a program of another environment prints."""
    done = subprocess.run([*program, *arguments], check=True, capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def compare(seed: int, asker: list[str], reader: list[str], work: Path) -> Iterator[dict[str, Any]]:
    """Rows of one world: student, tool, what it said, seconds of CPU."""
    world, marks = World(seed), []
    for key in (KEY, KEY + 1):
        path = work / f"{key}.npy"
        if not path.exists():
            subprocess.run([*reader, "table", str(key), str(WIDTH), str(VOCABULARY), str(path)], check=True)
        marks.append(Foreign(WIDTH, np.load(path).astype(np.float64)))
    models = students(world, *marks)
    with served({"teacher": world.ours, **models}) as base:
        for row in run(asker, base, "teacher", *models):
            fired = row["verdict"] == "likely_derived"
            yield {"seed": seed, "tool": "knowlyr-modelaudit", "fired": fired, **row}
    texts = write(world.ours, READ, seed=world.draw(13), mark=marks[0], key=world.keys[0])
    yield from textseal(seed, texts, models, reader, work)
    one = Exam(world.ours, mark_of(WIDTH), world.dyed(READ, 13, WIDTH), world.issued)
    replies, siblings = ranked(world, 11, 30)
    for name, model in models.items():
        start = time.process_time()
        claims = [test(one, name, model, plan_of(world.draw(20))) for test in TESTS.values()]
        claims.append(rank_siblings(world.ours, replies, siblings, name, model, plan_of(world.draw(20))))
        found = audited(claims)
        yield {"seed": seed, "tool": "stillwatch", "student": name, "fired": found["keyed"],
               "p": found["smallest_p"], "cpu_s": round(time.process_time() - start, 2)}  # fmt: skip


def textseal(
    seed: int, texts: Texts, models: dict[str, Model], reader: list[str], work: Path
) -> Iterator[dict[str, Any]]:
    """Its reading under the true key, and under ten that nobody was served."""
    at = reading_positions(texts.tolist(), WIDTH)
    windows = windows_before(texts, at.text, at.place)
    likeliest = {name: model.log_p(windows).argmax(axis=1) for name, model in models.items()}
    file = work / f"{seed}.npz"
    np.savez(file, contexts=at.contexts, **likeliest)
    for row in run(reader, "read", str(file), str(KEY), *map(str, OTHER_KEYS)):
        true = row.pop("key") == KEY
        tool = "textseal" if true else "textseal, a key never served"
        yield {"seed": seed, "tool": tool, "fired": row["p"] < 1e-6, **row}


def render(found: dict[str, Any]) -> str:
    """The section, from the data."""
    rows, lines = found["rows"], []
    if not rows:
        return f"**Not measured yet**: {len(SEEDS)} worlds are planned; `make bench-auditors` goes on where it stopped."
    for tool in ("stillwatch", "textseal", "knowlyr-modelaudit"):
        mine = [row for row in rows if row["tool"] == tool]
        guilty = [row["fired"] for row in mine if row["student"] not in INNOCENT]
        innocent = [row["fired"] for row in mine if row["student"] in INNOCENT]
        per = sum(row["cpu_s"] for row in mine) / len(mine)
        lines.append((tool, share(guilty), share(innocent), f"{per:.2f}"))
    spare = [row for row in rows if row["tool"] == "textseal, a key never served"]
    below = share([row["p"] < 0.01 for row in spare if row["student"] in INNOCENT])
    seeds = sorted({row["seed"] for row in rows})
    left = len(set(SEEDS) - set(seeds))
    worlds = f"worlds {', '.join(map(str, seeds))}" + (
        f" ({left} of the planned ones are missing)" if left else ""
    )
    kinds, similarity = ", ".join(INNOCENT), "; ".join(similar(rows))
    told = f"""
The same students under three tools, {worlds}: in each one that learnt 1,000 answers of ours, a quarter under
SGLang's mark and a quarter under textseal's (window {WIDTH}), and three that learnt {kinds}.
Convicted means: ours, a keyed verdict after Holm at 10^-6; textseal, p below 10^-6 for its one key;
knowlyr-modelaudit, *likely_derived*.

{table(("tool", "guilty convicted", "innocents convicted", "CPU seconds a student"), lines)}

textseal 0.0.5 (MIT) tests one key that it is told, on the likeliest tokens, with an exact tail: under keys that
were never served its p was below 1 % for {below} of readings of innocents. It has no marks of engines,
no family of keys, no siblings; its own script wants a graphics card, so its scoring is called on our reading.

knowlyr-modelaudit 0.4.1 (MIT) needs no key and no weights: it compares answers to twenty questions. These students
answer in words without sense, which is not what it was made for. Similarity to the teacher, of the guilty and of
innocents: {similarity}.

Not run: `llm-fingerprinter` 0.4.2 (MIT) and `lmfpd` 0.2.0 (MIT) name the family behind an address, not who taught it
(the first says that distillations were not validated), and need an embedding model or a reference bank that no
package brings; `cisco-ai-provenance-kit` 1.0.0 compares weights of a family, and asks for Python 3.12.

Command: `make bench-auditors`.
"""
    return told.strip()


def similar(rows: list[dict[str, Any]]) -> Iterator[str]:
    """What each method of modelaudit says, least to most."""
    for method, line in (("llmmap", 0.85), ("dli", 0.80)):
        mine = [row for row in rows if row["tool"] == "knowlyr-modelaudit" and method in row["scores"]]
        spans = []
        for kind in (False, True):
            found = [row["scores"][method][0] for row in mine if (row["student"] in INNOCENT) is kind]
            spans.append(f"{min(found):.3f} to {max(found):.3f}" if found else "none")
        yield f"`{method}` {spans[0]}, {spans[1]} (its line is {line})"


def share(fired: list[bool]) -> str:
    """So many of so many, with the exact interval."""
    bound = share_interval(sum(fired), len(fired))
    return f"{sum(fired)} of {len(fired)} ({bound.low:.0%} to {bound.high:.0%})"


def read() -> dict[str, Any]:
    """What has been found so far."""
    return dict(json.loads(DATA.read_text("utf-8"))) if DATA.exists() else {"rows": []}


def main() -> None:
    """Make what is missing, then the page's section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--auditors", default=".cache/auditors/bin/python", help="a Python with knowlyr-modelaudit"
    )
    parser.add_argument("--torch", default=".cache/torch/bin/python", help="a Python with torch")
    parser.add_argument("--textseal", default=".cache/textseal", help="a folder that holds textseal")
    parser.add_argument("--seeds", type=int, nargs="*", default=list(SEEDS))
    options = parser.parse_args()
    found = read()
    done = {row["seed"] for row in found["rows"]}
    asker = [options.auditors, "scripts/auditors/ask_modelaudit.py"]
    reader = ["env", f"PYTHONPATH={options.textseal}", options.torch, "scripts/auditors/read_textseal.py"]
    with tempfile.TemporaryDirectory() as work:
        for seed in options.seeds:
            if seed not in done:
                found["rows"] += compare(seed, asker, reader, Path(work))
                lines = ",\n".join(json.dumps(row) for row in found["rows"])
                DATA.write_text('{"rows": [\n' + lines + "\n]}\n", encoding="utf-8")
                print(f"world {seed}: {len(found['rows'])} rows", flush=True)
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{render(found)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
