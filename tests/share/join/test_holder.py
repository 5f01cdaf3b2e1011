"""Budgets and refusals of a key holder."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from stillwatch.errors import UpstreamError, VerificationError
from stillwatch.share.join import group
from stillwatch.share.join.holder import Refused
from stillwatch.share.join.ledger import FileLedger
from stillwatch.share.join.tags import ask
from tests.share.join.making import EPOCH, blocks, two_holders

pytest.importorskip("rbcl", reason="needs the extra `join`")


def reason(answer) -> str:
    """Why an answer was not given."""
    assert isinstance(answer, Refused)
    return answer.reason


def test_a_budget_ends_and_a_restart_does_not_renew_it(tmp_path):
    """What exceeds the budget is refused whole; a new process with the same ledger counts on."""
    holder = two_holders(tmp_path, budget=5)[0]
    assert isinstance(holder.answer("north", EPOCH, ask(EPOCH, blocks(1, 2, 3)).wire), bytes)
    refused = holder.answer("north", EPOCH, ask(EPOCH, blocks(4, 5, 6)).wire)
    assert refused == Refused("budget", "2 evaluations are left until the epoch ends")
    again = two_holders(tmp_path, budget=5)[0]
    assert again.left("north", EPOCH) == 2
    assert isinstance(again.answer("north", EPOCH, ask(EPOCH, blocks(4, 5)).wire), bytes)
    assert reason(again.answer("north", EPOCH, ask(EPOCH, blocks(6)).wire)) == "budget"
    assert isinstance(again.answer("south", EPOCH, ask(EPOCH, blocks(6)).wire), bytes)


def test_asking_twice_for_the_same_value_costs_twice(tmp_path):
    """A key holder cannot see that two elements are of one value, and counts both."""
    holder = two_holders(tmp_path, budget=5)[0]
    holder.answer("north", EPOCH, ask(EPOCH, blocks(1, 1)).wire)
    assert holder.left("north", EPOCH) == 3


def test_calls_at_once_never_spend_more_than_there_is(tmp_path):
    """Eight threads that race for a budget get exactly the budget."""
    ledger = FileLedger(tmp_path / "ledger.db")
    with ThreadPoolExecutor(8) as threads:
        taken = list(threads.map(lambda _: ledger.spend("north", EPOCH, 3, 100), range(60)))
    assert sum(taken) == 33
    assert ledger.spent("north", EPOCH) == 99


def test_a_ledger_that_cannot_be_written_answers_nobody(tmp_path):
    """Without its ledger a key holder fails closed, with a hint."""
    holder = two_holders(tmp_path)[0]
    (tmp_path / "0.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(UpstreamError, match="ledger") as error:
        holder.answer("north", EPOCH, ask(EPOCH, blocks(1)).wire)
    assert error.value.hint


def test_strangers_other_weeks_and_wrong_sizes_are_refused(tmp_path):
    """Each is a refusal with its reason; nothing is spent."""
    holder = two_holders(tmp_path)[0]
    wire = ask(EPOCH, blocks(1)).wire
    assert reason(holder.answer("stranger", EPOCH, wire)) == "unknown_member"
    assert reason(holder.answer("north", "2026-W47", wire)) == "unknown_epoch"
    assert reason(holder.public("2026-W47")) == "unknown_epoch"
    assert reason(holder.answer("north", EPOCH, b"")) == "batch_size"
    assert reason(holder.answer("north", EPOCH, bytes(32 * 65_536))) == "batch_size"
    assert holder.left("north", EPOCH) == 1000


@pytest.mark.parametrize("bad", [bytes(32), b"\xff" * 32, b"short"])
def test_hostile_elements_are_refused_before_anything_is_spent(tmp_path, bad):
    """The identity, non-canonical encodings and cut elements spoil a batch and cost nothing."""
    holder = two_holders(tmp_path)[0]
    with pytest.raises(VerificationError):
        holder.answer("north", EPOCH, ask(EPOCH, blocks(1)).wire + bad)
    assert holder.left("north", EPOCH) == 1000


def test_a_ledger_holds_no_value(tmp_path):
    """All that is kept is who, when and how many; the share stands in no printed key holder."""
    holder = two_holders(tmp_path)[0]
    holder.answer("north", EPOCH, ask(EPOCH, blocks(1)).wire)
    with sqlite3.connect(tmp_path / "0.db") as connection:
        assert connection.execute("select * from spent").fetchall() == [("north", EPOCH, 1)]
    connection.close()
    assert repr(holder.shares[EPOCH]) not in repr(holder)
    assert group.generated(holder.shares[EPOCH]) == holder.public(EPOCH)
