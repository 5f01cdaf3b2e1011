"""The stand-alone verifier: accepts what is whole, and says why it refuses everything else."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.evidence.canonical import canonical, sha256
from stillwatch.evidence.keys import Revocation, Role, revoked, rows_of
from stillwatch.evidence.leaf import leaf
from stillwatch.evidence.note import Kind, Verifier, cosign, note, sign, split
from stillwatch.evidence.standalone import verify_package as check
from stillwatch.evidence.timestamp import request
from stillwatch.records.evidence import LeafKind
from tests.evidence import authority
from tests.evidence.making import a_key
from tests.evidence.packing import (
    ACQUIRER,
    DAY,
    LOG_KEY,
    ORIGIN,
    REVIEWER,
    TRUST,
    key_rows,
    proof,
    put,
    resigned,
    seal,
    small,
)

SOURCE = Path(check.__file__)


def refused(folder: Path, trust: check.Trust = TRUST) -> str:
    """Why a package is refused."""
    with pytest.raises(
        (check.Refused, KeyError, TypeError, ValueError, AttributeError, IndexError)
    ) as caught:
        check.verify(folder, trust)
    return str(caught.value)


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> authority.Authority:
    """A local authority with an RSA key."""
    return authority.make(tmp_path_factory.mktemp("tsa") / "one")


def test_a_whole_package_is_accepted(tmp_path: Path) -> None:
    """With both signatures and the log; the report says what held."""
    small(tmp_path / "p")
    report = check.verify(tmp_path / "p", TRUST)
    text = "\n".join(report.lines)
    for part in (
        "bag: 5 files",
        "signed by A as acquirer",
        "signed by B as reviewer",
        "leaf 1 of 3",
        "2 events",
    ):
        assert part in text


def test_every_changed_byte_is_noticed(tmp_path: Path) -> None:
    """Whichever byte of whichever file of a package changes, it is refused, and a reason is given."""
    folder = tmp_path / "p"
    small(folder, withholds=["account_id"])
    check.verify(folder, TRUST)
    flips = 0
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        whole = path.read_bytes()
        with path.open("r+b") as file:
            for place in range(len(whole)):
                os.pwrite(file.fileno(), bytes([whole[place] ^ (1 << place % 8)]), place)
                assert refused(folder), f"{path.name} {place}"
                os.pwrite(file.fileno(), whole[place : place + 1], place)
                flips += 1
    assert flips > 4000
    check.verify(folder, TRUST)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package that tests change and put back."""
    folder = tmp_path_factory.mktemp("whole") / "p"
    small(folder, withholds=["account_id"])
    return folder


@settings(max_examples=120)
@given(st.data())
def test_any_edit_is_noticed(whole: Path, data: st.DataObject) -> None:
    """Any stretch of any file taken out or put in, any file removed, renamed, exchanged with another."""
    files = sorted(p.relative_to(whole) for p in whole.rglob("*") if p.is_file())
    kept = {name: (whole / name).read_bytes() for name in files}
    name, other = data.draw(st.sampled_from(files)), data.draw(st.sampled_from(files))
    start = data.draw(st.integers(0, len(kept[name])))
    end = data.draw(st.integers(start, len(kept[name])))
    more = data.draw(st.binary(max_size=6))
    edit = data.draw(st.sampled_from(["splice", "remove", "rename", "exchange", "add"]))
    if edit == "splice":
        (whole / name).write_bytes(kept[name][:start] + more + kept[name][end:])
    elif edit == "remove":
        (whole / name).unlink()
    elif edit == "rename":
        (whole / name).rename((whole / name).with_name("other.json"))
    elif edit == "add":
        put(
            whole,
            data.draw(st.sampled_from(["more.txt", "notes/more.txt", "seal/more.txt", "data/more.txt"])),
            more,
        )
        seal(whole)
    else:
        (whole / name).write_bytes(kept[other])
        (whole / other).write_bytes(kept[name])
    now = {p.relative_to(whole): p.read_bytes() for p in whole.rglob("*") if p.is_file()}
    try:
        if now == kept:
            check.verify(whole, TRUST)
        else:
            assert refused(whole)
    finally:
        for path in now:
            (whole / path).unlink()
        for empty in {(whole / path).parent for path in now} - {(whole / path).parent for path in kept}:
            empty.rmdir()
        for path, content in kept.items():
            (whole / path).write_bytes(content)


def test_it_stands_alone(tmp_path: Path) -> None:
    """It imports the standard library and cryptography alone, and runs where stillwatch cannot be imported."""
    names = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(SOURCE.read_text("utf-8")))
        for name in (
            [a.name for a in node.names] if isinstance(node, ast.Import)
            else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        )
    }  # fmt: skip
    assert names <= sys.stdlib_module_names | {"cryptography"}
    small(tmp_path / "p")
    pem = tmp_path / "any.pem"
    pem.write_text(key_rows()[0].public)
    other = tmp_path / "other.pem"
    other.write_text(key_rows()[1].public)
    blocked = (
        "import sys, runpy; sys.modules['stillwatch'] = None; sys.argv = sys.argv[1:]; "
        f"runpy.run_path({str(SOURCE)!r}, run_name='__main__')"
    )
    run = [sys.executable, "-c", blocked, "verify_package.py", str(tmp_path / "p")]
    done = subprocess.run([*run, "--key", pem, "--key", other], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("VERIFIED  package P-1\n")
    done = subprocess.run([*run, "--key", pem], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "2 people had to sign, and 1 did" in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        ["--key", "missing.pem"],
        ["--key", "x"],
        ["--tsa-root", "x"],
        ["--keys", "x"],
        ["--keys", "n"],
        ["--bogus"],
    ],
)
def test_what_you_trust_cannot_be_read(tmp_path: Path, options: list[str]) -> None:
    """Said apart from a package that does not hold, with an exit status of its own."""
    small(tmp_path / "p")
    (tmp_path / "x").write_text("nonsense")
    (tmp_path / "n").write_text("{}")
    done = subprocess.run(
        [sys.executable, SOURCE, "p", *options], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_no_trust_no_answer(tmp_path: Path) -> None:
    """An empty list of trusted keys accepts nothing; whoever wants it otherwise has to say so, and is told."""
    small(tmp_path / "p")
    assert "no trusted key" in refused(tmp_path / "p", check.Trust())
    report = check.verify(tmp_path / "p", check.Trust(accept_any_signer=True))
    assert any("WAS NOT CHECKED" in line for line in report.notes)


def test_who_has_to_sign(tmp_path: Path) -> None:
    """One of two, two keys of one person, a stranger, two acquirers: each is refused."""
    small(tmp_path / "one", signers=[ACQUIRER])
    assert "2 people had to sign, and 1 did" in refused(tmp_path / "one")
    stranger = a_key("stranger")
    small(tmp_path / "stranger", signers=[ACQUIRER, stranger])
    assert "not on the package's key list" in refused(tmp_path / "stranger")
    rows = [replace(row, person="A") for row in key_rows()]
    small(tmp_path / "same", keys=rows)
    assert "2 people had to sign, and 1 did" in refused(tmp_path / "same")
    rows = [replace(row, role=key_rows()[0].role) for row in key_rows()]
    small(tmp_path / "roles", keys=rows)
    assert "acquirer and a reviewer" in refused(tmp_path / "roles")
    rows = [replace(row, role=Role.LOG) for row in key_rows()]
    small(tmp_path / "log", keys=rows)
    assert "not one that signs packages" in refused(tmp_path / "log")
    small(tmp_path / "none", needed=0)
    assert "proves nothing" in refused(tmp_path / "none")


def test_revoked_keys(tmp_path: Path, tsa: authority.Authority) -> None:
    """Retired after the package: fine, and said. Before: refused. Compromised: only with an older trusted timestamp."""
    later, before = DAY + timedelta(days=1), DAY - timedelta(days=1)
    small(tmp_path / "p")
    for when, why, reason in (
        (later, Revocation.RETIRED, ""),
        (before, Revocation.RETIRED, "revoked before"),
        (later, Revocation.COMPROMISED, "no timestamp that you trust"),
    ):
        newer = tuple(rows_of(revoked(key_rows(), ACQUIRER.key_id, why, when)))
        trust = replace(TRUST, newer_keys=newer)
        if reason:
            assert reason in refused(tmp_path / "p", trust)
        else:
            assert any("was revoked" in n for n in check.verify(tmp_path / "p", trust).notes)
    small(tmp_path / "stamped", stamp=[lambda data: tsa.reply(request(data, 5))])
    roots = tuple(x509.load_pem_x509_certificates(tsa.root.read_bytes()))
    far = DAY + timedelta(days=36_500)
    newer = tuple(rows_of(revoked(key_rows(), ACQUIRER.key_id, Revocation.COMPROMISED, far)))
    check.verify(tmp_path / "stamped", replace(TRUST, newer_keys=newer, tsa_roots=roots))
    assert "no timestamp that you trust" in refused(tmp_path / "stamped", replace(TRUST, newer_keys=newer))


def test_timestamps(tmp_path: Path, tsa: authority.Authority) -> None:
    """Checked against a root; of another authority, about other data, missing or spare ones are refused."""
    roots = tuple(x509.load_pem_x509_certificates(tsa.root.read_bytes()))
    trust = replace(TRUST, tsa_roots=roots)
    small(tmp_path / "p", stamp=[lambda data: tsa.reply(request(data, 5))] * 2)
    report = check.verify(tmp_path / "p", trust)
    assert sum("timestamp" in line and "CN=Test authority" in line for line in report.lines) == 2
    assert any("--tsa-root" in note for note in check.verify(tmp_path / "p", TRUST).notes)
    (tmp_path / "p/seal/timestamp-2.tsr").unlink()
    seal(tmp_path / "p")
    assert "timestamp-2.tsr is missing" in refused(tmp_path / "p", trust)
    put(tmp_path / "p", "seal/timestamp-2.tsr", (tmp_path / "p/seal/timestamp-1.tsr").read_bytes())
    put(tmp_path / "p", "seal/timestamp-3.tsr", b"x")
    seal(tmp_path / "p")
    assert "timestamp-3.tsr was not signed: it is no part of the package" in refused(tmp_path / "p", trust)
    small(tmp_path / "about", stamp=[lambda _: tsa.reply(request(b"other", 5))])
    assert "not about this envelope" in refused(tmp_path / "about", trust)
    other = authority.make(tmp_path / "other")
    small(tmp_path / "foreign", stamp=[lambda data: other.reply(request(data, 5))])
    assert "no timestamp comes from an authority that you trust" in refused(tmp_path / "foreign", trust)


def test_a_timestamp_of_an_elliptic_key(tmp_path: Path) -> None:
    """ECDSA authorities are read as well."""
    tsa = authority.make(tmp_path / "ec", kind="prime256v1")
    roots = tuple(x509.load_pem_x509_certificates(tsa.root.read_bytes()))
    when, who, chained = check.timestamp(tsa.reply(request(b"data", 9)), b"data", roots)
    assert (who, chained, when.tzinfo is not None) == ("CN=Test authority", True, True)


def test_every_changed_byte_of_a_timestamp_is_noticed(tsa: authority.Authority) -> None:
    """Or it is one that the token does not sign: then time, name and chain are what they were."""
    answer = tsa.reply(request(b"data", 9))
    roots = tuple(x509.load_pem_x509_certificates(tsa.root.read_bytes()))
    whole = check.timestamp(answer, b"data", roots)
    unnoticed = 0
    for place in range(len(answer)):
        bad = bytearray(answer)
        bad[place] ^= 1 << place % 8
        try:
            assert check.timestamp(bytes(bad), b"data", roots)[:2] == whole[:2]
            unnoticed += 1
        except check.Refused:
            continue
    assert unnoticed < len(answer) * 0.5


def test_the_log(tmp_path: Path) -> None:
    """The leaf must be about this envelope and in the log that the statement names, signed by its key."""
    folder = tmp_path / "p"
    small(folder)
    good = json.loads((folder / "seal/log.json").read_bytes())
    envelope = (folder / "seal/statement.dsse.json").read_bytes()

    def changed(**more: object) -> str:
        put(folder, "seal/log.json", canonical({**good, **more}))
        seal(folder)
        return refused(folder)

    assert "not in the log" in changed(index=0)
    assert "no such leaf" in changed(index=3)
    assert "too long" in changed(path=[*good["path"], good["path"][0]])
    assert "too short" in changed(path=good["path"][:1])
    other = leaf(LeafKind.PACKAGE, sha256(b"another"), DAY)
    assert "about something else" in changed(**proof(other))
    wrong = leaf(LeafKind.RUN, sha256(envelope), DAY)
    assert "about something else" in changed(**proof(wrong))
    text = split(good["checkpoint"])[0]
    forged = note(text, [sign(text, a_key("other"), ORIGIN)])
    assert "log did not sign" in changed(checkpoint=forged)
    assert "no signed note" in changed(checkpoint=text)
    foreign = text.replace(ORIGIN, "elsewhere.example")
    assert "of another log" in changed(checkpoint=note(foreign, [sign(foreign, LOG_KEY, ORIGIN)]))
    (folder / "seal/log.json").unlink()
    seal(folder)
    assert "seal/log.json is missing" in refused(folder)
    small(tmp_path / "named")
    other_log = Verifier(ORIGIN, a_key("other").public).vkey
    assert "not one that you trust" in refused(
        tmp_path / "named", replace(TRUST, log_keys=frozenset({other_log}))
    )


def test_what_a_reader_asks_for_is_needed_though_the_package_promises_less(
    tmp_path: Path, tsa: authority.Authority
) -> None:
    """A root, the key of a log, a number of people; and a key that was named and did not sign is told."""
    small(tmp_path / "p", signers=[ACQUIRER], needed=1, logged=False)
    assert check.verify(tmp_path / "p", TRUST).lines
    roots = tuple(x509.load_pem_x509_certificates(tsa.root.read_bytes()))
    assert "no timestamp comes from" in refused(tmp_path / "p", replace(TRUST, tsa_roots=roots))
    vkey = Verifier(ORIGIN, LOG_KEY.public).vkey
    assert "in no log" in refused(tmp_path / "p", replace(TRUST, log_keys=frozenset({vkey})))
    assert "2 people had to sign, and 1 did" in refused(tmp_path / "p", replace(TRUST, signatures=2))
    told = [note for note in check.verify(tmp_path / "p", TRUST).notes if "did not sign" in note]
    assert told == [f"key {REVIEWER.key_id[:16]}, which you named, did not sign this package"]
    rows = [replace(row, role=Role.ACQUIRER) for row in key_rows()]
    small(tmp_path / "roles", keys=rows, needed=1)
    assert "acquirer and a reviewer" in refused(tmp_path / "roles", replace(TRUST, signatures=2))
    small(tmp_path / "all", stamp=[lambda data: tsa.reply(request(data, 5))])
    asked = replace(TRUST, tsa_roots=roots, log_keys=frozenset({vkey}), signatures=2)
    assert not [
        n for n in check.verify(tmp_path / "all", asked).notes if "not checked" in n or "did not" in n
    ]


def test_a_log_that_nobody_vouched_for_is_told(tmp_path: Path) -> None:
    """As are witnesses that the package itself names."""
    small(tmp_path / "p")
    assert "whose log this is was not checked; give --log-key" in check.verify(tmp_path / "p", TRUST).notes


def test_witnesses(tmp_path: Path) -> None:
    """Where a statement asks for a witness, its cosignature must be there and right."""
    witness = a_key("witness")
    vkey = Verifier("w.example", witness.public, Kind.COSIGNATURE).vkey
    named = {
        "origin": ORIGIN,
        "vkey": Verifier(ORIGIN, LOG_KEY.public).vkey,
        "witnesses": [vkey],
        "witnesses_needed": 1,
    }
    folder = tmp_path / "p"
    small(folder, log=named)
    assert "1 witnesses had to sign" in refused(folder)
    good = json.loads((folder / "seal/log.json").read_bytes())
    text = split(good["checkpoint"])[0]
    seen = good["checkpoint"] + cosign(text, witness, "w.example", 1_780_000_000)
    put(folder, "seal/log.json", canonical({**good, "checkpoint": seen}))
    seal(folder)
    report = check.verify(folder, TRUST)
    assert any("seen by w.example" in line for line in report.lines)
    assert "the witnesses are those that the package names: compare their keys" in report.notes
    wrong = good["checkpoint"] + cosign(text + "x", witness, "w.example", 1_780_000_000)
    put(folder, "seal/log.json", canonical({**good, "checkpoint": wrong}))
    seal(folder)
    assert "signature on the checkpoint by w.example is wrong" in refused(folder)


@pytest.mark.parametrize("promise", [{"timestamps_needed": 0}, {"signatures_needed": 1}, {"log": None}])
def test_promises_cannot_be_taken_back(tmp_path: Path, promise: dict) -> None:
    """Whoever strips a seal has to change the statement, and that needs the keys."""
    small(tmp_path / "p")
    resigned(tmp_path / "p", lambda body: body["predicate"].update(promise), keys=[a_key("forger")])
    assert "not on the package's key list" in refused(tmp_path / "p")


def test_another_list_of_files_under_the_same_signature(tmp_path: Path) -> None:
    """Exhibit, manifests and tag manifest all changed to fit: the signed digests do not."""
    folder = tmp_path / "p"
    small(folder)
    body = (folder / "data/exhibits/a.json").read_bytes()
    changed = body.replace(b"acct-1", b"acct-2")
    put(folder, "data/exhibits/a.json", changed)
    for kind in ("sha256", "sha512"):
        place = folder / f"manifest-{kind}.txt"
        put(folder, place.name, place.read_bytes().replace(
            hashlib.new(kind, body).hexdigest().encode(),
            hashlib.new(kind, changed).hexdigest().encode()))  # fmt: skip
    seal(folder)
    assert "manifest-sha256.txt is not the one that was signed" in refused(folder)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("data/more.txt", "is there and is not listed"),
        ("more.txt", "is there and is not listed"),
        ("data/exhibits/A.json", "one name on some systems"),
        ("data/exhibits/ a.json", "no name that this format allows"),
        ("data/exhibits/..a", "no name that this format allows"),
        ("data/exhibits/con.txt", "no name that this format allows"),
        ("data/exhibits/a.json.", "no name that this format allows"),
        ("data/exhibits/a\u202e.json", "no name that this format allows"),
        ("data/exhibits/a\\b.json", "no name that this format allows"),
    ],
)
def test_files_that_do_not_belong(tmp_path: Path, name: str, reason: str) -> None:
    """Extra files, and names that mean something else on another system."""
    small(tmp_path / "p")
    put(tmp_path / "p", name, b"x")
    assert reason in refused(tmp_path / "p")


@pytest.mark.parametrize("name", ["more.txt", "notes/more.txt", "seal/notes/more.txt", "verify_package.py"])
def test_files_that_nobody_signed(tmp_path: Path, name: str) -> None:
    """Outside the payload, beside the lists or in a folder of their own, and listed by whoever put them there."""
    small(tmp_path / "p")
    put(tmp_path / "p", name, b"x")
    seal(tmp_path / "p")
    assert refused(tmp_path / "p") == f"{name} was not signed: it is no part of the package"


@pytest.mark.parametrize(
    "name", ["../outside.txt", "/etc/passwd", "data/../../outside.txt", "data/a b", "~/x"]
)
def test_lists_that_lead_out_of_the_folder(tmp_path: Path, name: str) -> None:
    """A manifest that names a path outside is refused before anything there is read."""
    folder = tmp_path / "p"
    small(folder)
    (tmp_path / "outside.txt").write_bytes(b"secret")
    place = folder / "manifest-sha256.txt"
    place.write_bytes(place.read_bytes() + f"{sha256(b'secret')}  {name}\n".encode())
    seal(folder)
    assert any(text in refused(folder) for text in ("no name that this format allows", "malformed"))


def test_links_and_devices(tmp_path: Path) -> None:
    """A link is refused even where it leads to the right bytes; so is a pipe, and a folder that is a link."""
    folder = tmp_path / "p"
    small(folder)
    target = tmp_path / "a.json"
    shutil.move(folder / "data/exhibits/a.json", target)
    (folder / "data/exhibits/a.json").symlink_to(target)
    assert "no plain file" in refused(folder)
    small(tmp_path / "q")
    os.mkfifo(tmp_path / "q/data/pipe")
    assert "no plain file" in refused(tmp_path / "q")
    small(tmp_path / "r")
    (tmp_path / "link").symlink_to(tmp_path / "r")
    assert "no folder" in refused(tmp_path / "link")


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b'{"a":1,"a":2}', b"[NaN]", b"\xff", b"[" * 20_000, b"null", b"[]", b"{}", b'"\\ud800"'],
)
@pytest.mark.parametrize("name", ["data/keys.json", "data/exhibits.json", "data/redactions.json"])
def test_malformed_documents_under_a_good_signature(tmp_path: Path, name: str, data: bytes) -> None:
    """Even a signer who writes nonsense gets a refusal, never a pass or a hang."""
    small(tmp_path / "p", extra={name: data})
    if data == b"[]" and name == "data/redactions.json":
        check.verify(tmp_path / "p", TRUST)
    else:
        refused(tmp_path / "p")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"payload":1}', b"null", b'{"payload":"!","payloadType":"x","signatures":[]}'],
)
def test_malformed_envelopes(tmp_path: Path, body: bytes) -> None:
    """Each is refused."""
    small(tmp_path / "p")
    put(tmp_path / "p", "seal/statement.dsse.json", body)
    seal(tmp_path / "p")
    refused(tmp_path / "p")


def test_a_broken_chain_of_custody(tmp_path: Path) -> None:
    """An event that was taken out, or a chain that ends elsewhere."""
    small(tmp_path / "p", custody_head="0" * 64)
    assert "does not end where the statement says" in refused(tmp_path / "p")
    small(tmp_path / "q", extra={"data/custody.jsonl": b'{"number":1,"previous":"' + b"0" * 64 + b'"}\n'})
    assert "breaks at event 0" in refused(tmp_path / "q")


def test_openings(tmp_path: Path) -> None:
    """A withheld value that was opened is shown; another value, another place or another package is refused."""
    openings = small(tmp_path / "p", withholds=["account_id"])
    assert b"acct-1" not in b"".join(p.read_bytes() for p in (tmp_path / "p").rglob("*") if p.is_file())
    one = openings[0]
    file = tmp_path / "opening.json"

    def opened(package: str = "P-1", **more: str) -> check.Report:
        row = {"where": one.where, "salt": one.salt, "value": one.value, **more}
        file.write_text(json.dumps({"package_id": package, "openings": [row]}))
        return check.verify(tmp_path / "p", replace(TRUST, openings=(file,)))

    assert opened().opened == {"data/exhibits/a.json#/account_id": "acct-1"}
    for bad in (
        {"value": '"acct-2"'},
        {"salt": "00" * 32},
        {"salt": "zz"},
        {"salt": one.salt[:-2]},
        {"where": "x"},
    ):
        with pytest.raises(check.Refused):
            opened(**bad)
    with pytest.raises(check.Refused, match="another package"):
        opened("P-2")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda rows: [*rows, rows[0]], "twice"),
        (lambda rows: [*rows, {**rows[0], "commitment": "0" * 64}], "twice"),
        (lambda rows: [{**rows[0], "commitment": "0" * 64}], "does not hold the mark"),
        (lambda rows: [{**rows[0], "where": "data/exhibits/a.json#/n"}], "does not hold the mark"),
        (lambda rows: [{**rows[0], "where": "data/exhibits/a.json"}], "no place in the package"),
        (lambda rows: [{**rows[0], "where": "data/exhibits/a.json#/list/00"}], "no place in the package"),
        (lambda rows: [{**rows[0], "where": "data/exhibits/a.json#/list/-"}], "no place in the package"),
        (lambda rows: [{**rows[0], "where": "data/exhibits/a.json#/list/9"}], "no place in the package"),
        (lambda rows: [{**rows[0], "where": "data/exhibits/a.json#/a~2"}], "no place in the package"),
        (lambda rows: [{**rows[0], "where": "data/exhibits/b.json#/x"}], "no place in the package"),
        (lambda rows: [{**rows[0], "where": "bagit.txt#/x"}], "no place in the package"),
        (lambda rows: [{**rows[0], "where": "../outside.json#/x"}], "no place in the package"),
    ],
)  # fmt: skip
def test_a_commitment_stands_for_the_mark_at_its_place(tmp_path: Path, change, reason: str) -> None:
    """One that could be opened for a value that was never withheld there is refused, whoever signed it."""
    exhibit = {"a": {"account_id": "acct-1", "n": 1, "a/b~c": {"account_id": "acct-2"}, "list": [1]}}
    small(tmp_path / "whole", exhibits=exhibit, withholds=["account_id"])
    check.verify(tmp_path / "whole", TRUST)
    rows = json.loads((tmp_path / "whole/data/redactions.json").read_bytes())
    assert [row["where"].partition("#")[2] for row in rows] == ["/a~1b~0c/account_id", "/account_id"]
    extra = {"data/redactions.json": canonical(change(rows))}
    small(tmp_path / "p", exhibits=exhibit, withholds=["account_id"], extra=extra)
    assert reason in refused(tmp_path / "p")


def test_hostile_text_does_not_reach_the_terminal(tmp_path: Path) -> None:
    """Names of people and reasons come from the package: they are shown without control characters."""
    rows = [replace(row, person=row.person + "\x1b[2J\u202e") for row in key_rows()]
    small(tmp_path / "p", keys=rows)
    done = subprocess.run(
        [sys.executable, SOURCE, tmp_path / "p", "--accept-any-signer"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout
