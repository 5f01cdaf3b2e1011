"""Leads: pulled from servers, kept, listed, answered; and what is pushed or withdrawn."""

from __future__ import annotations

import hashlib
import json
import os
import ssl
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stillwatch.errors import ConfigError, SourceError
from stillwatch.records.leads import Lead
from stillwatch.records.sharing import Tlp
from stillwatch.settings import Settings
from stillwatch.wiring.lead_sources import LeadSource, one_source, sources_from
from stillwatch.wiring.progress import Progress, writable

if TYPE_CHECKING:
    from stillwatch.share.taxii.client import Client
    from stillwatch.store.leads import LeadFile

EXTRA_HINT = "install them: pip install 'stillwatch[share]'"
OVERLAP_US = 1_000_000
"""How much is read again at the next pull, for servers that give several objects one time of adding."""
_PUSHED_AT_ONCE = 500


def needs(*packages: str) -> None:
    """Raise `ConfigError` when one of these packages is not installed."""
    for name in packages:
        try:
            import_module(name)
        except ImportError as error:
            raise ConfigError(f"this needs the package {name}", hint=EXTRA_HINT) from error


@contextmanager
def _client(source: LeadSource) -> Iterator[Client]:
    needs("httpx", "rfc8785")
    import httpx

    from stillwatch.share.taxii.client import Client

    with httpx.Client(timeout=60.0, trust_env=False, verify=trusted(source.ca)) as http:
        yield Client(http, source.root, source.token, source.member)


def trusted(ca: str) -> ssl.SSLContext | bool:
    """Whose certificates are believed: the client library's authorities, or one that is named."""
    if not ca:
        return True
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError("the certificate authority cannot be read", hint="ca names a PEM file") from error


def pull_leads(
    file: Path, sources: Path, *, only: str | None, progress: Progress, env: Mapping[str, str] = os.environ
) -> list[dict[str, Any]]:
    """Read what is new from each source; what was kept of it, and what was not and why."""
    needs("httpx", "rfc8785")
    from stillwatch.store.leads import LeadFile

    chosen = [s for s in sources_from(sources, env) if only in (None, s.name)]
    if not chosen:
        raise ConfigError(f"no source {only!r}", hint=f"{sources.name} names them")
    with writable(file), LeadFile(file, make=True) as leads:
        return [_pull(leads, source, progress) for source in chosen]


def _pull(leads: LeadFile, source: LeadSource, progress: Progress) -> dict[str, Any]:
    from stillwatch.share.taxii.moments import microseconds, written
    from stillwatch.share.taxii.objects import Checked, check, object_id
    from stillwatch.store.leads import Kept

    place = f"{source.root} {source.collection}"
    after = leads.reached(source.name, place)
    told: dict[str, Any] = {"source": source.name, "read": 0, "kept": 0, "passed_over": 0, "withdrawn": 0}
    refused: dict[str, int] = {}
    progress.step(f"pulling from {source.name}")
    with _client(source) as client:
        for page in client.pages(source.collection, added_after=after):
            kept = []
            for stix in page.objects:
                one = check(stix) if object_id(stix) else None
                if isinstance(one, Checked):
                    kept.append(
                        Kept(source.name, one.object_id, one.type, one.version_ns, int(one.level), one.author,
                             one.revoked, one.body)
                    )  # fmt: skip
                else:
                    reason = one.reason if one else "no id"
                    refused[reason] = refused.get(reason, 0) + 1
            reached = ""
            if page.added_last:
                try:
                    last = microseconds(page.added_last)
                except ValueError:
                    raise SourceError(
                        source.name, "names a time of adding that is none", hint="tell whoever runs it"
                    ) from None
                reached = written(max(0, last - OVERLAP_US))
            for name, count in leads.keep(source.name, place, kept, reached, _now().isoformat()).items():
                told[name] += count
            told["read"] += len(page.objects)
    return told | {"refused": refused}


def active_leads(leads: LeadFile, now_us: int) -> tuple[list[Lead], dict[str, int]]:
    """Leads that may be looked for now, and why the others may not."""
    from stillwatch.share.leads import lead_of
    from stillwatch.share.taxii.objects import Checked, check

    found: list[Lead] = []
    not_used: dict[str, int] = {}
    for kept in leads.objects("indicator"):
        stix = json.loads(kept.body)
        one = check(stix)
        lead = lead_of(kept.source, one, stix) if isinstance(one, Checked) else one.reason
        if isinstance(lead, Lead) and lead.valid_until_us <= now_us:
            lead = "aged out"
        elif isinstance(lead, Lead) and lead.valid_from_us > now_us:
            lead = "not valid yet"
        if isinstance(lead, Lead):
            found.append(lead)
        else:
            not_used[lead] = not_used.get(lead, 0) + 1
    return found, not_used


def list_leads(file: Path, *, now: datetime | None = None) -> dict[str, Any]:
    """What is kept, what of it is used, who else has seen or disputed it, and withdrawals nobody acknowledged."""
    needs("rfc8785")
    from stillwatch.share.taxii.moments import micros_of, written
    from stillwatch.store.leads import LeadFile

    with LeadFile(file) as leads:
        found, not_used = active_leads(leads, micros_of(now or _now()))
        said: dict[str, dict[str, int]] = {}
        for kept in leads.objects("sighting", "opinion"):
            stix = json.loads(kept.body)
            if kept.type == "sighting":
                said.setdefault(str(stix.get("sighting_of_ref")), {"seen": 0, "disputed": 0})["seen"] += 1
            elif stix.get("opinion") in ("disagree", "strongly-disagree"):
                for ref in stix.get("object_refs", ()) if isinstance(stix.get("object_refs"), list) else ():
                    said.setdefault(str(ref), {"seen": 0, "disputed": 0})["disputed"] += 1
        rows = [
            asdict(lead) | {"level": lead.level.label, "valid_until": written(lead.valid_until_us),
                            **said.get(lead.object_id, {"seen": 0, "disputed": 0})}
            for lead in found
        ]  # fmt: skip
        return {"leads": rows, "not_used": not_used, "withdrawals": leads.withdrawals(open_only=True)}


def push_share(
    draft: Path, sources: Path, *, source: str | None, settings: Settings, env: Mapping[str, str] = os.environ
) -> dict[str, Any]:
    """Send a released draft; what became of each object. What is not released is not sent."""
    from stillwatch.wiring.sharing import BUNDLE, check_share

    checked = check_share(draft, settings=settings)
    objects = json.loads((draft / BUNDLE).read_bytes())["objects"]
    return _send(one_source(sources, source, env), objects) | {"tlp": checked["tlp"]}


def withdraw_share(
    draft: Path, sources: Path, *, source: str | None, settings: Settings, env: Mapping[str, str] = os.environ
) -> dict[str, Any]:
    """Withdraw what was sent of a released draft: a last version of each object of ours, revoked.

    Where an evidence log is kept, the withdrawal is a leaf of it before anything is sent.
    """
    from stillwatch.share.leads import withdrawn
    from stillwatch.wiring.sharing import BUNDLE, check_share, logged

    check_share(draft, settings=settings)
    body = (draft / BUNDLE).read_bytes()
    objects = json.loads(body)["objects"]
    now = _now()
    kept = ("identity", "extension-definition")
    ours = [withdrawn(o, now) for o in objects if "created_by_ref" in o and o["type"] not in kept]
    to = one_source(sources, source, env)
    leaf = logged(settings, hashlib.sha256(body).hexdigest(), env, withdrawn=True)
    return _send(to, ours) | {"leaf": leaf}


def _send(source: LeadSource, objects: Sequence[Mapping[str, Any]], collection: str = "") -> dict[str, Any]:
    taken = pending = 0
    failures: list[tuple[str, str]] = []
    with _client(source) as client:
        for start in range(0, len(objects), _PUSHED_AT_ONCE):
            told = client.push(collection or source.collection, objects[start : start + _PUSHED_AT_ONCE])
            taken, pending = taken + told.taken, pending + told.pending
            failures += told.failures
    return {"source": source.name, "sent": len(objects), "taken": taken, "pending": pending,
            "failures": [{"id": i, "reason": r} for i, r in failures]}  # fmt: skip


def answer_lead(
    file: Path,
    object_id: str,
    verdict: str,
    sources: Path,
    *,
    sender: str,
    env: Mapping[str, str] = os.environ,
) -> dict[str, Any]:
    """Say back what became of a lead: to the source it came from, up to TLP:AMBER."""
    needs("httpx", "rfc8785")
    from stillwatch.share.leads import VERDICTS, answer
    from stillwatch.store.leads import LeadFile

    if verdict not in VERDICTS:
        raise ConfigError(f"{verdict!r} is no answer", hint=f"one of {', '.join(VERDICTS)}")
    with LeadFile(file) as leads:
        kept = leads.find(object_id)
    level = Tlp(kept.level)
    if level > Tlp.AMBER:
        raise ConfigError(
            f"it is held at TLP:{level.label.upper()}: what is said of it needs two people",
            hint="answer its author through your own channel",
        )
    made = answer(verdict, object_id, level, sender=sender, identity=uuid.uuid4(), now=_now())
    source = one_source(sources, kept.source, env)
    return _send(source, [made], source.feedback) | {"answer": verdict, "about": object_id, "id": made["id"]}


def _now() -> datetime:
    return datetime.now(UTC)


__all__ = [
    "active_leads",
    "answer_lead",
    "list_leads",
    "needs",
    "pull_leads",
    "push_share",
    "trusted",
    "withdraw_share",
]
