"""Who is told when others act, and who is not."""

from __future__ import annotations

import json

import pytest

from stillwatch.share.hub import view
from stillwatch.share.hub.asked import NotAllowed
from stillwatch.share.taxii.moments import written
from tests.share.hub.making import HOUR, Hub


def opened(here: Hub, name: str, about: str, admit: bool = False) -> str:
    """A member opens a case; its number."""
    done = here.do(name, "cases", about=about, admit=admit)["done"]
    return str(done[0]["entry"]["data"]["id"]) if done else next(iter(here.desk.state.cases))


def seen(here: Hub, name: str, number: str) -> dict:
    """A case as a member sees it."""
    return dict(here.desk.see(lambda s, _: view.case(s, here.who(name), number)))


def not_there(call, *args, **given) -> None:
    """It answers as if there were nothing."""
    with pytest.raises(NotAllowed) as why:
        call(*args, **given)
    assert why.value.status == 404


def test_a_claim_to_have_seen_it_tells_nobody_when_others_act(here: Hub) -> None:
    """Whoever says `seen` learns no time until the submitter lets it in; whoever says it later, not at all."""
    what = here.submit("north")
    here.do("south", "feedback", object=what, verb="seen")
    number = opened(here, "north", what)
    here.do("north", "steps", case=number, kind="act", at_us=here.clock.at + 2 * HOUR)
    for name in ("south", "west"):
        not_there(seen, here, name, number)
        not_there(here.do, name, "cases", about=what, admit=False)
        not_there(here.do, name, "steps", case=number, kind="working", at_us=here.clock.at)
        assert here.inbox(name)["cases"] == []
    opened(here, "north", what, admit=True)
    here.do("west", "feedback", object=what, verb="seen")
    assert [s["at"] for s in seen(here, "south", number)["steps"]] == [written(here.clock.at + 2 * HOUR)]
    not_there(seen, here, "west", number)


def test_others_are_labels_of_one_case(here: Hub) -> None:
    """No name stands in a case, and a label of one case is another in the next."""
    labels = []
    for start in (1, 2):
        what = here.submit("north", start)
        here.do("south", "feedback", object=what, verb="seen")
        number = opened(here, "north", what, admit=True)
        here.do("north", "steps", case=number, kind="working", at_us=here.clock.at)
        told = seen(here, "south", number)
        assert "north" not in json.dumps(told).casefold()
        labels.append(told["steps"][0]["party"])
    assert len(set(labels)) == 2


def test_who_announces_hears_of_holds_and_of_other_times(here: Hub) -> None:
    """A hold that lasts longer, and an announcement of another within a day, stand in the way; one's own do not."""
    what = here.submit("north")
    here.do("south", "feedback", object=what, verb="seen")
    number = opened(here, "north", what, admit=True)
    here.do("south", "steps", case=number, kind="hold", at_us=here.clock.at + 5 * HOUR)
    here.do("north", "steps", case=number, kind="act", at_us=here.clock.at + 2 * HOUR)
    [way] = seen(here, "north", number)["in_the_way"]
    assert (way["kind"], way["yours"]) == ("hold", written(here.clock.at + 2 * HOUR))
    here.do("south", "steps", case=number, kind="act", at_us=here.clock.at + 6 * HOUR)
    assert [w["kind"] for w in seen(here, "north", number)["in_the_way"]] == ["hold", "act"]
    here.do("north", "steps", case=number, kind="act", at_us=here.clock.at + 6 * HOUR)
    assert seen(here, "north", number)["in_the_way"] == []


def test_a_time_that_makes_no_sense_is_refused(here: Hub) -> None:
    """Nobody is about to act in the past, or in a year."""
    number = opened(here, "north", here.submit("north"))
    for at in (here.clock.at, here.clock.at + 100 * 24 * HOUR, -(10**18)):
        with pytest.raises(NotAllowed) as why:
            here.do("north", "steps", case=number, kind="act", at_us=at)
        assert why.value.status == 400


def test_a_case_says_that_its_basis_was_withdrawn(here: Hub) -> None:
    """Whoever works on it hears of it."""
    what = here.submit("north")
    here.do("south", "feedback", object=what, verb="seen")
    number = opened(here, "north", what, admit=True)
    here.do("north", "withdrawals", object=what, ground="error")
    assert seen(here, "south", number)["basis_withdrawn"] is True


def test_receipts_of_a_case_name_nobody(here: Hub) -> None:
    """Whoever lets in those who saw it learns neither their names nor their number, nor what labels are made from."""
    what = here.submit("north")
    told = [here.do("north", "cases", about=what, admit=True)]
    for name in ("south", "west"):
        here.do(name, "feedback", object=what, verb="seen")
        told.append(here.do("north", "cases", about=what, admit=True))
    for receipt in told:
        [done] = receipt["done"]
        assert set(done["entry"]["data"]) == {"id", "about", "admit"}
        assert "south" not in json.dumps(done) and "west" not in json.dumps(done)
    number = told[0]["done"][0]["entry"]["data"]["id"]
    assert here.inbox("west")["cases"][0]["case"] == here.inbox("south")["cases"][0]["case"] == number
