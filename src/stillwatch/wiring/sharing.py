"""From the folder of a run to what leaves: preview, draft, release.

A *draft* is a folder with the bundle as it would leave and the form that people sign. It is written only when the gate
refuses nothing. Release runs the gate again over the bytes that lie there, checks every signature, and logs the digest
when enough people have signed; until then nothing here sends anything anywhere.
"""

from __future__ import annotations

import base64
import json
import os
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stillwatch.errors import ConfigError, SourceError, StillwatchError
from stillwatch.records.sharing import Approval, Audience, Product, Release, Screened, Tlp, ToShare
from stillwatch.report import load_result
from stillwatch.report.swap import new_folder, put_in_place
from stillwatch.settings import Settings
from stillwatch.wiring import evidence_log
from stillwatch.wiring.evidence_case import read_toml
from stillwatch.wiring.evidence_keys import needs_extra, read_list, signing_key
from stillwatch.wiring.progress import writable, write_whole
from stillwatch.wiring.sharing_facts import facts_from

if TYPE_CHECKING:
    from stillwatch.evidence.keys import Role

BUNDLE, FORM, MISP = "bundle.json", "release.json", "misp.json"
MOST_BYTES = 100_000_000
_BUNDLE_ID = re.compile(r"bundle--[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
DEFAULT_LEVEL = {
    Audience.LAB: Tlp.AMBER, Audience.CLOUD: Tlp.AMBER, Audience.GOVERNMENT: Tlp.AMBER, Audience.PUBLIC: Tlp.CLEAR,
}  # fmt: skip


def preview_share(
    run: Path, *, campaign: str, facts: Path, audience: str, product: str, level: str | None, previous: Path | None,
) -> dict[str, Any]:  # fmt: skip
    """Exactly what would leave, what would be dropped, and what is refused. Writes nothing."""
    needs_extra()
    from stillwatch.share import people_needed

    what, screened = _screened(run, campaign, facts, audience, product, level, previous)
    return {
        "audience": what.audience.value, "product": what.product.value, "tlp": what.level.label,
        "people_needed": people_needed(screened.objects, what.level), "objects": list(screened.objects),
        "dropped": [asdict(d) for d in screened.dropped], "refused": [asdict(r) for r in screened.refused],
    }  # fmt: skip


def draft_share(
    run: Path, out: Path, *, campaign: str, facts: Path, audience: str, product: str, level: str | None,
    previous: Path | None,
) -> dict[str, Any]:  # fmt: skip
    """Write a draft. Nothing is written when the gate refuses something."""
    needs_extra()
    from stillwatch.share import in_bundle, people_needed
    from stillwatch.share.release import digest

    if out.exists():
        raise ConfigError(f"{out.name} exists already", hint="name a folder that does not exist yet")
    what, screened = _screened(run, campaign, facts, audience, product, level, previous)
    _stop(screened)
    bundle = in_bundle(screened.objects, uuid.uuid4())
    form = Release(
        digest(bundle), what.audience, what.product, what.level, people_needed(screened.objects, what.level)
    )
    with writable(out), new_folder(out.resolve()) as folder:
        (folder / BUNDLE).write_text(json.dumps(bundle, indent=1, ensure_ascii=False) + "\n", "utf-8")
        (folder / FORM).write_text(_form(form, screened), "utf-8")
        put_in_place(folder, out.resolve())
    return {
        "draft": str(out), "objects": len(screened.objects), "dropped": len(screened.dropped),
        "people_needed": form.people_needed, "sha256": form.bundle_sha256,
        "audience": form.audience.value, "tlp": form.level.label,
    }  # fmt: skip


def release_share(
    draft: Path, *, settings: Settings, signer: str | None, env: Mapping[str, str] = os.environ
) -> dict[str, Any]:
    """Sign a draft; when enough people have, it is released: logged, with its MISP event beside it.

    Raises:
        StillwatchError: the bundle is not what the form says, the gate refuses something now, or this person or key
            has signed already.
    """
    needs_extra()
    from stillwatch.evidence.keys import Role
    from stillwatch.share import to_misp, to_sign

    form, objects, screened = _checked(draft, settings)
    missing = form.people_needed - len(form.approvals)
    if missing > 0:
        role = Role.REVIEWER if Role.ACQUIRER in _roles(form, settings) else Role.ACQUIRER
        now = datetime.now(UTC)
        row, key = signing_key(settings, signer, role, now=now, env=env)
        if any(a.key_id == row.key_id or _same(a.person, row.person) for a in form.approvals):
            raise ConfigError(
                f"{row.person} has signed this already", hint="a second person has to: that is the point"
            )
        signature = base64.b64encode(key.sign(to_sign(form))).decode()
        approval = Approval(row.person, row.key_id, signature, now.isoformat())
        form = replace(form, approvals=(*form.approvals, approval))
    released = len(form.approvals) >= form.people_needed
    leaf = None
    if released:
        _enough(form, objects, settings)
        leaf = logged(settings, form.bundle_sha256, env)
    with writable(draft):
        write_whole(draft / FORM, _form(form, screened))
        if released:
            event = to_misp(objects, form.level)
            write_whole(draft / MISP, json.dumps(event, indent=1, ensure_ascii=False) + "\n")
    return {
        "draft": str(draft), "sha256": form.bundle_sha256, "signed_by": [a.person for a in form.approvals],
        "people_needed": form.people_needed, "released": released, "leaf": leaf,
        "audience": form.audience.value, "tlp": form.level.label,
    }  # fmt: skip


def check_share(draft: Path, *, settings: Settings) -> dict[str, Any]:
    """Check that a draft is released: bytes, gate, signatures, people.

    Raises:
        VerificationError: it is not, and why.
    """
    needs_extra()
    form, objects, _ = _checked(draft, settings)
    _enough(form, objects, settings)
    return {
        "draft": str(draft), "sha256": form.bundle_sha256, "released_by": [a.person for a in form.approvals],
        "audience": form.audience.value, "product": form.product.value, "tlp": form.level.label,
        "objects": len(objects),
    }  # fmt: skip


def _screened(
    run: Path,
    campaign: str,
    facts: Path,
    audience: str,
    product: str,
    level: str | None,
    previous: Path | None,
) -> tuple[ToShare, Screened]:
    from stillwatch.share import build, screen
    from stillwatch.share.buckets import instant
    from stillwatch.share.ids import Ids

    result = load_result(run)
    found = {c.campaign_id: c for c in result.campaigns}
    if campaign not in found:
        raise StillwatchError(
            f"the run has no campaign {campaign!r}", hint=f"it has {', '.join(sorted(found)) or 'none'}"
        )
    told, private = facts_from(read_toml(facts), where=facts.name, with_actors=product == Product.ACTORS)
    whom = Audience(audience)
    tlp = Tlp.of(level) if level else DEFAULT_LEVEL[whom]
    if level is None and product == Product.ACTORS:
        tlp = Tlp.AMBER_STRICT
    what = ToShare(found[campaign], told, whom, Product(product), tlp)
    now = datetime.now(UTC)
    before = _objects(previous / BUNDLE if previous.is_dir() else previous) if previous else []
    objects = build(what, now=now, ids=Ids(uuid.uuid4, instant(now), before))
    members = [m.account_id for m in result.members if m.campaign_id == campaign]
    values = [e.value for e in what.campaign.evidence if any(c.isdigit() for c in e.value)]
    return what, screen(
        objects,
        audience=whom,
        level=tlp,
        private=[*members, *values, *private],
        prompts=what.campaign.exemplars,
    )


def _checked(draft: Path, settings: Settings) -> tuple[Release, list[dict[str, Any]], Screened]:
    """Form and objects of a draft whose bytes, gate and signatures hold."""
    from stillwatch.errors import VerificationError
    from stillwatch.evidence.keys import Role, public_of, verify_ed25519
    from stillwatch.share import people_needed, screen, to_sign
    from stillwatch.share.release import digest

    form = _read_form(draft / FORM)
    bundle = _json(draft / BUNDLE)
    objects = _objects(draft / BUNDLE)
    if digest(bundle) != form.bundle_sha256:
        raise VerificationError(
            "the bundle was changed since it was drafted", hint="draft it again: stillwatch share draft"
        )
    if set(bundle) != {"type", "id", "objects"} or not _is_bundle(bundle):
        raise VerificationError(
            "the bundle says more than its objects, or is none", hint="draft it again: stillwatch share draft"
        )
    screened = screen(objects, audience=form.audience, level=form.level)
    _stop(screened)
    if list(screened.objects) != objects:
        raise VerificationError(
            "the bundle holds what does not leave to this audience", hint="draft it again"
        )
    if form.people_needed < people_needed(objects, form.level):
        raise VerificationError(
            "the form asks for too few people", hint="draft it again: stillwatch share draft"
        )
    known = {row.key_id: row for row in read_list(settings)}
    for approval in form.approvals:
        row = known.get(approval.key_id)
        if row is None or row.person != approval.person:
            raise VerificationError(
                f"no key of {approval.person!r} on the list is the one that signed",
                hint="stillwatch evidence key add lists a key that was made elsewhere",
            )
        if row.role not in (Role.ACQUIRER, Role.REVIEWER):
            raise VerificationError(
                f"the key of {row.person} that signed releases nothing: its role is {row.role}",
                hint="sign with the key of an acquirer or a reviewer",
            )
        if row.revoked_at is not None:
            raise VerificationError(
                f"the key of {row.person} was revoked", hint="draft it again, and sign with a key in use"
            )
        try:
            signature = base64.b64decode(approval.signature, validate=True)
        except ValueError:
            signature = b""
        verify_ed25519(public_of(row.public), signature, to_sign(form), "release")
    return form, objects, screened


def _enough(form: Release, objects: Sequence[Mapping[str, Any]], settings: Settings) -> None:
    """Raise unless enough people signed; where two have to, one of them made it and the other reviewed it."""
    from stillwatch.errors import VerificationError
    from stillwatch.evidence.keys import Role
    from stillwatch.share import check_release

    check_release(form, objects)
    if form.people_needed > 1 and not {Role.ACQUIRER, Role.REVIEWER} <= _roles(form, settings):
        raise VerificationError(
            "an acquirer and a reviewer must release this",
            hint="stillwatch evidence key list shows who is which",
        )


def _roles(form: Release, settings: Settings) -> set[Role]:
    """In which roles people have signed."""
    signed = {approval.key_id for approval in form.approvals}
    return {row.role for row in read_list(settings) if row.key_id in signed}


def _is_bundle(bundle: Mapping[str, Any]) -> bool:
    identity = bundle["id"]
    return bundle["type"] == "bundle" and isinstance(identity, str) and bool(_BUNDLE_ID.fullmatch(identity))


def _stop(screened: Screened) -> None:
    if screened.refused:
        first = screened.refused[0]
        more = f" (and {len(screened.refused) - 1} more)" if len(screened.refused) > 1 else ""
        raise StillwatchError(
            f"nothing leaves: {first.where}: {first.rule}: {first.reason}{more}",
            hint="stillwatch share preview shows every place; change the text or the facts there",
        )


def _same(one: str, other: str) -> bool:
    return " ".join(one.casefold().split()) == " ".join(other.casefold().split())


def _form(form: Release, screened: Screened) -> str:
    rows = asdict(form) | {"level": form.level.label, "dropped": [asdict(d) for d in screened.dropped]}
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"


def _read_form(path: Path) -> Release:
    rows = _json(path)
    try:
        return Release(
            str(rows["bundle_sha256"]), Audience(rows["audience"]), Product(rows["product"]), Tlp.of(rows["level"]),
            int(rows["people_needed"]), tuple(Approval(**row) for row in rows["approvals"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SourceError(
            str(path), "not the form of a draft", hint="name a folder that `share draft` made"
        ) from error


def _objects(path: Path) -> list[dict[str, Any]]:
    found = _json(path).get("objects")
    if not isinstance(found, list) or not all(
        isinstance(o, dict) and isinstance(o.get("type"), str) for o in found
    ):
        raise SourceError(
            str(path), "not a STIX bundle", hint="name a bundle, or a folder that `share draft` made"
        )
    return found


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise SourceError(str(path), "too large", hint=f"a bundle has at most {MOST_BYTES:,} bytes")
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(
            str(path), "cannot be read", hint="name a folder that `share draft` made"
        ) from error
    if not isinstance(found, dict):
        raise SourceError(str(path), "cannot be read", hint="name a folder that `share draft` made")
    return found


def logged(settings: Settings, digest: str, env: Mapping[str, str], *, withdrawn: bool = False) -> int | None:
    """The leaf of a bundle that was released, or withdrawn; None where no log is kept."""
    from stillwatch.evidence.leaf import leaf
    from stillwatch.records.evidence import LeafKind

    if not evidence_log.in_use(settings):
        return None
    kind = LeafKind.WITHDRAWAL if withdrawn else LeafKind.SHARE
    return int(evidence_log.append(settings, [leaf(kind, digest, datetime.now(UTC))], env)["index"])


__all__: Sequence[str] = ["check_share", "draft_share", "logged", "preview_share", "release_share"]
