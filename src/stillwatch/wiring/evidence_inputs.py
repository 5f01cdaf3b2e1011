"""Inputs that are kept so that the detection can be run again: features and tables, never text.

Logs become the features that a scan makes of them anyway; addresses in the account table become their networks, which
is all that a scan uses. Under another key the digests cannot be made, so that who runs it again needs the digest key
of the run: make a key for the case if you mean to hand it over (`stillwatch key new`, then scan under it).

Limits: the whole population that was scanned is in these files, under pseudonyms, not only the accounts of the case;
error rates cannot be checked without it. They go to a court only, unless asked for.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch import __version__
from stillwatch.detect.network import network_of
from stillwatch.errors import ConfigError, VerificationError
from stillwatch.ingest import read_accounts
from stillwatch.records import Finding, Member
from stillwatch.report import load_result
from stillwatch.settings import Settings, load_settings, setting_rows, settings_digest, toml_value
from stillwatch.wiring.features import ingest
from stillwatch.wiring.progress import Progress
from stillwatch.wiring.scanning import scan

PLAN, SETTINGS = "plan.json", "settings.toml"
TABLES = ("grants", "releases", "client_releases", "baseline")


def preserve(
    inputs: Sequence[str], folder: Path, *, run: Mapping[str, Any], settings: Settings, accounts: Sequence[str],
    tables: Mapping[str, str | None], format: str | None, mapping: Path | None, env: Mapping[str, str],
    progress: Progress,
) -> None:  # fmt: skip
    """Fill ``folder`` with what a scan needs to come to the run's result.

    Raises:
        ConfigError: the settings are not those of the run, or the inputs not what it read; or the run is one of
            several looks of a watch, which no scan makes again.
    """
    if any(share != 1.0 for share in run.get("watch", {}).get("shares", {}).values()):
        raise ConfigError(
            "this run is one look of a watch: it was judged at its share of the day's error rates, and beside the "
            "looks before it, so that no scan of preserved inputs comes to the same",
            hint="leave the inputs out; or scan the features of the watch (STATE/features) with these settings and "
            "make the package of that run",
        )
    if settings_digest(settings) != run.get("settings_digest"):
        raise ConfigError(
            "these are not the settings of the run",
            hint="give the settings file it was made with: --settings",
        )
    plain = settings.model_copy(
        update={"privacy": settings.privacy.model_copy(update={"content": "features"})}
    )
    made = ingest(inputs, settings=plain, out=folder / "features", format=format, mapping=mapping, overwrite=False,
                  progress=progress, env=env)  # fmt: skip
    if made["key_id"] != run.get("key_id"):
        raise ConfigError(
            f"the run was made with digest key {run.get('key_id')}, this is {made['key_id']}",
            hint="give that key",
        )
    read = sum(row["rows"] for row in run.get("inputs", []))
    if made["rows"] != read:
        raise ConfigError(
            f"these inputs have {made['rows']:,} exchanges, the run read {read:,}",
            hint="give the inputs of the run",
        )
    kept: dict[str, Any] = {"program": __version__, "key_id": made["key_id"]}
    (folder / SETTINGS).write_text(_shaping(settings), "utf-8")
    if accounts:
        pq.write_table(
            _networks(read_accounts(list(accounts))[0]), folder / "accounts.parquet", compression="zstd"
        )
        kept["accounts"] = "accounts.parquet"
    for name in TABLES:
        path = tables.get(name)
        if path is None:
            continue
        to = f"{name}{''.join(Path(path).suffixes[-1:])}"
        shutil.copyfile(path, folder / to)
        kept[name] = to
    (folder / PLAN).write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", "utf-8")


def kept_inputs(folder: Path) -> None:
    """Raise `VerificationError` when a package keeps no inputs."""
    if not (folder / PLAN).is_file():
        raise VerificationError(
            "no inputs were preserved in this package: it can be verified, not recomputed",
            hint="ask for a package of profile court that was built with --input",
        )


def _plan(folder: Path) -> dict[str, str]:
    """What lies where: names of files in this folder and nothing else, whoever wrote them."""
    try:
        plan = json.loads((folder / PLAN).read_bytes())
        names = [plan[name] for name in (*TABLES, "accounts") if plan.get(name) is not None]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise VerificationError(
            "the plan of the inputs is malformed", hint="do not rely on this package"
        ) from error
    if not all(isinstance(n, str) and Path(n).name == n and (folder / n).is_file() for n in names):
        raise VerificationError(
            "the plan of the inputs names a file that is not among them", hint="do not rely on this package"
        )
    return dict(plan)


def recompute(
    folder: Path, work: Path, *, key_file: str | None, env: Mapping[str, str], progress: Progress
) -> Path:
    """Run the scan again from what was kept; returns the folder of its result."""
    plan = _plan(folder)
    settings = load_settings(folder / SETTINGS)
    if _shaping(settings) != (folder / SETTINGS).read_text("utf-8"):
        raise VerificationError(
            "the settings in the package say more than a run's may", hint="do not rely on this package"
        )
    if key_file:
        settings = settings.with_key_file(key_file)
    given = {name: str(folder / plan[name]) if plan.get(name) else None for name in TABLES}
    scan(
        [str(folder / "features")], settings=settings, out=work, accounts=[str(folder / plan["accounts"])] if
        plan.get("accounts") else (), grants=given["grants"], releases=given["releases"],
        client_releases=given["client_releases"], baseline=given["baseline"], progress=progress, env=env,
    )  # fmt: skip
    return work


def differences(
    result: Path, campaigns: Sequence[Mapping[str, Any]], members: Sequence[Mapping[str, Any]],
    findings: Sequence[Mapping[str, Any]],
) -> list[str]:  # fmt: skip
    """What a second run says otherwise than the package, in words; nothing means that it reproduces."""
    from stillwatch.evidence.canonical import canonical, plain
    from stillwatch.evidence.documents import campaign_row, finding_row, member_row

    again = load_result(result)
    found: list[str] = []
    by_id = {c.campaign_id: campaign_row(c) for c in again.campaigns}
    for row in campaigns:
        other = by_id.get(str(row["campaign_id"]))
        if other is None:
            found.append(f"campaign {row['campaign_id']} was not found again")
            continue
        for name in sorted({*row, *other}):
            if canonical(row.get(name)) != canonical(plain(other.get(name))):
                found.append(f"campaign {row['campaign_id']}: {name} differs")
    ids = {str(row["campaign_id"]) for row in campaigns}
    belong = [m for m in again.members if m.campaign_id in ids]
    for what, kept, now in (
        ("accounts", members, [member_row(m) for m in belong]),
        ("findings", findings, [finding_row(f, ids) for f in about(again.findings, ids, belong)]),
    ):
        if sorted(map(canonical, kept)) != sorted(map(canonical, now)):
            found.append(f"the {what} differ: {len(kept)} in the package, {len(now)} now")
    return found


def about(
    findings: Sequence[Finding], ids: Collection[str], members: Sequence[Member]
) -> tuple[Finding, ...]:
    """The findings on these groups and their accounts."""
    subjects = {*ids, *(m.account_id for m in members)}
    return tuple(f for f in findings if f.subject in subjects)


def _shaping(settings: Settings) -> str:
    """The settings that can change a result, as TOML; where a key lies is none of them."""
    found: dict[str, list[str]] = {}
    for row in setting_rows():
        section, _, name = row.name.partition(".")
        value = getattr(getattr(settings, section), name)
        if row.shapes_result and value is not None:
            found.setdefault(section, []).append(f"{name} = {toml_value(value)}")
    return "\n".join(line for section, rows in found.items() for line in (f"[{section}]", *rows)) + "\n"


def _networks(accounts: pa.Table) -> pa.Table:
    """The account table with networks in place of addresses."""
    place = accounts.schema.get_field_index("signup_ip")
    nets = [network_of(v) if v else None for v in accounts.column("signup_ip").to_pylist()]
    return accounts.set_column(place, "signup_ip", pa.array(nets, pa.string()))
