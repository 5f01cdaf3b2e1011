"""Who controls a look-alike, and what each of the single-owner classes shows that a campaign shows too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stillwatch.lab.honest import CLASSES
from stillwatch.lab.scenario import LookAlike
from tests.lab.conftest import Make

KINDS = (
    "No common controller",
    "One controller, no extraction",
    "One controller that distils, with permission",
)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_the_truth_says_who_controls_what_and_so_does_the_page(make: Make, name: str) -> None:
    """Every account its own hand, or one hand per organisation, as the page lists the class; only a licence distils."""
    page = (Path(__file__).parents[2] / "docs" / "lab_lookalikes.md").read_text(encoding="utf-8")
    intro = page.split("### ")[0]
    kind = [k for k in KINDS if f"`{name}`" in intro.split(f"**{k}**")[1].split("\n- **")[0].split(".")[0]]
    w = make(completions="none", honest={name: LookAlike(3, (4, 6), (12, 20))})
    accounts, hands, orgs = w.rows(
        "select count(*), count(distinct controller), count(distinct org_key) from truth"
    )[0]
    assert kind == [KINDS[0] if hands == accounts else KINDS[2] if name == "licensed_distiller" else KINDS[1]]
    assert hands == accounts or hands == orgs == 3
    grants = (w.folder / "grants.jsonl").read_text()
    assert ('"distillation"' in grants) == (kind == [KINDS[2]])


BY_ORG = (
    " from x join truth using (account_id) join accounts a using (account_id)"
    " where x.status = 200 group by org_key"
)


def test_an_agency_shares_its_office_and_tool_and_not_its_clients_cards(make: Make) -> None:
    """One or two addresses and one family of clients, a card for each client; every second agency one template."""
    w = make(days=2, honest={"agency": LookAlike(2, (10, 10), (30, 40))})
    rows = w.rows(
        "select count(distinct client_ip), count(distinct split_part(user_agent, '/', 1)),"
        f" count(distinct payment_digest), count(distinct account_id){BY_ORG}"
    )
    assert len(rows) == 2
    for addresses, tools, cards, accounts in rows:
        assert addresses <= 2
        assert tools == 1
        assert cards >= 0.7 * accounts
    openings = w.rows(f"select count(distinct left(prompt, 25)) / count(*){BY_ORG}")
    assert min(openings) < max(openings)


def test_a_batch_job_repeats_its_template_by_day_and_night_and_never_its_payload(make: Make) -> None:
    """One opening, no prompt twice, most hours of the day, labels of a few dozen tokens."""
    w = make(honest={"batch_job": LookAlike(2, (2, 2), (500, 500))})
    rows = w.rows(
        "select count(distinct left(prompt, 15)), count(distinct prompt) / count(*), count(distinct hour(started_at)),"
        f" median(output_tokens){BY_ORG}"
    )
    assert len(rows) == 2
    for openings, distinct, hours, tokens in rows:
        assert openings == 1
        assert distinct > 0.99
        assert hours >= 20
        assert tokens < 60


def test_coding_agents_are_many_accounts_of_one_home_around_the_clock(make: Make) -> None:
    """Four addresses at most, tools in every request, long input, nearly every hour; every second person one card."""
    w = make(days=3, honest={"coding_agents": LookAlike(2, (4, 4), (300, 300))})
    rows = w.rows(
        "select count(distinct client_ip), avg((tools is not null)::int), count(distinct hour(started_at)),"
        f" median(input_tokens / output_tokens), count(distinct payment_digest){BY_ORG}"
    )
    assert len(rows) == 2
    for addresses, tools, hours, ratio, _ in rows:
        assert addresses <= 4
        assert tools == 1.0
        assert hours >= 20
        assert ratio > 10
    assert sorted(r[4] == 1 for r in rows) == [False, True]


def test_an_evaluation_asks_the_same_questions_in_every_run_and_surges_on_release(make: Make) -> None:
    """Every question once per run, on several models; runs on the new model follow its release in hours."""
    w = make(days=7, honest={"eval_harness": LookAlike(3, (2, 2), (120, 120))})
    repeated, models = w.rows(
        "select avg((n = 4)::int), avg((m > 1)::int) from (select org_key, prompt, count(*) n, count(distinct model) m"
        " from x join truth using (account_id) group by all)"
    )[0]
    assert repeated > 0.8
    assert models > 0.9
    release = json.loads((w.folder / "releases.jsonl").read_text().splitlines()[-1])["released_at"]
    soon = w.one(
        f"select avg((started_at < '{release}'::timestamptz + interval 8 hour)::int) from x where model = 'larch-5'"
    )
    assert soon > 0.4


def test_a_judge_scores_in_json_at_temperature_nought(make: Make) -> None:
    """One rubric before every item, another reply in each, JSON asked for."""
    w = make(honest={"llm_judge": LookAlike(2, (2, 2), (150, 150))})
    rows = w.rows(
        "select count(distinct left(prompt, 20)), count(distinct prompt) / count(*), max(temperature),"
        f" avg(contains(prompt, 'JSON')::int), avg(contains(prompt, 'Reply of our assistant')::int){BY_ORG}"
    )
    assert len(rows) == 2
    for openings, distinct, temperature, as_json, graded in rows:
        assert (openings, temperature, as_json, graded) == (1, 0.0, 1.0, 1.0)
        assert distinct > 0.99


def test_a_rare_client_brings_its_prompt_to_unrelated_people(make: Make) -> None:
    """One system prompt and one client on all accounts, as many owners and cards as accounts."""
    w = make(honest={"popular_sdk": LookAlike(1, (40, 40), (10, 20))})
    prompts, clients, owners = w.rows(
        "select count(distinct system_prompt), count(distinct split_part(user_agent, '/', 1)),"
        " count(distinct controller)"
        " from x join truth using (account_id)"
    )[0]
    assert (prompts, clients) == (1, 1)
    assert owners >= 35


def test_a_reseller_hands_live_conversations_on_and_has_many_customers(make: Make) -> None:
    """One card, conversations that go on with another account, as many voices as customers; every second names them."""
    w = make(days=2, honest={"reseller": LookAlike(2, (8, 8), (150, 150))})
    assert w.one("select count(*) from handed") >= 5
    rows = w.rows(
        f"select count(distinct payment_digest), count(distinct system_prompt), count(end_user_id){BY_ORG}"
    )
    assert len(rows) == 2
    for cards, prompts, _ in rows:
        assert cards == 1
        assert prompts >= 6
    assert sorted(r[2] > 0 for r in rows) == [False, True]


def test_cohorts_share_a_house_or_a_kit(make: Make) -> None:
    """An accelerator and a hackathon come from one /24; a kit and an old prompt are on many accounts."""
    for name, place, kit in (("accelerator", 0.3, 0.0), ("hackathon", 0.9, 0.4), ("migrated", 0.0, 0.4)):
        w = make(days=3, honest={name: LookAlike(1, (40, 40), (10, 20))})
        near = w.one(
            "select max(n) / sum(n) from (select count(*) n from x"
            " group by regexp_extract(client_ip, '^[0-9]+.[0-9]+.[0-9]+'))"
        )
        shared = w.one(
            "select max(n) / 40 from (select count(distinct account_id) n from x where system_prompt is not null"
            " group by system_prompt)"
        )
        assert near >= place, name
        assert shared >= kit, name


def test_synthetic_data_is_made_of_one_house_s_passages(make: Make) -> None:
    """One ask over ever other passages, JSON out."""
    w = make(honest={"synthetic_own_docs": LookAlike(2, (2, 2), (100, 100))})
    rows = w.rows(
        "select count(distinct split_part(prompt, chr(10), 1)), count(distinct prompt) / count(*),"
        f" avg(contains(prompt, 'JSON')::int){BY_ORG}"
    )
    assert len(rows) == 2
    for asks, distinct, as_json in rows:
        assert (asks, as_json) == (1, 1.0)
        assert distinct > 0.99


def test_a_licensed_distiller_samples_every_problem_twice(make: Make) -> None:
    """The shape of best-of-R on two accounts, with reasoning asked for."""
    w = make(days=2, honest={"licensed_distiller": LookAlike(1, (4, 4), (60, 60))})
    two = w.one("select avg((a = 2)::int) from (select count(distinct account_id) a from x group by prompt)")
    assert two > 0.8
    assert w.one("select median(output_tokens) from x") > 500


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_nobody_writes_before_signing_up_and_turns_come_in_order(make: Make, name: str) -> None:
    """Over two weeks, in which some accounts are new; a conversation's later turn is never the earlier request."""
    w = make(days=14, completions="none", honest={name: LookAlike(25, (3, 8), (20, 30))})
    early = w.one("select count(*) from x join accounts using (account_id) where started_at < created_at")
    assert early == 0
    turned = w.one(
        "select count(*) from (select turn, lag(turn) over (partition by conversation_id order by started_at) earlier"
        " from x where status = 200 and conversation_id is not null) where turn < earlier"
    )
    assert turned == 0


def test_a_rotation_carries_conversations_over_and_leaves_the_old_account_silent(make: Make) -> None:
    """Every organisation hands something over within two days, and no account speaks after its successor began."""
    w = make(days=7, honest={"key_rotation": LookAlike(4, (8, 8), (60, 90))})
    handed = w.rows("select org_key, count(*) from handed join truth using (account_id) group by 1")
    assert len(handed) == 4
    moved = w.one("select count(*) from handed h join handed b on h.account_id = b.issued_to")
    assert moved == 0


def test_neutrality_research_asks_one_topic_from_several_sides(make: Make) -> None:
    """Every second group: the same words but for the side, on more than one model."""
    w = make(days=3, honest={"neutrality_research": LookAlike(2, (2, 2), (100, 100))})
    sides = "(from the left|from the right|by a supporter|by an opponent|as a conservative|as a progressive)"
    rows = w.rows(
        f"select org_key, avg((s > 1)::int) from (select org_key, regexp_replace(prompt, '{sides}', '') what,"
        " count(distinct prompt) s from x join truth using (account_id) group by all) group by 1 order by 2"
    )
    assert len(rows) == 2
    assert rows[0][1] == 0
    assert rows[1][1] > 0.5
