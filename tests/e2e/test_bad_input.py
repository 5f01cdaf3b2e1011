"""Whatever is thrown at the command line ends in a known status and plain words, never in a traceback."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.ingest import reader
from tests.e2e.conftest import Run, World
from tests.e2e.driving import FILES, OTHER_KEY, Ended, cli, exchanges, hints, jsonl, members, process, summary

WHEN = "2026-03-10T10:00:00Z"


def one(number: int = 0, **changes: Any) -> dict[str, Any]:
    """A sound record."""
    return {
        "exchange_id": f"e{number}",
        "started_at": WHEN,
        "account_id": f"a{number}",
        "model": "m",
        **changes,
    }


def refused(ended: Ended, *words: str) -> None:
    """Status 2, an error and a hint, nothing on standard output, no traceback."""
    assert ended.status == 2, (ended.status, ended.err)
    lines = [line for line in ended.err.splitlines() if line.startswith(("error: ", "hint: "))]
    assert len(lines) == 2, ended.err
    assert "Traceback" not in ended.err
    assert ended.out == ""
    for word in words:
        assert word in ended.err, ended.err


def untouched(folder: Path, *names: str) -> None:
    """Nothing new and nothing hidden is in the folder."""
    assert sorted(p.name for p in folder.iterdir()) == sorted(names)


def scanned(tmp_path: Path, data: bytes, *args: object, name: str = "log") -> tuple[Ended, Path]:
    """Scan some bytes."""
    (tmp_path / name).write_bytes(data)
    out = tmp_path / "out"
    return cli("scan", tmp_path / name, "--out", out, *args), out


def reasons(out: Path) -> list[tuple[int, str]]:
    """Line and reason of each refusal."""
    loaded = map(json.loads, (out / "rejected.jsonl").read_text("utf-8").splitlines())
    return [(r["line"], r["reason"]) for r in loaded]


def test_an_empty_folder(tmp_path: Path) -> None:
    """Nothing to read is unusable input."""
    (tmp_path / "logs").mkdir()
    refused(cli("scan", tmp_path / "logs", "--out", tmp_path / "out"), "holds no files")
    refused(cli("ingest", tmp_path / "logs", "--out", tmp_path / "out"), "holds no files")
    untouched(tmp_path, "logs")


@pytest.mark.parametrize("data", [b"", b"\n \n", gzip.compress(b"", mtime=0)])
def test_an_empty_file_is_a_quiet_day(tmp_path: Path, data: bytes) -> None:
    """Status 0, a whole output folder, and it says that there was nothing to look at."""
    ended, out = scanned(tmp_path, data)
    assert ended.status == 0, ended.err
    assert {p.name for p in out.iterdir()} == FILES
    assert any("nothing to look at" in a["reason"] for a in summary(out)["abstentions"])
    assert "nothing to look at" in (out / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    "data",
    [
        bytes(range(256)) * 40, b"\x7fELF" + b"\0" * 200, b"PAR1 and no more PAR1", b"{\"a\": 1}\n" * 5, b"[]",
        "{}\n".encode("utf-16"), b"\x1f\x8b junk", b"\x28\xb5\x2f\xfd junk", b"SQLite format 3\0" + b"\1" * 90,
    ],
)  # fmt: skip
def test_junk(tmp_path: Path, data: bytes) -> None:
    """Unusable, and nothing is written; or a quiet day where the container is sound and empty."""
    ended, out = scanned(tmp_path, data)
    if data == b"[]":
        assert ended.status in (0, 2), ended.err
        return
    refused(ended)
    untouched(tmp_path, "log")
    refused(cli("ingest", tmp_path / "log", "--out", out))
    untouched(tmp_path, "log")


def test_a_truncated_gzip_keeps_what_came_before(tmp_path: Path) -> None:
    """Rows before the cut count, and one refusal names the place."""
    whole = gzip.compress(jsonl(one(i, prompt=os.urandom(300).hex()) for i in range(2_000)))
    ended, out = scanned(tmp_path, whole[: len(whole) // 2])
    assert ended.status == 0, ended.err
    assert 100 < summary(out)["counts"]["exchanges"] < 2_000
    assert "truncated" in reasons(out)[-1][1]


def test_one_endless_line(tmp_path: Path) -> None:
    """64 MB without a line break are passed over, not held; the next record counts."""
    settings = tmp_path / "s.toml"
    settings.write_text("[ingest]\nmax_record_bytes = 4096\n[run]\nthreads = 1\n")
    data = jsonl([one(1)]) + b'{"exchange_id":"' + b"x" * (64 << 20) + b'"}\n' + jsonl([one(2)])
    ended, out = scanned(tmp_path, data, "--settings", settings)
    assert ended.status == 0, ended.err
    assert summary(out)["counts"]["exchanges"] == 2
    assert reasons(out) == [(2, "the record is longer than 4096 bytes")]


def test_values_no_server_could_have_logged(tmp_path: Path) -> None:
    """Each costs its own record, with line and reason; none costs the run."""
    bad = [
        one(1, input_tokens=-1), one(2, started_at="1601-01-01T00:00:00Z"), one(3, started_at="2262-04-12T00:00:00Z"),
        one(4, started_at="9999-12-31T23:59:59Z"), one(5, account_id=""), one(6, account_id="x" * 10_240),
        one(7, output_tokens=10**30), one(8, temperature=-3), one(9, started_at="soon"), one(10, model=None),
    ]  # fmt: skip
    lines = jsonl([one(0)]) + b"".join(json.dumps(b).encode() + b"\n" for b in bad)
    lines += (
        b'{"exchange_id":"n","started_at":"'
        + WHEN.encode()
        + b'","account_id":"a","model":"m","temperature":NaN}\n'
    )
    lines += json.dumps(one(12, prompt="caf\u00e9"), ensure_ascii=False).encode("latin-1") + b"\n"
    lines += json.dumps(one(13, prompt="\ud800 alone", account_id="sur\ud800rogate")).encode() + b"\n"
    lines += jsonl([one(99)])
    ended, out = scanned(tmp_path, lines)
    assert ended.status == 0, ended.err
    seen = dict(reasons(out))
    assert set(range(2, 12)) <= set(seen)
    assert 13 in seen
    assert "x" * 100 not in (out / "rejected.jsonl").read_text("utf-8")
    assert {"a0", "a99"} <= set(hints(out))


def test_only_refused_records_are_unusable_input(tmp_path: Path) -> None:
    """Status 2 for scan and for ingest, with the first reason."""
    ended, out = scanned(tmp_path, jsonl([one(1, started_at="1601-01-01T00:00:00Z")] * 3))
    refused(ended, "none of 3 records", "before 2018")
    refused(cli("ingest", tmp_path / "log", "--out", out), "none of 3 records")
    untouched(tmp_path, "log")


def test_contradicting_account_rows(tmp_path: Path) -> None:
    """The later row counts, the other is refused and said; equal ones collapse; unknown accounts do no harm."""
    rows = [
        {"account_id": "a0", "status": "active", "created_at": "2025-01-01T00:00:00Z"},
        {"account_id": "a0", "status": "banned", "created_at": "2025-06-01T00:00:00Z"},
        {"account_id": "a1", "status": "active"}, {"account_id": "a1", "status": "active"},
        {"account_id": "nobody", "created_at": "1601-01-01T00:00:00Z"}, {"account_id": None}, {"status": "active"},
    ]  # fmt: skip
    (tmp_path / "accounts.jsonl").write_bytes(b"".join(json.dumps(r).encode() + b"\n" for r in rows))
    ended, out = scanned(tmp_path, jsonl(one(i) for i in range(5)), "--accounts", tmp_path / "accounts.jsonl")
    assert ended.status == 0, ended.err
    assert any("other values" in reason for _, reason in reasons(out))
    assert set(hints(out)) == {f"a{i}" for i in range(5)}


def test_a_misspelt_grant_permits_nothing(tmp_path: Path) -> None:
    """A file of the wrong table is refused by name; a grant with a misspelt limit is refused and said, or an error
    when no other is left."""
    log = jsonl(one(i) for i in range(3))
    (tmp_path / "grants.toml").write_text('[[grants]]\ngrant_id = "g"\n')
    refused(scanned(tmp_path, log, "--grants", tmp_path / "grants.toml")[0], "unknown key grants")
    sound = (
        '[[grant]]\ngrant_id = "{}"\naccount_id = "a1"\nvalid_from = 2026-01-01\nvalid_until = 2027-01-01\n'
    )
    (tmp_path / "grants.toml").write_text(sound.format("g") + "max = 3\n")
    refused(scanned(tmp_path, log, "--grants", tmp_path / "grants.toml")[0], "a key that grants do not have")
    (tmp_path / "grants.toml").write_text(sound.format("g") + "max = 3\n" + sound.format("h"))
    ended, out = scanned(tmp_path, log, "--grants", tmp_path / "grants.toml")
    assert ended.status == 0, ended.err
    assert reasons(out) == [(1, "a key that grants do not have")]


@pytest.mark.parametrize(
    ("option", "data"),
    [
        ("--accounts", b"\x00\x01\x02"), ("--grants", b"\x00grants"), ("--releases", b"nonsense"),
        ("--client-releases", b"\xff\xfe"), ("--mapping", b"[fields]\n"), ("--mapping", b"= no"),
        ("--settings", b"[detect]\nkapa = 4\n"), ("--settings", b"[detect\n"), ("--settings", b"\xff\xfe"),
        ("--settings", b"[detect]\nkappa = 'much'\n"), ("--key-file", b"abc"), ("--baseline", b"not a baseline"),
        ("--baseline", b""),
        ("--baseline", gzip.compress(b"[1]", mtime=0)),
        ("--baseline", gzip.compress(b"{}", mtime=0)),
        ("--baseline", gzip.compress(b'{"format": 1, "shares": [], "calibration": 3}', mtime=0)),
        ("--baseline", gzip.compress(b"x" * 999, mtime=0)[:40]),
        ("--baseline", gzip.compress(b"x" * 99, mtime=0)[:10] + zlib.compress(b"y" * 9)),
    ],
)  # fmt: skip
def test_a_second_input_that_is_not_what_it_should_be(tmp_path: Path, option: str, data: bytes) -> None:
    """Each is refused before anything is written."""
    (tmp_path / "given").write_bytes(data)
    (tmp_path / "given").chmod(0o600)
    ended, _ = scanned(tmp_path, jsonl([one(1)]), option, tmp_path / "given")
    refused(ended)
    untouched(tmp_path, "given", "log")
    refused(cli("scan", tmp_path / "log", "--out", tmp_path / "out", option, tmp_path / "absent"))


def test_a_typing_slip_in_settings_is_named(tmp_path: Path) -> None:
    """With the setting that was probably meant."""
    (tmp_path / "s.toml").write_text("[detect]\nkapa = 4\n")
    ended, _ = scanned(tmp_path, jsonl([one(1)]), "--settings", tmp_path / "s.toml")
    refused(ended, "detect.kapa: no such setting", "did you mean detect.kappa?")


@pytest.mark.parametrize("args", [("--bogus",), ("--check-null=0",), ("--format", "nope"), ("--accounts",)])
def test_unknown_options(tmp_path: Path, args: tuple[str, ...]) -> None:
    """Status 2 with a hint."""
    ended, _ = scanned(tmp_path, jsonl([one(1)]), *args)
    refused(ended)
    untouched(tmp_path, "log")


def test_an_output_folder_that_is_not_ours(tmp_path: Path, first: Run) -> None:
    """It is left as it is, with and without leave to overwrite; ours is replaced only with leave."""
    log = tmp_path / "log"
    log.write_bytes(jsonl(one(i) for i in range(3)))
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    for verb in ("scan", "ingest"):
        for more in ((), ("--overwrite",)):
            refused(cli(verb, log, "--out", mine, *more))
            assert (mine / "thesis.txt").read_text() == "years of work"
    ours = tmp_path / "ours"
    assert cli("scan", log, "--out", ours).status == 0
    before = (ours / "summary.json").read_bytes()
    refused(cli("scan", log, "--out", ours), "already holds")
    assert (ours / "summary.json").read_bytes() == before
    assert cli("scan", log, "--out", ours, "--overwrite").status == 0
    (ours / "summary.json").rename(ours / "notes.json")
    refused(cli("scan", log, "--out", ours, "--overwrite"))
    untouched(tmp_path, "log", "mine", "ours")


def test_an_output_that_cannot_be_written(tmp_path: Path) -> None:
    """A file in the way, a folder that refuses, a name that is too long: status 2, no traceback."""
    log = tmp_path / "log"
    log.write_bytes(jsonl([one(1)]))
    places = [log / "out", log, tmp_path / ("n" * 300)]
    if Path("/proc/self").is_dir():
        places.append(Path("/proc/out"))
    for place in places:
        for verb in ("scan", "ingest"):
            refused(cli(verb, log, "--out", place))
    if os.geteuid():
        (tmp_path / "sealed").mkdir(mode=0o500)
        refused(cli("scan", log, "--out", tmp_path / "sealed" / "out"))
    assert log.read_bytes() == jsonl([one(1)])


def test_an_ingest_replaces_its_own_folder_only_with_leave(tmp_path: Path) -> None:
    """And what it could not finish leaves the old one as it was."""
    log, out = tmp_path / "log", tmp_path / "features"
    log.write_bytes(jsonl(one(i) for i in range(200)))
    assert cli("ingest", log, "--out", out).status == 0
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    refused(cli("ingest", log, "--out", out), "not empty")
    log.write_bytes(b"\0junk" * 50)
    refused(cli("ingest", log, "--out", out, "--overwrite"))
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before
    log.write_bytes(jsonl(one(i) for i in range(3)))
    assert cli("ingest", log, "--out", out, "--overwrite").status == 0
    assert cli("scan", out, "--out", tmp_path / "out").status == 0
    assert summary(tmp_path / "out")["counts"]["exchanges"] == 3
    untouched(tmp_path, "features", "log", "out")


@pytest.mark.parametrize("content", ["features", "retain"])
def test_an_ingest_keeps_aside_what_it_refused(tmp_path: Path, content: str) -> None:
    """With file, line and reason; and a scan of the folder does not take that list for a log."""
    log, out, settings = tmp_path / "log", tmp_path / "kept", tmp_path / "s.toml"
    settings.write_text(f'[privacy]\ncontent = "{content}"\n')
    log.write_bytes(jsonl([one(1)]) + b"{ secret\n" + jsonl([one(2, input_tokens=-1), one(3)]))
    assert cli("ingest", log, "--out", out, "--settings", settings).status == 0
    refusals = [json.loads(line) for line in (out / "rejected.jsonl").read_text("utf-8").splitlines()]
    assert refusals == [
        {"source": str(log), "line": 2, "reason": "not valid JSON"},
        {"source": str(log), "line": 3, "reason": "input_tokens is negative"},
    ]
    assert cli("scan", out, "--out", tmp_path / "out").status == 0
    counts = summary(tmp_path / "out")["counts"]
    assert (counts["exchanges"], counts["rejected"]) == (2, 0)
    assert cli("ingest", log, "--out", out, "--settings", settings, "--overwrite").status == 0


def test_every_refusal_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also beyond those that a reader keeps in memory; the reasons add up to the count."""
    monkeypatch.setattr(reader, "KEPT_REJECTED", 10)
    ended, out = scanned(tmp_path, jsonl([one(1)]) + b"{bad\n" * 25)
    assert ended.status == 0, ended.err
    assert [line for line, _ in reasons(out)] == list(range(2, 27))
    assert summary(out)["counts"]["rejected"] == 25
    assert summary(out)["rejected"] == {"not valid JSON": 25}
    assert cli("ingest", tmp_path / "log", "--out", tmp_path / "kept").status == 0
    assert len((tmp_path / "kept" / "rejected.jsonl").read_text().splitlines()) == 25


@pytest.mark.parametrize("option", ["--grants", "--releases", "--client-releases"])
def test_a_second_input_that_is_another_file(tmp_path: Path, option: str) -> None:
    """A log in place of grants would mean that nobody is permitted anything: an error, not a remark."""
    log = tmp_path / "log"
    log.write_bytes(jsonl(one(i) for i in range(5)))
    refused(cli("scan", log, option, log, "--out", tmp_path / "out"), "none of its 5 rows", "line 1")
    untouched(tmp_path, "log")


def test_a_log_in_place_of_the_account_table(tmp_path: Path) -> None:
    """Nothing would be known of anybody, and the report would not say why."""
    log = tmp_path / "log"
    log.write_bytes(jsonl(one(i) for i in range(5)))
    refused(cli("scan", log, "--accounts", log, "--out", tmp_path / "out"), "but the name", "--accounts")
    untouched(tmp_path, "log")


def test_a_format_that_the_file_is_not(tmp_path: Path) -> None:
    """Records that a format passes over are no quiet day when the file is none of that format."""
    log = tmp_path / "log"
    log.write_bytes(jsonl(one(i) for i in range(5)))
    refused(cli("scan", log, "--format", "bedrock", "--out", tmp_path / "out"), "none of its 5 records")
    untouched(tmp_path, "log")


def test_an_ingest_of_nothing_can_be_replaced(tmp_path: Path) -> None:
    """An empty day leaves a folder that is an ingest's all the same."""
    (tmp_path / "log").write_bytes(b"")
    for more in ((), ("--overwrite",)):
        assert cli("ingest", tmp_path / "log", "--out", tmp_path / "kept", *more).status == 0


def test_feature_files_are_known_wherever_they_lie(tmp_path: Path) -> None:
    """One by one, by pattern, in the folder above, and beside a log that is then read as well."""
    for day in (1, 2):
        (tmp_path / f"log{day}").write_bytes(jsonl(one(10 * day + i) for i in range(day)))
        made = cli("ingest", tmp_path / f"log{day}", "--out", tmp_path / "kept" / f"day{day}")
        assert made.status == 0, made.err
    kept = tmp_path / "kept"
    (kept / "day2" / "more.jsonl").write_bytes(jsonl([one(99)]))
    for number, (given, rows) in enumerate([
        ("day1/features-00000.parquet", 1), ("*/*.parquet", 3), ("day*", 4), ("", 4), ("day2", 3)
    ]):  # fmt: skip
        out = tmp_path / f"out{number}"
        ended = cli("scan", kept / given, "--out", out)
        assert ended.status == 0, (given, ended.err)
        assert summary(out)["counts"]["exchanges"] == rows, given


@pytest.mark.parametrize("damage", ["cut", "column", "other"])
def test_a_damaged_feature_file(tmp_path: Path, damage: str) -> None:
    """Refused by name."""
    (tmp_path / "log").write_bytes(jsonl(one(i) for i in range(50)))
    place = tmp_path / "features"
    assert cli("ingest", tmp_path / "log", "--out", place).status == 0
    path = next(place.glob("*.parquet"))
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-200])
    elif damage == "column":
        pq.write_table(pq.read_table(path).drop_columns(["ts"]), path)
    else:
        pq.write_table(pa.table({"a": [1]}), path)
    refused(cli("scan", place, "--out", tmp_path / "out"))
    untouched(tmp_path, "features", "log")


def test_standard_input_and_files_that_are_named_twice(tmp_path: Path) -> None:
    """The same file twice is read once; the same input twice is refused."""
    (tmp_path / "log").write_bytes(jsonl(one(i) for i in range(4)))
    out = tmp_path / "out"
    assert cli("scan", tmp_path / "log", tmp_path / "log", "--out", out).status == 0
    assert summary(out)["counts"] | {"exchanges": 4, "duplicates": 0} == summary(out)["counts"]
    refused(cli("scan", "-", "-", "--out", tmp_path / "no", stdin=b""))


def test_a_run_under_another_key_does_not_mix(tmp_path: Path, world: World) -> None:
    """Features of one key and a baseline of another are refused; see the baseline's tests for the rest."""
    (tmp_path / "log").write_bytes(jsonl(one(i) for i in range(4)))
    assert cli("ingest", tmp_path / "log", "--out", tmp_path / "features").status == 0
    refused(cli("scan", tmp_path / "features", "--out", tmp_path / "out", key=OTHER_KEY), "digest key")


HOSTILE = [
    "\x1b[2J\x1b]0;owned\x07{}", "<script>alert({})</script>", "\u202egnp.{}\u202c", "'; DROP TABLE exchange; --{}",
    "../../etc/passwd{}", "{{{{ 7*7 }}}}{}", "\r\nhint: run rm -rf /{}", "\u0000nul{}", "=cmd|' /C calc'!A{}",
    "\u200b\u2066zero{}", "\"><img src=x onerror=alert({})>", "${{jndi:ldap://x/{}}}", "%s%n%x{}", "[bold red]{}[/]",
    "--help{}", "e\u0301" * 60 + "{}",
]  # fmt: skip


def test_hostile_names_in_a_whole_run(world: World, tmp_path: Path, quick: Path) -> None:
    """Accounts and models named by an attacker: found as ever, and harmless in every output."""
    table = world.table()
    named = {a: HOSTILE[i % len(HOSTILE)].format(i) for i, a in enumerate(sorted(world.attackers))}
    rows = table.filter(
        pa.array([a not in world.campaigns["agentic"] for a in table["account_id"].to_pylist()])
    )
    rows = rows.to_pylist()
    for row in rows:
        if row["account_id"] in named:
            row["account_id"] = named[row["account_id"]]
            row["model"] = "<img src=x onerror=alert(1)>\x1b[31m"
            row["user_agent"] = "evil/\x1b[2J1.0 (\u202e)"
    accounts = pq.read_table(world.accounts).to_pylist()
    for account in accounts:
        account["account_id"] = named.get(account["account_id"], account["account_id"])
    pq.write_table(
        pa.Table.from_pylist(accounts, schema=pq.read_schema(world.accounts)), tmp_path / "accounts.parquet"
    )
    out = tmp_path / "out"
    logs = exchanges(rows, tmp_path / "day.parquet")
    ended = cli("scan", logs, "--accounts", tmp_path / "accounts.parquet", "--out", out, "--settings", quick)
    assert ended.status == 10, ended.err
    wanted = {named[a] for a in world.campaigns["cot_math"]}
    found = max(members(out), key=lambda group: len(group & wanted))
    assert len(found & wanted) >= 10
    said = [ended.out, ended.err]
    for subject in sorted(found & wanted):
        if "\0" in subject:
            continue
        told = cli("explain", out, "--", subject)
        assert told.status == 0, (subject, told.err)
        said.append(told.out + told.err)
    text = "".join(said)
    assert not {c for c in text if (ord(c) < 32 and c != "\n") or c in "\x7f\u202e\u2066\u200b\u202c"}
    assert "\nhint: run rm" not in text
    page = (out / "report.html").read_text("utf-8")
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert not {"\x1b", "\0", "\u202e", "\u2066"} & set(page)


def test_the_real_command_on_a_log_of_junk(tmp_path: Path) -> None:
    """The same endings in a process of its own, also without any output folder."""
    (tmp_path / "log").write_bytes(b"\0junk" * 50)
    ended = process("scan", "log", cwd=tmp_path)
    refused(ended, "not a log in any known format")
    untouched(tmp_path, "log")
