"""Compensation: votes against a plain count, independent accounts, dispatchers, and the honest ways to be misread."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from stillwatch.detect.betting import binomial_log10_e, log10_mean
from stillwatch.detect.compensation import (
    APART_S,
    PAIR_VOTES,
    SECOND,
    SMALL_HUB_VOTES,
    WINDOWS_S,
    Moments,
    balance,
    extract,
    moments,
    tally,
)
from stillwatch.detect.hubs import Hubs
from stillwatch.detect.relief import VOTE_DECADES, UnitCompensation
from tests.detect.making import START, traffic_of

DAY = 86_400.0


def heard(rows: list[tuple[float, str, int]]) -> Any:
    """Traffic of (second, account, status)."""
    return traffic_of(
        [
            {"exchange_id": f"x{i}", "account_id": a, "started_at": START + timedelta(seconds=t), "status": s}
            for i, (t, a, s) in enumerate(rows)
        ]
    )


def hubs_over(*sets: np.ndarray) -> Hubs:
    """Sets of units as hubs."""
    sizes = [len(s) for s in sets]
    return Hubs(
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64), np.concatenate(sets).astype(np.int32),
        np.full(len(sets), -1, np.int16), np.arange(len(sets)), np.array(sizes), (), 0,
    )  # fmt: skip


def everybody(traffic: Any) -> Hubs:
    """All units as one hub."""
    return hubs_over(np.arange(traffic.n_units))


def strangers(
    rng: np.random.Generator, accounts: int, rows: int, refused: float = 0.1
) -> list[tuple[float, str, int]]:
    """Bursty accounts that know nothing of each other; each retries its own refusals after some seconds."""
    out = []
    for a in range(accounts):
        t = 0.0
        for _ in range(rows):
            t += float(rng.exponential(2.0 if rng.random() < 0.7 else 400.0)) + 0.01
            bad = rng.random() < refused
            out.append((t, f"a{a}", 429 if bad else 200))
            if bad:
                t += float(rng.uniform(2, 6))
                out.append((t, f"a{a}", 200))
    return out


def relayed(
    rng: np.random.Generator, accounts: int, rows: int, gap_s: float, hop_s: float = 1.5
) -> list[tuple[float, str, int]]:
    """One queue over all accounts; a refused request goes to another account at once."""
    out, t = [], 0.0
    for _ in range(rows):
        t += float(rng.exponential(gap_s))
        a = int(rng.integers(accounts))
        if rng.random() < 0.05:
            out.append((t, f"a{a}", 429))
            out.append(
                (
                    t + hop_s * float(rng.uniform(0.5, 1.5)),
                    f"a{(a + 1 + int(rng.integers(accounts - 1))) % accounts}",
                    200,
                )
            )
        else:
            out.append((t, f"a{a}", 200))
    return out


def plain_votes(found: Moments, members: set[int]) -> Counter[tuple[int, int, int, int, int, int]]:
    """(window, half, control, side, lower unit, higher unit) counted event by event."""
    out: Counter[tuple[int, int, int, int, int, int]] = Counter()
    mine = [e for e, a in enumerate(found.giver.tolist()) if a in members]
    for e in mine:
        a, c = int(found.giver[e]), bool(found.control[e])
        near = [(int(found.gap[i]), int(found.unit[i])) for i in range(found.ptr[e], found.ptr[e + 1])]
        after = sorted((d, v) for d, v in near if d > 0 and v in members)
        before = sorted((-d, v) for d, v in near if d < 0 and v in members)
        for w, width in enumerate(int(s * SECOND) for s in WINDOWS_S):
            rivals = [
                k for k in mine
                if bool(found.control[k]) == c and abs(int(found.when[k]) - int(found.when[e])) < 2 * width
            ]  # fmt: skip
            x, y = bool(after) and after[0][0] <= width, bool(before) and before[0][0] <= width
            if x != y and found.reach[e] >= width and min(rivals, key=lambda k: int(found.lot[k])) == e:
                other = after[0][1] if x else before[0][1]
                out[w, int(found.late[e]), int(c), 0 if x else 1, min(a, other), max(a, other)] += 1
    return out


@pytest.mark.parametrize("seed", range(6))
def test_votes_are_the_plain_ones(seed: int) -> None:
    """Every hub's votes against a loop over events, caps included."""
    rng = np.random.default_rng(seed)
    traffic = heard(strangers(rng, 14, 120) + relayed(rng, 14, 400, 30.0))
    sets = [rng.choice(traffic.n_units, int(k), replace=False) for k in (3, 5, 9, 14)]
    hubs, got = tally(moments(traffic), hubs_over(*sets), traffic.n_units, threads=1 + seed % 2)
    assert hubs.tolist() == [0, 1, 2, 3]
    for h, members in enumerate(sets):
        wanted = np.zeros(got.shape[1:], np.int64)
        votes = plain_votes(moments(traffic), set(members.tolist()))
        refused = {
            side: sum(n for (_, _, c, s, _, _), n in votes.items() if s == side and not c) for side in (0, 1)
        }
        cap = max(PAIR_VOTES, SMALL_HUB_VOTES // len(members)) if refused[0] > refused[1] else 10**9
        for (w, half, c, side, _, _), n in votes.items():
            wanted[w, half, c, side] += min(n, cap)
        assert np.array_equal(got[h], wanted)
    assert got[:, :, :, 0].sum() > 50


def test_moments_hold_what_was_there() -> None:
    """Who is heard, how near, on which side; own requests, own retries and far ones are not."""
    rows = [
        (1000.0, "a", 429), (1003.0, "b", 200), (995.0, "c", 200), (1010.0, "a", 200), (1001.0, "d", 403),
        (1004.0, "d", 200), (1100.0, "b", 200), (0.0, "z", 200), (4000.0, "z", 200), (1006.0, "b", 200),
    ]  # fmt: skip
    traffic = heard(rows)
    name = {u: traffic.names.account.names[a] for a, u in enumerate(traffic.unit.tolist())}
    found = moments(traffic)
    seen = {
        name[int(g)]: {
            (name[int(found.unit[i])], int(found.gap[i]) / SECOND)
            for i in range(found.ptr[e], found.ptr[e + 1])
        }
        for e, g in enumerate(found.giver)
    }
    assert seen == {"a": {("b", 3.0), ("c", -5.0), ("d", 1.0)}, "d": {("b", 2.0), ("c", -6.0), ("a", -1.0)}}
    assert not found.control.any()


@pytest.mark.parametrize("accounts", [4, 12, 40])
def test_independent_accounts_win_nothing(accounts: int) -> None:
    """Many crowds: the mean e-value is at most 1, and hardly one reaches a hundred."""
    values = []
    for seed in range(80 if accounts < 40 else 40):
        traffic = heard(strangers(np.random.default_rng(seed), accounts, 60))
        values += [j.whole for j in extract(traffic, everybody(traffic)).values()]
    e = 10.0 ** np.array(values)
    assert len(e) >= 40
    assert e.mean() <= 1.0
    assert (e >= 100).mean() <= 0.01


@pytest.mark.parametrize(("accounts", "gap_s"), [(3, 20.0), (6, 20.0), (30, 20.0), (200, 20.0), (30, 4.0)])
def test_a_dispatcher_is_heard_in_both_halves(accounts: int, gap_s: float) -> None:
    """A queue whose refusals move on stands out, whether few accounts or many, in either half of the time."""
    traffic = heard(relayed(np.random.default_rng(1), accounts, 4000, gap_s))
    judged = extract(traffic, everybody(traffic))[0]
    assert min(judged.select, judged.retest) > 3.0
    assert judged.whole == pytest.approx(judged.select + judged.retest)


def test_sides_drawn_by_coin_break_it() -> None:
    """The shuffled form of the same traffic has nothing to say."""
    rows = relayed(np.random.default_rng(2), 10, 3000, 20.0) + [
        (t, f"s{i}", 200) for i, t in enumerate(np.random.default_rng(3).uniform(0, 60_000, 400))
    ]
    traffic = heard(rows)
    relays = np.array(
        [u for a, u in enumerate(traffic.unit.tolist()) if traffic.names.account.names[a].startswith("a")]
    )
    assert extract(traffic, hubs_over(relays))[0].whole > 6.0
    rng = np.random.default_rng(4)
    shuffled = [extract(traffic, hubs_over(relays), rng).get(0) for _ in range(30)]
    assert max(j.whole for j in shuffled if j is not None) < 2.0


def test_an_overload_of_everybody_is_left_out() -> None:
    """When the provider refuses many at once, their retries are no sign of a common hand."""
    rng = np.random.default_rng(5)
    rows: list[tuple[float, str, int]] = [(0.0, "z", 200), (40 * DAY, "z", 200)]
    for spell in range(12):
        begin = (spell + 1) * 2 * DAY
        for a in range(60):
            t = begin + float(rng.uniform(0, 120))
            for _ in range(3):
                rows += [(t, f"a{a}", 429)]
                t += float(rng.uniform(3, 10))
            rows += [(t + 20.0, f"a{a}", 200)]
    traffic = heard(rows)
    assert all(j.whole < 1.0 for j in extract(traffic, everybody(traffic)).values())


def test_jobs_that_start_on_the_hour_are_measured_against_themselves() -> None:
    """Strangers whose jobs begin together are heard after each other's refusals, and after their successes as well."""
    rng = np.random.default_rng(6)
    rows: list[tuple[float, str, int]] = [(-7200.0, "z", 200), (90 * DAY, "z", 200)]
    for hour in range(24 * 60):
        for a in rng.choice(30, 6, replace=False):
            t = hour * 3600.0 + float(rng.exponential(4.0))
            rows.append((t, f"a{a}", 429 if rng.random() < 0.08 else 200))
    traffic = heard(rows)
    judged = extract(traffic, everybody(traffic))[0]
    votes = tally(moments(traffic), everybody(traffic), traffic.n_units)[1][0].sum(1)
    assert (votes[1:, 1, 0] > votes[1:, 1, 1]).all(), "the story must lean to one side to test anything"
    assert judged.whole < 1.0


def test_two_accounts_of_one_person_do_not_speak_for_a_crowd() -> None:
    """One pair that fails over all the time, among forty strangers, stays far under a source's weight."""
    rng = np.random.default_rng(7)
    rows = strangers(rng, 40, 40)
    for k in range(300):
        t = 100.0 + 90.0 * k
        rows += [(t, "a0", 429), (t + 2.0, "a1", 200)]
    traffic = heard(rows)
    assert extract(traffic, everybody(traffic))[0].whole < 2.5


def test_refusals_close_together_count_once() -> None:
    """A client that hammers is refused many times and gives one vote."""
    rows = [(-1e5, "z", 200), (1e5, "z", 200)]
    rows += [(float(i), "a", 429) for i in range(int(APART_S) - 1)]
    rows += [(20.5, "b", 200), (25.5, "c", 200)]
    traffic = heard(rows)
    assert len(moments(traffic).giver) == 1


def test_a_balance_is_never_below_a_half() -> None:
    """Controls that lean to "before" do not help the bet; those that lean to "after" raise the null."""
    even = float(balance(np.array([0, 0])))
    assert float(balance(np.array([0, 500]))) == even
    assert even < float(balance(np.array([300, 100]))) < 1.0


def test_single_units_are_told_apart() -> None:
    """Relay accounts have decades against each other; strangers have none; partners are found."""
    rng = np.random.default_rng(8)
    traffic = heard(relayed(rng, 6, 4000, 20.0) + [(t, f"s{i % 20}", 429 if i % 7 == 0 else 200)
                    for i, t in enumerate(np.sort(rng.uniform(0, 80_000, 1500)))])  # fmt: skip
    who = {traffic.names.account.names[a]: int(u) for a, u in enumerate(traffic.unit.tolist())}
    inside = np.zeros(traffic.n_units, np.bool_)
    inside[[who[f"a{i}"] for i in range(5)]] = True
    links = UnitCompensation(moments(traffic), traffic.n_units)
    units = np.arange(traffic.n_units)
    got = links.decades(units, inside)
    assert min(got[who[f"a{i}"]] for i in range(6)) > 1.5, (
        "the sixth belongs to them although it is not marked"
    )
    assert max(got[who[f"s{i}"]] for i in range(20)) < 1.0
    assert who["a5"] in links.partners(inside).tolist()


def test_nothing_refused_nothing_said() -> None:
    """Without refusals, and without anything, there is no evidence."""
    traffic = heard([(float(i), f"a{i % 3}", 200) for i in range(50)])
    assert extract(traffic, everybody(traffic)) == {}
    assert UnitCompensation(moments(traffic), traffic.n_units).decades(
        np.arange(3), np.ones(3, np.bool_)
    ).tolist() == [0, 0, 0]


def test_second_resolution_is_no_evidence_either_way() -> None:
    """Requests with the very same time stamp have no order and are not counted."""
    rows = [(-1e5, "z", 200), (1e6, "z", 200)]
    for k in range(50):
        rows += [(1000.0 * k, "a", 429), (1000.0 * k, "b", 200)]
    traffic = heard(rows)
    assert extract(traffic, everybody(traffic)) == {}


def plain_decades(found: Moments, unit: int, inside: set[int]) -> float:
    """The evidence of one unit, counted event by event."""
    votes: list[tuple[int, int, int, int, int]] = []
    for e, a in enumerate(found.giver.tolist()):
        near = [(int(found.gap[i]), int(found.unit[i])) for i in range(found.ptr[e], found.ptr[e + 1])]
        for w, width in enumerate(int(s * SECOND) for s in WINDOWS_S):
            if found.reach[e] < width:
                continue
            if a == unit:
                after = sorted((d, v) for d, v in near if 0 < d and v in inside)
                before = sorted((-d, v) for d, v in near if d < 0 and v in inside)
            elif a in inside:
                after = [(d, a) for d, v in near if 0 < d and v == unit]
                before = [(-d, a) for d, v in near if d < 0 and v == unit]
            else:
                continue
            x, y = bool(after) and after[0][0] <= width, bool(before) and before[0][0] <= width
            if x != y:
                votes.append((w, int(found.control[e]), 0 if x else 1, (after if x else before)[0][1], e))
    kept: Counter[tuple[int, int, int, int]] = Counter()
    for w, c, side, partner, e in votes:
        width = int(WINDOWS_S[w] * SECOND)
        rivals = [k for v, d, _, _, k in votes
                  if (v, d) == (w, c) and abs(int(found.when[k]) - int(found.when[e])) < 2 * width]  # fmt: skip
        if min(int(found.lot[k]) for k in rivals) == int(found.lot[e]):
            kept[w, c, side, partner] += 1
    cap = max(PAIR_VOTES, SMALL_HUB_VOTES // len(inside))
    table = np.zeros((len(WINDOWS_S), 2, 2), np.int64)
    for (w, c, side, _), n in kept.items():
        table[w, c, side] += min(n, cap)
    refused, control = table[:, 0], table[:, 1]
    return float(log10_mean(binomial_log10_e(refused[:, 0], refused.sum(1), balance(control))))


@pytest.mark.parametrize("seed", range(4))
def test_evidence_of_units_is_the_plain_one(seed: int) -> None:
    """Every unit's decades against a loop over events, thinning and caps included."""
    rng = np.random.default_rng(seed)
    traffic = heard(strangers(rng, 9, 80) + relayed(rng, 9, 500, 30.0))
    inside = set(rng.choice(traffic.n_units, 5, replace=False).tolist())
    mark = np.zeros(traffic.n_units, np.bool_)
    mark[list(inside)] = True
    units = np.arange(traffic.n_units)
    got = UnitCompensation(moments(traffic), traffic.n_units).decades(units, mark)
    for u in units.tolist():
        # A unit that is marked itself is left out of its own company.
        wanted = plain_decades(moments(traffic), u, inside - {u}) if u not in inside else None
        if wanted is not None:
            assert got[u] == pytest.approx(wanted), u
    assert np.abs(got).max() > 0.3


@pytest.mark.parametrize("seed", range(4))
def test_evidence_of_units_has_a_bound_and_asks_only_for_whom_it_is(seed: int) -> None:
    """The bound holds for every unit and is met by no vote; units asked for alone get what they get in company."""
    rng = np.random.default_rng(seed)
    traffic = heard(strangers(rng, 40, 30) + relayed(rng, 40, 500, 30.0))
    mark = np.zeros(traffic.n_units, np.bool_)
    mark[rng.choice(traffic.n_units, 30, replace=False)] = True
    links = UnitCompensation(moments(traffic), traffic.n_units)
    units = np.arange(traffic.n_units, dtype=np.int32)
    got, most = links.decades(units, mark), links.at_most(units, mark)
    assert (got <= most).all()
    assert got[most == 0.0].max(initial=0.0) == 0.0 < got.max()
    for few in (units[:1], units[7:9], units[mark][:3]):
        assert links.decades(few, mark).tolist() == got[few].tolist()
        assert links.at_most(few, mark).tolist() == most[few].tolist()


@pytest.mark.parametrize("seed", range(4))
def test_bounds_and_partners_are_the_plain_counts(seed: int) -> None:
    """Refusals with somebody on the other side, and who is heard after rather than before, against a loop."""
    rng = np.random.default_rng(seed)
    traffic = heard(strangers(rng, 20, 30) + relayed(rng, 20, 300, 5.0))
    inside = np.zeros(traffic.n_units, np.bool_)
    inside[rng.choice(traffic.n_units, 12, replace=False)] = True
    found = moments(traffic)
    votes, balance_of = np.zeros(traffic.n_units, np.int64), np.zeros(traffic.n_units, np.int64)
    for e in np.flatnonzero(~found.control):
        giver, own = found.giver[e], slice(found.ptr[e], found.ptr[e + 1])
        after = found.unit[own][found.gap[own] > 0]
        votes[giver] += inside[after].any()
        if inside[giver]:
            votes[after] += 1
            near = np.abs(found.gap[own]) <= WINDOWS_S[1] * SECOND
            np.add.at(balance_of, found.unit[own][near], np.sign(found.gap[own][near]))
    links, units = UnitCompensation(found, traffic.n_units), np.arange(traffic.n_units)
    assert links.at_most(units, inside).tolist() == (votes * VOTE_DECADES).tolist()
    some = rng.permutation(units)[:5]  # not asked for: others, inside or not
    assert links.at_most(some, inside).tolist() == (votes[some] * VOTE_DECADES).tolist()
    for _ in range(2):
        assert links.partners(inside).tolist() == np.flatnonzero(balance_of >= 2).tolist()
    assert votes.any() and len(links.partners(inside))


def test_a_second_account_of_one_person_is_no_sign_of_the_crowd() -> None:
    """However often one member's refusals are taken over by one outsider, that is a pair and not a crowd."""
    rng = np.random.default_rng(9)
    rows = strangers(rng, 30, 40)
    for k in range(200):
        rows += [(100.0 + 90.0 * k, "a0", 429), (102.0 + 90.0 * k, "twin", 200)]
    traffic = heard(rows)
    who = {traffic.names.account.names[a]: int(u) for a, u in enumerate(traffic.unit.tolist())}
    inside = np.zeros(traffic.n_units, np.bool_)
    inside[[who[f"a{i}"] for i in range(30)]] = True
    got = UnitCompensation(moments(traffic), traffic.n_units).decades(np.array([who["twin"]]), inside)
    assert got[0] < 1.0
