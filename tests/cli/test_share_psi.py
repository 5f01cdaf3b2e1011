"""Private set intersection as two people would do it, with files."""

import json
import stat

import pytest
from click.testing import CliRunner

from stillwatch.cli import main

pytest.importorskip("rbcl", reason="needs the extra `join`")


def run(*arguments: object, status: int = 0) -> str:
    """One command; its output."""
    done = CliRunner().invoke(main, ["share", "psi", *map(str, arguments)])
    assert done.exit_code == status, done.output
    return done.output


@pytest.fixture
def offers(tmp_path):
    """Two lists with two values in common, offered for one session."""
    for name, numbers in (("north", range(4)), ("south", range(2, 9))):
        (tmp_path / f"{name}.txt").write_text("".join(f"address 203.0.{n}.0/24\n" for n in numbers))
        run(
            "offer", tmp_path / f"{name}.txt", "--session", "week 48 n s", "--out", tmp_path / f"{name}.offer"
        )
    return tmp_path


def test_both_sides_read_what_is_common(offers):
    """Offers, answers, and the two values; the secret is readable for its owner alone."""
    for one, other in (("north", "south"), ("south", "north")):
        run("answer", offers / f"{one}.offer", offers / f"{other}.offer", "--out", offers / f"{one}.answer")
    for one, other in (("north", "south"), ("south", "north")):
        told = run(
            "read", offers / f"{one}.offer", offers / f"{other}.offer", offers / f"{other}.answer", "--json"
        )
        assert [row["value"] for row in json.loads(told)["common"]] == ["203.0.2.0/24", "203.0.3.0/24"]
    assert stat.S_IMODE((offers / "north.offer.secret").stat().st_mode) == 0o600


def test_a_list_is_read_as_editors_write_it(tmp_path):
    """A mark at the beginning, tabs and ends of lines of another system change no value."""
    (tmp_path / "one.txt").write_bytes("\ufeffaddress\t203.0.113.0/24\r\n\r\n".encode())
    (tmp_path / "two.txt").write_text("address 203.0.113.0/24\n")
    one, two = tmp_path / "one.offer", tmp_path / "two.offer"
    for made in (one, two):
        run("offer", made.with_suffix(".txt"), "--session", "week 48 n s", "--out", made)
    run("answer", two, one, "--out", tmp_path / "two.answer")
    assert "1 of your 1 values" in run("read", one, two, tmp_path / "two.answer")


def test_one_offer_answers_once_and_no_more_than_it_may(offers):
    """A second list of guesses is refused, and so is a longer one than was allowed."""
    pair = (offers / "north.offer", offers / "south.offer")
    assert "more than the 3" in run("answer", *pair, "--most", 3, "--out", offers / "a", status=2)
    run("answer", *pair, "--out", offers / "b")
    assert "answered an offer already" in run("answer", *pair, "--out", offers / "c", status=2)


def test_wrong_files_are_answered_clearly(offers):
    """A list that is none, an offer that is none, an offer that exists; no value is repeated in an error."""
    (offers / "bad.txt").write_text("address\n")
    assert "bad.txt:1" in run("offer", offers / "bad.txt", "--out", offers / "x", status=2)
    assert "exists" in run("offer", offers / "north.txt", "--out", offers / "north.offer", status=2)
    told = run("answer", offers / "north.offer", offers / "south.txt", "--out", offers / "y", status=2)
    assert "no offer" in told and "203.0" not in told
    told = run("answer", offers / "south.txt", offers / "north.offer", "--out", offers / "y", status=2)
    assert "south.txt: is no offer that was made here" in told and "MINE is the file" in told
    told = run("answer", offers / "north.offer", offers / "north.offer", "--out", offers / "y", status=2)
    assert "north.offer: is your own offer" in told
    run("answer", offers / "south.offer", offers / "north.offer", "--out", offers / "s")
    told = run("read", offers / "north.offer", offers / "s", offers / "south.offer", status=2)
    assert "its answer comes last" in told
    (offers / "long.txt").write_text(f"address 203.0.113.0/24\nsystem {'x' * 2000}\n")
    told = run("offer", offers / "long.txt", "--out", offers / "x", status=2)
    assert "long.txt:2" in told and "digest" in told and "xxx" not in told
    (offers / "none.txt").write_text("\n \n")
    told = run("offer", offers / "none.txt", "--out", offers / "x", status=2)
    assert "the list is empty" in told and "split" not in told
    (offers / "north.offer.secret").write_text("{}")
    assert "offer again" in run(
        "answer", offers / "north.offer", offers / "south.offer", "--out", offers / "z", status=2
    )
