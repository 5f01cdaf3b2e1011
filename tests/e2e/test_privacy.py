"""What customers said and who they are stays outside everything the program writes, as promised.

Every field of the input gets a word of its own, in campaign accounts and in honest ones, and every file
that a run ever wrote is searched for it: results, features, temporary files, both output streams.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.cli import terminal
from tests.e2e.conftest import World
from tests.e2e.driving import ONE_THREAD, cli, exchanges, members, process, replaced
from tests.e2e.searching import Attic, Words, numbers, spellings

PLAIN = (
    "system_prompt", "prompt", "completion", "reasoning", "user_agent", "tls_fingerprint", "device_id",
    "credential_id", "end_user_id", "conversation_id",
)  # fmt: skip
ADDRESS = "198.51.100.213"
SIGNUP_ADDRESS = "198.51.100.187"


def word(field: str) -> str:
    """The word of a field: found nowhere else, and unharmed by any escape."""
    return f"kzq{field.replace('_', '')}x7f3"


@dataclass(frozen=True, slots=True)
class Planted:
    """A world with words in it."""

    logs: Path
    accounts: Path
    words: Words
    members: frozenset[str]
    """Whose rows are marked in the campaign."""


def _marked(row: dict[str, Any]) -> None:
    for field in PLAIN:
        row[field] = f"{row[field] or ''} <b>{word(field)} & Ünïcode</b>".strip()
    row["client_ip"] = ADDRESS
    row["client_headers"] = [
        *(row["client_headers"] or ()), ("x-stainless-runtime", word("header")), ("x-title", word("title")),
    ]  # fmt: skip
    row["messages"] = json.dumps(
        [{"role": "user", "content": f"{word('messages')} {row['prompt']}"},
         {"role": "assistant", "content": word("turn")}, {"role": "user", "content": row["prompt"]}]
    )  # fmt: skip
    tool = {"name": word("toolname"), "description": word("tooltext"), "parameters": {word("toolkey"): 1}}
    row["tools"] = json.dumps([{"type": "function", "function": tool}])
    row["sealed_in"], row["sealed_out"] = [word("sealedin")], [word("sealedout")]
    row["prefix_digests"] = [word("prefix"), *("p1", "p2", "p3")]
    row["output_digests"] = [word("output")]


@pytest.fixture(scope="module")
def planted(world: World, tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """Every fourth exchange of one campaign and of two hundred honest accounts carries the words."""
    place = tmp_path_factory.mktemp("planted")
    wanted = world.campaigns["cot_math"]
    table = world.table()
    names = table["account_id"].to_pylist()
    honest = sorted(set(names) - world.attackers)[:200]
    marked = wanted | set(honest)
    rows = table.filter(pa.array([n not in world.campaigns["agentic"] for n in names])).to_pylist()
    for number, row in enumerate(rows):
        if row["account_id"] in marked and number % 4 == 0:
            _marked(row)
    bad = {**rows[0], "exchange_id": "bad", "input_tokens": -1, "prompt": word("refused")}
    accounts = pq.read_table(world.accounts).to_pylist()
    for who in accounts:
        if who["account_id"] in marked:
            who |= {
                "payment_digest": f"{who['payment_digest']}{word('payment')}",
                "phone_digest": f"{who['phone_digest']}{word('phone')}",
                "email_domain": f"{word('domain')}.{who['email_domain']}", "signup_ip": SIGNUP_ADDRESS,
            }  # fmt: skip
    pq.write_table(
        pa.Table.from_pylist(accounts, schema=pq.read_schema(world.accounts)), place / "accounts.parquet"
    )
    fields = (*PLAIN, "header", "title", "messages", "turn", "toolname", "tooltext", "toolkey", "sealedin", "sealedout",
              "prefix", "output", "refused", "payment", "phone", "domain")  # fmt: skip
    words = Words([*map(word, fields), ADDRESS, SIGNUP_ADDRESS])
    return Planted(
        exchanges([*rows, bad], place / "logs" / "day.parquet"), place / "accounts.parquet", words, wanted
    )


@pytest.fixture
def attic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Attic]:
    """A watched folder that temporary files go to as well; looked at in every phase and before any removal."""
    watched = tmp_path / "watched"
    (watched / "tmp").mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(watched / "tmp"))
    monkeypatch.setenv("TMPDIR", str(watched / "tmp"))
    attic = Attic(watched)
    remove, step = shutil.rmtree, terminal.Lines.step

    def looked(*args: Any, **kwargs: Any) -> None:
        attic.look()
        remove(*args, **kwargs)

    def stepped(self: terminal.Lines, name: str, total: float | None = None) -> None:
        attic.look()
        step(self, name, total)

    monkeypatch.setattr(shutil, "rmtree", looked)
    monkeypatch.setattr(terminal.Lines, "step", stepped)
    yield attic


def test_the_search_finds_what_is_there(planted: Planted, tmp_path: Path) -> None:
    """Words in the input, and every spelling of one, are found; a search that finds nothing proves nothing."""
    some = exchanges(pq.read_table(planted.logs).slice(0, 2_000), tmp_path / "some.parquet")
    seen = planted.words.in_bytes(some.read_bytes())
    some.unlink()
    assert seen >= set(map(word, PLAIN)) | {ADDRESS, word("sealedin"), word("toolkey"), word("header")}
    assert planted.words.in_bytes(planted.accounts.read_bytes()) >= {word("payment"), SIGNUP_ADDRESS}
    for number, form in enumerate(spellings(word("prompt"))):
        (tmp_path / f"{number}.bin").write_bytes(b"\x00\x01" + form + b"\xff")
    pq.write_table(pa.table({"x": [word("prompt")] * 3}), tmp_path / "t.parquet", compression="zstd")
    for number, digest in enumerate(numbers(word("prompt"))):
        pq.write_table(pa.table({"x": [digest]}), tmp_path / f"n{number}.parquet", compression="zstd")
    assert all(planted.words.in_folder(tmp_path)[p.name] == {word("prompt")} for p in tmp_path.iterdir())


def test_a_scan_writes_no_word_of_a_customer(planted: Planted, attic: Attic, capfd: Any) -> None:
    """Not in the results, not in temporary files, not on either stream; campaigns are found all the same."""
    out = attic.watched / "place" / "report"
    settings = attic.watched / "tiny.toml"
    settings.write_text('[run]\nthreads = 1\nmemory_limit = "160MB"\n')
    ended = cli("scan", planted.logs, "--accounts", planted.accounts, "--out", out, "--settings", settings)
    assert ended.status == 10, ended.err
    assert any(len(m & planted.members) >= 10 for m in members(out))
    attic.look()
    assert attic.found(planted.words) == {}
    assert len({name.partition("/")[0] for name, _ in attic.kept}) >= 3, "the watch saw no temporary file"
    streams = (ended.out + ended.err + "".join(capfd.readouterr())).encode()
    assert planted.words.in_bytes(streams) == set()
    refused = [json.loads(line) for line in (out / "rejected.jsonl").read_text("utf-8").splitlines()]
    assert [set(r) for r in refused] == [{"source", "line", "reason"}]
    assert refused[0]["reason"] == "input_tokens is negative"


def test_an_ingest_writes_no_word_of_a_customer(
    planted: Planted, attic: Attic, capfd: Any, quick: Path
) -> None:
    """The folder of features, decoded, holds digests and counts only."""
    out = attic.watched / "place" / "features"
    ended = cli("ingest", planted.logs, "--out", out, "--settings", quick)
    assert ended.status == 0, ended.err
    attic.look()
    assert list(out.glob("features-*.parquet"))
    assert attic.found(planted.words) == {}
    assert planted.words.in_bytes((ended.out + ended.err + "".join(capfd.readouterr())).encode()) == set()


def test_explaining_shows_no_word_of_a_customer(planted: Planted, tmp_path: Path, quick: Path) -> None:
    """Neither does a failed run in another process, whose temporary folder is left as it was."""
    (tmp_path / "tmp").mkdir()
    out = tmp_path / "report"
    given = ("scan", planted.logs, "--accounts", planted.accounts, "--settings", quick)
    done = process(*given, "--out", out, "--json", TMPDIR=str(tmp_path / "tmp"))
    assert done.status == 10, done.err
    said = [done.out, done.err]
    assert list((tmp_path / "tmp").iterdir()) == []
    for subject in sorted({next(iter(m)) for m in members(out)}):
        said.append(cli("explain", out, subject).out)
    assert "membership" in said[-1]
    assert planted.words.in_bytes("".join(said).encode()) == set()


def test_retained_prompts_are_quoted_and_nothing_else(planted: Planted, world: World, tmp_path: Path) -> None:
    """With ``retain`` the prompts of linked exchanges appear, of those accounts only, whatever was refused before."""
    table = pq.read_table(planted.logs)
    names = table["account_id"].to_pylist()
    honest = [i for i, n in enumerate(names) if n not in world.attackers][:500]
    early = table.take(pa.array(honest))
    at = pa.array([datetime(2016, 5, 5, tzinfo=UTC)] * len(early), early.schema.field("started_at").type)
    early = replaced(replaced(early, "started_at", at), "prompt", pa.array([word("early")] * len(early)))
    said = [
        f"{text} {word('prompt')}" if account in planted.members else text
        for text, account in zip(table["prompt"].to_pylist(), names, strict=True)
    ]
    table = replaced(table, "prompt", pa.array(said, pa.string()))
    logs = exchanges(pa.concat_tables([early, table]), tmp_path / "logs.parquet")
    settings = tmp_path / "retain.toml"
    settings.write_text(ONE_THREAD + '[privacy]\ncontent = "retain"\n[report]\nmax_exemplars = 100\n')
    out = tmp_path / "report"
    ended = cli("scan", logs, "--accounts", planted.accounts, "--out", out, "--settings", settings)
    assert ended.status == 10, ended.err
    found = planted.words.in_folder(out)
    assert word("prompt") in found["campaigns.parquet"] & found["report.html"]
    others = set(planted.words.words) - {word("prompt")}
    assert not others & set().union(*found.values())
    assert Words([word("early")]).in_folder(out) == {}
    spoken: dict[str, set[str]] = {}
    for text, account in zip(table["prompt"].to_pylist(), names, strict=True):
        spoken.setdefault(text, set()).add(account)
    for row in pq.read_table(out / "campaigns.parquet").to_pylist():
        quoted = json.loads(row["details"])["exemplars"]
        inside = set(_of(out, row["campaign_id"]))
        wrong = [q for q in quoted if q in spoken and not spoken[q] & inside]
        assert quoted
        assert not wrong


def _of(out: Path, campaign: str) -> list[str]:
    rows = pq.read_table(out / "members.parquet").to_pylist()
    return [r["account_id"] for r in rows if r["campaign_id"] == campaign]


def test_retained_prompts_are_the_right_ones_beside_features(
    planted: Planted, tmp_path: Path, quick: Path
) -> None:
    """Rows that come from features hold no text and must not shift what is quoted from logs."""
    table = pq.read_table(planted.logs)
    order = np.arange(len(table))
    folder = tmp_path / "features"
    half = exchanges(table.slice(0, len(table) // 2), tmp_path / "half.parquet")
    assert cli("ingest", half, "--out", folder, "--settings", quick).status == 0
    rest = exchanges(table.take(pa.array(order[len(table) // 2 :])), tmp_path / "rest.parquet")
    settings = tmp_path / "retain.toml"
    settings.write_text(ONE_THREAD + '[privacy]\ncontent = "retain"\n[report]\nmax_exemplars = 100\n')
    out = tmp_path / "report"
    ended = cli("scan", folder, rest, "--accounts", planted.accounts, "--out", out, "--settings", settings)
    assert ended.status == 10, ended.err
    spoken: dict[str, set[str]] = {}
    for prompt, account in zip(table["prompt"].to_pylist(), table["account_id"].to_pylist(), strict=True):
        spoken.setdefault(prompt, set()).add(account)
    total = 0
    for row in pq.read_table(out / "campaigns.parquet").to_pylist():
        quoted = json.loads(row["details"])["exemplars"]
        total += len(quoted)
        assert all(spoken[q[:2000]] & set(_of(out, row["campaign_id"])) for q in quoted)
    assert total


@pytest.mark.parametrize("verb", ["scan", "ingest", "fit"])
def test_without_a_key_nothing_starts(planted: Planted, tmp_path: Path, verb: str) -> None:
    """Status 2 and what to do; nothing is written."""
    args = ["baseline", "fit", "--name", "n"] if verb == "fit" else [verb]
    ended = cli(*args, planted.logs, "--out", tmp_path / "out", key=None)
    assert ended.status == 2
    assert "no digest key" in ended.err
    assert "stillwatch key new" in ended.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", ["", "abc", "ab" * 16, "x" * 31])
def test_a_weak_key_is_refused_and_not_repeated(planted: Planted, tmp_path: Path, key: str) -> None:
    """Too short a key is status 2; the message does not quote it."""
    ended = cli("scan", planted.logs, "--out", tmp_path / "out", key=key)
    assert ended.status == 2
    assert not key or key not in ended.err
