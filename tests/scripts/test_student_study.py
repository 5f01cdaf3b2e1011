"""The study of students: its page is what its data say, and its parts can fail."""

from __future__ import annotations

import json
from itertools import islice

import numpy as np

from scripts.students import page
from scripts.students.innocent import KINDS, MORE, audited, audits
from scripts.students.power import asked, edited, exam
from scripts.students.removal import Neutralised, Rules, repeated, rewritten, synonyms
from scripts.students.world import World, mark_of, plan_of
from stillwatch.prove.radio import IssuedKey
from stillwatch.prove.school import (
    VOCABULARY,
    CountingStudent,
    Exam,
    let_write,
    read_likeliest,
    windows_before,
)

WORLD = World(3)


def test_the_page_says_what_the_data_say() -> None:
    """Every figure between the marks is computed from docs/data, and nothing else stands there."""
    text = page.PAGE.read_text("utf-8")
    shown = text.partition(page.BEGIN)[2].partition(page.END)[0]
    found = json.loads(page.DATA.read_text("utf-8"))
    assert shown.strip() == page.render(found).strip(), "python -m scripts.students.page"
    assert {r["kind"] for r in found["innocent"]} == set(KINDS) and len(found["innocent"]) == 1_000


def test_a_second_population_is_told_apart_and_together() -> None:
    """A false verdict among the later audits is counted in both figures."""
    row = {"seed": MORE[0], "keyed": True, "p": {"siblings": 0.5}}
    told = page.more([row | {"keyed": False}] * 3, [row], {"innocent_more_worlds": list(MORE)})
    assert "1 said" in told[0] and "1 of 4 " in told[0] and f"{len(MORE) - 1} of the planned" in told[0]


def test_what_attacks_leave_is_counted_by_attack() -> None:
    """One row an attack: mean and range over seeds, students whose campaign was named, the weakest ranking first."""
    row = {
        "width": 2,
        "share": 0.5,
        "where": "data",
        "attack": "some",
        "loss": 2.0,
        "test": "soft",
        "z": 3.0,
        "named": [],
    }
    rows = [row, row | {"z": 9.0, "named": ["key-0"]}, row | {"test": "siblings", "log10_p": -8.0}]
    told = page.by_attack([*rows, row | {"test": "siblings", "log10_p": -3.0}], {"attack_seeds": [1]})
    assert "| some | data | 2.00 | 6.0 (3.0 to 9.0); 1 of 2 | - | - | - | -3.0 to -8.0 |" in told[1]
    assert page.by_attack([], {}) == []


def test_stolen_rules_are_the_marks_and_decoding_against_them_changes_what_is_said() -> None:
    """Rules prefer what the key prefers; a window that was never seen has none."""
    dyed = WORLD.dyed(150, 4, 2)
    student, twin = CountingStudent(dyed), CountingStudent(WORLD.plain(150, 5))
    rules = Rules.stolen(dyed, 2, student, twin)
    seen, unseen = windows_before(dyed, np.arange(150), np.full(150, 9)), np.full((1, 4), VOCABULARY)
    told, chosen = rules.after(seen), dyed[:, 9]
    assert told[np.arange(150), chosen].mean() > 5 * told.mean() and not rules.after(unseen).any()
    assert np.allclose(np.exp(Neutralised(student, rules, 2.0).log_p(seen)).sum(axis=1), 1)
    fallen = np.exp(student.log_p(seen)) - np.exp(Neutralised(student, rules, 2.0).log_p(seen))
    assert fallen[np.arange(150), chosen].mean() > 0


def test_rewriting_keeps_prompts_and_what_it_is_told_to_keep() -> None:
    """A token becomes a synonym of itself; first occurrences of an n-gram stay."""
    texts = WORLD.dyed(60, 6, 2)
    again = repeated(texts, 2)
    new = rewritten(texts, WORLD, 1, where=again)
    assert again.any() and not again[:, :2].any() and (new[~again] == texts[~again]).all()
    near = synonyms(WORLD.ours)
    assert (near[:, 0] == np.arange(VOCABULARY)).all() and all(
        n in near[o] for o, n in zip(texts[again], new[again], strict=True)
    )
    assert (new[again] != texts[again]).mean() > 0.5


def test_an_audit_of_an_innocent_has_five_tests_and_finds_nothing() -> None:
    """Two audits of a world that is not reported on."""
    for row in islice(audits(3, count=2), 2):
        assert row["keyed"] is False and len(row["p"]) == 5
    first, second = (row["p"]["siblings"] for row in audits(3, count=2, fresh=True))
    assert first != second, "each ranks served replies of its own"


def test_a_guilty_student_would_be_counted_as_keyed() -> None:
    """The count of false verdicts is of something that can happen: a taught student is counted."""
    issued = [IssuedKey(f"key-{i}", key) for i, key in enumerate(WORLD.keys[:5])]
    one = Exam(WORLD.ours, mark_of(2), WORLD.plain(30, 1), issued)
    model = CountingStudent(WORLD.dyed(200, 2, 2))
    claims = [test(one, "s", model, plan_of(1)) for test in (read_likeliest, let_write)]
    row = audited(claims, kind="guilty")
    assert row["keyed"] is True and row["smallest_p"] < 1e-6


def test_rows_hold_the_true_keys_figures_even_when_another_leads() -> None:
    """What is kept of an untaught student is the first key's, not the luckiest's."""
    one = exam(WORLD, 2, WORLD.plain(10, 1))
    model = CountingStudent(WORLD.plain(50, 3))
    [row] = asked(WORLD, one, model, ("hard",), share=0.0)
    claim = read_likeliest(one, "s", model, plan_of(WORLD.draw(20)))
    assert row["z"] == round(claim.keys[0].standardised, 3) and row["named"] == []


def test_edits_replace_the_share_that_they_say() -> None:
    """Half of the tokens come from elsewhere."""
    mine, other = np.zeros((200, 48)), np.ones((200, 48))
    assert abs(edited(mine, other, 0.5, WORLD).mean() - 0.5) < 0.02
