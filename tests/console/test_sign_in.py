"""Coming in: what is asked, what is told, and what ends."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from stillwatch.console.serving import Places, first_admin
from stillwatch.console.signin import passwords
from stillwatch.console.signin.register import PROGRAM
from stillwatch.respond import audit
from tests.console.conftest import PASSWORD, TEAM, Clock, House, Visitor, furnish, with_console


def form(house: House, name: str = "ana", **other: str) -> dict[str, str]:
    return {
        "name": name,
        "password": PASSWORD,
        "code": house.code(name) if name in house.secrets else "",
        **other,
    }


def test_name_password_and_code_let_somebody_in(house: House) -> None:
    """The cookie is for this host, for HTTP alone and for same-site requests; the page asked for follows."""
    visitor = house.stranger()
    assert visitor.get("/cases?q=x").headers["location"] == "/sign-in?next=%2Fcases%3Fq%3Dx"
    answer = visitor.post("/sign-in", form(house, next="/cases"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/cases")
    cookie = answer.headers["set-cookie"].lower()
    assert all(word in cookie for word in ("httponly", "samesite=strict", "path=/"))
    assert visitor.get("/cases").status_code == 200


@pytest.mark.parametrize(
    "wrong", [{"password": "another long one"}, {"code": "000000"}, {"name": "nobody"}, {"code": ""}]
)
def test_every_failure_says_the_same(house: House, wrong: dict[str, str]) -> None:
    """Nobody learns whether the name, the password or the code was right; the refusal is on record."""
    answer = house.stranger().post("/sign-in", form(house) | wrong)
    assert answer.status_code == 401
    assert "Name, password or code is wrong." in answer.text
    assert PASSWORD not in answer.text
    with house.site.desk.look(house.someone("otto").person) as work:
        assert audit.entries(work.conn).rows[0].what == "sign_in.refuse"


def test_too_many_failures_wait(house: House) -> None:
    """After five the right password is not heard either, until time has passed; another name at another place is."""
    for _ in range(5):
        assert house.stranger().post("/sign-in", form(house, password="guess guess guess")).status_code == 401
    answer = house.stranger().post("/sign-in", form(house))
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    elsewhere = Visitor(house.app, peer="192.0.2.9")
    assert elsewhere.post("/sign-in", form(house, "vera")).status_code == 303
    house.clock.forward(minutes=16)
    assert house.stranger().post("/sign-in", form(house)).status_code == 303


def test_what_is_not_even_looked_at_leaves_no_line(house: House) -> None:
    """A stranger who goes on trying does not write the audit record full."""
    for _ in range(40):
        house.stranger().post("/sign-in", form(house, "nobody", password="guess guess guess"))
    with house.site.desk.look(house.someone("otto").person) as work:
        assert audit.entries(work.conn, what="sign_in.refuse").total == 5


PROXY = "10.0.0.2"


@pytest.fixture
def behind(tmp_path: Path, run_folder: Path, first_store: Path, kept_password: str) -> Iterator[House]:
    """A console behind two proxies."""
    shutil.copy(first_store, tmp_path / "store.db")
    places = Places(run_folder, f"sqlite:///{tmp_path / 'store.db'}", tmp_path)
    made = furnish(places, with_console(trusted_proxies=["10.0.0.0/8"]), kept_password, Clock())
    yield made
    made.site.desk.close()


def forwarded(house: House, hops: str, peer: str = PROXY) -> Visitor:
    """A client of whom proxies say something."""
    return Visitor(house.app, {"x-forwarded-for": hops}, peer)


def test_behind_a_proxy_one_client_does_not_lock_out_another(behind: House) -> None:
    """Whatever it writes into the header itself; and the session page shows the client's own address."""
    for k in range(40):
        name = list(TEAM)[k % len(TEAM)]
        forwarded(behind, f"203.0.113.{k}, 198.51.100.1, 10.9.9.9").post(
            "/sign-in", form(behind, name, password="guess guess guess")
        )
    assert forwarded(behind, "198.51.100.1").post("/sign-in", form(behind)).status_code == 429
    other = forwarded(behind, "198.51.100.2")
    assert other.post("/sign-in", form(behind)).status_code == 303
    assert "198.51.100.2" in other.get("/me").text


def test_only_a_trusted_proxy_says_where_a_client_is(behind: House) -> None:
    """From anybody else the header is not read: nobody gets new tries by inventing addresses."""
    for k in range(5):
        wrong = form(behind, password="guess guess guess")
        assert forwarded(behind, f"203.0.113.{k}", "198.51.100.7").post("/sign-in", wrong).status_code == 401
    again = forwarded(behind, "203.0.113.99", "198.51.100.7")
    assert again.post("/sign-in", form(behind)).status_code == 429


def test_a_code_is_good_once(house: House) -> None:
    """Whoever reads it over a shoulder cannot use it; the next one works."""
    assert house.stranger().post("/sign-in", form(house)).status_code == 303
    assert house.stranger().post("/sign-in", form(house)).status_code == 401
    house.clock.forward(seconds=30)
    assert house.stranger().post("/sign-in", form(house)).status_code == 303


@pytest.mark.parametrize(
    "to", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "/x\r\ny: z"]
)
def test_nobody_is_sent_elsewhere(house: House, to: str) -> None:
    """What follows is a path of ours, whatever the link said."""
    assert house.stranger().post("/sign-in", form(house, next=to)).headers["location"] == "/"


def test_the_first_sign_in_sets_a_password_and_a_second_factor_and_nothing_else(house: House) -> None:
    """Until then every page leads there; afterwards both are needed, and the password that was given has ended."""
    adam = house.visitor("adam")
    made = adam.post(
        "/people", {"csrf": house.csrf(adam), "name": "nina", "roles": "viewer", "sign_in": "local"}
    )
    given = re.search(r"<code>((?:\w{4}-){4}\w{4})</code>", made.text)
    assert given
    nina = house.stranger()
    assert nina.post("/sign-in", {"name": "nina", "password": given[1]}).status_code == 303
    for path in ("/", "/cases", "/me", "/audit"):
        assert nina.get(path).headers["location"] == "/enrol"
    page = nina.get("/enrol")
    secret = re.search(r"<code>([A-Z2-7]{32})</code>", page.text)
    assert secret
    house.secrets["nina"] = secret[1]
    told = {"csrf": house.csrf(nina), "code": house.code("nina")}
    assert "given" in nina.post("/enrol", told | {"password": given[1]}).text
    assert "too short" in nina.post("/enrol", told | {"password": "short"}).text
    assert "not right" in nina.post("/enrol", told | {"password": PASSWORD, "code": "123456"}).text
    assert nina.post("/enrol", told | {"password": PASSWORD}).headers["location"] == "/"
    assert nina.get("/").status_code == 200
    house.clock.forward(seconds=30)
    assert house.stranger().post("/sign-in", form(house, "nina", password=given[1])).status_code == 401
    house.clock.forward(seconds=30)
    assert house.stranger().post("/sign-in", form(house, "nina")).status_code == 303


def test_a_session_ends_when_idle_and_at_its_end(house: House) -> None:
    """Half an hour without a request, or twelve hours at most."""
    visitor = house.visitor("ana")
    house.clock.forward(minutes=29)
    assert visitor.get("/me").status_code == 200
    house.clock.forward(minutes=31)
    assert visitor.get("/me").status_code == 303
    visitor = house.visitor("ana")
    for _ in range(26):
        house.clock.forward(minutes=28)
        last = visitor.get("/me").status_code
    assert last == 303


def test_sessions_are_ended_by_an_admin_and_by_their_owner(house: House) -> None:
    """What was ended is nobody's; one's own page lists what stands; nobody ends another's."""
    ana, adam = house.visitor("ana"), house.visitor("adam")
    other = house.visitor("ana")
    standing = house.site.kept.sessions(house.someone("ana").person.person_id, house.clock())
    assert adam.post(f"/me/end/{standing[0].digest}", {"csrf": house.csrf(adam)}).status_code == 404
    assert adam.post("/people/ana/sign-out", {"csrf": house.csrf(adam)}).status_code == 303
    assert {ana.get("/me").status_code, other.get("/me").status_code} == {303}


def test_signing_out_ends_the_session_in_the_store(house: House) -> None:
    """A copy of the cookie is worth nothing afterwards."""
    visitor = house.visitor("ana")
    copy = house.stranger()
    copy.cookies.set("stillwatch", visitor.cookies["stillwatch"], domain="localhost.local")
    assert copy.get("/me").status_code == 200
    assert visitor.post("/sign-out", {"csrf": house.csrf(visitor)}).status_code == 303
    assert copy.get("/me").status_code == 303


def test_a_token_is_for_programs_and_a_cookie_for_browsers(house: House) -> None:
    """Neither is taken for the other; a token opens what its owner may, and ends with its owner."""
    ana = house.visitor("ana")
    page = ana.post("/me/token", {"csrf": house.csrf(ana), "label": "nightly"})
    token = re.search(r"<code>(swt_[\w-]+)</code>", page.text)
    assert token
    bearer = {"authorization": f"Bearer {token[1]}"}
    assert house.stranger().get("/api/v1/me", headers=bearer).json()["name"] == "ana"
    assert house.stranger().get("/api/v1/people", headers=bearer).status_code == 403
    cookie = house.stranger()
    cookie.cookies.set("stillwatch", token[1], domain="localhost.local")
    assert cookie.get("/api/v1/me").status_code == 401
    stolen = {"authorization": f"Bearer {ana.cookies['stillwatch']}"}
    assert house.stranger().get("/api/v1/me", headers=stolen).status_code == 401
    adam = house.visitor("adam")
    adam.post("/people/ana/roles", {"csrf": house.csrf(adam), "roles": "analyst"})  # may no longer come in
    assert house.stranger().get("/api/v1/me", headers=bearer).status_code == 401


def test_no_secret_is_kept_as_it_is(house: House) -> None:
    """Neither a password, nor a token, nor the secret of a second factor stands in the database."""
    ana = house.visitor("ana")
    token = house.site.sessions.open(house.someone("ana"), "x", house.clock(), kind=PROGRAM, label="x")
    url = house.site.desk.engine.url.database
    assert url
    with open(url, "rb") as file, open(url + "-wal", "rb") as log:
        data = file.read() + log.read()
    for secret in (PASSWORD, token, ana.cookies["stillwatch"], house.secrets["ana"]):
        assert secret.encode() not in data


def test_where_nobody_can_come_in_one_admin_gets_a_password(house: House) -> None:
    """A store that was set up on the command line has people without one; where one has, nothing is given."""
    assert first_admin(house.site) is None
    for name in ("vera", "ana", "pia", "adam", "otto"):
        house.site.kept.set_password(house.someone(name).person.person_id, None)
    given = first_admin(house.site)
    assert given is not None
    assert given[0].name == "adam"
    assert passwords.matches(house.someone("adam").password_hash, given[1])
    assert first_admin(house.site) is None


def test_an_admin_who_cannot_come_in_gets_a_password_though_others_can(house: House) -> None:
    """Somebody has to keep people and grants; a provider in the settings lets no admin in by itself."""
    house.site.kept.set_password(house.someone("adam").person.person_id, None)
    given = first_admin(house.site)
    assert given is not None
    assert given[0].name == "adam"


@pytest.mark.parametrize(
    "path", ["/me/token", "/me/password", "/me/end/x", "/people", "/people/vera/roles", "/people/vera/reset",
             "/people/vera/sign-out"],
)  # fmt: skip
def test_a_token_makes_no_further_way_in(house: House, path: str) -> None:
    """Who finds a program's token can neither make another nor reset somebody's sign-in."""
    told = {"label": "x", "old": PASSWORD, "new": "another four words", "name": "nina", "roles": "viewer"}
    for name in ("ana", "adam"):
        answer = house.program(name).post(path, told)
        assert answer.status_code == 403
        assert "program" in answer.text
    assert house.site.kept.by_name("nina") is None


def test_passwords_are_long_not_odd() -> None:
    """Length and sameness are refused; words with spaces and letters of any script are fine."""
    for bad in ("short", "x" * 300, "aaaaaaaaaaaaaaa", "annaannaanna"):
        with pytest.raises(Exception, match="password"):
            passwords.hashed(bad, name="anna")
    kept = passwords.hashed("pa\u0308sswort mit wo\u0308rtern")
    assert passwords.matches(kept, "p\u00e4sswort mit w\u00f6rtern")
