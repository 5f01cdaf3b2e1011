"""What every built-in trait promises: it says who it is, is pure, and abstains aloud.

Nor does it depend on order or leak raw text, and it can be taken away.
"""

from __future__ import annotations

import ast
import random
import re
from dataclasses import astuple, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stillwatch.detect import traits as package
from stillwatch.detect.hubs import Hubs
from stillwatch.detect.run import Options, detect, extract_tokens, missing_fields
from stillwatch.detect.shape import FEATURES
from stillwatch.detect.traffic import Traffic
from stillwatch.detect.trait import (
    CONTROL_GROUPS,
    SOURCE_GROUPS,
    Events,
    EventTrait,
    Judged,
    QueueTrait,
    ShapeTrait,
    Tokens,
    TokenTrait,
    Trait,
)
from stillwatch.detect.traits import builtin_traits, load_traits
from stillwatch.errors import ConfigError
from stillwatch.records import (
    ACCOUNT_SCHEMA,
    CLIENT_RELEASE_SCHEMA,
    EXCHANGE_REQUIRED,
    EXCHANGE_SCHEMA,
    RELEASE_SCHEMA,
    Abstention,
)
from tests.contracts.factory import NOTHING, World, embedded, hubs_of, queue_scores, seen
from tests.contracts.golden import GOLDEN
from tests.contracts.town import CANARY, POOL, town

TRAITS = builtin_traits()
IDS = tuple(t.id for t in TRAITS)
TOKEN = tuple(t for t in TRAITS if isinstance(t, TokenTrait))
EVENT = tuple(t for t in TRAITS if isinstance(t, EventTrait))
FILES = Path(package.__file__).parent
FIELDS = (
    set(EXCHANGE_SCHEMA.names)
    | {f"account.{name}" for name in ACCOUNT_SCHEMA.names}
    | {f"release.{name}" for name in RELEASE_SCHEMA.names}
    | {f"client_release.{name}" for name in CLIENT_RELEASE_SCHEMA.names}
)
INSTEAD = {
    "prompt": {"messages"},
    "system_prompt": {"messages"},
    "messages": {"prefix_digests"},
    "completion": {"output_digests", "prefix_digests"},
}
"""Fields that a missing one is derived from."""
SPEAKS_OF_CONTROL = SOURCE_GROUPS | {"schedule"}
"""Groups that may be bet on: independent sources, and timing, which adds weight only."""
GROUPS = (
    SPEAKS_OF_CONTROL | CONTROL_GROUPS | {"software", "content", "language", "programme", "pivot", "network"}
)

HUBS = tuple(t for t in TRAITS if t.id in ("address_block", "template"))
"""What defines the hubs that queue traits are shown."""

every_trait = pytest.mark.parametrize("trait", TRAITS, ids=IDS)
every_token_trait = pytest.mark.parametrize("trait", TOKEN, ids=[t.id for t in TOKEN])


def arrays(trait: Trait, traffic: Traffic) -> tuple[np.ndarray, ...]:
    """What a trait extracts, as arrays."""
    if isinstance(trait, TokenTrait | EventTrait):
        got = trait.extract(traffic)
        return tuple(getattr(got, name) for name in got.__slots__)
    if isinstance(trait, QueueTrait):
        found = queue_scores(trait, traffic, HUBS)
        return (np.array(sorted(found.values())),)
    return (np.array(sorted(str(s) for s in seen(trait, traffic, HUBS, POOL))),)


def fingerprint(traffic: Traffic) -> tuple[Any, ...]:
    """Everything a trait could spoil."""
    table = embedded(traffic).execute("SELECT count(*), bit_xor(hash(e)) FROM exchange e").fetchall()
    accounts = tuple(
        getattr(traffic.accounts, name).tobytes() for name in traffic.accounts.__dataclass_fields__
    )
    return table, accounts, traffic.unit.tobytes(), traffic.unit_order.tobytes(), traffic.present


def empty_hubs(traits: tuple[TokenTrait, ...]) -> Hubs:
    """No hub at all."""
    none = np.zeros(0, np.int64)
    return Hubs(np.zeros(1, np.int64), none.astype(np.int32), none.astype(np.int16), none, none, traits, 0)


@every_trait
def test_says_who_it_is(trait: Trait) -> None:
    """Every field is filled in, what it needs is in the data contract, and its file has its name."""
    assert re.fullmatch(r"[a-z][a-z0-9_]*", trait.id)
    assert (FILES / f"{trait.id}.py").is_file()
    for text in (trait.title, trait.what, trait.null, trait.source):
        assert len(text) > 3 and text == text.strip() and "\n" not in text
    assert trait.what.endswith(".") and trait.null.endswith(".") and trait.source.endswith(".")
    assert trait.needs and trait.needs <= FIELDS
    assert trait.looks_alike and all(len(double) > 3 for double in trait.looks_alike)
    if isinstance(trait, ShapeTrait):
        assert trait.column in FEATURES and trait.meaning
    else:
        assert trait.group in GROUPS


def test_every_id_is_used_once_and_every_file_is_loaded() -> None:
    """One file, one id."""
    assert sorted(IDS) == sorted(p.stem for p in FILES.glob("*.py") if not p.stem.startswith("_"))
    columns = [t.column for t in TRAITS if isinstance(t, ShapeTrait)]
    assert len(set(columns)) == len(columns)


@every_token_trait
def test_shared_software_is_never_bet_on(trait: TokenTrait) -> None:
    """Shared software and shared content never become evidence of control."""
    assert trait.block in (1, 2)
    if trait.bets:
        assert trait.group in SPEAKS_OF_CONTROL
        assert trait.stratum is None or not trait.defines_hubs


def test_both_blocks_hold_an_independent_source() -> None:
    """Small hubs are selected on one block and tested on the other: neither may be empty."""
    bets = [t for t in TOKEN if t.bets and t.group in SOURCE_GROUPS]
    blocks = {b: {t.group for t in bets if t.block == b} for b in (1, 2)}
    assert blocks[1] and blocks[2]
    assert blocks[1] & blocks[2] == set()


@every_trait
def test_is_pure(trait: Trait, traffic: Traffic) -> None:
    """Extracting twice gives the same arrays, and leaves the traffic as it was; the town shows something of it."""
    hubs_of(traffic, HUBS)
    first = arrays(trait, traffic)
    before = fingerprint(traffic)
    again = arrays(trait, traffic)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    after = fingerprint(traffic)
    assert before == after
    assert len(first[0])


@every_token_trait
def test_tokens_are_a_table(trait: TokenTrait, traffic: Traffic) -> None:
    """Three equally long integer arrays; each unit shows each value once; 0 is no value."""
    got = trait.extract(traffic)
    assert [array.dtype.name for array in astuple(got)] == ["int32", "int64", "int64"]
    assert len(got.unit) == len(got.value) == len(got.count)
    assert len(set(zip(got.unit.tolist(), got.value.tolist(), strict=True))) == len(got.unit)
    assert got.value.all() and (got.count >= 1).all()
    assert got.unit.min() >= 0 and got.unit.max() < traffic.n_units
    if trait.stratum is not None:
        strata = trait.stratum(got.value)
        assert strata.min() >= 0 and strata.max() < 8


@pytest.mark.parametrize("trait", EVENT, ids=[t.id for t in EVENT])
def test_events_join_two_units(trait: EventTrait, traffic: Traffic) -> None:
    """Giver and taker differ, the time is inside the window, and every taker had an opportunity."""
    got = trait.extract(traffic)
    assert 0 < trait.rate < 1e-2
    assert len(got.giver) == len(got.taker) == len(got.ts) and len(got.exposure) == traffic.n_units
    assert (got.giver != got.taker).all()
    assert (got.ts >= traffic.start).all() and (got.ts < traffic.end).all()
    exposed = got.giver if trait.id == "failover" else got.taker
    assert (got.exposure[exposed] >= 1).all()


@every_trait
@pytest.mark.parametrize("how", ["shuffled", "slices"])
def test_does_not_depend_on_order_or_batches(trait: Trait, how: str, towns: dict[str, Traffic]) -> None:
    """The same exchanges in another order or other batches show the same values under the same units."""
    assert seen(trait, towns[how], HUBS, POOL) == seen(trait, towns["as written"], HUBS, POOL)


@pytest.fixture(scope="module")
def towns() -> dict[str, Traffic]:
    """The town read in several ways."""
    world = town()
    mixed = list(range(len(world.rows)))
    random.Random(5).shuffle(mixed)
    return {
        "as written": world.traffic(),
        "shuffled": world.traffic(order=mixed, batch=100),
        "slices": world.traffic(batch=29, sliced=True),
    }


@pytest.mark.parametrize("field", sorted({f for t in TRAITS for f in t.needs} - EXCHANGE_REQUIRED))
def test_abstains_aloud_without_a_field(field: str) -> None:
    """Logs that never held a field make exactly the traits that need it abstain, and they name the field."""
    gone = frozenset({field})
    while (more := gone.union(*(INSTEAD.get(f, set()) for f in gone))) != gone:
        gone = more
    notes: list[Abstention] = []
    tokens, events, queues = extract_tokens(town().without(gone).traffic(), TRAITS, notes.append)
    unmet = {t.id: tuple(sorted(f for f in t.needs & gone if INSTEAD.get(f, {f}) <= gone)) for t in TRAITS}
    assert {n.trait: n.missing for n in notes} == {i: fields for i, fields in unmet.items() if fields}
    assert field in {f for n in notes for f in n.missing}
    ran = set(tokens) | {t.id for t, _ in events} | {q.id for q in queues}
    assert ran == {t.id for t in TRAITS if not isinstance(t, ShapeTrait)} - {n.trait for n in notes}


def test_digests_stand_in_only_where_they_are_read() -> None:
    """Logs that hold digests of a conversation serve hand-offs; reuse of answers cannot be seen in them."""
    digests = frozenset({"prefix_digests", "output_digests"})
    by_id = {t.id: t for t in TRAITS}
    assert missing_fields(by_id["handoff"], digests) == ()
    assert missing_fields(by_id["output_reuse"], digests) == ("completion", "prompt")


def test_a_broken_queue_trait_abstains_and_the_rest_go_on(traffic: Traffic) -> None:
    """A queue trait that fails is named and stops nothing."""

    def fail(*_: object) -> dict[int, Judged]:
        raise ValueError("no")

    whole = [q for q in TRAITS if isinstance(q, QueueTrait)]
    traits = tuple(replace(t, extract=fail) if t is whole[0] else t for t in TRAITS)
    got = detect(traffic, traits, NOTHING, Options())
    assert [(n.trait, n.reason) for n in got.abstentions] == [(whole[0].id, "failed: ValueError")]


def test_the_town_lacks_nothing(traffic: Traffic) -> None:
    """With every field there, nobody abstains and nobody fails."""
    notes: list[Abstention] = []
    extract_tokens(traffic, TRAITS, notes.append)
    assert notes == []


def test_the_prompt_may_come_from_the_messages() -> None:
    """A contract field that is derived from another is not missing when the other is there."""
    prompt = next(t for t in TRAITS if t.id == "template")
    assert missing_fields(prompt, frozenset({"messages"})) == ()
    assert missing_fields(prompt, frozenset({"completion"})) == ("prompt",)


def test_a_broken_trait_is_named_and_the_rest_go_on(traffic: Traffic) -> None:
    """One extractor that raises costs its own evidence and nothing else."""

    def broken(_: Traffic) -> Tokens:
        raise RuntimeError(f"text of a customer: {CANARY}")

    others = tuple(replace(t, extract=broken) if t.id == "payment" else t for t in TOKEN)
    notes: list[Abstention] = []
    tokens, _, _ = extract_tokens(traffic, others, notes.append)
    assert [n.trait for n in notes] == ["payment"]
    assert CANARY not in str(notes)
    assert set(tokens) == {t.id for t in TOKEN} - {"payment"}


@every_trait
def test_nothing_comes_of_nothing(trait: Trait) -> None:
    """No exchanges, no accounts: empty arrays of the right length, and no exception."""
    empty = World().traffic()
    if isinstance(trait, QueueTrait):
        if trait.id == "work_queue":
            hubs_of(empty, TOKEN)
        assert trait.extract(empty, empty_hubs(TOKEN)) == {}
    elif isinstance(trait, EventTrait):
        events: Events = trait.extract(empty)
        assert len(events.giver) == len(events.taker) == len(events.ts) == len(events.exposure) == 0
    elif isinstance(trait, TokenTrait):
        got = trait.extract(empty)
        assert len(got.unit) == len(got.value) == len(got.count) == 0
    assert missing_fields(trait, empty.present) == tuple(sorted(trait.needs))


def test_nothing_at_all_is_detected_in_an_empty_input() -> None:
    """An empty day ends in no group, and every trait says why it did not judge."""
    found = detect(World().traffic(), TRAITS, NOTHING, Options())
    assert found.groups == [] and len(found.hubs) == 0
    assert {a.trait for a in found.abstentions} == set(IDS)


@every_token_trait
def test_no_raw_text_in_values_or_words(trait: TokenTrait, traffic: Traffic) -> None:
    """Values are integers; their words are closed vocabulary; what was planted as raw text is nowhere."""
    got = trait.extract(traffic)
    assert all(array.dtype.kind == "i" for array in astuple(got))
    if trait.label is None:
        assert not trait.public
        return
    for value in np.unique(got.value):
        words = trait.label(traffic, int(value))
        assert words and CANARY not in words.lower()
        assert re.fullmatch(r"[A-Za-z0-9 ,.:()/_+-]{1,90}", words), words
    assert CANARY not in repr(got)


def test_the_exchange_table_holds_no_text(traffic: Traffic) -> None:
    """Numbers and lists of numbers only, and the names that are kept are those of accounts, models and the like."""
    types = {str(t) for _, t in traffic.table().schema().items()}
    assert not [t for t in types if "string" in t or "binary" in t or "json" in t]
    for kind in ("account", "org", "model", "channel", "operation", "country", "client"):
        assert CANARY not in " ".join(getattr(traffic.names, kind).names)
    assert CANARY not in repr(traffic.sampling_labels)


def test_the_canaries_are_in_the_town() -> None:
    """The suite would notice a leak: every text field of the contract holds the canary somewhere."""
    rows = town().rows
    kept = {"exchange_id", "account_id", "model", "org_id", "channel", "operation", "client_country"}
    texts = {f.name for f in EXCHANGE_SCHEMA if "string" in str(f.type)} - kept
    assert texts == {name for row in rows for name, value in row.items() if CANARY in str(value)}


@every_trait
def test_the_rest_goes_on_without_it(trait: Trait, traffic: Traffic, extracted: dict[str, Trait]) -> None:
    """Take a trait away: the scan runs to its end, nobody fails, and only its own evidence is missing."""
    left = tuple(extracted[t.id] for t in load_traits(disabled=(trait.id,)))
    assert {t.id for t in left} == set(IDS) - {trait.id}
    embedded(traffic).execute("ALTER TABLE exchange DROP COLUMN family")
    embedded(traffic).execute("ALTER TABLE exchange DROP COLUMN payload")
    found = detect(traffic, left, NOTHING, Options())
    assert found.abstentions == []
    assert set(found.shown) == {t.id for t in TOKEN} - {trait.id}
    assert {p.trait.id for p in found.pairs} == {t.id for t in EVENT} - {trait.id}
    assert trait.id not in {t.id for t in found.hubs.traits}


def _at_hand(got: Any, _: Traffic) -> Any:
    return got


@pytest.fixture(scope="module")
def extracted(traffic: Traffic) -> dict[str, Trait]:
    """The traits with what they show of the town already at hand: 46 scans of it are enough work."""
    out: dict[str, Trait] = {t.id: t for t in TRAITS}
    out |= {t.id: replace(t, extract=partial(_at_hand, t.extract(traffic))) for t in TOKEN}
    out |= {t.id: replace(t, extract=partial(_at_hand, t.extract(traffic))) for t in EVENT}
    return out


@pytest.mark.parametrize("path", sorted(FILES.glob("[a-z]*.py")), ids=lambda p: p.stem)
def test_no_trait_imports_another(path: Path) -> None:
    """A file of this folder can be deleted: what two traits share lives in a module with an underscore."""
    found = [
        node.module
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stillwatch.detect.traits.")
    ]
    assert [name for name in found if not str(name).rsplit(".", 1)[1].startswith("_")] == []


def test_a_misspelt_trait_cannot_be_disabled() -> None:
    """A typing error in the settings stops the start instead of leaving a trait on."""
    with pytest.raises(ConfigError):
        load_traits(disabled=("adress_block",))


def test_every_trait_has_a_golden_story() -> None:
    """A trait whose signal nobody planted is not tested."""
    assert set(GOLDEN) == set(IDS)
