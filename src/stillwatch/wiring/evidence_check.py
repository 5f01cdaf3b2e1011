"""Checking a package, opening what it withholds, and running its detection again."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError, SourceError, VerificationError
from stillwatch.records.evidence import LeafKind
from stillwatch.settings import Settings
from stillwatch.wiring import evidence_log
from stillwatch.wiring.evidence_inputs import differences, kept_inputs, recompute
from stillwatch.wiring.evidence_keys import needs_extra
from stillwatch.wiring.progress import Progress, writable, write_private

_COURT = "recompute a package of profile court"


def verify_evidence(
    folder: Path, *, keys: Sequence[Path] = (), accept_any_signer: bool = False, tsa_roots: Sequence[Path] = (),
    log_keys: Sequence[str] = (), key_list: Path | None = None, openings: Sequence[Path] = (), signatures: int = 1,
) -> dict[str, Any]:  # fmt: skip
    """What holds of a package, by the verifier that packages carry.

    Raises:
        VerificationError: it does not hold; the reason is said.
    """
    needs_extra()
    from cryptography import x509

    from stillwatch.evidence.standalone import verify_package as check

    if not keys and not accept_any_signer:
        raise ConfigError(
            "no trusted key was given: anybody can make a package that only looks right",
            hint="--key FILE with the signer's public key, got from them; or --accept-any-signer to check seals alone",
        )
    try:
        trust = check.Trust(
            frozenset(map(check.key_id_of, keys)), accept_any_signer,
            tuple(c for p in tsa_roots for c in x509.load_pem_x509_certificates(p.read_bytes())),
            frozenset(log_keys), tuple(check.parsed(key_list.read_bytes(), "the key list")) if key_list else (),
            tuple(openings), signatures,
        )  # fmt: skip
    except (OSError, ValueError, check.Refused) as error:
        raise ConfigError(f"what you trust cannot be read: {error}", hint="give PEM files") from error
    try:
        report = check.verify(folder, trust)
    except check.Refused as error:
        raise VerificationError(
            str(error), hint="do not rely on this package; ask its maker for it again"
        ) from error
    return {
        "package_id": report.package,
        "holds": report.lines,
        "notes": report.notes,
        "opened": report.opened,
    }


def recompute_evidence(
    folder: Path, *, key_file: str | None, progress: Progress, env: Mapping[str, str] = os.environ
) -> dict[str, Any]:
    """Run the detection again from the preserved inputs and compare with the exhibits.

    Every figure of the groups, their accounts and the findings on them is compared.

    Raises:
        VerificationError: it comes to another result, and what differs is said; or nothing can be compared.
    """
    needs_extra()
    from stillwatch.evidence.standalone import verify_package as check

    kept_inputs(folder / "data" / "inputs")
    try:
        check.bag(folder, check.walk(folder))
    except check.Refused as error:
        raise VerificationError(str(error), hint="verify the package before you recompute it") from error
    campaigns, members, findings = (_exhibit(folder, name) for name in ("campaigns", "members", "findings"))
    if not campaigns:
        raise VerificationError("the package holds no group: there is nothing to compare", hint=_COURT)
    if any(map(_withheld, (campaigns, members, findings))):
        raise VerificationError(
            "values are withheld in this package, so that they cannot be compared", hint=_COURT
        )
    with tempfile.TemporaryDirectory(prefix="stillwatch-") as work:
        result = recompute(
            folder / "data" / "inputs", Path(work) / "run", key_file=key_file, env=env, progress=progress
        )
        found = differences(result, campaigns, members, findings)
    if found:
        raise VerificationError(
            f"the detection comes to another result: {'; '.join(found[:5])}",
            hint="is this the version that the package names, and the digest key of the run?",
        )
    return {
        "campaigns": len(campaigns), "accounts": len(members), "findings": len(findings), "reproduced": True,
    }  # fmt: skip


def open_evidence(
    openings: Path, *, fields: Sequence[str], audience: str, out: Path, settings: Settings
) -> dict[str, Any]:
    """Reveal withheld fields to somebody: a file that the verifier checks against the package.

    The opening becomes a leaf of the log when one is kept, before anything can be read.
    """
    needs_extra()
    from stillwatch.evidence.canonical import canonical, sha256
    from stillwatch.evidence.leaf import leaf
    from stillwatch.evidence.redact import Opening, chosen

    try:
        kept = json.loads(openings.read_bytes())
        rows = [Opening(**row) for row in kept["openings"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(
            str(openings), "no file of openings", hint="it lies beside the package: PACKAGE.openings.json"
        ) from error
    if not audience.strip():
        raise ConfigError("an opening is for somebody", hint="say for whom: --to")
    if out.exists():
        raise ConfigError(f"{out.name} exists and is not replaced", hint="name another file")
    picked = chosen(rows, fields)
    now = datetime.now(UTC)
    shown = {
        "package_id": kept["package_id"], "opened_for": audience, "opened_at": now.isoformat(),
        "openings": [{"where": o.where, "salt": o.salt, "value": o.value} for o in picked],
    }  # fmt: skip
    logged = evidence_log.in_use(settings)
    if logged:
        evidence_log.append(settings, [leaf(LeafKind.OPENING, sha256(canonical(shown)), now)])
    with writable(out):
        write_private(out, (json.dumps(shown, indent=1) + "\n").encode())
    return {"opened": len(picked), "of": len(rows), "for": audience, "file": str(out), "in_log": logged}


def _exhibit(folder: Path, name: str) -> list[dict[str, Any]]:
    try:
        found = json.loads((folder / "data" / "exhibits" / f"{name}.json").read_bytes())
    except FileNotFoundError as error:
        raise VerificationError(
            f"{name} are left out of this package: they cannot be compared", hint=_COURT
        ) from error
    except (OSError, ValueError) as error:
        raise SourceError(str(folder), "not a readable package", hint="verify it first") from error
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise SourceError(str(folder), f"{name} are malformed", hint="verify it first")
    return found


def _withheld(value: Any) -> bool:
    """Whether something in a document stands under a commitment."""
    if isinstance(value, dict):
        return set(value) == {"withheld"} or any(map(_withheld, value.values()))
    return isinstance(value, list) and any(map(_withheld, value))
