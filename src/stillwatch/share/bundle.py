"""One campaign as STIX 2.1 objects, before the outbound gate.

Counts become buckets and times become days here; account ids, digests, explanations and prompts are not read at all.
What a person wrote (summary, grounds, attribution) goes in as written, and the gate reads it. Techniques and
mitigations keep MITRE's own ids: their objects hold name and address only, under the time when MITRE first made them,
so that MITRE's own version always counts as newer.

A product on *tactics* says how it is done. A product on *actors* adds who is believed to be behind it, with the words
of a person, and is another bundle.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from stillwatch.errors import ConfigError
from stillwatch.records.finding import Confidence, Kind
from stillwatch.records.sharing import Audience, Product, Tlp, ToShare
from stillwatch.share import atlas, buckets, extensions, marking, words
from stillwatch.share.ids import Ids
from stillwatch.share.patterns import pattern

CONFIDENCE = {Confidence.LOW: 15, Confidence.MEDIUM: 50, Confidence.HIGH: 85}
"""STIX's own scale of three words."""
MITIGATIONS = ("AML.M0004", "AML.M0019", "AML.M0024")
"""Where a person names none: limit queries, control access, keep telemetry."""
PROXIES = "AML.T0008.005"
MOST_DAYS = 400
"""An indicator ends at most so many days after it was made."""


def build(what: ToShare, *, now: datetime, ids: Ids) -> list[dict[str, Any]]:
    """The objects of a campaign, in reading order, with the definitions that they need.

    Raises:
        ConfigError: it may not be shared with this audience in this way, or a fact is not usable.
    """
    _may(what)
    maker = _Maker(what, now, ids)
    own = list(maker.objects())
    told = maker.report(own)
    used = {ref for stix in (*own, told) for ref in stix["object_marking_refs"]}
    return [
        *(marking.definition(level) for level in Tlp if marking.IDS[level] in used),
        extensions.author(),
        *map(extensions.definition, (extensions.PROFILE, extensions.POLICY)),
        *own,
        told,
    ]


def in_bundle(objects: Iterable[dict[str, Any]], identity: UUID) -> dict[str, Any]:
    """A STIX bundle around objects."""
    return {"type": "bundle", "id": f"bundle--{identity}", "objects": list(objects)}


def _may(what: ToShare) -> None:
    campaign, facts = what.campaign, what.facts
    if campaign.granted:
        raise ConfigError(
            f"{campaign.campaign_id} has a grant: it is authorised", hint="there is nothing to share about it"
        )
    if campaign.kind is not Kind.CAMPAIGN:
        raise ConfigError(
            f"{campaign.campaign_id} is a pool, use unknown", hint="share campaigns; a pool may be honest"
        )
    if (what.audience is Audience.PUBLIC) != (what.level is Tlp.CLEAR):
        raise ConfigError(
            f"TLP:{what.level.label} and audience {what.audience} do not fit",
            hint="public is clear, and only public",
        )
    if what.product is Product.TACTICS and facts.attribution is not None:
        raise ConfigError(
            "a product on tactics names nobody", hint="share the attribution as product `actors`"
        )
    if what.product is Product.ACTORS:
        if facts.attribution is None:
            raise ConfigError(
                "a product on actors needs a person's attribution", hint="see the page on sharing"
            )
        if what.level < Tlp.AMBER_STRICT:
            raise ConfigError(
                "an attribution is held at amber+strict or red", hint="choose --tlp amber+strict"
            )
        if facts.attribution.get("level") == "named_persons":
            raise ConfigError(
                "persons are never named in a bundle", hint="give an authority an evidence package instead"
            )


class _Maker:
    def __init__(self, what: ToShare, now: datetime, ids: Ids) -> None:
        self.what, self.ids, self.now = what, ids, now
        made = ids.before(what.facts.sender.identity).get("created", buckets.day(now))
        self.sender = {"id": what.facts.sender.identity, "created": made}
        self.title = ""
        self.days: dict[str, Any] = {
            "first_seen": buckets.day(what.campaign.first_seen), "last_seen": buckets.day(what.campaign.last_seen),
        }  # fmt: skip

    def objects(self) -> Iterator[dict[str, Any]]:
        what, campaign = self.what, self.what.campaign
        yield self._new(
            "identity",
            self.sender,
            name=what.facts.sender.name,
            identity_class="organization",
            modified=buckets.day(self.now),
        )
        numbers = self.ids("campaign")
        self.title = f"LLM distillation {numbers['id'][-12:-6]}"
        operator = self._new(
            "intrusion-set", name=f"Operator of {self.title}", description=words.OPERATOR, **self.days
        )
        seen = self._new(
            "campaign", numbers, name=self.title, description=words.CAMPAIGN, objective=words.OBJECTIVE, **self.days,
            confidence=CONFIDENCE[campaign.confidence],
            extensions={extensions.PROFILE: self._profile(), extensions.POLICY: self._policy("automated")},
        )  # fmt: skip
        yield from (operator, seen, self._link(seen, "attributed-to", operator))
        yield from self._techniques(seen)
        yield from self._observables(seen)
        yield self._new(
            "sighting", sighting_of_ref=seen["id"], where_sighted_refs=[self.sender["id"]],
            description=words.SIGHTING, **self.days,
        )  # fmt: skip
        if what.product is Product.ACTORS:
            yield from self._actor(operator)

    def report(self, own: list[dict[str, Any]]) -> dict[str, Any]:
        """What holds the rest together; the one place for a person's summary."""
        summary = self.what.facts.summary.strip()
        return self._new(
            "report", name=self.title, description=f"{words.REPORT}\n{summary}" if summary else words.REPORT,
            report_types=["campaign"], published=buckets.instant(self.now), object_refs=[o["id"] for o in own],
        )  # fmt: skip

    def _techniques(self, seen: dict[str, Any]) -> Iterator[dict[str, Any]]:
        what = self.what
        chosen = sorted({*what.campaign.techniques, *what.facts.techniques})
        techniques = {t: self._theirs(atlas.entry(t, atlas.TECHNIQUE)) for t in chosen}
        for technique in techniques.values():
            yield technique
            yield self._link(seen, "uses", technique)
        if PROXIES in techniques:
            pool = self._new(
                "infrastructure", name=f"Pool of {self.title}", description=words.INFRASTRUCTURE,
                infrastructure_types=["anonymization"], **self.days,
            )  # fmt: skip
            yield from (pool, self._link(seen, "uses", pool))
        for mitigation in what.facts.mitigations or MITIGATIONS:
            theirs = self._theirs(atlas.entry(mitigation, atlas.MITIGATION))
            yield theirs
            for technique in techniques.values():
                if technique["external_references"][0]["external_id"] in _MITIGATED:
                    yield self._link(theirs, "mitigates", technique)

    def _observables(self, seen: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for place, row in enumerate(self.what.facts.observables, 1):
            left = (row.valid_until - self.now).total_seconds() / 86400
            if not 0 < left <= MOST_DAYS:
                raise ConfigError(
                    f"indicator {place}: valid_until must lie ahead, within {MOST_DAYS} days",
                    hint="an indicator without an end accuses whoever has the address next",
                )
            try:
                text = pattern(row.kind, row.value)
            except ConfigError as error:
                raise ConfigError(f"indicator {place}: {error}", hint=error.hint) from None
            numbers = self.ids("indicator", text)
            indicator = self._new(
                "indicator", numbers, name=f"{row.kind} of {self.title}", pattern=text, pattern_type="stix",
                pattern_version="2.1",
                description=f"{words.INDICATOR}\n{row.ground.strip()}", indicator_types=["anomalous-activity"],
                valid_from=buckets.instant(self.now), valid_until=buckets.instant(row.valid_until),
                confidence=CONFIDENCE[Confidence.LOW], extensions={extensions.POLICY: self._policy("analyst")},
            )  # fmt: skip
            yield from (indicator, self._link(indicator, "indicates", seen))

    def _actor(self, operator: dict[str, Any]) -> Iterator[dict[str, Any]]:
        given = self.what.facts.attribution or {}
        actor = self._new(
            "threat-actor", name=str(given.get("party") or f"Actor of {self.title}"), description=words.ACTOR,
            threat_actor_types=["unknown"],
        )  # fmt: skip
        low, high = given.get("likelihood_percent") or (0, 0)
        link = self._link(operator, "attributed-to", actor)
        link["confidence"] = (low + high) // 2
        note = self._new(
            "note", abstract=words.ACTOR, content="\n".join(_attribution_lines(given)),
            authors=[words.AUTHORS], object_refs=[actor["id"], link["id"]],
        )  # fmt: skip
        yield from (actor, link, note)

    def _profile(self) -> dict[str, Any]:
        campaign, facts = self.what.campaign, self.what.facts
        lists = {
            "targeted_capabilities": campaign.capabilities,
            "access_channels": facts.access_channels,
            "model_families": facts.model_families,
            "shared_traits": sorted({e.trait for e in campaign.evidence}),
            "evidence_families": sorted({e.family.value for e in campaign.evidence}),
        }
        return {
            "extension_type": "property-extension", "account_bucket": buckets.volume(campaign.account_count),
            "volume_bucket": buckets.volume(campaign.exchange_count),
            "extraction_share_bucket": buckets.share(campaign.extraction_share),
            **{key: list(values) for key, values in lists.items() if values},
        }  # fmt: skip

    def _policy(self, method: str) -> dict[str, Any]:
        facts = self.what.facts
        basis = {"legal_basis": facts.legal_basis} if facts.legal_basis else {}
        return {
            "extension_type": "property-extension", "permitted_actions": "alert", "auto_enforce": False,
            "min_corroboration": 2, "appeal_url": facts.sender.appeal_url, "source_method": method,
            "confidence_scale": "low-medium-high", **basis,
        }  # fmt: skip

    def _theirs(self, entry: atlas.Entry) -> dict[str, Any]:
        phases = [{"kill_chain_name": atlas.KILL_CHAIN, "phase_name": phase} for phase in entry.phases]
        return {
            "type": entry.kind, "spec_version": "2.1", "id": entry.stix_id, "created": entry.created,
            "modified": entry.created, "name": entry.name,
            "external_references": [{"source_name": atlas.KILL_CHAIN, "external_id": entry.id, "url": entry.url}],
            "object_marking_refs": [marking.IDS[Tlp.CLEAR]],
            **({"kill_chain_phases": phases} if phases else {}),
        }  # fmt: skip

    def _link(self, source: dict[str, Any], how: str, target: dict[str, Any]) -> dict[str, Any]:
        numbers = self.ids("relationship", source["id"], how, target["id"])
        return self._new(
            "relationship", numbers, relationship_type=how, source_ref=source["id"], target_ref=target["id"]
        )

    def _new(self, kind: str, numbers: Mapping[str, str] | None = None, /, **rest: Any) -> dict[str, Any]:
        return {
            "type": kind, "spec_version": "2.1", **(numbers or self.ids(kind)),
            "modified": buckets.instant(self.now), "created_by_ref": self.sender["id"],
            "object_marking_refs": [marking.IDS[self.what.level]], **rest,
        }  # fmt: skip


_MITIGATED = frozenset({"AML.T0024.002", "AML.T0040"})
"""Techniques that the mitigations are against."""


def _attribution_lines(given: dict[str, Any]) -> Iterator[str]:
    yield str(given.get("statement") or "")
    low, high = given.get("likelihood_percent") or (0, 0)
    if high:
        yield f"Likelihood: {given['likelihood']} ({low} to {high} percent). Confidence: {given['confidence']}."
    for fact in given.get("facts", ()):
        yield f"Fact ({str(fact['kind']).replace('_', ' ')}): {fact['fact']} Source: {fact['source']}."
    for row in given.get("hypotheses", ()):
        yield f"Hypothesis: {row['claim']}. For: {row['for']}. Against: {row['against']}."
    yield str(given.get("caution") or "")


__all__ = ["build", "in_bundle"]
