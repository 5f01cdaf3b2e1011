"""The outbound gate: what leaves, what is dropped, what stops everything.

Two answers. What an audience may not have is *dropped* and listed, and the rest leaves. What nobody may have, or what
looks like a way round a marking, is *refused*: then nothing leaves until a person has changed it, because cutting a
leak out of a text leaves the text that led to it. The gate reads any list of objects and trusts none of it: it is run
again over what was built, before anybody signs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from stillwatch.records.sharing import Audience, Dropped, Refusal, Screened, Tlp
from stillwatch.share import allow, atlas, buckets, extensions, marking, sensitive, words
from stillwatch.share.release import ATTRIBUTES

MOST_OBJECTS, MOST_TEXT = 20_000, 4_000
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-([0-9a-f])[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"
_ID = re.compile(rf"[a-z][a-z0-9-]{{2,40}}--{_UUID}")
_IN_TEXT = re.compile(_UUID, re.IGNORECASE)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
_WORD = re.compile(r"[a-z][a-z0-9_]{0,63}")
_PATTERN = re.compile(
    r"\[(?:autonomous-system:number = \d{1,10}|domain-name:value = '[a-z0-9.-]{4,253}'|"
    r"ipv4-addr:value = '[0-9./]{7,18}'|"
    r"ipv6-addr:value = '[0-9a-f:/]{2,43}'|network-traffic:x_ja4 = '[a-z0-9_]{36}'|"
    r"network-traffic:extensions\.'http-request-ext'\.request_header\.'User-Agent' = '(?:[^'\\\]]|\\['\\])+')\]"
)
_TIMES = frozenset(
    {"created", "modified", "published", "valid_from", "valid_until", "first_seen", "last_seen"}
)
_VOCABULARY: dict[str, frozenset[Any]] = {
    "account_bucket": frozenset(buckets.VOLUMES), "volume_bucket": frozenset(buckets.VOLUMES),
    "extraction_share_bucket": frozenset(buckets.SHARES),
    "permitted_actions": frozenset({"observe", "alert", "challenge", "block"}), "auto_enforce": frozenset({False}),
    "access_channels": frozenset({"first-party-api", "cloud-marketplace", "reseller", "stolen-key", "chat"}),
    "evidence_families": frozenset({"content", "infrastructure", "timing", "identity", "behaviour"}),
    "relationship_type": frozenset({"attributed-to", "uses", "indicates", "mitigates", "related-to"}),
    "pattern_type": frozenset({"stix"}), "spec_version": frozenset({"2.1"}),
    "pattern_version": frozenset({"2.1"}), "type": frozenset(allow.TYPES),
    "report_types": frozenset({"campaign"}), "infrastructure_types": frozenset({"anonymization"}),
    "indicator_types": frozenset({"anomalous-activity"}), "threat_actor_types": frozenset({"unknown"}),
    "identity_class": frozenset({"organization", "system"}), "extension_type": frozenset({"property-extension"}),
    "source_method": frozenset({"analyst", "automated", "joined"}),
    "confidence_scale": frozenset({"low-medium-high"}),
}  # fmt: skip
_OBSERVED = frozenset({
    "artifact", "autonomous-system", "directory", "domain-name", "email-addr", "email-message", "file", "ipv4-addr",
    "ipv6-addr", "mac-addr", "mutex", "network-traffic", "observed-data", "process", "software", "url", "user-account",
    "windows-registry-key", "x509-certificate",
})  # fmt: skip
_NAME = re.compile(r"(?:Operator of |Pool of |[a-z0-9_]{3,10} of )?LLM distillation [0-9a-f]{6}")
"""What `bundle` calls things."""
_ADDRESSED = re.compile(r"ipv[46]-addr:")


def screen(
    objects: Sequence[Mapping[str, Any]], *, audience: Audience, level: Tlp,
    private: Sequence[str] = (), prompts: Sequence[str] = (),
) -> Screened:  # fmt: skip
    """What an audience gets of these objects.

    Args:
        objects: STIX objects, of whatever origin.
        audience: Whose list counts.
        level: How closely the whole is held; an object that is held otherwise is refused.
        private: Strings that must not occur in any text: account ids, names of customers.
        prompts: Texts that must not be quoted.
    """
    if len(objects) > MOST_OBJECTS:
        return Screened((), refused=(Refusal("size", "bundle", f"more than {MOST_OBJECTS:,} objects"),))
    dropped: list[Dropped] = []
    kept = [k for o in objects if (k := _cut(o, audience, dropped)) is not None]
    kept = _joined(kept, dropped)
    refused: list[Refusal] = list(_held(kept, audience, level))
    for stix in objects:
        refused += _marked(stix, level)
        refused += _referred(stix)
    needles = sensitive.needles(private)
    for stix in kept:
        refused += _read(stix, level, needles, prompts)
    return Screened(tuple(kept), _once(dropped), _once(refused))


def _once(rows: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(rows))


def _cut(stix: Mapping[str, Any], audience: Audience, dropped: list[Dropped]) -> dict[str, Any] | None:
    kind = str(stix.get("type", ""))[:64]
    allowed = allow.fields(kind, audience)
    if not allowed:
        dropped.append(Dropped(kind, "", f"not for the audience {audience}"))
        return None
    out: list[Dropped] = []
    kept: dict[str, Any] = _fields(kind, stix, "", allowed, audience, out)
    missing = [field for field in allow.REQUIRED.get(kind, ()) if field not in kept]
    if missing:
        dropped.append(Dropped(kind, "", f"says nothing without {missing[0]}"))
        return None
    dropped += out
    return kept


def _fields(
    kind: str, value: Any, path: str, allowed: frozenset[str], audience: Audience, out: list[Dropped]
) -> Any:
    """The value with allowed paths only; None when nothing of it is."""
    if isinstance(value, Mapping) and (not path or any(a.startswith(f"{path}.") for a in allowed)):
        rows = {
            key: kept
            for key, inner in value.items()
            if (kept := _fields(kind, inner, f"{path}.{key}" if path else str(key), allowed, audience, out))
            is not None
        }
        return rows or None
    if isinstance(value, list):
        if any(isinstance(v, list) for v in value):
            out.append(Dropped(kind, path[:120], "a list of lists"))
            return None
        items = [_fields(kind, v, path, allowed, audience, out) for v in value]
        return [v for v in items if v is not None] or None
    if isinstance(value, str | int | bool) and path in allowed:
        return value
    out.append(Dropped(kind, path[:120], f"not on the list of the audience {audience}"))
    return None


def _joined(objects: list[dict[str, Any]], dropped: list[Dropped]) -> list[dict[str, Any]]:
    """Nothing refers to what is not there."""
    while True:
        here = {o.get("id") for o in objects}
        left = []
        for stix in objects:
            for field in ("source_ref", "target_ref", "sighting_of_ref"):
                if field in stix and stix[field] not in here:
                    dropped.append(Dropped(stix["type"], "", f"its {field} does not leave"))
                    break
            else:
                for field in ("object_refs", "where_sighted_refs"):
                    if field in stix:
                        stix[field] = [ref for ref in stix[field] if ref in here]
                if stix.get("created_by_ref") is not None and stix["created_by_ref"] not in here:
                    dropped.append(Dropped(stix["type"], "created_by_ref", "its object does not leave"))
                    stix = {key: value for key, value in stix.items() if key != "created_by_ref"}
                if stix.get("object_refs") == []:
                    dropped.append(Dropped(stix["type"], "", "nothing that it is about leaves"))
                    continue
                left.append(stix)
        if len(left) == len(objects):
            return left
        objects = left


def _held(kept: Iterable[Mapping[str, Any]], audience: Audience, level: Tlp) -> Iterator[Refusal]:
    """What a level may hold, whatever is asked for: the public reads what is clear, an attribution is held closely."""
    if (audience is Audience.PUBLIC) != (level is Tlp.CLEAR):
        yield Refusal("marking", "bundle", "public is clear, and only public")
    for stix in kept:
        if stix["type"] in ATTRIBUTES and level < Tlp.AMBER_STRICT:
            yield Refusal("marking", stix["type"], "an attribution is held at amber+strict or red")


def _marked(stix: Mapping[str, Any], level: Tlp) -> Iterator[Refusal]:
    kind = str(stix.get("type", ""))[:64]
    if kind == "marking-definition":
        if stix not in [marking.definition(known) for known in Tlp]:
            yield Refusal("marking", kind, "not a TLP 2.0 marking as it was published")
        return
    if "granular_markings" in stix:
        yield Refusal("marking", kind, "a part is marked by itself: marks on parts count as red")
    held = marking.level_of(stix)
    public = stix.get("id") in atlas.by_stix_id() or stix in _OURS
    if held is not level and not (held is Tlp.CLEAR and public):
        yield Refusal("marking", kind, f"held at {held.label} and the release at {level.label}")


_OURS = [extensions.author(), *map(extensions.definition, (extensions.PROFILE, extensions.POLICY))]


def _referred(stix: Mapping[str, Any]) -> Iterator[Refusal]:
    """Ids that say what they name. An observed thing's id is made from its value: whoever guesses it has it."""
    for path, text in _strings(stix, ""):
        found = _ID.fullmatch(text)
        if found is None or text in atlas.by_stix_id():
            continue
        kind = str(stix.get("type", ""))[:64]
        if found[1] != "4":
            yield Refusal(
                "computed id", f"{kind}.{path}", "made from what it names; whoever guesses that has it"
            )
        elif text.partition("--")[0] in _OBSERVED and path != "id":
            yield Refusal(
                "computed id", f"{kind}.{path}", "refers to something observed, which does not leave"
            )


def _read(
    stix: Mapping[str, Any], level: Tlp, private: Sequence[str], prompts: Sequence[str]
) -> Iterator[Refusal]:
    kind = str(stix["type"])
    if kind in ("marking-definition", "extension-definition") or stix in _OURS:
        if stix not in _OURS and kind != "marking-definition":
            yield Refusal("extension", kind, "defined by somebody else")
        return
    theirs = _theirs(stix)
    for path, value in _leaves(stix, ""):
        where, field = f"{kind}.{path}", path.rpartition(".")[2]
        if field in _VOCABULARY:
            if value not in _VOCABULARY[field]:
                yield Refusal("vocabulary", where, "not one of the words of this field")
        elif isinstance(value, int):
            if not 0 <= value <= 100:
                yield Refusal("exact figure", where, "volumes leave as buckets only")
        elif field in _TIMES:
            if not _TIME.fullmatch(value):
                yield Refusal("format", where, "not a time")
        elif field == "id" or field.endswith(("_ref", "_refs")):
            if not _ID.fullmatch(value):
                yield Refusal("format", where, "not an id")
        elif field in ("targeted_capabilities", "shared_traits"):
            if not _WORD.fullmatch(value):
                yield Refusal("format", where, "not a name of a capability or trait")
        elif field == "pattern":
            yield from _pattern(where, value, level, private)
        elif theirs:
            if value not in theirs:
                yield Refusal("technique", where, "not what ATLAS says under this id")
        else:
            yield from _text(where, value, private, prompts)


def _pattern(where: str, value: str, level: Tlp, private: Sequence[str]) -> Iterator[Refusal]:
    if not _PATTERN.fullmatch(value):
        yield Refusal("pattern", where, "not of a form that this program makes")
    if _ADDRESSED.search(value) and level < Tlp.AMBER:
        yield Refusal("personal data", where, "addresses leave at amber or above")
    yield from (r for r in _text(where, value, private, ()) if r.rule not in ("address", "exact figure"))


def _theirs(stix: Mapping[str, Any]) -> frozenset[str]:
    """All words of an object of MITRE's; none for another object."""
    entry = atlas.by_stix_id().get(str(stix.get("id")))
    if entry is None:
        return frozenset()
    return frozenset({entry.kind, entry.name, entry.id, entry.url, atlas.KILL_CHAIN, *entry.phases})


def _text(where: str, value: str, private: Sequence[str], prompts: Sequence[str]) -> Iterator[Refusal]:
    if len(value) > MOST_TEXT:
        yield Refusal("size", where, f"a text of more than {MOST_TEXT:,} characters")
        return
    own = "\n".join(line for line in value.split("\n") if line not in words.OWN and not _NAME.fullmatch(line))
    if not own:
        return
    for rule in sensitive.broken(own):
        yield Refusal(rule.name, where, rule.reason)
    if any(found[1] not in ("4",) for found in _IN_TEXT.finditer(own)):
        yield Refusal("computed id", where, "made from what it names; whoever guesses that has it")
    if sensitive.names(own, private):
        yield Refusal("private name", where, "names an account or a customer of the sender")
    if sensitive.quotes(own, prompts):
        yield Refusal("prompt text", where, "quotes a prompt")


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, path)
    else:
        yield path, value


def _strings(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every text, names of fields too, of a value that may be nested as deep as a parser lets it be."""
    todo = [(path, value)]
    while todo:
        where, inner = todo.pop()
        if isinstance(inner, Mapping):
            for key, below in inner.items():
                name = str(key)
                todo += [(f"{where}.{name}"[-120:].lstrip("."), below)]
                if where and _ID.fullmatch(name):
                    yield where, name
        elif isinstance(inner, list):
            todo += [(where, below) for below in inner]
        elif isinstance(inner, str):
            yield where, inner
