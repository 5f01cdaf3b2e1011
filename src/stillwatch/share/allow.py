"""What each audience may have, field by field. Whatever is not here does not leave.

A list of what is forbidden is never complete; this one is of what is allowed, so that a field that somebody adds
tomorrow stays at home until somebody writes down who needs it.
"""

from __future__ import annotations

from functools import cache

from stillwatch.records.sharing import Audience
from stillwatch.share.extensions import POLICY, PROFILE
from stillwatch.share.marking import EXTENSION

_COMMON = "type spec_version id created modified created_by_ref object_marking_refs revoked confidence"
_KILL_CHAIN = "kill_chain_phases.kill_chain_name kill_chain_phases.phase_name"
_REFERENCES = "external_references.source_name external_references.external_id external_references.url"
_PROFILE = (
    "extension_type targeted_capabilities access_channels model_families shared_traits evidence_families "
    "account_bucket volume_bucket extraction_share_bucket"
)
_POLICY = "extension_type permitted_actions auto_enforce min_corroboration appeal_url source_method confidence_scale"
_MEMBERS = frozenset({Audience.LAB, Audience.CLOUD, Audience.GOVERNMENT})
_TESTERS = frozenset({Audience.LAB, Audience.GOVERNMENT})
"""Attribution reaches only those who can test it."""
EVERYBODY = frozenset(Audience)

TYPES: dict[str, tuple[frozenset[Audience], str]] = {
    "marking-definition": (EVERYBODY, f"name extensions.{EXTENSION}.extension_type extensions.{EXTENSION}.tlp_2_0"),
    "extension-definition": (EVERYBODY, "name description schema version extension_types"),
    "identity": (EVERYBODY, "name identity_class"),
    "intrusion-set": (EVERYBODY, "name description"),
    "campaign": (EVERYBODY, "name description objective"),
    "infrastructure": (EVERYBODY, "name description infrastructure_types"),
    "attack-pattern": (EVERYBODY, f"name {_REFERENCES} {_KILL_CHAIN}"),
    "course-of-action": (EVERYBODY, f"name {_REFERENCES}"),
    "relationship": (EVERYBODY, "relationship_type source_ref target_ref"),
    "report": (EVERYBODY, "name description report_types published object_refs"),
    "indicator": (
        _MEMBERS, "name description pattern pattern_type pattern_version indicator_types valid_from valid_until",
    ),
    "sighting": (_MEMBERS, "sighting_of_ref where_sighted_refs description first_seen last_seen"),
    "threat-actor": (_TESTERS, "name description threat_actor_types"),
    "note": (_TESTERS, "abstract content authors object_refs"),
}  # fmt: skip
MORE: dict[tuple[str, str], frozenset[Audience]] = {
    (kind, field): _MEMBERS
    for kind in ("intrusion-set", "campaign", "infrastructure")
    for field in ("first_seen", "last_seen")
} | {("*", f"extensions.{POLICY}.legal_basis"): _MEMBERS}
"""Fields that only some of those who may have the object may have too."""
REQUIRED = {
    "identity": ("name",), "intrusion-set": ("name",), "campaign": ("name",), "infrastructure": ("name",),
    "attack-pattern": ("name",), "course-of-action": ("name",), "threat-actor": ("name",),
    "relationship": ("relationship_type", "source_ref", "target_ref"), "sighting": ("sighting_of_ref",),
    "report": ("name", "published", "object_refs"), "note": ("content", "object_refs"),
    "indicator": ("pattern", "pattern_type", "valid_from", "valid_until"),
}  # fmt: skip
"""Without these an object says nothing and is dropped whole; an indicator without an end is none."""


@cache
def fields(kind: str, audience: Audience) -> frozenset[str]:
    """Dotted paths that may leave in an object of a type; empty: the whole type stays.

    >>> "first_seen" in fields("campaign", Audience.LAB), "first_seen" in fields("campaign", Audience.PUBLIC)
    (True, False)
    >>> fields("user-account", Audience.GOVERNMENT)
    frozenset()
    """
    allowed, own = TYPES.get(kind, (frozenset(), ""))
    if audience not in allowed:
        return frozenset()
    more = {f for (k, f), who in MORE.items() if k in (kind, "*") and audience in who}
    extended = {f"extensions.{PROFILE}.{f}" for f in _PROFILE.split()} if kind == "campaign" else set()
    if kind in ("campaign", "indicator"):
        extended |= {f"extensions.{POLICY}.{f}" for f in _POLICY.split()}
    return frozenset({*_COMMON.split(), *own.split(), *more, *extended})
