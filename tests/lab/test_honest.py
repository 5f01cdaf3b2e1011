"""Look-alikes share what their docstrings say they share."""

from __future__ import annotations

import json
from pathlib import Path

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


def test_an_orchestrator_quotes_answers_of_the_own_chat_account(make: Make) -> None:
    """Specifications written by account 0 stand, to the letter, in prompts of the others."""
    w = make(days=2, honest={"orchestrator": LookAlike(1, (4, 4), (100, 100))})
    quoted = w.one(
        "select count(*) from x b join (select completion, account_id from x where channel = 'chat') a"
        " on contains(b.prompt, a.completion) where b.account_id <> a.account_id"
    )
    assert quoted > 100
    assert w.one("select count(distinct truth.org_key) from truth") == 1


def test_double_annotation_sends_every_item_through_two_seats(make: Make) -> None:
    """Each payload comes twice, from two accounts of one firm."""
    w = make(days=2, honest={"data_labelling": LookAlike(1, (6, 6), (60, 60))})
    more, two = w.rows(
        "select avg((a > 2)::int), avg((a = 2)::int) from (select count(distinct account_id) a from x group by prompt)"
    )[0]
    assert more < 0.05
    assert two > 0.75


def test_a_leaderboard_is_run_by_unrelated_laboratories_after_the_release(make: Make) -> None:
    """The same questions, other payers, nothing before the release."""
    w = make(days=4, honest={"leaderboard": LookAlike(1, (8, 8), (50, 50))})
    assert w.one("select count(distinct org_key) from truth") == 8
    assert w.one("select max(n) from (select count(distinct account_id) n from x group by prompt)") >= 6
    assert w.one("select count(*) from x where model <> 'larch-5'") == 0
    assert w.one("select max(n) from (select count(*) n from x group by account_id, prompt)") == 1


def test_licensed_distillation_is_declared_and_granted(make: Make) -> None:
    """Every account of the firm holds a grant to distil and names its organisation."""
    w = make(honest={"licensed_distiller": LookAlike(1, (4, 4), (40, 40))})
    grants = [json.loads(line) for line in (w.folder / "grants.jsonl").read_text().splitlines()]
    assert [g["purpose"] for g in grants] == ["distillation"] * 4
    assert w.one("select count(distinct org_id) from accounts where org_id is not null") == 1


@pytest.mark.parametrize(("name", "days"), [("hackathon", 1), ("accelerator", 6), ("migrated", 20)])
def test_cohorts_sign_up_in_a_burst(make: Make, name: str, days: int) -> None:
    """Hackathons, accelerators and migrations arrive together and remain many owners."""
    w = make(days=3, honest={name: LookAlike(1, (40, 40), (10, 20))})
    assert w.one(f"select max(created_at) - min(created_at) < interval {days} day from accounts")
    assert w.one("select count(distinct org_key) from truth") == 40


def test_a_vpn_exit_is_shared_and_nothing_else(make: Make) -> None:
    """One /24 for everybody; cards and system prompts are people's own."""
    w = make(honest={"vpn_exit": LookAlike(1, (40, 40), (20, 30))})
    assert w.one("select count(distinct regexp_extract(client_ip, '^[0-9]+.[0-9]+.[0-9]+')) from x") == 1
    paying = w.one("select count(payment_digest) from accounts")
    assert w.one("select count(distinct payment_digest) from accounts") >= 0.95 * paying


def test_a_style_line_is_in_every_system_prompt_of_its_followers(make: Make) -> None:
    """Unrelated people, one sentence."""
    w = make(honest={"style_line": LookAlike(1, (20, 20), (20, 30))})
    assert w.one("select count(*) from x where not contains(system_prompt, 'the entire deliberation')") == 0
    assert w.one("select count(distinct org_key) from truth") == 20


def test_a_bare_client_sends_no_platform_headers_and_never_updates(make: Make) -> None:
    """One user agent, no SDK headers, many owners."""
    w = make(days=3, honest={"bare_client": LookAlike(1, (30, 30), (20, 30))})
    assert w.one("select count(client_headers) from x") == 0
    assert w.one("select count(distinct user_agent) from x") == 1
    assert w.one("select count(distinct org_key) from truth") == 30


def test_a_support_vendor_has_many_payers_behind_one_server(make: Make) -> None:
    """One client that all move up with together, one card per client firm."""
    w = make(honest={"support_vendor": LookAlike(1, (12, 12), (40, 50))})
    assert w.one("select count(distinct user_agent) from x") <= 2
    assert (
        w.one("select max(n) from (select count(distinct user_agent) n from x group by started_at::date)")
        <= 2
    )
    assert w.one("select count(distinct payment_digest) from accounts") >= 9
    assert w.one("select count(distinct system_prompt) from x") > 5


def test_every_class_has_a_section_with_a_source() -> None:
    """The page says what each class shares, why it is flagged, what tells it apart, and where it is known from."""
    page = (Path(__file__).parents[2] / "docs" / "lab_lookalikes.md").read_text(encoding="utf-8")
    sections = {s.split("\n", 1)[0].strip("` "): s for s in page.split("\n### ")[1:]}
    assert sorted(sections) == sorted(CLASSES)
    for name, text in sections.items():
        for word in ("Shares", "Flagged because", "Told apart by", "Source"):
            assert f"**{word}**" in text, (name, word)
