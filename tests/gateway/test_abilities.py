"""The table of what each gateway carries out is whole, and what is counted as left agrees with it."""

from __future__ import annotations

from stillwatch.gateway.abilities import CARRIED, DONE, DOORS, NOT, left
from stillwatch.records import SERVED, Action


def test_every_action_is_spoken_of_at_every_gateway() -> None:
    """None is forgotten."""
    assert set(CARRIED) == set(Action)
    assert all(set(said) == set(DOORS) for said in CARRIED.values())


def test_what_is_left_is_what_the_table_does_not_say_yes_to() -> None:
    """At the doors that see neither body nor answer; a marking key's name is always for somebody else."""
    for door in DOORS:
        undone = {a for a in SERVED if not CARRIED[a][door].startswith(DONE)}
        assert set(left(door)) == (undone if door in ("check", "litellm") else set())
    assert all(said["litellm"] != DONE for action, said in CARRIED.items() if action in left("litellm"))
    assert NOT in CARRIED[Action.SUMMARISE].values()
