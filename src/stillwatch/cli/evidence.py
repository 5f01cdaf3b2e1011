"""``stillwatch evidence``: seal what was seen, so that a stranger can check it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from stillwatch.cli import offers
from stillwatch.cli.commands import (
    SectionGroup,
    VerbCommand,
    debug_option,
    general_options,
    json_option,
    option,
    settings_option,
)
from stillwatch.cli.edge import mapping_path, read_settings
from stillwatch.cli.terminal import print_json, progress, safe, show

_FOLDER = click.Path(exists=True, file_okay=False)
_FILE = click.Path(exists=True, dir_okay=False)
_PROFILES = ("court", "government", "cloud", "lab", "public")
_KINDS = (
    "run", "finding", "decision", "action", "unlock", "share", "withdrawal", "key", "package", "opening", "verdict",
    "approval", "appeal", "grant", "policy",
)  # fmt: skip


def _preserving(command: Any) -> Any:
    """What a scan read, to be kept for a second run."""
    where: dict[str, Any] = {"section": "Keeping inputs", "metavar": "FILE", "shell_complete": offers.paths}
    for names, text in (
        (("--client-releases",), "Client release table of the run."),
        (("--releases",), "Release table of the run."),
        (("--grants",), "Grants of the run."),
        (("--baseline",), "Baseline of the run, when it was not the one that ships."),
        (("--mapping",), "Mapping of the run."),
        (("--key-file",), "Digest key of the run."),
    ):
        command = option(*names, help=text, **where)(command)
    command = option(
        "--format", "-f", section="Keeping inputs", metavar="NAME", help="Log format of the run."
    )(command)
    kept = "Logs or features that the run read; kept as features, so that `recompute` can run it again. Repeatable."
    return option("--input", "inputs", multiple=True, help=kept, **where)(command)


@click.command(
    cls=VerbCommand,
    short_help="Make a package from a scan's output folder, or from a case.",
    examples=(
        (
            "stillwatch evidence build report --campaign C-1 --profile lab --signer 'A. Rossi' --out package",
            "for another laboratory: account ids are withheld, and can be opened later",
        ),
        (
            "stillwatch evidence build report --profile court --accounts accounts.parquet --input logs/ \\\n"
            "    --key-file stillwatch.key --case case.toml --prices prices.toml --out package",
            "with everything that a second run needs",
        ),
        (
            "stillwatch evidence build K-12 --db sqlite:///stillwatch.db --profile court --run report --out package",
            "from a case that people worked on: measures, notices, appeals, hours, verdict",
        ),
    ),
)
@click.argument("what", metavar="RUN|CASE", shell_complete=offers.paths)
@option("--db", section="From a case", metavar="ADDRESS",
        help="Store of cases; else `respond.store` of the settings.")  # fmt: skip
@option("--as", "as_name", section="From a case", metavar="NAME", envvar="STILLWATCH_PERSON",
        help="Who you are in the store; else STILLWATCH_PERSON, else your name on this machine.")  # fmt: skip
@option("--run", "beside", section="From a case", metavar="RUN", type=_FOLDER,
        help="Output folder of the scan that the case was last seen in: its findings and digests go in.")  # fmt: skip
@option("--with-notes", section="From a case", is_flag=True,
        help="Let the words of notes into the timeline. Read them first.")  # fmt: skip
@option("--out", "-o", required=True, section="Writing", metavar="FOLDER", type=click.Path(file_okay=False),
        help="Folder of the package; must not exist. What is withheld goes to FOLDER.openings.json.")  # fmt: skip
@option("--profile", required=True, section="What goes in", type=click.Choice(_PROFILES),
        help="Who it is for, and so what it leaves out or withholds.")  # fmt: skip
@option("--campaign", "campaigns", multiple=True, section="What goes in", metavar="ID", shell_complete=offers.groups,
        help="Campaign or pool; repeatable. Else every campaign of the run.")  # fmt: skip
@option("--accounts", multiple=True, section="What goes in", metavar="FILE", shell_complete=offers.paths,
        help="Account table: which terms each account accepted, and when. Repeatable.")  # fmt: skip
@option("--case", "case_path", section="What goes in", metavar="FILE", type=_FILE,
        help="What people know: verdict, notices, ways round controls, hours, attribution (TOML).")  # fmt: skip
@option(
    "--prices", section="What goes in", metavar="FILE", type=_FILE, help="Your prices, for exposure (TOML)."
)
@option("--exhibit", "files", multiple=True, section="What goes in", metavar="FILE", type=_FILE,
        help="Another file, sealed as it is (a decision log, a letter): nothing in it is withheld.")  # fmt: skip
@option(
    "--signer",
    section="Signing",
    metavar="NAME",
    help="Whose key signs, when several keys of acquirers are here.",
)
@_preserving
@option("--with-inputs", section="Keeping inputs", is_flag=True,
        help="Let inputs into a package that is not for a court.")  # fmt: skip
@option("--case-uco", section="Writing", is_flag=True,
        help="Also write exhibits and custody as CASE/UCO (JSON-LD), for forensic tools.")  # fmt: skip
@json_option()
@general_options
def build(
    what: str, db: str | None, as_name: str | None, beside: str | None, with_notes: bool,
    out: str, profile: str, campaigns: tuple[str, ...], accounts: tuple[str, ...], case_path: str | None,
    files: tuple[str, ...],
    prices: str | None, signer: str | None, inputs: tuple[str, ...], format: str | None, key_file: str | None,
    mapping: str | None, baseline: str | None, grants: str | None, releases: str | None, client_releases: str | None,
    with_inputs: bool, case_uco: bool, as_json: bool, settings_path: str | None, quiet: bool,
) -> None:  # fmt: skip
    """Make an evidence package from the output folder of a scan, or from a case such as K-12, and sign it.

    A package says what was seen, how sure that is and what speaks against it, and can be checked by anybody with
    Python or OpenSSL. Profiles that need a second signature wait for `stillwatch evidence sign`.
    """
    from stillwatch import wiring

    number = None if Path(what).is_dir() else case_number(what)
    if number is None and (db or beside or with_notes):
        raise click.UsageError("--db, --run and --with-notes belong to a case", click.get_current_context())
    if number is not None and campaigns:
        raise click.UsageError("a case is about one group: leave --campaign out", click.get_current_context())
    run_dir = what if number is None else beside
    with (
        case_of(number, settings_path, as_name, db, with_notes) as stored,
        progress(quiet=quiet or as_json) as told,
    ):
        made = wiring.build_evidence(
            Path(run_dir) if run_dir else None, Path(out), stored=stored, profile=profile,
            settings=read_settings(settings_path, key_file), signer=signer,
            campaigns=campaigns, accounts=accounts, case=Path(case_path) if case_path else None,
            prices=Path(prices) if prices else None, inputs=inputs, format=format, mapping=mapping_path(mapping),
            tables={"grants": grants, "releases": releases, "client_releases": client_releases, "baseline": baseline},
            with_inputs=with_inputs, case_uco=case_uco, files=tuple(map(Path, files)), progress=told,
        )  # fmt: skip
    if as_json:
        print_json(made)
        return
    if quiet:
        return
    show(f"{made['package']}: package {made['package_id']} on {', '.join(made['campaigns'])}")
    show(f"signed by {made['signed_by']}, key {made['key_id']}")
    if made["withheld"]:
        show(f"{made['withheld']:,} values withheld; keep {made['openings']} to yourself: it opens them")
    if not made["in_log"]:
        click.echo("note: no log is kept; `stillwatch evidence key new NAME --role log` begins one", err=True)
    if not made["timestamps"]:
        click.echo("note: no timestamp; name authorities in evidence.timestamp_authorities", err=True)
    if not made["sealed"]:
        show("not sealed yet: a reviewer signs it with `stillwatch evidence sign`")
    else:
        show("sealed; check it: stillwatch evidence verify")


def case_number(what: str) -> int:
    """The number of a case by its name; what is no folder is one, or a slip."""
    from stillwatch.records import number_of

    found = number_of(what, "K")
    if found is None or what.strip().isdecimal():
        raise click.UsageError(
            f"{safe(what)!r} is neither the output folder of a scan nor a case such as K-12",
            click.get_current_context(),
        )
    return found


@contextmanager
def case_of(
    number: int | None, settings_path: str | None, as_name: str | None, db: str | None, with_notes: bool
) -> Iterator[Any]:
    """The case at its desk; None when there is none. What was taken out enters the log when this ends."""
    if number is None:
        yield None
        return
    from stillwatch.cli.at_desk import seat

    with seat(settings_path, as_name, db) as s:
        from stillwatch.wiring.evidence_store import StoredCase

        yield StoredCase(s.desk, s.person, number, with_notes)


@click.command(
    cls=VerbCommand,
    short_help="Sign a package as its reviewer, and seal it.",
    examples=(("stillwatch evidence sign package --signer 'B. Okafor'", "the second person"),),
)
@click.argument("folder", metavar="PACKAGE", type=_FOLDER)
@option(
    "--signer",
    section="Signing",
    metavar="NAME",
    help="Whose key signs, when several keys of reviewers are here.",
)
@json_option()
@settings_option()
@debug_option()
def sign(folder: str, signer: str | None, as_json: bool, settings_path: str | None) -> None:
    """Sign a package that another person built, after you have read it; then timestamps and log seal it.

    Also seals a package whose timestamp or log could not be reached before.
    """
    from stillwatch import wiring

    made = wiring.sign_evidence(Path(folder), settings=read_settings(settings_path), signer=signer)
    if as_json:
        print_json(made)
    else:
        show(f"package {made['package_id']} signed by {' and '.join(made['signed_by'])}; sealed")


@click.command(
    cls=VerbCommand,
    short_help="Check a package, offline.",
    examples=(
        (
            "stillwatch evidence verify package --key acquirer.pub --key reviewer.pub",
            "with keys got from their owners",
        ),
        (
            "stillwatch evidence verify package --accept-any-signer",
            "was it changed since somebody signed it?",
        ),
    ),
)
@click.argument("folder", metavar="PACKAGE", type=_FOLDER)
@option("--key", "keys", multiple=True, section="Trust", metavar="FILE", type=_FILE,
        help="Public key (PEM) of a signer whom you trust; repeatable.")  # fmt: skip
@option("--accept-any-signer", section="Trust", is_flag=True,
        help="Check the seals without knowing whose they are: says only that nothing was changed.")  # fmt: skip
@option("--signatures", section="Trust", metavar="N", type=click.IntRange(min=1), default=1, show_default=True,
        help="People who must have signed, if the package asks for fewer.")  # fmt: skip
@option("--tsa-root", "tsa_roots", multiple=True, section="Trust", metavar="FILE", type=_FILE,
        help="Root certificate (PEM) of a timestamping authority; one is then needed. Repeatable.")  # fmt: skip
@option("--log-key", "log_keys", multiple=True, section="Trust", metavar="KEY",
        help="Key of a log, as one line; the package must then be in such a log. Repeatable.")  # fmt: skip
@option("--key-list", section="Trust", metavar="FILE", type=_FILE,
        help="A newer key list, got elsewhere: its revocations count.")  # fmt: skip
@option("--opening", "openings", multiple=True, section="Reading", metavar="FILE", type=_FILE,
        help="File with opened values, from `stillwatch evidence open`.")  # fmt: skip
@json_option()
@debug_option()
def verify(
    folder: str, keys: tuple[str, ...], accept_any_signer: bool, tsa_roots: tuple[str, ...], log_keys: tuple[str, ...],
    key_list: str | None, openings: tuple[str, ...], signatures: int, as_json: bool,
) -> None:  # fmt: skip
    """Check everything that can be checked of a package without its maker. Opens no connection.

    The same check is made by the one file `data/verify_package.py` in every package.
    Exit status: 0 everything holds; 2 it does not, and why is said.
    """
    from stillwatch import wiring

    found = wiring.verify_evidence(
        Path(folder), keys=tuple(map(Path, keys)), accept_any_signer=accept_any_signer,
        tsa_roots=tuple(map(Path, tsa_roots)), log_keys=log_keys, key_list=Path(key_list) if key_list else None,
        openings=tuple(map(Path, openings)), signatures=signatures,
    )  # fmt: skip
    if as_json:
        print_json(found)
        return
    for line in found["holds"]:
        show(f"ok    {safe(line)}")
    for note in found["notes"]:
        show(f"note  {safe(note)}")
    show(f"verified: package {safe(found['package_id'])}")


@click.command(
    cls=VerbCommand,
    short_help="Run a package's detection again, and compare.",
    examples=(
        ("stillwatch evidence recompute package --key-file stillwatch.key", "with the digest key of the run"),
    ),
)
@click.argument("folder", metavar="PACKAGE", type=_FOLDER)
@option("--key-file", section="Reading", metavar="FILE", type=_FILE, help="Digest key of the run.")
@json_option()
@option("--quiet", "-q", section="General", is_flag=True, help="No progress and no summary; errors only.")
@debug_option()
def recompute(folder: str, key_file: str | None, as_json: bool, quiet: bool) -> None:
    """Run the detection again from the inputs that a package keeps, and compare every figure of the groups, their
    accounts and the findings on them.

    Settings come from the package. Verify it first: what was changed is not run.
    """
    from stillwatch import wiring

    with progress(quiet=quiet or as_json) as told:
        found = wiring.recompute_evidence(Path(folder), key_file=key_file, progress=told)
    if as_json:
        print_json(found)
    elif not quiet:
        show(
            f"reproduced: {found['campaigns']} groups, {found['accounts']:,} accounts and {found['findings']:,} "
            "findings, every figure equal"
        )


@click.command(
    "open",
    cls=VerbCommand,
    short_help="Reveal withheld values to somebody.",
    examples=(
        (
            "stillwatch evidence open package.openings.json --field 'data/exhibits/members.json#/*/account_id' \\\n"
            "    --to 'cloud partner' --out opening.json",
            "the account ids, and nothing else",
        ),
    ),
)
@click.argument("openings", metavar="OPENINGS", type=_FILE)
@option("--field", "fields", multiple=True, required=True, section="What", metavar="PLACE",
        help="File and JSON pointer; `*` stands for one step. Repeatable.")  # fmt: skip
@option(
    "--to", "audience", required=True, section="What", metavar="WHO", help="For whom; written into the file."
)
@option("--out", "-o", required=True, section="Writing", metavar="FILE", type=click.Path(dir_okay=False),
        help="File to give to them; never replaced.")  # fmt: skip
@json_option()
@settings_option()
@debug_option()
def open_values(
    openings: str, fields: tuple[str, ...], audience: str, out: str, as_json: bool, settings_path: str | None
) -> None:
    """Write a file that reveals chosen withheld values; `verify --opening` checks it against the package.

    Nothing else becomes known by it. The opening becomes a leaf of the log when one is kept.
    """
    from stillwatch import wiring

    made = wiring.open_evidence(
        Path(openings), fields=fields, audience=audience, out=Path(out), settings=read_settings(settings_path)
    )
    if as_json:
        print_json(made)
    else:
        show(f"{made['file']}: {made['opened']:,} of {made['of']:,} withheld values, for {safe(made['for'])}")


@click.command(
    "new",
    cls=VerbCommand,
    short_help="Make a signing key.",
    examples=(
        ("stillwatch evidence key new 'A. Rossi' --role acquirer", "who makes packages"),
        ("stillwatch evidence key new 'B. Okafor' --role reviewer", "who signs what another made"),
        ("stillwatch evidence key new 'Evidence desk' --role log", "begins the log"),
        (
            "stillwatch evidence key new 'Archive' --role witness",
            "on the machine of a witness of others' logs",
        ),
        ("stillwatch evidence key new 'A. Rossi' --role acquirer --replaces 3f9a", "rotation"),
    ),
)
@click.argument("person", metavar="NAME")
@option("--role", required=True, section="Key", type=click.Choice(("acquirer", "reviewer", "log", "witness")),
        help="What it may do.")  # fmt: skip
@option(
    "--replaces",
    section="Key",
    metavar="ID",
    help="Retire this key in the same step; its id or how it begins.",
)
@json_option()
@settings_option()
@debug_option()
def key_new(person: str, role: str, replaces: str | None, as_json: bool, settings_path: str | None) -> None:
    """Make an Ed25519 key for a person and a role, in the folder that `evidence.keys` names.

    With the environment variable STILLWATCH_SIGNING_PASSPHRASE the private half is sealed under it.
    """
    from stillwatch import wiring

    made = wiring.new_key(read_settings(settings_path), person, role, replaces=replaces)
    if as_json:
        print_json(made)
        return
    show(f"key {made['key_id']} of {safe(made['person'])}, {made['role']}")
    show(f"private: {made['private']} ({made['sealed']}); public, to hand out: {made['public']}")


@click.command(
    "add",
    cls=VerbCommand,
    short_help="List a public key that was made elsewhere.",
    examples=(
        ("stillwatch evidence key add okafor.pub --person 'B. Okafor' --role reviewer", "from their machine"),
    ),
)
@click.argument("public", metavar="FILE", type=_FILE)
@option("--person", required=True, section="Key", metavar="NAME", help="Whose it is. Ask them, not the file.")
@option(
    "--role",
    required=True,
    section="Key",
    type=click.Choice(("acquirer", "reviewer")),
    help="What it may do.",
)
@json_option()
@settings_option()
@debug_option()
def key_add(public: str, person: str, role: str, as_json: bool, settings_path: str | None) -> None:
    """Put the public half of a person's key on the list, so that packages from here know it."""
    from stillwatch import wiring

    made = wiring.add_key(read_settings(settings_path), Path(public), person, role)
    if as_json:
        print_json(made)
    else:
        show(f"key {made['key_id']} of {safe(made['person'])}, {made['role']}")


@click.command("list", cls=VerbCommand, short_help="List the signing keys.")
@json_option()
@settings_option()
@debug_option()
def key_list(as_json: bool, settings_path: str | None) -> None:
    """List every key with its person, role, time and state, and whether its private half is here."""
    from stillwatch import wiring

    rows = wiring.list_keys(read_settings(settings_path))
    if as_json:
        print_json(rows)
        return
    for row in rows:
        state = f"{row['revoked_as']} {row['revoked_at']}" if row["revoked_at"] else "in use"
        here = "private half here" if row["private"] else "public half only"
        show(f"{row['key_id'][:16]}  {row['role']:<8}  {safe(row['person'])}  {state}  {here}")
    if not rows:
        show("no keys; make one: stillwatch evidence key new NAME --role acquirer")


@click.command(
    "revoke",
    cls=VerbCommand,
    short_help="Take a signing key out of use.",
    examples=(("stillwatch evidence key revoke 3f9a --compromised", "somebody else may have it"),),
)
@click.argument("key_id", metavar="ID")
@option("--compromised", section="Key", is_flag=True,
        help="What it signed counts only if a trusted timestamp is older than now.")  # fmt: skip
@json_option()
@settings_option()
@debug_option()
def key_revoke(key_id: str, compromised: bool, as_json: bool, settings_path: str | None) -> None:
    """Take a key out of use, for good. Hand out the new key list: `keys.json` in the folder of keys."""
    from stillwatch import wiring

    done = wiring.revoke_key(read_settings(settings_path), key_id, compromised=compromised)
    if as_json:
        print_json(done)
    else:
        show(
            f"key {done['key_id'][:16]} of {safe(done['person'])}: {done['revoked_as']} at {done['revoked_at']}"
        )


@click.command(
    "add",
    cls=VerbCommand,
    short_help="Log the digests of files or folders.",
    examples=(("stillwatch evidence log add run report", "that this run came to this, by now"),),
)
@click.argument("kind", metavar="KIND", type=click.Choice(_KINDS))
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(exists=True))
@json_option()
@settings_option()
@debug_option()
def log_add(kind: str, paths: tuple[str, ...], as_json: bool, settings_path: str | None) -> None:
    """Append a leaf for each file or folder, by digest. KIND says what it is: run, finding, decision, action, unlock,
    share, withdrawal, key, package, opening, verdict, approval, appeal, grant, policy."""
    from stillwatch import wiring

    rows = wiring.log_files(read_settings(settings_path), kind, tuple(map(Path, paths)))
    if as_json:
        print_json(rows)
        return
    for row in rows:
        show(f"leaf {row['index']}: {row['kind']} {row['sha256']} {safe(row['name'])}")


@click.command(
    "check",
    cls=VerbCommand,
    short_help="Read the whole log and check it.",
    examples=(
        ("stillwatch evidence log check", "does it fit together?"),
        ("stillwatch evidence log check --against checkpoint.txt", "is it still the log that was seen then?"),
    ),
)
@option(
    "--against", section="Checking", metavar="FILE", type=_FILE, help="A checkpoint that was kept elsewhere."
)
@json_option()
@settings_option()
@debug_option()
def log_check(against: str | None, as_json: bool, settings_path: str | None) -> None:
    """Read every entry and tile of the log and hold them against one another; with a checkpoint, prove that it only
    grew. Nothing is changed."""
    from stillwatch import wiring

    found = wiring.check_log(read_settings(settings_path), Path(against) if against else None)
    if as_json:
        print_json(found)
        return
    grew = f"; grew from {found['grew_from']:,}" if "grew_from" in found else ""
    show(f"{safe(found['origin'])}: {found['leaves']:,} leaves, root {found['root']}{grew}")
    if found["signed_leaves"] < found["leaves"]:
        show(f"under a signed checkpoint: {found['signed_leaves']:,} of them; the next entry signs the rest")
    if found["unfinished"]:
        show(
            f"unfinished: {', '.join(found['unfinished'])}: a crash left it so, or somebody changed or removed it "
            "since; the next entry mends it"
        )
    show(f"key of the log: {found['vkey']}")


@click.command(
    cls=VerbCommand,
    short_help="Witness the logs of others.",
    examples=(
        (
            "stillwatch evidence witness --name witness.example/w1 --log 'log.example/evidence+7d1f...' \\\n"
            "    --folder witness/ --listen 127.0.0.1:8021",
            "behind a proxy that ends HTTPS",
        ),
    ),
)
@option("--name", required=True, section="Witness", metavar="NAME",
        help="Under which logs and readers know it: a domain of yours and a path.")  # fmt: skip
@option("--log", "logs", multiple=True, required=True, section="Witness", metavar="KEY",
        help="Key of a log, as one line (`evidence log check` prints it); repeatable.")  # fmt: skip
@option("--folder", required=True, section="Witness", metavar="FOLDER", type=click.Path(file_okay=False),
        help="What it has signed; without it a witness would sign again what it refused. Keep a copy.")  # fmt: skip
@option(
    "--signer", section="Witness", metavar="NAME", help="Whose key signs, when several witness keys are here."
)
@option("--listen", "-l", section="Witness", metavar="HOST:PORT", default="127.0.0.1:8021", show_default=True,
        help="Address to listen on; port 0 takes any free one.")  # fmt: skip
@general_options
def witness(
    name: str, logs: tuple[str, ...], folder: str, signer: str | None, listen: str, settings_path: str | None,
    quiet: bool,
) -> None:  # fmt: skip
    """Sign checkpoints of others' logs, once each is seen to have only grown, until SIGTERM or Ctrl-C.

    Speaks C2SP tlog-witness (POST /add-checkpoint). A log that was cut, rewritten or split is not signed, whatever its
    keeper holds. Run it where that keeper cannot reach: it is worth as much as it is independent.
    """
    from stillwatch import wiring

    def ready(address: str, vkey: str, sizes: Mapping[str, int]) -> None:
        if quiet:
            return
        known = ", ".join(f"{safe(origin)} at {size:,} leaves" for origin, size in sorted(sizes.items()))
        click.echo(f"listening on {safe(address)}; signed before: {known or 'nothing'}", err=True)
        click.echo(
            f"for the settings of a log's keeper: witnesses = ['{safe(address)} {safe(vkey)}']", err=True
        )

    wiring.witness_logs(
        Path(folder), name=name, logs=logs, listen=listen, settings=read_settings(settings_path), signer=signer,
        ready=ready, failed=lambda where: click.echo(f"a request failed: {safe(where)}", err=True),
    )  # fmt: skip


@click.group(
    "key", cls=SectionGroup, short_help="Make, list and revoke signing keys.",
    sections=(("Commands", (key_new, key_add, key_list, key_revoke)),),
)  # fmt: skip
def key() -> None:
    """Keys of the people who sign packages, and of the log. None is made unless you ask for it."""


@click.group(
    "log", cls=SectionGroup, short_help="The append-only log.", sections=(("Commands", (log_add, log_check)),)
)
def log() -> None:
    """The append-only log: what was known when, in an order that nobody can change unseen."""


@click.group(
    cls=SectionGroup,
    short_help="Seal what was seen, so that a stranger can check it.",
    sections=(("Commands", (build, sign, verify, recompute, open_values, key, log, witness)),),
    examples=(
        ("stillwatch evidence key new 'A. Rossi' --role acquirer", "once: a key that signs"),
        ("stillwatch evidence build report --profile public --out package", "what anybody may see"),
        ("stillwatch evidence verify package --key rossi.pub", "what anybody may check"),
    ),
)
def evidence() -> None:
    """Make packages of evidence that a court, a regulator, another laboratory or a journalist can check alone.

    Detection and attribution stay apart: a package says what accounts did, and names nobody unless a person does.
    """
