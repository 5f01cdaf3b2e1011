"""From the folder of a run to a package that holds: signatures, timestamps, log, witnesses, openings, audiences."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stillwatch.errors import ConfigError, SourceError, StillwatchError, UpstreamError, VerificationError
from stillwatch.evidence.merkle import check_consistency
from stillwatch.evidence.note import Checkpoint, cosign, split
from stillwatch.report import write_result
from stillwatch.settings import Settings, load_settings
from stillwatch.wiring.evidence_build import build_evidence, sign_evidence
from stillwatch.wiring.evidence_check import open_evidence, recompute_evidence, verify_evidence
from stillwatch.wiring.evidence_keys import add_key, list_keys, new_key, revoke_key
from stillwatch.wiring.evidence_log import check_log, log_files
from tests.evidence import authority
from tests.evidence.making import a_key
from tests.report.factory import make_accounts, make_campaign, make_finding, make_members, make_result

Build = Callable[..., dict[str, Any]]


class Quiet:
    """Progress that nobody sees."""

    def step(self, name: str, total: float | None = None) -> None: ...
    def advance(self, amount: float) -> None: ...
    def note(self, text: str) -> None: ...


def settings_of(tmp_path: Path, more: str = "") -> Settings:
    """Settings whose keys and log lie in the test's folder."""
    path = tmp_path / "s.toml"
    path.write_text(
        f'[evidence]\nkeys = "{tmp_path}/keys"\nlog = "{tmp_path}/log"\norigin = "log.example/evidence"\n{more}'
    )
    return load_settings(path)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with an acquirer, a reviewer and a log."""
    found = settings_of(tmp_path)
    for person, role in (("A. Rossi", "acquirer"), ("B. Okafor", "reviewer"), ("Desk", "log")):
        new_key(found, person, role)
    return found


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run, as a scan writes it."""
    campaign = make_campaign("C-1", 8, days=3)
    members = make_members(campaign)
    base = make_result(hostile=False)
    found = (make_finding("C-1", "sealed_replay"), make_finding(members[0].account_id, "payment"))
    result = replace(
        base, campaigns=(campaign,), members=members, findings=found,
        accounts=make_accounts(members, 5), abstentions=(), summary=base.summary,
    )  # fmt: skip
    out = tmp_path_factory.mktemp("run") / "report"
    write_result(result, out, (), "<p>page</p>")
    return out


@pytest.fixture
def build(run_folder: Path, settings: Settings, tmp_path: Path) -> Build:
    """Builds from the small run into ``tmp_path/p``."""

    def made(profile: str = "public", out: str = "p", **more: Any) -> dict[str, Any]:
        given = {"settings": settings, "progress": Quiet(), "env": {}, **more}
        return build_evidence(run_folder, tmp_path / out, profile=profile, **given)

    return made


def publics(tmp_path: Path) -> list[Path]:
    """Public keys, as a reader has them."""
    return sorted((tmp_path / "keys").glob("*.pub"))


def text_of(folder: Path) -> str:
    """Every readable byte of a package."""
    return "\n".join(
        p.read_text("utf-8", "replace")
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.suffix != ".pdf"
    )


def test_a_package_holds_and_says_what_it_must(build: Build, tmp_path: Path) -> None:
    """Signed by its acquirer, in the log behind the log's key and the run; every document of its audience is there."""
    made = build()
    assert (made["sealed"], made["in_log"], made["campaigns"]) == (True, True, ["C-1"])
    found = verify_evidence(tmp_path / "p", keys=publics(tmp_path))
    assert any("leaf 2 of 3" in line for line in found["holds"])
    names = {
        p.relative_to(tmp_path / "p/data").as_posix() for p in (tmp_path / "p/data").rglob("*") if p.is_file()
    }
    assert {"claims.json", "method.json", "counts.json", "certificate_902.md", "VERIFY.md", "report.pdf", "report.html",
            "verify_package.py", "exhibits/campaigns.json", "exhibits/findings.json"} <= names  # fmt: skip
    assert not names & {"exposure.json", "attribution.json", "terms.json", "work.json"}
    claim = json.loads((tmp_path / "p/data/claims.json").read_bytes())[0]
    assert claim["innocent_explanations"]
    assert claim["counter_evidence"]
    assert "malicious" not in text_of(tmp_path / "p").replace("verify_package.py", "")
    assert check_log(load_settings(tmp_path / "s.toml"), None)["leaves"] == 3


@pytest.mark.parametrize("profile", ["public", "lab", "government", "cloud", "court"])
def test_audiences(build: Build, run_folder: Path, tmp_path: Path, profile: str) -> None:
    """Account ids reach only those who act on them or test them; prices and hours reach no other laboratory."""
    case = tmp_path / "case.toml"
    case.write_text('[[work]]\nperson = "X"\nwhat = "review"\nhours = 7.25\nusd_per_h = 97.5\n')
    prices = tmp_path / "prices.toml"
    prices.write_text('hour_usd = 93.25\n[models."aurora-5"]\noutput_usd_per_mtok = 17.75\n')
    build(profile, case=case, prices=prices)
    text = text_of(tmp_path / "p")
    account = make_members(make_campaign("C-1", 8, days=3))[0].account_id
    assert (account in text) == (profile in ("court", "cloud"))
    assert ("17.75" in text) == (profile in ("court", "government"))
    assert ("97.5" in text) == (profile in ("court", "government"))
    openings = tmp_path / "p.openings.json"
    assert openings.exists() == (profile != "court")
    if openings.exists():
        assert stat.S_IMODE(openings.stat().st_mode) == 0o600


def test_a_second_person(build: Build, settings: Settings, tmp_path: Path) -> None:
    """A court's package waits for its reviewer; it does not verify before, nor can one person be both."""
    made = build("court", signer="A. Rossi")
    assert not made["sealed"]
    with pytest.raises(VerificationError, match="not sealed yet"):
        verify_evidence(tmp_path / "p", keys=publics(tmp_path))
    new_key(settings, "A. Rossi", "reviewer")
    with pytest.raises(ConfigError, match="has signed this package already"):
        sign_evidence(tmp_path / "p", settings=settings, signer="A. Rossi", env={})
    done = sign_evidence(tmp_path / "p", settings=settings, signer="B. Okafor", env={})
    assert done["signed_by"] == ["A. Rossi", "B. Okafor"]
    verify_evidence(tmp_path / "p", keys=publics(tmp_path))
    with pytest.raises(StillwatchError, match="sealed already"):
        sign_evidence(tmp_path / "p", settings=settings, signer="B. Okafor", env={})


def test_a_reviewer_does_not_sign_what_was_changed(build: Build, settings: Settings, tmp_path: Path) -> None:
    """Between the two signatures somebody edits a claim."""
    build("court")
    claims = tmp_path / "p/data/claims.json"
    claims.write_text(claims.read_text().replace("C-1", "C-2"))
    with pytest.raises(VerificationError, match="was changed"):
        sign_evidence(tmp_path / "p", settings=settings, signer=None, env={})


def test_opening_for_one_reader(build: Build, settings: Settings, tmp_path: Path) -> None:
    """Chosen fields become readable and are checked; the others stay hidden; the log has a leaf of it."""
    build("lab")
    openings, out = tmp_path / "p.openings.json", tmp_path / "o.json"
    made = open_evidence(
        openings,
        fields=["data/exhibits/members.json#/0/account_id"],
        audience="partner",
        out=out,
        settings=settings,
    )
    assert (made["opened"], made["in_log"]) == (1, True)
    account = make_members(make_campaign("C-1", 8, days=3))[0].account_id
    found = verify_evidence(tmp_path / "p", keys=publics(tmp_path), openings=[out])
    assert found["opened"] == {"data/exhibits/members.json#/0/account_id": account}
    assert out.read_text().count("salt") == 1
    assert check_log(settings, None)["leaves"] == 4
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with pytest.raises(ConfigError, match="not replaced"):
        open_evidence(openings, fields=["data"], audience="x", out=out, settings=settings)
    with pytest.raises(ConfigError, match="for somebody"):
        open_evidence(openings, fields=["data"], audience=" ", out=tmp_path / "n", settings=settings)
    with pytest.raises(SourceError):
        open_evidence(
            tmp_path / "s.toml", fields=["data"], audience="x", out=tmp_path / "n", settings=settings
        )


def test_nothing_is_opened_before_the_log_knows(build: Build, settings: Settings, tmp_path: Path) -> None:
    """A log that cannot be written leaves no values behind."""
    from stillwatch.wiring import evidence_log

    build("lab")
    with evidence_log.opened(settings), pytest.raises(ConfigError, match="another process"):
        open_evidence(
            tmp_path / "p.openings.json", fields=["data"], audience="x", out=tmp_path / "o", settings=settings
        )
    assert not (tmp_path / "o").exists()


def test_timestamps_are_asked_for_and_checked(build: Build, tmp_path: Path) -> None:
    """Two authorities answer; both tokens are in the package and lead to their root."""
    tsa = authority.make(tmp_path / "tsa")
    with authority.served(lambda _, body: (200, tsa.reply(body))) as url:
        stamped = settings_of(tmp_path, f'timestamp_authorities = ["{url}/one", "{url}/two"]\n')
        assert build(settings=stamped)["timestamps"] == 2
    found = verify_evidence(tmp_path / "p", keys=publics(tmp_path), tsa_roots=[tsa.root])
    assert sum(line.startswith("timestamp") for line in found["holds"]) == 2


@pytest.mark.parametrize(
    "answer", [(500, b""), (200, b""), (200, b"nonsense"), (302, b""), (200, b"\x30\x05\x30\x03\x02\x01\x02")]
)
def test_an_authority_that_fails(build: Build, tmp_path: Path, answer: tuple[int, bytes]) -> None:
    """Nothing is left behind, and the message names the authority."""
    with authority.served(lambda *_: answer) as url:
        with pytest.raises(UpstreamError, match=r"127\.0\.0\.1"):
            build(settings=settings_of(tmp_path, f'timestamp_authorities = ["{url}"]\n'))
    assert not (tmp_path / "p").exists()
    assert not (tmp_path / "p.openings.json").exists()
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_an_authority_that_is_gone_after_the_second_signature(build: Build, tmp_path: Path) -> None:
    """The signature stays; sealing is tried again and then holds."""
    tsa = authority.make(tmp_path / "tsa")
    with authority.served(lambda _, body: (200, tsa.reply(body))) as url:
        stamped = settings_of(tmp_path, f'timestamp_authorities = ["{url}"]\n')
        build("court", settings=stamped)
        gone = settings_of(tmp_path, 'timestamp_authorities = ["http://127.0.0.1:9"]\n')
        with pytest.raises(UpstreamError):
            sign_evidence(tmp_path / "p", settings=gone, signer=None, env={})
        sign_evidence(tmp_path / "p", settings=stamped, signer=None, env={})
    verify_evidence(tmp_path / "p", keys=publics(tmp_path), tsa_roots=[tsa.root])


def test_a_crash_between_log_and_package(
    build: Build, settings: Settings, tmp_path: Path, monkeypatch: Any
) -> None:
    """The machine goes away after the leaf is in the log: the package is in its place, is sealed again, and the log has
    its leaf once."""
    from stillwatch.evidence import bag

    def gone(*_: object) -> bytes:
        raise KeyboardInterrupt

    whole = bag.manifest
    calls = iter(range(10))
    monkeypatch.setattr(bag, "manifest", lambda *given: whole(*given) if next(calls) < 2 else gone())
    with pytest.raises(KeyboardInterrupt):
        build()
    monkeypatch.undo()
    assert check_log(settings, None)["leaves"] == 3
    with pytest.raises(VerificationError, match="not sealed yet"):
        verify_evidence(tmp_path / "p", keys=publics(tmp_path))
    sign_evidence(tmp_path / "p", settings=settings, signer=None, env={})
    assert check_log(settings, None)["leaves"] == 3
    verify_evidence(tmp_path / "p", keys=publics(tmp_path))


def test_what_a_crash_left_of_a_file_is_no_part_of_the_package(
    build: Build, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine goes away while the second signature or the list of the seal is written: signing again mends it."""
    for name, which in (("signature", "statement.dsse.json"), ("list", "tagmanifest-sha256.txt")):
        folder = tmp_path / name
        build("court", out=name)
        whole = Path.replace

        def gone(path: Path, to: Path, which: str = which, whole: Any = whole) -> Path:
            if Path(to).name == which:
                raise KeyboardInterrupt
            return Path(whole(path, to))

        with monkeypatch.context() as patched:
            patched.setattr(Path, "replace", gone)
            with pytest.raises(KeyboardInterrupt):
                sign_evidence(folder, settings=settings, signer=None, env={})
        assert [p.name for p in folder.rglob(".*.part")] == [f".{which}.part"]
        sign_evidence(folder, settings=settings, signer=None, env={})
        assert not list(folder.rglob(".*"))
        verify_evidence(folder, keys=publics(tmp_path))


def leaves_of(settings: Settings) -> list[dict[str, Any]]:
    """Every entry of the log."""
    from stillwatch.wiring import evidence_log

    with evidence_log.opened(settings) as log:
        return [json.loads(entry) for entry in log.entries()]


def test_a_package_of_two_people_has_the_leaf_of_its_run(
    build: Build, settings: Settings, run_folder: Path, tmp_path: Path
) -> None:
    """The same leaf as a package of one person, so that it enters once; it names the files of the run."""
    from stillwatch.evidence.canonical import canonical, sha256
    from stillwatch.wiring.evidence_case import files_of_run

    build("court")
    assert [row["kind"] for row in leaves_of(settings)] == ["key"]
    sign_evidence(tmp_path / "p", settings=settings, signer=None, env={})
    build("public", out="q")
    rows = leaves_of(settings)
    assert [row["kind"] for row in rows] == ["key", "run", "package", "package"]
    assert rows[1]["digest"] == f"sha256:{sha256(canonical(files_of_run(run_folder)))}"


def test_a_run_is_one_leaf_whoever_logs_it(
    build: Build, settings: Settings, run_folder: Path, tmp_path: Path
) -> None:
    """After a scan, by hand, in a package; its finding on a group is a commitment that its keeper can open."""
    from stillwatch.evidence.canonical import canonical, sha256
    from stillwatch.wiring.evidence_run import log_run, must_log
    from stillwatch.wiring.evidence_salts import commitment, salt_of

    must_log(settings, run_folder)
    assert log_run(run_folder, settings) == {"index": 2, "findings": 1}
    assert log_run(run_folder, settings) == {"index": 2, "findings": 1}
    assert [row["index"] for row in log_files(settings, "run", [run_folder])] == [2]
    build()
    rows = leaves_of(settings)
    assert [row["kind"] for row in rows] == ["key", "finding", "run", "package"]
    lines = [json.loads(line) for line in (run_folder / "findings.jsonl").read_text().splitlines()]
    (line,) = [row for row in lines if row["subject"] == "C-1"]
    digest = sha256(canonical(line))
    secret = bytes.fromhex((tmp_path / "keys/leaf.salt").read_text())
    assert rows[1]["digest"] == f"sha256:{commitment(digest, salt_of(secret, f'finding {digest}'))}"
    assert rows[1]["digest"] != f"sha256:{digest}"
    with pytest.raises(SourceError, match="not the output folder of a scan"):
        log_files(settings, "run", [tmp_path / "keys"])
    with pytest.raises(ConfigError, match="cannot be logged"):
        must_log(settings, None)
    with pytest.raises(ConfigError, match="no log is kept"):
        must_log(settings_of(tmp_path / "keys"), run_folder)


def test_a_witness_that_says_more_than_it_is_asked(build: Build, tmp_path: Path) -> None:
    """Of its answer one line goes into the checkpoint, and a size that makes no sense is no answer."""
    from stillwatch.evidence.note import Kind, Verifier

    witness = Witness()
    vkey = Verifier("w.example", witness.key.public, Kind.COSIGNATURE).vkey

    def more(path: str, body: bytes) -> tuple[int, bytes]:
        status, answer = witness(path, body)
        return status, "\u2014 other.example AAAAAAAA\nnonsense\n".encode() + answer + b"more\n"

    with authority.served(more) as url:
        seen = settings_of(tmp_path, f'witnesses = ["{url} {vkey}"]\nwitnesses_needed = 1\n')
        build(settings=seen)
    proof = (tmp_path / "p/seal/log.json").read_text()
    assert "w.example" in proof and "nonsense" not in proof and "other.example" not in proof
    verify_evidence(tmp_path / "p", keys=publics(tmp_path))
    with authority.served(lambda *_: (409, b"9" * 5000)) as url:
        seen = settings_of(tmp_path, f'witnesses = ["{url} {vkey}"]\nwitnesses_needed = 1\n')
        with pytest.raises(UpstreamError, match="answered 409"):
            build(settings=seen, out="q")


def test_a_package_is_sealed_into_the_log_that_it_names(
    build: Build, settings: Settings, tmp_path: Path
) -> None:
    """Not into another one, and not under another key."""
    build("court")
    other = settings_of(tmp_path).model_copy(
        update={
            "evidence": settings.evidence.model_copy(
                update={"origin": "other.example", "log": f"{tmp_path}/2"}
            )
        }
    )
    with pytest.raises(ConfigError, match=r"names the log log\.example/evidence"):
        sign_evidence(tmp_path / "p", settings=other, signer=None, env={})
    key = next(row["key_id"] for row in list_keys(settings) if row["role"] == "log")
    new_key(settings, "Desk", "log", replaces=key)
    with pytest.raises(ConfigError, match="under another key"):
        sign_evidence(tmp_path / "p", settings=settings, signer=None, env={})


def test_a_checkpoint_of_a_key_that_was_replaced_still_counts(
    settings: Settings, run_folder: Path, tmp_path: Path
) -> None:
    """And a check needs no private half: whoever keeps the log may seal it away."""
    log_files(settings, "run", [run_folder])
    kept = tmp_path / "kept.txt"
    kept.write_bytes((tmp_path / "log/checkpoint").read_bytes())
    key = next(row["key_id"] for row in list_keys(settings) if row["role"] == "log")
    made = new_key(settings, "Desk", "log", replaces=key)
    for path in (tmp_path / "keys").glob("*.pem"):
        path.unlink()
    found = check_log(settings, kept)
    assert (found["grew_from"], found["leaves"]) == (2, 4)
    from stillwatch.evidence.note import Verifier

    public = next(row for row in list_keys(settings) if row["key_id"] == made["key_id"])["public"]
    from stillwatch.evidence.keys import public_of

    assert found["vkey"] == Verifier("log.example/evidence", public_of(public)).vkey


def test_other_files_are_sealed_as_they_are(build: Build, tmp_path: Path) -> None:
    """In the index with their digest; a name that is not allowed, or twice, is said before anything is written."""
    letter = tmp_path / "letter.txt"
    letter.write_text("as agreed")
    build(files=[letter])
    rows = json.loads((tmp_path / "p/data/exhibits.json").read_bytes())
    assert [row["source"] for row in rows if row["path"] == "data/exhibits/files/letter.txt"] == [
        "letter.txt"
    ]
    verify_evidence(tmp_path / "p", keys=publics(tmp_path))
    odd = tmp_path / "a letter\u202e.txt"
    odd.write_text("x")
    again = tmp_path / "again"
    again.mkdir()
    (again / "LETTER.txt").write_text("y")
    for files in ([odd], [letter, again / "LETTER.txt"]):
        with pytest.raises(ConfigError, match=r"no name|two exhibits"):
            build(out="q", files=files)
    assert not (tmp_path / "q").exists()


class Witness:
    """A witness as tlog-witness has it: signs only what grew from what it saw."""

    def __init__(self) -> None:
        self.key, self.seen = a_key("witness"), Checkpoint("", 0, b"")

    def __call__(self, path: str, body: bytes) -> tuple[int, bytes]:
        import base64

        head, _, signed = body.decode().partition("\n\n")
        first, *steps = head.split("\n")
        text = split(signed)[0]
        new = Checkpoint.parse(text)
        if int(first.removeprefix("old ")) != self.seen.size:
            return 409, f"{self.seen.size}\n".encode()
        try:
            check_consistency(
                self.seen.size, new.size, [base64.b64decode(s) for s in steps], self.seen.root, new.root
            )
        except VerificationError:
            return 422, b""
        self.seen = new
        return 200, cosign(text, self.key, "w.example", 1_780_000_000).encode()


def test_witnesses_sign_what_grew(build: Build, tmp_path: Path) -> None:
    """Two packages are witnessed in turn; a log that was begun anew under the same name is not."""
    from stillwatch.evidence.note import Kind, Verifier

    witness = Witness()
    vkey = Verifier("w.example", witness.key.public, Kind.COSIGNATURE).vkey
    with authority.served(witness) as url:
        seen = settings_of(tmp_path, f'witnesses = ["{url} {vkey}"]\nwitnesses_needed = 1\n')
        for name in ("p", "q"):
            build(settings=seen, out=name)
            found = verify_evidence(tmp_path / name, keys=publics(tmp_path))
            assert any("seen by w.example" in line for line in found["holds"])
        (tmp_path / "log").rename(tmp_path / "log.old")
        with pytest.raises(UpstreamError, match="1 witnesses must sign"):
            build(settings=seen, out="r")


def test_a_log_that_was_shortened_is_noticed(settings: Settings, run_folder: Path, tmp_path: Path) -> None:
    """Against a checkpoint that somebody kept."""
    for _ in range(2):
        assert [row["index"] for row in log_files(settings, "run", [run_folder])] == [1], (
            "a leaf twice is one leaf"
        )
    log_files(settings, "decision", [run_folder / "summary.json"])
    kept = tmp_path / "kept.txt"
    kept.write_bytes((tmp_path / "log/checkpoint").read_bytes())
    assert check_log(settings, kept)["grew_from"] == 3
    log_files(settings, "finding", [run_folder / "findings.jsonl"])
    found = check_log(settings, kept)
    assert (found["origin"], found["leaves"], found["grew_from"]) == ("log.example/evidence", 4, 3)
    for path in [p for p in (tmp_path / "log").rglob("*") if p.is_file()]:
        path.unlink()
    log_files(settings, "run", [run_folder])
    with pytest.raises(VerificationError, match="truncated"):
        check_log(settings, kept)
    log_files(settings, "share", [run_folder])
    with pytest.raises(VerificationError):
        check_log(settings, kept)


def test_keys_have_no_default_and_private_halves_are_private(tmp_path: Path, run_folder: Path) -> None:
    """Without a key nothing is signed; a key that others can read is not used; a passphrase stays needed."""
    bare = settings_of(tmp_path, 'two_signatures = []\npassphrase_env = "P"\n')
    common: dict[str, Any] = {"profile": "public", "settings": bare, "progress": Quiet()}
    with pytest.raises(ConfigError, match="no key"):
        build_evidence(run_folder, tmp_path / "p", env={}, **common)
    made = new_key(bare, "A", "acquirer", env={"P": "word"})
    assert stat.S_IMODE(Path(made["private"]).stat().st_mode) == 0o600
    with pytest.raises(ConfigError, match="cannot be opened"):
        build_evidence(run_folder, tmp_path / "p", env={}, **common)
    assert not build_evidence(run_folder, tmp_path / "p", env={"P": "word"}, **common)["in_log"]
    Path(made["private"]).chmod(0o644)
    with pytest.raises(ConfigError, match="read by others"):
        build_evidence(run_folder, tmp_path / "q", env={"P": "word"}, **common)
    new_key(bare, "B", "acquirer", replaces=made["key_id"][:8])
    states = [(row["person"], row["revoked_as"], bool(row["replaced_by"])) for row in list_keys(bare)]
    assert states == [("A", "retired", True), ("B", None, False)]
    other = tmp_path / "other.pub"
    other.write_text(list_keys(bare)[0]["public"])
    with pytest.raises(ConfigError, match="on the list already"):
        add_key(bare, other, "C", "reviewer")
    revoke_key(bare, list_keys(bare)[1]["key_id"], compromised=True)
    with pytest.raises(ConfigError, match="no key"):
        build_evidence(run_folder, tmp_path / "r", env={}, **common)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("verdict = 'true_positive'\n", "verdict_by"),
        ("verdict = 'guilty'\nverdict_by = 'X'\n", "verdict: one of"),
        ("bogus = 1\n", "no such key"),
        ("[[notice]]\nat = 2026-01-01T00:00:00Z\n", "is missing"),
        (
            "[[notice]]\nat = 2026-01-01T00:00:00\naccount_id = 'a'\nwhat = 'w'\nhow = 'h'\n",
            "time with its zone",
        ),
        ("[[circumvention]]\nkind = 'vpn'\nfact = 'f'\nsource = 's'\n", "kind: one of"),
        ("[[work]]\nperson = 'p'\nwhat = 'w'\nhours = -1\n", "hours"),
        ("[attribution]\nlevel = 'organisation'\nsigned_by = 'X'\n", "attribution: likelihood"),
        ("not toml", "case.toml"),
    ],
)
def test_a_case_file_with_a_slip(build: Build, tmp_path: Path, text: str, reason: str) -> None:
    """Is said before anything is written."""
    case = tmp_path / "case.toml"
    case.write_text(text)
    with pytest.raises(ConfigError, match=reason):
        build(case=case)
    assert not (tmp_path / "p").exists()


def test_other_slips(build: Build, tmp_path: Path) -> None:
    """A folder that is there, a campaign that is not, inputs for the wrong audience, an unknown profile."""
    with pytest.raises(StillwatchError, match="no campaign 'C-9'"):
        build(campaigns=["C-9"])
    with pytest.raises(ConfigError, match="takes no inputs"):
        build(inputs=["x"])
    with pytest.raises(ConfigError, match="no profile"):
        build("press")
    build()
    with pytest.raises(ConfigError, match="exist already"):
        build()
    with pytest.raises(VerificationError, match="no inputs were preserved"):
        recompute_evidence(tmp_path / "p", key_file=None, progress=Quiet())
    with pytest.raises(ConfigError, match="no trusted key"):
        verify_evidence(tmp_path / "p")


@pytest.mark.parametrize(
    ("profile", "change", "reason"),
    [
        (
            "court",
            lambda folder: (folder / "data/exhibits/campaigns.json").write_text("[]"),
            "nothing to compare",
        ),
        ("public", lambda _: None, "members are left out"),
        ("lab", lambda _: None, "values are withheld"),
        ("cloud", lambda _: None, "values are withheld"),
    ],
)
def test_what_cannot_be_compared_is_not_called_reproduced(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: str, change: Callable[[Path], Any],
    reason: str,
) -> None:  # fmt: skip
    """No group, accounts that are left out, values under commitments: each is said before anything runs."""
    from stillwatch.evidence.standalone import verify_package as check
    from stillwatch.wiring import evidence_check

    build(profile)
    change(tmp_path / "p")
    monkeypatch.setattr(evidence_check, "kept_inputs", lambda _: None)
    monkeypatch.setattr(check, "bag", lambda *_: 0)
    with pytest.raises(VerificationError, match=reason):
        recompute_evidence(tmp_path / "p", key_file=None, progress=Quiet())


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("plan.json", '{"grants": "../../../../outside.toml"}', "names a file that is not among them"),
        ("plan.json", '{"accounts": "/etc/passwd"}', "names a file that is not among them"),
        ("plan.json", '{"accounts": ["a"]}', "names a file that is not among them"),
        ("plan.json", "[]", "malformed"),
        ("plan.json", "{", "malformed"),
        ("settings.toml", '[privacy]\nkey_file = "/etc/passwd"\n', "say more than a run's may"),
    ],
)
def test_inputs_that_a_stranger_prepared(tmp_path: Path, name: str, text: str, reason: str) -> None:
    """A package may be a trap: what it names outside itself is not read."""
    from stillwatch.wiring.evidence_inputs import recompute

    (tmp_path / "outside.toml").write_text("")
    folder = tmp_path / "a/b/c/inputs"
    folder.mkdir(parents=True)
    for file, content in {"plan.json": "{}", "settings.toml": "\n", name: text}.items():
        (folder / file).write_text(content)
    with pytest.raises(VerificationError, match=reason):
        recompute(folder, tmp_path / "out", key_file=None, env={}, progress=Quiet())
