"""From tiny logs to units, template families and payloads."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from stillwatch.detect.families import assign_families
from tests.detect.making import START, traffic_of

TEMPLATE = "Grade the answer below from one to ten and give a reason.\n{}"


def prompts(*texts: tuple[str, str]) -> list[dict[str, Any]]:
    """Exchanges of (account, prompt)."""
    return [{"account_id": a, "prompt": p, "exchange_id": f"e{i}"} for i, (a, p) in enumerate(texts)]


def answer(i: int) -> str:
    """A payload that shares no three words with another."""
    return " ".join(f"w{i}x{j}" for j in range(9))


def test_a_template_of_three_units_is_a_family() -> None:
    """Its exchanges share one family and have a payload each; what two units share is none."""
    rows = prompts(
        *[(f"a{i}", TEMPLATE.format(answer(i))) for i in range(3)],
        *[(f"a{i}", f"Please fold the paper boat number {answer(9)} again and again") for i in range(2)],
        ("a9", "Something else that nobody else has ever asked of us"),
    )
    traffic = traffic_of(rows)
    assign_families(traffic)
    family, payload = traffic.column("family"), traffic.column("payload")
    assert family[0] == family[1] == family[2] != 0
    assert family[3:].tolist() == [0, 0, 0]
    assert len(set(payload[:3].tolist())) == 3
    assert payload[3] == payload[4] != 0


def test_the_most_shared_key_names_the_family() -> None:
    """An exchange that stands in a template of three and in one of five belongs to that of five."""
    first = "Grade the answer below from one to ten and give a reason."
    last = "Reply in French and nothing but French for our readers today."
    rows = prompts(
        *[(f"a{i}", f"{first}\n{answer(i)}") for i in range(5)],
        *[(f"b{i}", f"{answer(10 + i)}\n{last}") for i in range(2)],
        ("c", f"{first}\n{answer(20)}\n{last}"),
    )
    traffic = traffic_of(rows)
    assign_families(traffic)
    family = traffic.column("family")
    assert family[7] == family[0]
    assert family[5] == family[6] not in (0, family[0])


def test_a_sentence_of_the_template_is_no_payload() -> None:
    """Where the longest sentence is the instruction itself, the whole prompt is the payload."""
    instruction = (
        "Write the number that follows and then say in your own words why it is the right number to write."
    )
    rows = prompts(*[(f"a{i}", f"{instruction}\nit is {i}") for i in range(12)])
    traffic = traffic_of(rows)
    assign_families(traffic)
    assert len(set(traffic.column("family").tolist())) == 1
    assert len(set(traffic.column("payload").tolist())) == 12


@pytest.mark.parametrize("size", [4, 8, 15])
def test_a_question_that_some_share_is_a_payload(size: int) -> None:
    """Two of several accounts with one question make it a shared payload, not a part of the template."""
    rows = prompts(*[(f"a{i}", f"Answer with care please.\n{answer(i // 2)}") for i in range(size)])
    traffic = traffic_of(rows)
    assign_families(traffic)
    payload = traffic.column("payload").tolist()
    assert [payload.index(p) for p in payload] == [i - i % 2 for i in range(size)]


def test_rows_keep_their_order() -> None:
    """Family and payload stand beside the exchange they belong to, however the table was rebuilt."""
    rows = prompts(
        *[(f"a{i % 4}", TEMPLATE.format(answer(i)) if i % 3 else f"only {answer(i)} here") for i in range(40)]
    )
    traffic = traffic_of(rows)
    full = traffic.column("full").copy()
    assign_families(traffic)
    table = traffic.fetch(traffic.table().select("full", "family", "payload", "seq").order_by("seq"))
    assert table["full"].tolist() == full.tolist()
    assert table["family"].tolist() == traffic.column("family").tolist()
    assert table["payload"].tolist() == traffic.column("payload").tolist()
    assert [bool(f) for f in table["family"]] == [bool(i % 3) for i in range(40)]


def test_a_log_without_prompts() -> None:
    """No family, no payload, no error."""
    traffic = traffic_of([{"account_id": "a"}])
    assign_families(traffic)
    assert traffic.column("family").tolist() == [0]
    assert traffic.column("payload").tolist() == [0]


def test_the_first_look_at_a_column() -> None:
    """Traffic can be read as soon as it is loaded."""
    traffic = traffic_of([{"account_id": "a", "org_id": "o"}])
    assert traffic.column("unit").tolist() == [0]


def test_a_log_that_names_no_organisation() -> None:
    """The organisation is optional: a log that never gives one is loaded like any other."""
    traffic = traffic_of([{"account_id": "a"}, {"account_id": "b"}])
    assert traffic.n_units == 2


def test_the_first_of_two_equal_ids_counts() -> None:
    """A log that was read twice is one log."""
    rows: list[dict[str, Any]] = [
        {"exchange_id": "x", "account_id": "first", "started_at": START, "prompt": "one"},
        {"exchange_id": "y", "account_id": "second"},
        {"exchange_id": "x", "account_id": "third", "started_at": START + timedelta(days=3), "prompt": "two"},
        {"exchange_id": "x", "account_id": "first"},
    ]
    traffic = traffic_of(rows)
    assert (traffic.n_exchanges, traffic.duplicates) == (2, 2)
    assert [traffic.names.account.names[a] for a in traffic.column("acct")] == ["first", "second"]
    assert traffic.column("ts")[0] == int(START.timestamp() * 1e6)


def units(rows: list[dict[str, Any]], accounts: list[dict[str, Any]]) -> dict[str, int]:
    """Unit of every account that sent something."""
    traffic = traffic_of([{"exchange_id": f"e{i}", **row} for i, row in enumerate(rows)], accounts)
    assert traffic.n_units == len(set(traffic.unit.tolist())) == len(set(traffic.unit_order.tolist()))
    return {name: int(traffic.unit[code]) for code, name in enumerate(traffic.names.account.names)}


@pytest.mark.parametrize("size", [2, 4, 5, 9])
def test_a_household_is_one_unit(size: int) -> None:
    """Up to four accounts on one card are one customer; five and more are five and more."""
    names = [f"a{i}" for i in range(size)]
    accounts = [{"account_id": n, "payment_digest": "card"} for n in names] + [
        {"account_id": "z", "payment_digest": "other"}
    ]
    got = units([{"account_id": n} for n in [*names, "z", "unknown"]], accounts)
    assert len({got[n] for n in names}) == (1 if size <= 4 else size)
    assert got["z"] not in {got[n] for n in names}
    assert got["unknown"] != got["z"]


def test_accounts_without_a_card_are_no_household() -> None:
    """Missing and empty instruments join nobody."""
    accounts = [{"account_id": f"a{i}", "payment_digest": None if i % 2 else ""} for i in range(4)]
    assert len(set(units([{"account_id": f"a{i}"} for i in range(4)], accounts).values())) == 4


def test_a_declared_organisation_is_one_unit() -> None:
    """By the account table or by the log, however many accounts; a card shared with outsiders changes nothing."""
    accounts = [{"account_id": f"a{i}", "org_id": "acme", "payment_digest": "card"} for i in range(9)]
    accounts += [{"account_id": "b", "payment_digest": "card"}, {"account_id": "c", "org_id": "other"}]
    rows: list[dict[str, Any]] = [{"account_id": f"a{i}"} for i in range(9)]
    rows += [{"account_id": n} for n in "bc"] + [{"account_id": "d", "org_id": "acme"}, {"account_id": "d"}]
    got = units(rows, accounts)
    assert len({got[f"a{i}"] for i in range(9)} | {got["d"]}) == 1
    assert len({got["a0"], got["b"], got["c"]}) == 3


def test_the_keyed_order_does_not_depend_on_the_log() -> None:
    """A unit's place in the order comes from its name and the key, not from when or what it sent."""
    a = traffic_of([{"account_id": n, "exchange_id": n} for n in "abcdef"])
    b = traffic_of([{"account_id": n, "exchange_id": n, "prompt": "x"} for n in "fcabde"])

    def order(traffic: Any) -> list[str]:
        names = np.array(traffic.names.account.names)
        return [str(names[traffic.unit == u][0]) for u in np.argsort(traffic.unit_order)]

    assert order(a) == order(b)
