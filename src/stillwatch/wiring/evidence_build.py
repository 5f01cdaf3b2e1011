"""From the folder of a run, or from a case of the store, to a sealed package.

A package is made in two steps. *Build* writes everything that it says and one person's signature; where its profile
asks for a second person, it waits. *Seal* adds, once all signatures are there, what rests on them: timestamps over the
envelope, its leaf in the log with the proof, and the list of the seal's own files. Until then it does not verify.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stillwatch import __version__
from stillwatch.errors import ConfigError, StillwatchError, UpstreamError, VerificationError
from stillwatch.evidence.bag import digest
from stillwatch.records.evidence import CaseFile, Exhibit, LeafKind
from stillwatch.report.swap import new_folder, put_in_place
from stillwatch.settings import Settings
from stillwatch.wiring import evidence_log
from stillwatch.wiring.evidence_case import HINTS, case_from_run, read_toml
from stillwatch.wiring.evidence_http import post
from stillwatch.wiring.evidence_inputs import preserve
from stillwatch.wiring.evidence_keys import needs_extra, read_list, signing_key
from stillwatch.wiring.progress import Progress, writable, write_private

if TYPE_CHECKING:
    from stillwatch.wiring.evidence_store import StoredCase

VERIFIER = Path(__file__).parent.parent / "evidence" / "standalone" / "verify_package.py"
OPENINGS = ".openings.json"


def build_evidence(
    run: Path | None, out: Path, *, profile: str, settings: Settings, signer: str | None = None,
    campaigns: Sequence[str] = (), accounts: Sequence[str] = (), case: Path | None = None, prices: Path | None = None,
    inputs: Sequence[str] = (), tables: Mapping[str, str | None] | None = None, format: str | None = None,
    mapping: Path | None = None, with_inputs: bool = False, case_uco: bool = False,
    files: Sequence[Path] = (), stored: StoredCase | None = None, progress: Progress,
    env: Mapping[str, str] = os.environ,
) -> dict[str, Any]:  # fmt: skip
    """Build a package from a run, from a case of the store, or from both; see the module for what happens when.

    Raises:
        StillwatchError: nothing is written then.
    """
    needs_extra("typst")
    from stillwatch.evidence.attribution import checked
    from stillwatch.evidence.exposure import checked_prices
    from stillwatch.evidence.keys import Role
    from stillwatch.evidence.profiles import profile as named

    audience = named(profile)
    now = datetime.now(UTC)
    row, key = signing_key(settings, signer, Role.ACQUIRER, now=now, env=env)
    if out.exists() or out.with_name(out.name + OPENINGS).exists():
        raise ConfigError(
            f"{out.name} or its openings exist already", hint="name a folder that does not exist yet"
        )
    two = profile in settings.evidence.two_signatures
    if two and not any(k.role is Role.REVIEWER and k.revoked_at is None for k in read_list(settings)):
        raise ConfigError(
            f"profile {profile} needs a second person, and no reviewer's key is on the list",
            hint="stillwatch evidence key new NAME --role reviewer, or key add with a public key from their machine",
        )
    if inputs and not (audience.inputs or with_inputs):
        raise ConfigError(
            f"profile {profile} takes no inputs: they hold everybody who was scanned",
            hint="use --profile court, or say --with-inputs if you mean it",
        )
    if inputs and run is None:
        raise ConfigError(
            "the store keeps no more of a run than its result", hint="name the folder of the run with --run"
        )
    if stored is not None:
        from stillwatch.wiring.evidence_store import case_from_store

        progress.step("reading the case")
        file = case_from_store(stored, run=run, accounts=accounts, case=case, profile=profile)
    elif run is not None:
        progress.step("reading the run")
        file = case_from_run(run, campaigns=campaigns, accounts=accounts, case=case)
    else:
        raise ConfigError("there is nothing to build from", hint="name the folder of a run, or a case")
    if file.attribution is not None:
        checked(file.attribution)
    known_prices = checked_prices(read_toml(prices)) if prices else {}
    with writable(out), new_folder(out.resolve()) as folder:
        stamps = len(settings.evidence.timestamp_authorities)
        made = _Package(folder, file, (row.person, row.key_id), now, (2 if two else 1, stamps))
        if inputs:
            progress.step("keeping the inputs")
            (folder / "data" / "inputs").mkdir(parents=True)
            preserve(
                inputs, folder / "data" / "inputs", run=file.run, settings=settings, accounts=accounts,
                tables=tables or {}, format=format, mapping=mapping, env=env, progress=progress,
            )  # fmt: skip
        made.take(files)
        progress.step("writing what it says")
        log = evidence_log.log_name(settings, env)
        openings = made.write(audience, known_prices, read_list(settings), log=log, case_uco=case_uco)
        predicate = made.predicate(
            profile=profile, settings_digest=str(file.run.get("settings_digest")), log=log
        )
        made.sign(predicate, key)
        if not two:
            progress.step("sealing")
            _stamp(folder, settings)
        if openings:
            write_private(
                out.with_name(out.name + OPENINGS),
                _readable({"package_id": made.package_id, "openings": [asdict(o) for o in openings]}),
            )
        put_in_place(folder, out.resolve())
    if not two:
        _finish(out, settings, env)
    return {
        "package": str(out), "package_id": made.package_id, "campaigns": [c.campaign_id for c in file.campaigns],
        "signed_by": row.person, "key_id": row.key_id, "withheld": len(openings),
        "openings": str(out.with_name(out.name + OPENINGS)) if openings else None,
        "sealed": not two, "in_log": predicate["log"] is not None,
        "timestamps": predicate["timestamps_needed"], "inputs": bool(inputs),
    }  # fmt: skip


def sign_evidence(
    folder: Path, *, settings: Settings, signer: str | None, env: Mapping[str, str] = os.environ
) -> dict[str, Any]:
    """Add a reviewer's signature and seal; or seal again where a timestamp or the log could not be reached.

    Raises:
        VerificationError: the package was changed since it was built.
        ConfigError: the reviewer is the one who built it.
    """
    needs_extra()
    from stillwatch.evidence.dsse import PAYLOAD_TYPE, pae
    from stillwatch.evidence.keys import Role
    from stillwatch.evidence.standalone import verify_package as check

    place = folder / check.ENVELOPE
    _sweep(folder)
    try:
        outer = check.parsed(place.read_bytes(), "the envelope")
        body = check.unbase64(outer["payload"], "the payload")
        keys = check.key_list(check.load(folder, "data/keys.json"))
        statement, signers = check.signed_statement(place.read_bytes(), keys)
        predicate = check.about_this_bag(folder, statement)
        check.bag(folder, check.walk(folder))
    except (check.Refused, OSError, KeyError) as error:
        raise VerificationError(
            f"{folder.name}: {error}", hint="build the package again: it is not as it was built"
        ) from error
    people = {str(keys[k]["person"]) for k in signers}
    if (folder / check.TAGS).exists():
        raise StillwatchError(
            "the package is sealed already", hint="stillwatch evidence verify says what holds"
        )
    if len(people) < predicate["signatures_needed"]:
        row, key = signing_key(settings, signer, Role.REVIEWER, now=datetime.now(UTC), env=env)
        if row.person in people:
            raise ConfigError(
                f"{row.person} has signed this package already",
                hint="a second person has to: that is the point",
            )
        if row.key_id not in keys:
            raise ConfigError(
                f"the package does not know the key of {row.person}",
                hint="the acquirer's key list must hold the reviewer's public key when the package is built",
            )
        import base64

        outer["signatures"].append(
            {"keyid": row.key_id, "sig": base64.b64encode(key.sign(pae(PAYLOAD_TYPE, body))).decode()}
        )
        from stillwatch.evidence.canonical import canonical

        _write(place, canonical(outer))
        people.add(row.person)
    _stamp(folder, settings)
    _finish(folder, settings, env)
    return {"package_id": predicate["package_id"], "signed_by": sorted(people), "sealed": True}


class _Package:
    """A package that is being written."""

    def __init__(
        self, folder: Path, case: CaseFile, key: tuple[str, str], now: datetime, seals: tuple[int, int]
    ) -> None:
        (self.signatures, self.timestamps), (person, self.key_id) = seals, key
        self.folder, self.case, self.person, self.now = folder, case, person, now
        self.package_id = f"P-{now:%Y%m%d}-{secrets.token_hex(6)}"
        self.exhibits: list[Exhibit] = []
        self.head = ""

    def take(self, files: Sequence[Path]) -> None:
        """Other files, sealed as they are.

        Raises:
            ConfigError: a name that is not allowed in a package, or is there twice.
        """
        from stillwatch.evidence.standalone import verify_package as check

        for path in files:
            name = f"data/exhibits/files/{path.name}"
            try:
                check.check_name(name)
            except check.Refused as error:
                raise ConfigError(
                    f"{path.name}: {error}", hint="rename it: letters, digits, dots, dashes and underscores"
                ) from error
            if path.name.casefold() in {Path(e.path).name.casefold() for e in self.exhibits}:
                raise ConfigError(f"two exhibits are called {path.name}", hint="rename one")
            to = self.folder / name
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, to)
            self._exhibit(name, digest(to, "sha256"), to.stat().st_size, "a file, sealed as it is", path.name)

    def write(
        self, audience: Any, prices: Mapping[str, Any], keys: Sequence[Any], *, log: Mapping[str, Any] | None,
        case_uco: bool,
    ) -> list[Any]:  # fmt: skip
        """Everything under ``data/``; returns what opens the withheld fields."""
        from stillwatch.evidence.canonical import sha256
        from stillwatch.evidence.certificate import certificate
        from stillwatch.evidence.documents import documents, exhibits
        from stillwatch.evidence.keys import rows_of
        from stillwatch.evidence.redact import withhold
        from stillwatch.evidence.report import html, pdf
        from stillwatch.evidence.steps import steps

        openings: list[Any] = []
        shown: dict[str, Any] = {}

        def put(name: str, value: Any) -> bytes:
            clean, more = withhold(value, name, audience.withholds, os.urandom)
            openings.extend(more)
            shown[name] = clean
            return self._put(name, _readable(clean))

        for name, (value, what) in exhibits(self.case).items():
            if name in audience.leaves_out:
                continue
            data = put(f"data/exhibits/{name}.json", value)
            source = "folder of the run" if self.case.run_files else "store of cases"
            self._exhibit(f"data/exhibits/{name}.json", sha256(data), len(data), what, source)
        for path in sorted((self.folder / "data").glob("inputs/**/*")):
            if path.is_file():
                name = path.relative_to(self.folder).as_posix()
                self._exhibit(
                    name, digest(path, "sha256"), path.stat().st_size, "input of the run", "operator's logs"
                )
        for name, value in documents(self.case, prices, HINTS).items():
            if name not in audience.leaves_out:
                put(f"data/{name}.json", value)
        self._put("data/exhibits.json", _readable([asdict(e) for e in self.exhibits]))
        self._put("data/keys.json", _readable(rows_of(keys)))
        self._put("data/redactions.json",
                  _readable([{"where": o.where, "commitment": o.commitment} for o in openings]))  # fmt: skip
        if case_uco:
            from stillwatch.evidence.case_uco import case_uco as graph

            rows = [asdict(e) for e in self.exhibits]
            self._put("data/case_uco.jsonld", _readable(graph(self.package_id, self.case.title, rows)))
        settings_digest = str(self.case.run.get("settings_digest"))
        facts = {
            "package_id": self.package_id, "case_id": _one_line(self.case.case_id), "created_at": self.now.isoformat(),
            "program": f"stillwatch {__version__}", "settings_digest": settings_digest,
        }  # fmt: skip
        self._put("data/certificate_902.md", certificate(facts).encode())
        self._put("data/VERIFY.md", steps(self.signatures, self.timestamps).encode())
        self._put("data/verify_package.py", VERIFIER.read_bytes())
        page = {
            **facts, "title": self.case.title, "profile": audience.name, "audience": audience.audience,
            "person": self.person, "key_id": self.key_id, "withheld": len(openings),
            "seals": {"signatures": self.signatures, "timestamps": self.timestamps, "log": log and log["origin"]},
            **{name.removeprefix("data/").removesuffix(".json"): value for name, value in shown.items()},
        }  # fmt: skip
        self._put("data/report.html", html(page).encode("utf-8", "replace"))
        self._put("data/report.pdf", pdf(page))
        self.head = self._custody(audience.name, len(openings))
        return openings

    def predicate(self, *, profile: str, settings_digest: str, log: dict[str, Any] | None) -> dict[str, Any]:
        """What the statement says: what this package is, and what it must hold."""
        return {
            "package_id": self.package_id, "case_id": self.case.case_id, "profile": profile,
            "created_at": self.now.isoformat(), "program": f"stillwatch {__version__}",
            "settings_digest": settings_digest, "signatures_needed": self.signatures,
            "timestamps_needed": self.timestamps, "log": log, "custody_head": self.head,
        }  # fmt: skip

    def sign(self, predicate: Mapping[str, Any], key: Any) -> None:
        """The lists of the bag, and the statement about them."""
        from stillwatch.evidence.bag import tag_files
        from stillwatch.evidence.canonical import sha256
        from stillwatch.evidence.dsse import envelope, statement

        about = {
            "Source-Organization": self.person, "External-Identifier": self.package_id,
            "Bagging-Date": f"{self.now:%Y-%m-%d}", "Bag-Software-Agent": f"stillwatch {__version__}",
        }  # fmt: skip
        tags = tag_files(self.folder, about)
        for name, data in tags.items():
            self._put(name, data)
        subjects = {name: sha256(data) for name, data in tags.items()}
        self._put("seal/statement.dsse.json", envelope(statement(subjects, predicate), [key]))

    def _custody(self, profile: str, withheld: int) -> str:
        from stillwatch.evidence.custody import Event, chain

        run = self.case.run_files
        events = [
            Event(
                self.now,
                self.person,
                "acquired",
                f"run file {name}",
                digest,
                "read from the folder of the run",
            )
            for name, digest in sorted(run.items())
        ]
        if self.case.record is not None:
            events.insert(0, Event(self.now, self.person, "acquired", f"case {_one_line(self.case.case_id)}", None,
                                   "read from the store of cases"))  # fmt: skip
        events += [Event(self.now, self.person, "sealed", e.path, e.sha256, e.what) for e in self.exhibits]
        note = f"profile {profile}; {withheld} values withheld under salted commitments"
        events.append(Event(self.now, self.person, "redacted", "package", None, note))
        lines, head = chain(events)
        self._put("data/custody.jsonl", lines)
        return head

    def _exhibit(self, name: str, digest: str, size: int, what: str, source: str) -> None:
        self.exhibits.append(
            Exhibit(name, digest, size, what, source, self.person, f"stillwatch {__version__}",
                    str(self.case.run.get("settings_digest")), self.now.isoformat())
        )  # fmt: skip

    def _put(self, name: str, data: bytes) -> bytes:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, data)
        return data


def _stamp(folder: Path, settings: Settings) -> None:
    """The timestamps that the statement promises and that are not there yet."""
    data, predicate = _sealed(folder)
    authorities = settings.evidence.timestamp_authorities
    if len(authorities) < predicate["timestamps_needed"]:
        raise ConfigError(
            f"{predicate['timestamps_needed']} timestamps are needed, {len(authorities)} authorities are named",
            hint="seal it with the settings it was built with",
        )
    for number in range(predicate["timestamps_needed"]):
        path = folder / f"seal/timestamp-{number + 1}.tsr"
        if not path.exists():
            _write(path, _stamped(authorities[number], data))


def _finish(folder: Path, settings: Settings, env: Mapping[str, str]) -> None:
    """The leaf of the run and that of the package with its proof, and the list of everything that is not payload.

    The package is in its place by now: after a crash or a failure here it can be sealed again, and its leaf, if it
    came to the log, is found there and not appended twice.

    Raises:
        ConfigError: the log that is kept here is not the one that the package names.
    """
    from stillwatch.evidence.bag import manifest
    from stillwatch.evidence.canonical import canonical, sha256
    from stillwatch.evidence.leaf import leaf
    from stillwatch.evidence.standalone import verify_package as check

    data, predicate = _sealed(folder)
    if predicate["log"]:
        _same_log(predicate["log"], evidence_log.log_name(settings, env))
        now = datetime.now(UTC)
        leaves = [leaf(LeafKind.PACKAGE, sha256(data), now)]
        run_files = check.load(folder, "data/method.json")["files_of_the_run"]
        if run_files:
            leaves.insert(0, leaf(LeafKind.RUN, sha256(canonical(run_files)), now))
        _write(folder / check.LOG, canonical(evidence_log.append(settings, leaves, env)))
    rest = sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_relative_to(folder / "data"))
    _write(folder / check.TAGS, manifest(folder, [p for p in rest if p.name != check.TAGS], "sha256"))


def _same_log(named: Mapping[str, Any], kept: Mapping[str, Any] | None) -> None:
    """Raise unless the log that a package names is the one that is kept here, under the same key."""
    if kept is None or (kept["origin"], kept["vkey"]) != (named["origin"], named["vkey"]):
        raise ConfigError(
            f"the package names the log {named['origin']} and its key, and "
            + (
                "no log is kept here"
                if kept is None
                else f"here {kept['origin']} is kept, or under another key"
            ),
            hint="seal it with the settings and keys it was built with, or build it again",
        )


def _sweep(folder: Path) -> None:
    """Remove what a crash left of a file that was being written: it is no part of the package."""
    for place in (folder, folder / "seal"):
        for part in place.glob(".*.part"):
            part.unlink()


def _sealed(folder: Path) -> tuple[bytes, dict[str, Any]]:
    """The envelope, and what its statement promises."""
    from stillwatch.evidence.standalone import verify_package as check

    data = (folder / check.ENVELOPE).read_bytes()
    statement = json.loads(check.unbase64(json.loads(data)["payload"], "the payload"))
    return data, dict(statement["predicate"])


def _stamped(url: str, data: bytes) -> bytes:
    """An authority's answer, after it was checked as a reader will."""
    from stillwatch.evidence.standalone import verify_package as check
    from stillwatch.evidence.timestamp import CONTENT_TYPE, request

    status, answer = post(url, request(data, secrets.randbits(63)), CONTENT_TYPE)
    if status != 200:
        raise UpstreamError(f"{url} answered {status}", hint="is this a timestamping authority?")
    try:
        check.timestamp(answer, data, ())
    except check.Refused as error:
        raise UpstreamError(f"{url}: {error}", hint="name another timestamping authority") from error
    return answer


def _readable(value: Any) -> bytes:
    from stillwatch.evidence.canonical import plain

    return (json.dumps(plain(value), indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)[:200]


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
