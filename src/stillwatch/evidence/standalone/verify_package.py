"""Verify a stillwatch evidence package offline. Needs Python 3.11 or newer and the package ``cryptography``.

    python verify_package.py PACKAGE --key acquirer.pem [--key reviewer.pem] [--tsa-root ca.pem] [--opening FILE]

What is checked, in this order; the first thing that does not hold is said and ends the check:

 1. The folder holds only plain files, with names that mean the same on every system.
 2. It is a BagIt bag (RFC 8493): every file is listed, every listed file is there and has both digests.
 3. The statement (in-toto in a DSSE envelope) is about exactly these lists, and no file lies beside what they cover.
 4. As many people as it and you ask for have signed it, with keys that you trust and that were not revoked.
 5. The timestamps (RFC 3161) that it promises are there, and are about this envelope; with ``--tsa-root`` one has to
    be there.
 6. The log leaf that it promises is about this envelope and is in the log (RFC 6962), at a signed checkpoint. With
    ``--log-key`` a package that promises none is refused.
 7. The chain of custody is unbroken and ends where the statement says.
 8. Every exhibit is the one that the index names; every commitment stands where it says that a value was withheld, and
    withheld values that were opened fit their commitments.

It says nothing about whether what the package claims is true: that the claims follow from the inputs is what
``stillwatch evidence recompute`` checks, and what they mean is for people to judge.

This file is complete in itself so that it can be read, printed and kept with a package; that is why it is long.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import hmac
import json
import os
import re
import stat
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

BAGIT = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:stillwatch:evidence-package:1"
ENVELOPE, LOG = "seal/statement.dsse.json", "seal/log.json"
SUBJECTS = ("bag-info.txt", "bagit.txt", "manifest-sha256.txt", "manifest-sha512.txt")
TAGS = "tagmanifest-sha256.txt"
MOST_FILES, MOST_BYTES, MOST_JSON = 100_000, 64 << 30, 256 << 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
_LINE = re.compile(r"([0-9a-f]+)  (\S+)")


class Refused(Exception):
    """The package does not hold, and why."""


def refuse(reason: str) -> NoReturn:
    """End the check."""
    raise Refused(reason)


def need(holds: object, reason: str) -> None:
    """End the check unless something holds."""
    if not holds:
        raise Refused(reason)


@dataclass
class Trust:
    """What the reader trusts; an empty trust accepts nothing."""

    keys: frozenset[str] = frozenset()
    """Ids of public keys: SHA-256 of their 32 bytes."""
    accept_any_signer: bool = False
    """Check the seals without knowing whose they are. Proves that nothing was changed since somebody signed."""
    tsa_roots: tuple[x509.Certificate, ...] = ()
    log_keys: frozenset[str] = frozenset()
    """Keys of logs; when given, the package must be in a log, and that log must be one of them."""
    newer_keys: tuple[dict[str, Any], ...] = ()
    """A key list that was got elsewhere: its revocations count as well."""
    openings: tuple[Path, ...] = ()
    signatures: int = 1
    """People who have to have signed, whatever less the package asks for."""


@dataclass
class Report:
    """What held, in words."""

    package: str = ""
    lines: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    opened: dict[str, Any] = field(default_factory=dict)


def verify(folder: Path, trust: Trust) -> Report:
    """Check a package; return what held.

    Raises:
        Refused: with the first reason why it does not hold.
    """
    try:
        return _verify(folder, trust)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        refuse(f"something is missing or malformed ({type(error).__name__})")


def _verify(folder: Path, trust: Trust) -> Report:
    if not trust.keys and not trust.accept_any_signer:
        refuse(
            "no trusted key was given: name the signers' public keys, which you got from them and not from here"
        )
    report = Report()
    files = walk(folder)
    manifests(folder, files, report)
    envelope = read(folder, ENVELOPE)
    keys = key_list(load(folder, "data/keys.json"))
    statement, signers = signed_statement(envelope, keys)
    predicate = about_this_bag(folder, statement)
    report.package = str(predicate.get("package_id", ""))
    times = timestamps(folder, files, predicate, envelope, trust, report)
    enough_signers(predicate, keys, signers, trust, times, report)
    logged(folder, files, predicate, envelope, trust, report)
    all_signed(files, predicate)
    custody(read(folder, "data/custody.jsonl"), predicate, report)
    exhibits(folder, files, report)
    opened(folder, files, trust, report)
    return report


# 1. the folder


def walk(folder: Path) -> dict[str, int]:
    """Names and sizes of the files; anything but plain files and folders is refused."""
    found: dict[str, int] = {}
    seen: dict[str, str] = {}
    total = 0
    need(not folder.is_symlink() and folder.is_dir(), "this is no folder")
    waiting = [(folder, "")]
    while waiting:
        place, prefix = waiting.pop()
        for entry in sorted(os.scandir(place), key=lambda e: e.name):
            name = prefix + entry.name
            check_name(name)
            folded = unicodedata.normalize("NFC", name).casefold()
            need(folded not in seen, f"{name} and {seen.get(folded)} are one name on some systems")
            seen[folded] = name
            info = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(info.st_mode):
                waiting.append((Path(entry.path), name + "/"))
                continue
            need(stat.S_ISREG(info.st_mode), f"{name} is no plain file: a link or a device may lead anywhere")
            found[name] = info.st_size
            total += info.st_size
            need(
                len(found) <= MOST_FILES and total <= MOST_BYTES, "the package is too large to be one of ours"
            )
    return found


def check_name(name: str) -> None:
    """A name that cannot lead out of the folder and means the same everywhere."""
    for part in name.split("/"):
        fine = _NAME.fullmatch(part) and not _DEVICES.fullmatch(part) and part[-1] not in ". "
        need(fine, f"{name!a} is no name that this format allows")


def read(folder: Path, name: str) -> bytes:
    """A file of the package."""
    try:
        path = folder / name
        need(path.stat().st_size <= MOST_JSON, f"{name} is too large")
        return path.read_bytes()
    except OSError:
        refuse(f"{name} is missing or cannot be read")


def load(folder: Path, name: str) -> Any:
    """A JSON file of the package."""
    return parsed(read(folder, name), name)


def parsed(data: bytes, what: str) -> Any:
    """Strict JSON: UTF-8, no key twice, no numbers that JSON does not have."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        need(len(made) == len(pairs), f"{what} has a key twice")
        return made

    try:
        return json.loads(
            data.decode("utf-8"), object_pairs_hook=once, parse_constant=lambda _: refuse(f"{what}: NaN")
        )
    except (ValueError, RecursionError):
        refuse(f"{what} is no JSON")


# 2. the bag


def manifests(folder: Path, files: dict[str, int], report: Report) -> None:
    """Every file is listed and has its digests; nothing else is there."""
    need(TAGS in files, f"{TAGS} is missing: the package is not sealed yet, or was cut")
    count = bag(folder, files)
    tags = manifest(folder, TAGS)
    same_set(set(tags), {f for f in files if not f.startswith("data/")} - {TAGS}, TAGS)
    for name, expected in sorted(tags.items()):
        need(
            digest(folder / name, "sha256") == expected,
            f"{name} was changed: its sha256 is not the listed one",
        )
    report.lines.append(
        f"bag: {count} files, each with the sha256 and sha512 that is listed; nothing else there"
    )


def bag(folder: Path, files: dict[str, int]) -> int:
    """The payload is what both manifests list; returns the number of its files."""
    need(read(folder, "bagit.txt") == BAGIT, "bagit.txt is not that of BagIt 1.0")
    payload = {name for name in files if name.startswith("data/")}
    for kind in ("sha256", "sha512"):
        listed = manifest(folder, f"manifest-{kind}.txt")
        same_set(set(listed), payload, f"manifest-{kind}.txt")
        for name in sorted(payload):
            need(
                digest(folder / name, kind) == listed[name],
                f"{name} was changed: its {kind} is not the listed one",
            )
    return len(payload)


def manifest(folder: Path, name: str) -> dict[str, str]:
    """Digests by name."""
    found: dict[str, str] = {}
    try:
        text = read(folder, name).decode("ascii")
    except UnicodeDecodeError:
        refuse(f"{name} is malformed")
    need(text.endswith("\n"), f"{name} is cut off")
    for line in text[:-1].split("\n"):
        match = _LINE.fullmatch(line)
        if match is None:
            refuse(f"{name} is malformed")
        check_name(match[2])
        need(match[2] not in found, f"{name} lists {match[2]} twice")
        found[match[2]] = match[1]
    return found


def same_set(listed: set[str], present: set[str], name: str) -> None:
    """Say which file is missing or too many."""
    missing, extra = sorted(listed - present), sorted(present - listed)
    need(not missing, f"{missing[0] if missing else ''} is listed in {name} and is not there")
    need(not extra, f"{extra[0] if extra else ''} is there and is not listed in {name}")


def digest(path: Path, kind: str) -> str:
    """Digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


# 3 and 4. the statement and who signed it


def pae(kind: str, body: bytes) -> bytes:
    """What a DSSE signature is made over."""
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(body), body)


def key_list(rows: Any) -> dict[str, dict[str, Any]]:
    """The package's keys by id; each id is the digest of its key."""
    need(isinstance(rows, list) and rows, "the package names no keys")
    found = {}
    for row in rows:
        public = public_bytes(str(row.get("public")))
        need(
            hashlib.sha256(public).hexdigest() == row.get("key_id"),
            "a key of the package does not fit its id",
        )
        found[row["key_id"]] = {**row, "raw": public}
    return found


def public_bytes(pem: str) -> bytes:
    """The 32 bytes of an Ed25519 public key."""
    try:
        key = load_pem_public_key(pem.encode())
    except ValueError:
        refuse("a public key is malformed")
    if not isinstance(key, Ed25519PublicKey):
        refuse("a public key is not Ed25519")
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def signed_statement(envelope: bytes, keys: dict[str, dict[str, Any]]) -> tuple[dict[str, Any], list[str]]:
    """The statement and the ids of the keys that signed it; one wrong signature is enough to refuse."""
    outer = parsed(envelope, "the envelope")
    need(
        isinstance(outer, dict) and set(outer) == {"payload", "payloadType", "signatures"},
        "the envelope is malformed",
    )
    need(outer["payloadType"] == PAYLOAD_TYPE, "the envelope holds no in-toto statement")
    body = unbase64(outer["payload"], "the payload")
    signers: list[str] = []
    for one in outer["signatures"]:
        key_id = str(one.get("keyid"))
        need(key_id in keys, f"key {key_id[:16]} is not on the package's key list")
        need(key_id not in signers, f"key {key_id[:16]} signed twice")
        ed25519(
            keys[key_id]["raw"],
            unbase64(one.get("sig"), "a signature"),
            pae(PAYLOAD_TYPE, body),
            "the statement",
        )
        signers.append(key_id)
    statement = parsed(body, "the statement")
    need(isinstance(statement, dict), "the statement is malformed")
    return statement, signers


def about_this_bag(folder: Path, statement: dict[str, Any]) -> dict[str, Any]:
    """The statement's predicate, after its subjects were held against the files."""
    need(statement.get("_type") == STATEMENT, "the statement is not in-toto Statement v1")
    need(
        statement.get("predicateType") == PREDICATE,
        "the statement is not about an evidence package of version 1",
    )
    subjects = {s["name"]: s["digest"]["sha256"] for s in statement.get("subject", [])}
    need(set(subjects) == set(SUBJECTS), "the statement is not about the lists of this bag")
    for name, expected in subjects.items():
        need(digest(folder / name, "sha256") == expected, f"{name} is not the one that was signed")
    predicate = statement.get("predicate")
    if not isinstance(predicate, dict):
        refuse("the statement says nothing")
    wanted = ("package_id", "created_at", "signatures_needed", "timestamps_needed", "log", "custody_head")
    need(all(name in predicate for name in wanted), "the statement does not say what its package must hold")
    need(int(predicate["signatures_needed"]) >= 1, "a package without signatures proves nothing")
    return dict(predicate)


def all_signed(files: dict[str, int], predicate: dict[str, Any]) -> None:
    """Outside the payload lie the signed lists, the list of the rest, and the seals that are promised; nothing else."""
    known = {*SUBJECTS, TAGS, ENVELOPE, *([LOG] if predicate["log"] else [])}
    known |= {f"seal/timestamp-{n + 1}.tsr" for n in range(int(predicate["timestamps_needed"]))}
    for name in sorted(files):
        need(
            name.startswith("data/") or name in known,
            f"{name} was not signed: it is no part of the package",
        )


def enough_signers(
    predicate: dict[str, Any], keys: dict[str, dict[str, Any]], signers: Sequence[str], trust: Trust,
    times: Sequence[datetime], report: Report,
) -> None:  # fmt: skip
    """As many different people as the statement and the reader ask for, each with a trusted key that was good then."""
    good: dict[str, str] = {}
    made = moment(predicate["created_at"])
    for key_id in signers:
        row = keys[key_id]
        need(row["role"] in ("acquirer", "reviewer"), f"key {key_id[:16]} is not one that signs packages")
        need(
            moment(row["valid_from"]) <= made,
            f"key {key_id[:16]} was not valid yet when the package was made",
        )
        not_revoked(row, made, times, report)
        for newer in trust.newer_keys:
            if newer.get("key_id") == key_id:
                not_revoked(newer, made, times, report)
        if trust.accept_any_signer or key_id in trust.keys:
            good[str(row["person"])] = key_id
            report.lines.append(f"signed by {row['person']} as {row['role']}, key {key_id}")
        else:
            report.notes.append(f"also signed by key {key_id[:16]}, which you did not name")
    for key_id in sorted(trust.keys - set(signers)):
        report.notes.append(f"key {key_id[:16]}, which you named, did not sign this package")
    wanted = max(int(predicate["signatures_needed"]), trust.signatures)
    reason = f"{wanted} people had to sign, and {len(good)} did with keys that you trust; keys: {', '.join(signers)}"
    need(len(good) >= wanted, reason)
    if wanted > 1:
        roles = {keys[key_id]["role"] for key_id in good.values()}
        need({"acquirer", "reviewer"} <= roles, "an acquirer and a reviewer had to sign")
    if trust.accept_any_signer:
        report.notes.append("WHOSE KEYS THESE ARE WAS NOT CHECKED: anybody could have made this package")


def not_revoked(row: dict[str, Any], made: datetime, times: Sequence[datetime], report: Report) -> None:
    """A revoked key counts for what it signed before; if it was compromised, only an anchored timestamp shows that."""
    if not row.get("revoked_at"):
        return
    name, when = str(row["key_id"])[:16], moment(row["revoked_at"])
    if row.get("revoked_as") == "compromised":
        shown = any(time < when for time in times)
        need(
            shown, f"key {name} was compromised, and no timestamp that you trust shows that it signed before"
        )
    need(made < when, f"key {name} was revoked before the package was made")
    report.notes.append(f"key {name} was revoked at {row['revoked_at']}, after the package was made")


def ed25519(public: bytes, signature: bytes, data: bytes, what: str) -> None:
    """Check one signature."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        refuse(f"the signature on {what} is wrong")


def unbase64(text: object, what: str) -> bytes:
    """Strict base64."""
    try:
        return base64.b64decode(str(text), validate=True)
    except (binascii.Error, ValueError):
        refuse(f"{what} is no base64")


def moment(text: object) -> datetime:
    """A time with its zone."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        refuse(f"{text!a} is no time")
    need(found.tzinfo is not None, f"{text} has no time zone")
    return found


# 5. timestamps


def timestamps(
    folder: Path,
    files: dict[str, int],
    predicate: dict[str, Any],
    envelope: bytes,
    trust: Trust,
    report: Report,
) -> list[datetime]:
    """Check the promised timestamps; return the times of those that lead to a root that the reader trusts.

    Whoever names a root wants a timestamp under it: none promised is none.
    """
    anchored = []
    for n in range(int(predicate["timestamps_needed"])):
        name = f"seal/timestamp-{n + 1}.tsr"
        need(name in files, f"{name} is missing: the statement promises {predicate['timestamps_needed']}")
        when, who, chained = timestamp(read(folder, name), envelope, trust.tsa_roots)
        report.lines.append(f"timestamp {n + 1}: {when.isoformat()} by {who}")
        if chained:
            anchored.append(when)
        else:
            report.notes.append(
                f"timestamp {n + 1}: whose certificate this is was not checked; give --tsa-root"
            )
    if trust.tsa_roots:
        need(anchored, "no timestamp comes from an authority that you trust")
    return anchored


Der = tuple[int, bytes, bytes]
"""Tag, content, and the whole element."""
OIDS = {
    "signed": "2a864886f70d010702", "tst": "2a864886f70d0109100104", "type": "2a864886f70d010903",
    "digest": "2a864886f70d010904", "cert1": "2a864886f70d010910020c", "cert2": "2a864886f70d010910022f",
}  # fmt: skip
HASHES: dict[str, Any] = {
    "2b0e03021a": hashes.SHA1, "608648016503040201": hashes.SHA256, "608648016503040202": hashes.SHA384,
    "608648016503040203": hashes.SHA512,
}  # fmt: skip


def der(data: bytes) -> list[Der]:
    """The elements of a DER string."""
    found, at = [], 0
    while at < len(data):
        start = at
        need(len(data) - at >= 2 and data[at] & 0x1F != 0x1F, "a timestamp is malformed")
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            count = length & 0x7F
            need(0 < count <= 4 and len(data) - at >= count, "a timestamp is malformed")
            length = int.from_bytes(data[at : at + count], "big")
            at += count
        need(len(data) - at >= length, "a timestamp is cut off")
        found.append((tag, data[at : at + length], data[start : at + length]))
        at += length
    return found


def timestamp(reply: bytes, envelope: bytes, roots: Iterable[x509.Certificate]) -> tuple[datetime, str, bool]:
    """Time, name of the authority, and whether its certificate leads to one of the roots.

    Raises:
        Refused: it is malformed, about something else, or its signature is wrong.
    """
    try:
        return _timestamp(reply, envelope, tuple(roots))
    except Refused:
        raise
    except (
        Exception
    ) as error:  # hostile bytes may fail in any of a certificate's many parts: all of it is refusal
        refuse(f"a timestamp is malformed or its signature is wrong ({type(error).__name__})")


def _timestamp(
    reply: bytes, envelope: bytes, roots: tuple[x509.Certificate, ...]
) -> tuple[datetime, str, bool]:
    outer = der(reply)
    need(len(outer) == 1, "a timestamp is malformed")
    parts = der(outer[0][1])
    status = int.from_bytes(der(parts[0][1])[0][1], "big")
    need(status in (0, 1) and len(parts) == 2, "a timestamp was not granted")
    content = der(parts[1][1])
    need(content[0][1].hex() == OIDS["signed"], "a timestamp is not signed")
    signed = der(der(content[1][1])[0][1])
    encapsulated = der(signed[2][1])
    need(encapsulated[0][1].hex() == OIDS["tst"], "a timestamp is about something else")
    info = der(encapsulated[1][1])[0][1]
    certificates = [
        x509.load_der_x509_certificate(c[2]) for tag, body, _ in signed[3:] if tag == 0xA0 for c in der(body)
    ]
    fields = der(der(info)[0][1])
    imprint = der(fields[2][1])
    algorithm = HASHES[der(imprint[0][1])[0][1].hex()]
    need(algorithm is not hashes.SHA1, "a timestamp rests on SHA-1")
    about = hashlib.new(algorithm.name, envelope).digest()
    need(imprint[1][1] == about, "a timestamp is not about this envelope")
    when = datetime.strptime(fields[4][1].decode("ascii")[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    signers = der(signed[-1][1])
    need(len(signers) == 1, "a timestamp must have one signer")
    signer = _signer(der(signers[0][1]), info, certificates)
    return when, signer.subject.rfc4514_string(), chained(signer, certificates, roots, when)


def _signer(fields: list[Der], info: bytes, certificates: list[x509.Certificate]) -> x509.Certificate:
    """The certificate whose key signed, after everything that it signed was held against the token."""
    issuer, serial = der(fields[1][1])[:2]
    number = int.from_bytes(serial[1], "big")
    mine = [c for c in certificates if c.serial_number == number and c.issuer.public_bytes() == issuer[2]]
    need(len(mine) == 1, "a timestamp does not carry its authority's certificate")
    certificate = mine[0]
    algorithm = HASHES[der(fields[2][1])[0][1].hex()]
    need(algorithm is not hashes.SHA1, "a timestamp rests on SHA-1")
    need(fields[3][0] == 0xA0, "a timestamp signs no attributes")
    attributes = {pair[0][1].hex(): der(pair[1][1])[0] for pair in (der(a[1]) for a in der(fields[3][1]))}
    need(attributes[OIDS["type"]][1].hex() == OIDS["tst"], "a timestamp is about something else")
    expected = hashlib.new(algorithm.name, info).digest()
    need(attributes[OIDS["digest"]][1] == expected, "a timestamp's content was changed")
    _named(attributes, certificate)
    message = b"\x31" + fields[3][2][1:]
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(fields[5][1], message, padding.PKCS1v15(), algorithm())
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(fields[5][1], message, ec.ECDSA(algorithm()))
    else:
        refuse("a timestamp is signed by a kind of key that this verifier does not know")
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    only = list(usage.value) == [x509.oid.ExtendedKeyUsageOID.TIME_STAMPING]
    need(only and usage.critical, "a timestamp is signed by a certificate that is not for timestamps alone")
    return certificate


def _named(attributes: dict[str, Der], certificate: x509.Certificate) -> None:
    """The signed attributes name the certificate, so that no other with the same key can be put in its place."""
    raw = certificate.public_bytes(Encoding.DER)
    if OIDS["cert2"] in attributes:
        first = der(der(der(attributes[OIDS["cert2"]][1])[0][1])[0][1])
        kind = HASHES[der(first[0][1])[0][1].hex()] if first[0][0] == 0x30 else hashes.SHA256
        named = first[1][1] if first[0][0] == 0x30 else first[0][1]
        need(named == hashlib.new(kind.name, raw).digest(), "a timestamp names another certificate")
        return
    need(OIDS["cert1"] in attributes, "a timestamp does not name its certificate")
    first = der(der(der(attributes[OIDS["cert1"]][1])[0][1])[0][1])
    named = hashlib.sha1(raw, usedforsecurity=False).digest()  # RFC 2634 knows no other
    need(first[0][1] == named, "a timestamp names another certificate")


def chained(
    leaf: x509.Certificate,
    between: list[x509.Certificate],
    roots: tuple[x509.Certificate, ...],
    when: datetime,
) -> bool:
    """Whether a certificate leads to a trusted root by certificates that were valid at the time."""
    at = leaf
    for _ in range(6):
        if not at.not_valid_before_utc <= when <= at.not_valid_after_utc:
            return False
        if any(at == root for root in roots):
            return True
        above = [c for c in (*roots, *between) if c != at and _issued(at, c)]
        if not above:
            return False
        at = above[0]
    return False


def _issued(child: x509.Certificate, parent: x509.Certificate) -> bool:
    try:
        if not parent.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
        child.verify_directly_issued_by(parent)
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return True


# 6. the log


def logged(
    folder: Path,
    files: dict[str, int],
    predicate: dict[str, Any],
    envelope: bytes,
    trust: Trust,
    report: Report,
) -> None:
    """The envelope's leaf is in the log that the statement names, at a checkpoint that its key signed."""
    named = predicate["log"]
    if not named:
        need(not trust.log_keys, "the package is in no log, and you named the key of one")
        report.notes.append(
            "the package is in no log: that it was made once and not several times is not shown"
        )
        return
    if trust.log_keys:
        need(named["vkey"] in trust.log_keys, "the log is not one that you trust")
    else:
        report.notes.append("whose log this is was not checked; give --log-key")
    if named["witnesses"]:
        report.notes.append("the witnesses are those that the package names: compare their keys")
    need(LOG in files, f"{LOG} is missing: the statement promises it")
    proof = load(folder, LOG)
    leaf = unbase64(proof["leaf"], "the leaf")
    said = parsed(leaf, "the leaf")
    envelope_digest = "sha256:" + hashlib.sha256(envelope).hexdigest()
    need(
        said.get("kind") == "package" and said.get("digest") == envelope_digest,
        "the leaf is about something else",
    )
    origin, size, root, witnessed = checkpoint(str(proof["checkpoint"]), named["vkey"], named["witnesses"])
    need(origin == named["origin"], "the checkpoint is of another log")
    path = [unbase64(step, "the proof") for step in proof["path"]]
    top = climbed(hashlib.sha256(b"\0" + leaf).digest(), int(proof["index"]), size, path)
    need(top == root, "the leaf is not in the log")
    needed = int(named["witnesses_needed"])
    need(len(witnessed) >= needed, f"{needed} witnesses had to sign the checkpoint, and {len(witnessed)} did")
    seen = f", seen by {', '.join(sorted(witnessed))}" if witnessed else ""
    report.lines.append(f"log: leaf {proof['index']} of {size} in {origin}{seen}")


def climbed(found: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that follows from a leaf and its proof (RFC 9162, section 2.1.3.2)."""
    need(0 <= index < size, "there is no such leaf in the log")
    at, last = index, size - 1
    for sibling in path:
        need(last > 0, "the proof is too long")
        if at & 1 or at == last:
            found = hashlib.sha256(b"\1" + sibling + found).digest()
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            found = hashlib.sha256(b"\1" + found + sibling).digest()
        at, last = at >> 1, last >> 1
    need(last == 0, "the proof is too short")
    return found


def checkpoint(signed: str, vkey: str, witnesses: Sequence[str]) -> tuple[str, int, bytes, set[str]]:
    """Origin, size and root of a checkpoint that the log signed, and the witnesses that did too (C2SP formats)."""
    text, found, rest = signed.rpartition("\n\n")
    need(found and rest.endswith("\n"), "the checkpoint is no signed note")
    text += "\n"
    known = {_mark(key): key for key in (vkey, *witnesses)}
    by: set[str] = set()
    for line in rest[:-1].split("\n"):
        match = re.fullmatch(r"\u2014 (\S+) (\S+)", line)
        if match is None:
            refuse("the checkpoint is no signed note")
        data = unbase64(match[2], "a signature of the checkpoint")
        key = known.get((match[1], data[:4]))
        if key is None:
            continue
        raw = unbase64(key.split("+", 2)[2], "a key of the log")
        body, signature = text.encode(), data[4:]
        if raw[0] == 4:
            body = b"cosignature/v1\ntime %d\n" % int.from_bytes(signature[:8], "big") + body
            signature = signature[8:]
        ed25519(raw[1:], signature, body, f"the checkpoint by {match[1]}")
        by.add(key)
    need(vkey in by, "the log did not sign the checkpoint")
    lines = text.split("\n")
    need(len(lines) >= 4 and lines[1].isdecimal(), "the checkpoint is malformed")
    return lines[0], int(lines[1]), unbase64(lines[2], "the root"), {k.split("+")[0] for k in by - {vkey}}


def _mark(vkey: str) -> tuple[str, bytes]:
    """Name and mark of a key of a note, computed and not believed."""
    name, _, data = vkey.split("+", 2) if vkey.count("+") >= 2 else refuse("a key of the log is malformed")
    return name, hashlib.sha256(f"{name}\n".encode() + unbase64(data, "a key of the log")).digest()[:4]


# 7 and 8. custody, exhibits, openings


def custody(data: bytes, predicate: dict[str, Any], report: Report) -> None:
    """Each event names the digest of the one before it; the last one's is in the statement."""
    previous = "0" * 64
    lines = data.splitlines()
    need(lines, "there is no chain of custody")
    for number, line in enumerate(lines):
        event = parsed(line, "the chain of custody")
        fits = event.get("number") == number and event.get("previous") == previous
        need(fits, f"the chain of custody breaks at event {number}")
        previous = hashlib.sha256(line).hexdigest()
    need(previous == predicate["custody_head"], "the chain of custody does not end where the statement says")
    report.lines.append(f"custody: {len(lines)} events, unbroken")


def exhibits(folder: Path, files: dict[str, int], report: Report) -> None:
    """The index names every exhibit by its digest, and nothing else lies among them."""
    index = load(folder, "data/exhibits.json")
    need(isinstance(index, list), "the index of exhibits is malformed")
    named = {str(row["path"]): str(row["sha256"]) for row in index}
    need(len(named) == len(index), "an exhibit is named twice")
    same_set(
        set(named),
        {f for f in files if f.startswith(("data/exhibits/", "data/inputs/"))},
        "the index of exhibits",
    )
    for name, expected in named.items():
        need(digest(folder / name, "sha256") == expected, f"{name} is not the exhibit that the index names")
    report.lines.append(f"exhibits: {len(named)}, each as the index names it")


def commitment(salt: bytes, where: str, value: str) -> str:
    """What stands for a withheld value: without the salt it says nothing, with it there is one value only."""
    need(len(salt) == 32, "a salt has 32 bytes")
    return hmac.new(salt, where.encode() + b"\0" + value.encode(), hashlib.sha256).hexdigest()


def marked(folder: Path, files: dict[str, int], commitments: dict[str, str]) -> None:
    """Each commitment stands for the mark that lies at its place, so that none can be opened for another place."""
    name, document = "", None
    for where in sorted(commitments):
        file, _, pointer = where.partition("#")
        if file != name:
            need(file in files and file.startswith("data/"), f"{where!a} is no place in the package")
            name, document = file, load(folder, file)
        mark = {"withheld": commitments[where][:16]}
        need(pointed(document, pointer, where) == mark, f"{where!a} does not hold the mark of its commitment")


def pointed(value: Any, pointer: str, where: str) -> Any:
    """What lies at a JSON pointer (RFC 6901)."""
    need(
        pointer.startswith("/") and not re.search("~(?![01])", pointer),
        f"{where!a} is no place in the package",
    )
    for step in pointer[1:].split("/"):
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and re.fullmatch("0|[1-9][0-9]{0,8}", key) and int(key) < len(value):
            value = value[int(key)]
        else:
            refuse(f"{where!a} is no place in the package")
    return value


def opened(folder: Path, files: dict[str, int], trust: Trust, report: Report) -> None:
    """Values that were opened are those that were withheld."""
    withheld = load(folder, "data/redactions.json")
    need(isinstance(withheld, list), "the list of what is withheld is malformed")
    by_where = {str(row["where"]): str(row["commitment"]) for row in withheld}
    need(len(by_where) == len(withheld), "a place is on the list of what is withheld twice")
    marked(folder, files, by_where)
    if withheld:
        report.notes.append(f"{len(withheld)} values are withheld; each can be opened later and checked")
    for path in trust.openings:
        disclosure = parsed(path.read_bytes(), path.name)
        need(disclosure.get("package_id") == report.package, f"{path.name} opens values of another package")
        for one in disclosure["openings"]:
            where = str(one["where"])
            need(where in by_where, f"{where!a} was never withheld")
            try:
                salt = bytes.fromhex(one["salt"])
            except ValueError:
                refuse("a salt is malformed")
            fits = hmac.compare_digest(commitment(salt, where, str(one["value"])), by_where[where])
            need(fits, f"the value opened for {where!a} is not the one that was withheld")
            report.opened[where] = parsed(str(one["value"]).encode(), where)
        report.lines.append(
            f"opened: {len(disclosure['openings'])} values of {path.name} fit their commitments"
        )


def key_id_of(path: Path) -> str:
    """Id of the public key in a PEM file."""
    return hashlib.sha256(public_bytes(path.read_text("ascii", "replace"))).hexdigest()


def safe(text: str) -> str:
    """Text that cannot steer a terminal."""
    return "".join(c if c.isprintable() else f"<U+{ord(c):04X}>" for c in text)


def trusted(given: argparse.Namespace) -> Trust:
    """What the command line says that the reader trusts."""
    newer = parsed(given.keys.read_bytes(), given.keys.name) if given.keys else []
    need(
        isinstance(newer, list) and all(isinstance(row, dict) for row in newer),
        "the newer key list is malformed",
    )
    roots = [c for path in given.tsa_root for c in x509.load_pem_x509_certificates(path.read_bytes())]
    return Trust(
        frozenset(map(key_id_of, given.key)), given.accept_any_signer, tuple(roots), frozenset(given.log_key),
        tuple(newer), tuple(given.opening), given.signatures,
    )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; exit status 0 when everything holds, 1 when not, 2 when it cannot be tried."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("package", type=Path)
    parser.add_argument(
        "--key", action="append", type=Path, default=[], help="public key (PEM) of a signer you trust"
    )
    parser.add_argument(
        "--accept-any-signer", action="store_true", help="check the seals without knowing whose they are"
    )
    parser.add_argument(
        "--tsa-root", action="append", type=Path, default=[], help="root certificate of an authority"
    )
    parser.add_argument("--log-key", action="append", default=[], help="key of a log you trust, as one line")
    parser.add_argument(
        "--signatures", type=int, default=1, help="people who must have signed, if the package asks for fewer"
    )
    parser.add_argument("--keys", type=Path, help="a newer key list (JSON), for revocations")
    parser.add_argument("--opening", action="append", type=Path, default=[], help="file with opened values")
    given = parser.parse_args(arguments)
    try:
        trust = trusted(given)
    except (OSError, ValueError, Refused) as error:
        sys.stderr.write(f"CANNOT TRY: {safe(str(error))}\n")
        return 2
    try:
        report = verify(given.package, trust)
    except Refused as error:
        sys.stderr.write(f"NOT VERIFIED: {safe(str(error))}\n")
        return 1
    for line in report.lines:
        sys.stdout.write(f"ok    {safe(line)}\n")
    for note in report.notes:
        sys.stdout.write(f"note  {safe(note)}\n")
    sys.stdout.write(f"VERIFIED  package {safe(report.package)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
