"""Main journeys through the console in a real browser; tests walk them, and so does whoever takes the pictures.

    python -m scripts.console_journeys demo/report docs/assets

Each function is one journey on a :class:`Stage`. Pages come from a process of this machine; customers are told through
a webhook that the stage itself receives.
"""

from __future__ import annotations

import argparse
import json
import secrets
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyotp
import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright

from scripts.screenshot import find_browser
from stillwatch.console.app import make_app
from stillwatch.console.serving import Places, first_admin, open_site
from stillwatch.console.signin import passwords
from stillwatch.console.site import Site
from stillwatch.records import Kind, Role
from stillwatch.report.files import load_result, write_result
from stillwatch.respond import people
from stillwatch.settings import Settings
from stillwatch.wiring import show_policy

TEAM = {
    "ana": Role.ANALYST,
    "pia": Role.APPROVER,
    "quin": Role.APPROVER,
    "rosa": Role.APPROVER,
    "otto": Role.AUDITOR,
}
"""Rosa has no part in any plan: she decides appeals."""
PASSWORD = "four words of one's own"  # noqa: S105  of a team that exists on a stage
FLAGS = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
)
PATIENCE_MS = 120_000
_ATTESTATION: Any = {"name": "attestation.txt", "mimeType": "text/plain", "buffer": b"Own data."}
PROMPTS = (
    "Solve it, write down every step of your reasoning, then the answer as JSON. Item 4711: a train leaves at 9:40",
    "You are a grader. Score both answers from 1 to 10 and explain each point. Doubts to ada@example.com",
)


@dataclass
class Told:
    """What the webhook was sent."""

    messages: list[dict[str, Any]] = field(default_factory=list)

    def links(self) -> dict[str, str]:
        """Account -> link to appeal."""
        return {m["account_id"]: m["appeal_url"] for m in self.messages if "appeal_url" in m}

    def of(self, account: str, *, undo: bool) -> list[dict[str, Any]]:
        """Messages about an account."""
        return [m for m in self.messages if m["account_id"] == account and m["undo"] is undo]


@dataclass
class Stage:
    """A console with a team, a browser, and a customer's mailbox."""

    base: str
    site: Site
    browser: Browser
    told: Told
    first: tuple[str, str]
    """Name and password of the first sign-in."""
    pictures: Path | None = None
    secrets: dict[str, str] = field(default_factory=dict)
    pages: dict[str, Page] = field(default_factory=dict)
    visited: list[Page] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """What the browser complained of."""

    def page(self, name: str = "", theme: str = "light") -> Page:
        """A page of somebody, signed in; or of a stranger."""
        if name in self.pages:
            return self.pages[name]
        context = self.browser.new_context(viewport={"width": 1280, "height": 860}, color_scheme=theme)  # type: ignore[arg-type]  # light or dark
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.on("pageerror", lambda error: self.wrong.append(str(error)[:300]))
        page.on("console", lambda said: self.wrong.append(said.text[:300]) if _bad(said) else None)
        page.on("dialog", lambda dialog: dialog.accept())
        if name:
            page.goto(self.base + "/sign-in")
            page.fill("#name", name)
            page.fill("#password", PASSWORD)
            page.fill("#code", pyotp.TOTP(self.secrets[name]).now())
            page.click("button.primary")
            page.wait_for_url(self.base + "/")
            self.pages[name] = page
        return page

    def go(self, page: Page, path: str) -> None:
        """Open a page of the console."""
        page.goto(self.base + path)
        self.visited.append(page)

    def shot(self, page: Page, name: str) -> None:
        """Take a picture when pictures are wanted."""
        if self.pictures:
            page.wait_for_timeout(800)
            page.screenshot(path=self.pictures / f"console-{name}.png")


def _bad(said: Any) -> bool:
    """An error of ours: what the drawing library's driver says of its speed is none, nor is a status we asked for."""
    return said.type == "error" and "GL Driver" not in said.text and "status of 4" not in said.text


def first_sign_in(stage: Stage) -> None:
    """The printed password opens one page: there a second factor and a password of one's own are set."""
    page = stage.page()
    name, password = stage.first
    stage.go(page, "/cases")
    stage.shot(page, "sign-in")
    page.fill("#name", name)
    page.fill("#password", password)
    page.click("button.primary")
    page.wait_for_url("**/enrol")
    secret = page.locator("p.cap code").inner_text()
    page.fill("#password", PASSWORD)
    page.fill("#code", pyotp.TOTP(secret).now())
    page.click("button.primary")
    page.wait_for_url(stage.base + "/")
    stage.pages[name] = page
    stage.go(page, "/people")
    page.wait_for_selector("text=Add somebody")
    stage.shot(page, "people")


def triage(stage: Stage) -> str:
    """From the overview to the campaign, its members and one account; the run is filed and the case taken. The case."""
    page = stage.page("ana")
    stage.go(page, "/")
    page.click("text=File this run")
    page.wait_for_selector("text=each campaign and pool has its case")
    stage.shot(page, "overview")
    page.locator("tbody th a").first.click()
    page.wait_for_selector("text=Why one controller")
    stage.visited.append(page)
    stage.shot(page, "campaign")
    rows = page.locator("#rows tbody tr")
    account = rows.first.locator("a").inner_text()
    page.fill("#q", account)
    _wait(lambda: rows.count() == 1)
    page.locator("#rows tbody a").first.click()
    page.wait_for_selector("text=Why it is in")
    stage.shot(page, "account")
    page.go_back()
    page.click("text=Open the case")
    page.wait_for_selector("text=Timeline")
    page.select_option("select[name=to]", "ana")
    page.click("button:has-text('Assign')")
    page.wait_for_selector("text=The case was assigned")
    page.fill("#text", "Asked the account team: no contract with any of these customers.")
    page.fill("#hours", "1.5")
    page.click("button:has-text('Add')")
    page.wait_for_selector("text=The note was added")
    stage.shot(page, "case")
    return page.url.split("/cases/")[1].split("?")[0]


def takedown(stage: Stage, case: str) -> str:
    """An analyst plans, two others agree, one carries it out; every account is acted on and told. The plan."""
    ana, pia, quin = (stage.page(n) for n in ("ana", "pia", "quin"))
    stage.go(ana, f"/cases/{case}")
    ana.click("text=Make a plan")
    ana.select_option("#measure", "block")
    ana.select_option("#executor", "webhook")
    stage.shot(ana, "plan-new")
    ana.click("button:has-text('Make the plan')")
    ana.wait_for_selector("text=it waits for somebody else to agree")
    plan = ana.url.split("/plans/")[1].split("?")[0]
    for person in (pia, quin):
        stage.go(person, f"/plans/{plan}")
        if person.locator("button:has-text('Agree to it')").count():
            person.click("button:has-text('Agree to it')")
            person.wait_for_selector("text=Your decision was recorded")
    stage.go(pia, f"/plans/{plan}")
    stage.shot(pia, "plan")
    pia.click("button:has-text('Carry it out')")
    _until(stage, pia, f"/plans/{plan}", "done")
    stage.shot(pia, "plan-done")
    return plan


def appeal(stage: Stage) -> str:
    """A customer follows the link, says why and hands something in; somebody without a part overturns. The account."""
    account, link = next(iter(sorted(stage.told.links().items())))
    customer = stage.page()
    customer.goto(link)
    customer.fill(
        "#statement", "These are our own support transcripts. We fine-tune our own model on our own data."
    )
    customer.set_input_files("#documents", _ATTESTATION)
    customer.select_option("#kind", "own_data")
    stage.shot(customer, "appeal-customer")
    customer.click("button:has-text('Send')")
    customer.wait_for_selector("text=We have your statement")
    pia, rosa = stage.page("pia"), stage.page("rosa")
    stage.go(pia, "/appeals")
    pia.locator("tbody th a").first.click()
    pia.wait_for_selector("text=Somebody who had none decides")
    stage.go(rosa, "/appeals")
    rosa.locator("tbody th a").first.click()
    rosa.check("input[value=overturned]")
    rosa.fill("#answer", "Your attestation fits what we see. The block was wrong; we are sorry.")
    stage.shot(rosa, "appeal")
    rosa.click("button:has-text('Decide')")
    rosa.wait_for_selector("text=The appeal is decided")
    _wait(lambda: any("answer" in m for m in stage.told.of(account, undo=True)))
    customer.goto(link)
    customer.wait_for_selector("text=It is taken back")
    return account


def exemplars(stage: Stage, case: str) -> None:
    """Prompts are asked for, a second person agrees, they are read redacted; the audit log has each step."""
    ana, pia, otto = (stage.page(n) for n in ("ana", "pia", "otto"))
    stage.go(ana, f"/cases/{case}")
    ana.fill("#why", "See whether the template is a public benchmark.")
    ana.click("button:has-text('Ask to read them')")
    ana.wait_for_selector("text=a second person has to agree")
    if ana.locator("button:has-text('Agree')").count():
        raise AssertionError("one person may not do both")
    stage.go(pia, "/exemplars")
    pia.click("button:has-text('Agree')")
    pia.wait_for_selector("text=Unlocked for a time")
    stage.go(ana, "/exemplars")
    stage.shot(ana, "exemplars")
    ana.click("button:has-text('Read')")
    ana.wait_for_selector("text=That you read this is on record")
    stage.visited.append(ana)
    stage.shot(ana, "exemplars-read")
    stage.go(otto, "/audit?q=content.")
    said = otto.locator("main tbody").inner_text()
    for what in ("content.ask", "content.agree", "content.read"):
        if what not in said:
            raise AssertionError(f"{what} is not on record")
    stage.go(otto, "/audit?check=1")
    otto.wait_for_selector("text=The chain holds")
    stage.shot(otto, "audit")


def in_force(stage: Stage) -> None:
    """Whom the rules would touch is simulated beside the pages; then an approver puts them into a canary, on record."""
    pia, otto = stage.page("pia"), stage.page("otto")
    stage.go(pia, "/policy")
    pia.click("button:has-text('Simulate on this run')")
    _looked(stage, pia, "/policy", "text=If every rule were enforced")
    pia.check("input[value=canary]")
    pia.fill("#canary_percent", "2")
    pia.fill("#reason", "Two days of shadow touched nobody that the account team knows.")
    stage.shot(pia, "policy")
    pia.click("button:has-text('Write the new version')")
    pia.wait_for_selector("text=has a new version")
    stage.go(otto, "/audit?q=policy.mode")
    otto.wait_for_selector("text=Two days of shadow")


def _looked(stage: Stage, page: Page, path: str, what: str) -> None:
    """Look again until it is there."""
    for _ in range(240):
        stage.go(page, path)
        if page.locator(what).count():
            return
        page.wait_for_timeout(500)
    raise AssertionError(f"{path} does not show {what}: {page.locator('main').inner_text()[:800]}")


def _until(stage: Stage, page: Page, path: str, state: str) -> None:
    """Look again until it stands there."""
    _looked(stage, page, path, f"h1 .tag:text-is('{state}')")


def _wait(holds: Any) -> None:
    for _ in range(600):
        if holds():
            return
        time.sleep(0.2)  # until a page that no event announces has changed
    raise AssertionError("waited in vain")


@contextmanager
def mailbox() -> Iterator[tuple[str, Told]]:
    """A webhook that keeps what it is sent."""
    told = Told()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            told.messages.append(json.loads(body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def stage(run: Path, folder: Path, pictures: Path | None = None) -> Iterator[Stage]:
    """A console on a run, with a fresh store in a folder, in a browser."""
    browser = find_browser()
    if browser is None:
        raise SystemExit("chromium is not on PATH; Debian: apt-get install chromium")
    with mailbox() as (hook, told), socket.create_server(("127.0.0.1", 0)) as sock:
        base = f"http://127.0.0.1:{sock.getsockname()[1]}"
        settings = Settings.model_validate({
            "respond": {"webhook_url": hook, "appeal_url": base + "/appeal/{token}", "two_above": 10},
        })  # fmt: skip
        env = {"STILLWATCH_WEBHOOK_SECRET": secrets.token_hex(32)}
        gate, policy = folder / "gate", folder / "policy.toml"
        gate.mkdir(exist_ok=True)
        policy.write_text(show_policy(), "utf-8")
        site = open_site(Places(run, f"sqlite:///{folder / 'store.db'}", folder, gate, policy), settings, env)
        made = first_admin(site)
        assert made is not None  # noqa: S101  the store is fresh
        admin, password = made
        factors = _team(site, admin)
        server = uvicorn.Server(
            uvicorn.Config(make_app(site, ("127.0.0.1",)), log_level="error", lifespan="off")
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
        thread.start()
        try:
            with sync_playwright() as playwright:
                chromium = playwright.chromium.launch(executable_path=browser, args=list(FLAGS))
                yield Stage(base, site, chromium, told, (admin.name, password), pictures, factors)
                chromium.close()
        finally:
            server.should_exit = True
            thread.join()
            site.simulations.close()
            site.runner.close()
            site.desk.close()


def _team(site: Site, admin: Any) -> dict[str, str]:
    """People who have been here before."""
    kept, factors = passwords.hashed(PASSWORD), {}
    with site.work(admin) as work:
        for name, role in TEAM.items():
            people.add(work, name, [role])
    for name in TEAM:
        someone = site.kept.by_name(name)
        assert someone is not None  # noqa: S101  added just now
        factors[name] = pyotp.random_base32(32)
        site.kept.set_password(someone.person.person_id, kept)
        site.kept.set_factor(someone.person.person_id, site.sessions.seals.sealed(factors[name]), 0)
    return factors


def with_prompts(run: Path, out: Path) -> Path:
    """The same run as if content had been retained, with prompts written for the stage in its campaigns."""
    result = load_result(run)
    campaigns = tuple(
        replace(c, exemplars=PROMPTS) if c.kind is Kind.CAMPAIGN else c for c in result.campaigns
    )
    write_result(replace(result, campaigns=campaigns), out, (), "page")
    return out


def main() -> None:
    """Walk every journey and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("pictures", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stillwatch-") as folder:
        run = with_prompts(args.run, Path(folder) / "run")
        with stage(run, Path(folder), args.pictures) as on:
            first_sign_in(on)
            case = triage(on)
            takedown(on, case)
            appeal(on)
            exemplars(on, case)
            in_force(on)
            if on.wrong:
                sys.exit("the browser complained: " + "; ".join(on.wrong))
    print(f"pictures in {args.pictures}")


if __name__ == "__main__":
    main()
