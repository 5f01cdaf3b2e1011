"""Look-alikes share what their docstrings say they share."""

from __future__ import annotations

import pytest

from stillwatch.lab.honest import CLASSES
from stillwatch.lab.scenario import LookAlike
from tests.lab.conftest import Make


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_class_writes_traffic_and_extracts_nothing(make: Make, name: str) -> None:
    """Two organisations of each class produce exchanges, none of them extraction."""
    w = make(honest={name: LookAlike(2, (4, 8), (20, 40))})
    assert w.one("select count(*) from x") > 20
    assert w.one("select count(*) from marks where extraction") == 0
    assert w.rows("select distinct class from truth") == [(name,)]


def test_enterprise_shares_one_address_and_card_and_half_are_undeclared(make: Make) -> None:
    """One address and one card per company; every second company declared itself."""
    w = make(honest={"enterprise": LookAlike(4, (10, 20), (20, 30))})
    rows = w.rows(
        "select org_key, count(distinct client_ip), count(distinct payment_digest), count(distinct truth.account_id),"
        " count(distinct a.org_id)"
        " from x join truth using (account_id) join accounts a using (account_id) group by 1"
    )
    assert all(r[1] == 1 and r[2] == 1 and r[3] > 5 for r in rows)
    assert sorted(r[4] for r in rows) == [0, 0, 1, 1]


def test_byok_shares_the_product_but_not_the_payer(make: Make) -> None:
    """One system prompt, as many cards as paying users."""
    w = make(honest={"byok": LookAlike(1, (30, 30), (10, 20))})
    assert w.one("select count(distinct system_prompt) from x") == 1
    assert w.one("select count(distinct org_key) from truth") == 30
    assert w.one("select count(distinct payment_digest) from accounts where payment_digest is not null") >= 25


def test_campus_signs_up_together_and_shares_questions(make: Make) -> None:
    """Sign-ups in three days, the same exercise asked by many students."""
    w = make(honest={"campus": LookAlike(1, (40, 40), (20, 30))})
    assert w.one("select max(created_at) - min(created_at) < interval 4 day from accounts")
    assert w.one("select max(n) from (select count(distinct account_id) n from x group by prompt)") >= 8


def test_key_rotation_continues_conversations_on_the_new_account(make: Make) -> None:
    """The benign twin of a hand-off."""
    w = make(days=3, honest={"key_rotation": LookAlike(6, (8, 8), (80, 100))})
    assert w.one("select count(*) from handed") >= 1


def test_translation_repeats_payloads_across_accounts(make: Make) -> None:
    """The same text goes to several accounts within a quarter of an hour."""
    w = make(honest={"translation": LookAlike(1, (6, 6), (40, 50))})
    assert (
        w.one(
            "select max(n) from (select count(distinct account_id) n from x group by split_part(prompt, chr(10), 3))"
        )
        >= 4
    )


def test_some_synthetic_data_makers_hold_a_grant(make: Make) -> None:
    """Every second firm."""
    w = make(honest={"synthetic_own_docs": LookAlike(2, (2, 2), (20, 30))})
    assert len((w.folder / "grants.jsonl").read_text().splitlines()) == 2


def test_twin_accounts_carry_a_conversation_over_after_a_refusal(make: Make) -> None:
    """The other benign hand-off: a 429, then the same history on the person's second account."""
    w = make(days=2, honest={"twin_accounts": LookAlike(8, (2, 3), (40, 60))})
    assert (
        w.one(
            "select count(*) from x a join x b using (messages) join truth s on s.account_id = a.account_id"
            " join truth t on t.account_id = b.account_id and t.org_key = s.org_key"
            " where a.status = 429 and b.status = 200 and a.account_id <> b.account_id and a.started_at < b.started_at"
        )
        >= 3
    )


def test_a_red_team_is_refused_often(make: Make) -> None:
    """Refusals are part of the trade."""
    w = make(honest={"red_team": LookAlike(1, (2, 2), (150, 150))})
    assert w.one("select avg((finish_reason = 'refusal')::int) from x where status = 200") > 0.3
