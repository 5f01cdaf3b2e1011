"""Groups against campaigns, false claims, collateral, load and cost: cases worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import SourceError
from stillwatch.lab.scoring import Truth, read_run, run_from_tables, score_run
from tests.lab.judging import a_run, a_truth, accounts


def _names(prefix: str, *numbers: int) -> list[str]:
    return [f"{prefix}{i}" for i in numbers]


def test_the_golden_case() -> None:
    """Two campaigns of 4, a pool of 2, ten honest accounts; three groups.

    g1 has all of A and one honest account: Jaccard 4/5, purity 4/5. g2 has half of B and B's other half is in g3,
    which also holds two honest accounts: Jaccard 2/4 and 2/6. So B is split, and no group stands for it.
    """
    truth = a_truth({"A": 4, "B": 4}, 10, {"P": 2})
    run = a_run(
        {
            "g1": [*_names("A", 0, 1, 2, 3), "h0"],
            "g2": _names("B", 0, 1),
            "g3": [*_names("B", 2, 3), "h1", "h2"],
        },
        stated=0.05,
    )
    result = score_run(truth, run)
    by = {c["campaign_id"]: c for c in result["campaigns"]}
    assert (by["A"]["jaccard"], by["B"]["jaccard"]) == (0.8, 0.5)
    level = result["campaign_level"]
    assert level["found"]["share"] == 0.5
    assert (level["precision"]["hits"], level["precision"]["total"]) == (1, 3)
    assert level["f1"] == pytest.approx(2 * (1 / 2) * (1 / 3) / (1 / 2 + 1 / 3))
    assert level["purity"] == pytest.approx((4 + 2 + 0) / 11)  # g3: as many honest accounts as of B
    assert (result["recall"], by["B"]["fragments"], level["splits"]["groups_per_campaign"]) == (1.0, 1, 1.0)
    assert result["discovery"]["campaigns"]["false"] == 1
    assert result["discovery"]["groups"]["hits"] == 1  # g3: no controller has more than half
    assert result["operating_points"]["member"]["false_positives"]["hits"] == 3


def test_a_tie_between_honest_and_campaign_is_not_counted_for_the_detector() -> None:
    """Half honest is not mostly of the campaign, whatever the campaign is called."""
    for name in ("A", "Z", "zz"):
        result = score_run(a_truth({name: 2}, 5), a_run({"g": [f"{name}0", f"{name}1", "h0", "h1"]}))
        assert result["discovery"]["campaigns"]["false"] == 1, name


def test_a_merge_and_a_split_are_told_apart() -> None:
    """One group over two campaigns is a merge; two groups in one campaign are a split."""
    merged = score_run(
        a_truth({"A": 4, "B": 4}, 5), a_run({"g": [*_names("A", 0, 1, 2, 3), *_names("B", 0, 1, 2, 3)]})
    )
    assert merged["campaign_level"]["merges"]["hits"] == 1
    assert merged["campaign_level"]["found"]["hits"] == 0  # Jaccard one half each: it stands for neither
    assert merged["discovery"]["campaigns"]["false"] == 0  # but all of its accounts are a campaign's
    split = score_run(a_truth({"A": 4}, 5), a_run({"g": _names("A", 0, 1), "k": _names("A", 2, 3)}))
    assert split["campaign_level"]["merges"]["hits"] == 0
    assert split["campaign_level"]["splits"]["campaigns_in_several_groups"]["hits"] == 1
    assert split["fragments_mean"] == 2
    assert split["campaign_level"]["found"]["hits"] == split["campaign_level"]["precision"]["hits"] == 0


@pytest.mark.parametrize(("first", "second"), [("A", "B"), ("B", "A")])
def test_ties_between_campaigns_do_not_depend_on_names(first: str, second: str) -> None:
    """Both lead the group: it is a part of each, and half of it is pure, called campaign or not."""
    truth = a_truth({first: 3, second: 3}, 5)
    for kind in ("campaign", "pool"):
        group = {"g": [*_names(first, 0, 1), *_names(second, 0, 1), "h0"]}
        result = score_run(truth, a_run(group, kinds={"g": kind}))
        assert [c["fragments"] for c in result["campaigns"]] == [1, 1]
        assert result["purity"] == pytest.approx(2 / 5)
        assert result["groups_without_campaign"] == 0


@pytest.mark.parametrize(
    ("members", "false"),
    [
        ([*_names("A", 0, 1, 2), "h0", "h1"], 0),
        ([*_names("A", 0, 1, 2), "h0", "h1", "h2"], 1),
        ([*_names("A", 0, 1), *_names("B", 0, 1), "h0", "h1", "h2"], 0),
        ([*_names("A", 0, 1, 2), *_names("P", 0, 1), "h0", "h1"], 1),
    ],
)
def test_a_claim_is_false_from_one_half_on(members: list[str], false: int) -> None:
    """Accounts of other campaigns are a campaign's; honest ones and a planted pool's are not, taken together."""
    result = score_run(a_truth({"A": 3, "B": 3}, 5, {"P": 2}), a_run({"g": members}))
    assert result["discovery"]["campaigns"]["false"] == false


def test_accounts_that_sent_nothing_are_left_out_of_groups() -> None:
    """Nobody can tell them apart by traffic, so naming them neither helps nor hurts."""
    rows = accounts({"A": 3}, 5)
    quiet = [r | {"account_id": f"q{i}", "exchanges": 0} for i, r in enumerate(rows[:3])]
    truth = Truth.of([*rows, *quiet], [])
    named = _names("A", 0, 1, 2)
    plain = score_run(truth, a_run({"g": named}))
    wider = score_run(truth, a_run({"g": [*named, "q0", "q1", "q2"]}))
    for figure in ("campaign_level", "discovery", "purity", "fragments_mean"):
        assert wider[figure] == plain[figure]
    alone = score_run(truth, a_run({"g": ["q0"]}))
    assert (alone["discovery"]["campaigns"]["false"], alone["purity"]) == (1, None)


def test_a_pool_is_neither_found_nor_wronged() -> None:
    """Accounts of a planted pool count neither as extractors nor as honest; calling it a campaign is a false claim."""
    truth = a_truth({"A": 3}, 5, {"P": 3})
    right = score_run(truth, a_run({"p": _names("P", 0, 1, 2)}, kinds={"p": "pool"}))
    assert (right["recall"], right["purity"]) == (0.0, 1.0)
    assert right["discovery"]["campaigns"]["claimed"] == 0
    assert right["operating_points"]["member"]["false_positives"]["hits"] == 0
    assert right["pools"] == {"P": {"found": 3, "called_campaign": False}}
    reseller = a_run({"r": ["h0", "h1"], "a": ["A0"]}, kinds={"r": "pool"})
    points = score_run(truth, reseller)["operating_points"]
    assert points["member"]["false_positives"]["hits"] == 2
    assert (points["claimed"]["false_positives"]["hits"], points["claimed"]["recall"]["hits"]) == (0, 1)
    wrong = score_run(truth, a_run({"p": _names("P", 0, 1, 2)}))
    assert wrong["discovery"]["campaigns"]["false"] == 1
    assert wrong["pools"]["P"]["called_campaign"] is True


def test_found_as_a_pool_is_found_but_not_called() -> None:
    """Recall of campaigns is given for both; F1 takes what is called a campaign."""
    level = score_run(a_truth({"A": 3}, 5), a_run({"g": _names("A", 0, 1, 2)}, kinds={"g": "pool"}))[
        "campaign_level"
    ]
    assert (level["found"]["hits"], level["called"]["hits"], level["f1"]) == (1, 0, 0.0)


@pytest.mark.parametrize(
    ("right", "wrong", "stated", "verdict"),
    [(0, 12, 0.01, "exceeded"), (400, 0, 0.01, "within"), (3, 0, 0.01, "open"), (3, 0, None, "not stated"),
     (0, 0, 0.01, "no claims")],
)  # fmt: skip
def test_a_stated_rate_is_held_against_its_interval(
    right: int, wrong: int, stated: float | None, verdict: str
) -> None:
    """Many false claims exceed it, many true ones keep it, few leave it open."""
    truth = a_truth({f"c{i}_": 2 for i in range(right)}, 2 * wrong + 1)
    groups = {f"t{i}": [f"c{i}_0", f"c{i}_1"] for i in range(right)}
    groups |= {f"f{i}": [f"h{2 * i}", f"h{2 * i + 1}"] for i in range(wrong)}
    found = score_run(truth, a_run(groups, stated=stated))["discovery"]["campaigns"]
    assert found["verdict"] == verdict
    assert (found["claimed"], found["false"]) == (right + wrong, wrong)


def test_perfect_empty_and_boundless_detectors() -> None:
    """The three detectors whose figures everybody knows."""
    truth = a_truth({"A": 6, "B": 5}, 1000)
    whole = {"a": _names("A", *range(6)), "b": _names("B", *range(5))}
    perfect = score_run(truth, a_run(whole, hints={a: "act" for g in whole.values() for a in g}))
    assert (perfect["recall"], perfect["purity"], perfect["campaign_level"]["f1"]) == (1.0, 1.0, 1.0)
    assert perfect["ranking"]["recall_at"][0]["recall"]["share"] == 1.0
    assert perfect["ranking"]["partial_auc"]["value"] == 1.0
    assert perfect["collateral"]["all"]["act"] == 0
    assert 0 < perfect["collateral"]["all"]["fpr_act_upper"] < 0.004
    assert perfect["volume"]["missed"] == 0

    empty = score_run(truth, a_run({}))
    assert (empty["recall"], empty["purity"], empty["campaign_level"]["f1"]) == (0.0, None, 0.0)
    assert empty["ranking"]["recall_at"][0]["recall"]["share"] == 0.0
    assert empty["discovery"]["campaigns"]["share"] is None
    assert empty["volume"]["missed_share"] == 1.0
    assert empty["load"]["cases"] == 0

    everybody = score_run(truth, a_run({"g": list(truth.ids)}, hints=dict.fromkeys(truth.ids, "act")))
    assert everybody["recall"] == 1.0
    assert everybody["operating_points"]["act"]["false_positives"]["share"] == 1.0
    assert everybody["ranking"]["recall_at"][0]["recall"]["share"] == 0.0
    assert everybody["campaign_level"]["found"]["hits"] == 0
    assert everybody["collateral"]["all"]["orgs_act_share"] == 1.0


def test_the_order_of_rows_changes_nothing() -> None:
    """Truth and run are sets."""
    rows = accounts({"A": 4, "B": 4}, 20)
    campaigns = [{"campaign_id": "A", "kind": "campaign"}, {"campaign_id": "B", "kind": "campaign"}]
    groups = {"g": ["A0", "A1", "h3"], "k": ["B1", "B2", "A2"]}
    back = {name: list(reversed(mine)) for name, mine in reversed(groups.items())}
    first = score_run(Truth.of(rows, campaigns), a_run(groups))
    assert score_run(Truth.of(rows[::-1], campaigns), a_run(back)) == first


def test_a_detector_with_scores_alone_has_no_decisions(tmp_path: Path) -> None:
    """It is ranked; nothing is said about decisions it did not take."""
    truth = a_truth({"A": 5}, 1000)
    pq.write_table(
        pa.table({"account_id": list(truth.ids), "score": [float(a.startswith("A")) for a in truth.ids]}),
        tmp_path / "scores.parquet",
    )
    result = score_run(truth, read_run(tmp_path))
    assert result["ranking"]["recall_at"][0]["recall"]["share"] == 1.0
    assert result["recall"] is None
    assert result["operating_points"]["member"]["false_positives"]["share"] is None
    assert result["collateral"] == {}
    assert result["load"] is None


def test_collateral_by_segment() -> None:
    """Organisations count once however many of their accounts are flagged; segments come from the account table."""
    rows = accounts({"A": 2}, 6)
    for row in rows:
        if row["account_id"] in ("h0", "h1", "h2"):
            row["org_key"], row["class"] = "firm", "enterprise"
    table = pa.table(
        {
            "account_id": [r["account_id"] for r in rows],
            "country": ["DE" if r["account_id"] in ("h0", "h5") else "FR" for r in rows],
            "plan": [None] * len(rows),
        }
    )
    run = a_run({"g": ["h0", "h1"]}, hints={"h0": "act", "h1": "review"})
    found = score_run(Truth.of(rows, []), run, table)["collateral"]
    firm = found["class"]["enterprise"]
    assert (firm["accounts"], firm["member"], firm["review_or_act"], firm["act"]) == (3, 2, 2, 1)
    assert (firm["orgs"], firm["orgs_member"], firm["orgs_act"]) == (1, 1, 1)
    assert (firm["claimed"], firm["orgs_claimed"]) == (2, 1)
    pooled = score_run(Truth.of(rows, []), a_run({"g": ["h0", "h1"]}, kinds={"g": "pool"}))["classes"]
    assert (pooled["enterprise"]["orgs_member"], pooled["enterprise"]["orgs_claimed"]) == (1, 0)
    assert pooled["enterprise"]["orgs_claimed_upper"] == pytest.approx(0.95)
    assert found["size"]["2-5 accounts"]["orgs"] == 1
    assert (found["country"]["DE"]["accounts"], found["country"]["DE"]["member"]) == (2, 1)
    assert set(found["plan"]) == {"not stated"}
    assert found["all"]["fpr"] == pytest.approx(2 / 6)
    assert found["all"]["fpr_low"] < 2 / 6 < found["all"]["fpr_high"]


def test_successors_are_counted_by_what_they_had_sent() -> None:
    """Only accounts that replace another; the class ends with its bound; without decisions there are no trials."""
    rows = accounts({"A": 6}, 5)
    sent = {"A0": 1, "A1": 10, "A2": 11, "A3": 100, "A4": 101}
    for row in rows:
        if row["account_id"] in sent:
            row |= {"exchanges": sent[row["account_id"]], "replaces": "A5"}
    truth = Truth.of(rows, [])
    found = score_run(truth, a_run({"g": ["A1", "A2", "A4", "A5"]}))["successors"]
    counted = {label: (row["hits"], row["total"]) for label, row in found.items()}
    assert counted == {"1-10": (1, 2), "11-100": (1, 2), "more": (1, 1)}
    silent = score_run(truth, run_from_tables(None))["successors"]
    assert {row["share"] for row in silent.values()} == {None}


def test_load_and_cost() -> None:
    """Two cases in 1,010 accounts are 1,980 a million; cost is the bill of all per extraction exchange of all."""
    listed = [
        {"campaign_id": "A", "kind": "campaign", "exchanges": 900, "cost_per_exchange_usd": 0.02},
        {"campaign_id": "B", "kind": "campaign", "exchanges": 300, "cost_per_exchange_usd": 0.06},
    ]
    truth = Truth.of(accounts({"A": 5, "B": 15}, 990), listed)  # 8 extraction exchanges each
    groups = {"a": _names("A", 0, 1), "b": _names("B", 0), "c": ["h1"]}
    result = score_run(truth, a_run(groups, hints={"A0": "review", "B0": "act"}))
    assert result["load"]["cases_per_million_accounts"] == pytest.approx(2e6 / 1010)
    assert result["load"]["low"] < 2e6 / 1010 < result["load"]["high"]
    assert result["cost"]["mean_per_exchange"] == pytest.approx((40 * 0.02 + 120 * 0.06) / 160)
    assert score_run(a_truth({"A": 5}, 5), a_run({}))["cost"] is None


def test_every_account_put_up_for_review_is_in_some_case() -> None:
    """In its group's, whatever its tier there, or in one of its own; nobody is looked at for nothing."""
    truth = a_truth({"A": 5}, 5)
    hints = {"A0": "review", "A1": "act", "h0": "review", "h1": "review", "h2": "watch"}
    run = a_run({"g": ["A0", "A1", "h3"], "w": ["h1"]}, hints=hints, tiers={"h1": "associated"})
    load = score_run(truth, run)["load"]
    assert (load["cases"], load["accounts_in_cases"]) == (3, 5)  # g, w, and h0 alone


def test_a_run_on_another_world_is_refused() -> None:
    """Accounts that the world does not have are no small matter."""
    with pytest.raises(SourceError, match="names 1 accounts that this world does not have, such as 'x'"):
        score_run(a_truth({"A": 2}, 3), a_run({"g": ["A0", "x"]}))


def test_a_course_is_no_controller_of_its_students() -> None:
    """One organisation whose accounts act each for themselves is no hand; where the world does not say, it is."""
    rows = accounts({}, honest=6)
    for row in rows:
        row["org_key"] = "university"
    group = a_run({"g": [r["account_id"] for r in rows]}, kinds={"g": "pool"})
    assert score_run(Truth.of(rows, []), group)["discovery"]["groups"]["hits"] == 0
    for row in rows:
        row["controller"] = row["account_id"]
    assert score_run(Truth.of(rows, []), group)["discovery"]["groups"]["hits"] == 1
