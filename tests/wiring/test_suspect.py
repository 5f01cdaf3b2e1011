"""From plan to dossier over a real connection: the campaign is named, innocents are not, and nothing is asked twice."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stillwatch.cli import main
from stillwatch.errors import ConfigError, UpstreamError, VerificationError
from stillwatch.settings import Settings
from stillwatch.wiring import suspect as work
from stillwatch.wiring.evidence_keys import new_key
from stillwatch.wiring.progress import Unheard
from tests.prove.suspects import world

pytest.importorskip("tokenizers")
pytest.importorskip("cryptography")
pytest.importorskip("rfc8785")
Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A desk that has issued twelve keys."""
    return world.desk(tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="module")
def models(settings: Settings) -> dict[str, Any]:
    """Students, really trained."""
    return world.students(settings)


@pytest.fixture
def served(models: dict[str, Any]) -> Iterator[tuple[world.Served, str]]:
    """An endpoint, and what it was asked."""
    told = world.Served(models)
    with world.endpoint(told) as url:
        yield told, url


def audited(plan: Path, out: Path, settings: Settings, **given: Any) -> dict[str, Any]:
    """Commit, ask, judge."""
    opened = work.open_plan(plan, settings)
    work.commit(opened, out, settings)
    work.ask(opened, out, Unheard())
    return work.judge(opened, out, **given)


def test_the_campaign_that_taught_the_suspect_is_named(
    served: Any, settings: Settings, tmp_path: Path
) -> None:
    """One of twelve keys fires, in free generation and in probes; its campaign is named and no other."""
    told, url = served
    for test, prompts in (("closed", 60), ("probes", 900)):
        place = tmp_path / test
        place.mkdir()
        found = audited(world.plan(place, url, test=test, prompts=prompts), place / "out", settings)
        assert found["evidence"] == "keyed" and found["campaigns"] == [world.GUILTY], (
            test,
            found["sentence"],
        )
        assert [k["campaign_id"] for k in found["claim"]["keys"] if k["fired"]] == [world.GUILTY]
        assert len(found["claim"]["counting"]) == 3 and found["log"]["index"] >= 12
    assert {model for model, _ in told.asked} == {"suspect", "control-0", "control-1", "control-2"}


def test_a_student_of_the_same_teacher_is_cleared(served: Any, settings: Settings, tmp_path: Path) -> None:
    """It learnt from the same model's unmarked words: no key fires."""
    found = audited(world.plan(tmp_path, served[1], suspect="clean"), tmp_path / "out", settings)
    assert found["evidence"] is None and found["campaigns"] == []
    assert "does not say that it is clean" in found["sentence"]


def test_judging_again_asks_nobody_and_says_the_same(served: Any, settings: Settings, tmp_path: Path) -> None:
    """Byte for byte, from the transcripts alone."""
    told, url = served
    plan, out = world.plan(tmp_path, url), tmp_path / "out"
    first = audited(plan, out, settings)
    calls = len(told.asked)
    again = work.judge(work.open_plan(plan, settings), out)
    assert json.dumps(first) == json.dumps(again) and len(told.asked) == calls == 240


def test_an_audit_goes_on_where_it_stopped(served: Any, settings: Settings, tmp_path: Path) -> None:
    """An endpoint that refuses, then a budget that ends: nothing that was answered is asked twice."""
    told, url = served
    told.dies_after = 30
    plan, out = world.plan(tmp_path, url), tmp_path / "out"
    opened = work.open_plan(plan, settings)
    work.commit(opened, out, settings)
    with pytest.raises(UpstreamError, match="HTTP 402"):
        work.ask(opened, out, Unheard())
    with pytest.raises(ConfigError, match="not everything has been asked"):
        work.judge(opened, out)
    path = out / "transcripts" / "0-suspect.jsonl"
    path.write_bytes(path.read_bytes() + b'{"n": 5')  # the power went
    told.dies_after = 10**9
    before = len(told.asked)
    assert set(work.ask(opened, out, Unheard()).values()) == {0}
    assert len(told.asked) - before == 240 - 30
    assert work.judge(opened, out)["campaigns"] == [world.GUILTY]


def test_the_budget_holds_and_a_part_is_judged_only_when_asked(
    served: Any, settings: Settings, tmp_path: Path
) -> None:
    """Calls never exceed the plan's; what is open stands in the dossier."""
    told, url = served
    plan, out = world.plan(tmp_path, url, calls=200), tmp_path / "out"
    opened = work.open_plan(plan, settings)
    work.commit(opened, out, settings)
    left = work.ask(opened, out, Unheard())
    assert len(told.asked) == 200 and sum(left.values()) == 40
    with pytest.raises(ConfigError, match="not everything"):
        work.judge(opened, out)
    found = work.judge(opened, out, partial=True)
    assert [m["open"] for m in found["models"]] == list(left.values())
    with pytest.raises(ConfigError, match="its one look"):
        work.ask(opened, out, Unheard())
    assert len(told.asked) == 200 and work.judge(opened, out, partial=True) == found


def test_retries_of_an_earlier_run_are_paid_for(served: Any, settings: Settings, tmp_path: Path) -> None:
    """An endpoint that answers nobody is asked no more often for being asked again and again."""
    told, url = served
    told.broken = [503] * 1_000
    plan, out = world.plan(tmp_path, url, calls=40, prompts=20), tmp_path / "out"
    opened = work.open_plan(plan, settings)
    work.commit(opened, out, settings)
    for _ in range(3):
        work.ask(opened, out, Unheard())
    assert len(told.asked) == 40


def test_two_that_ask_at_once_spoil_no_transcript(served: Any, settings: Settings, tmp_path: Path) -> None:
    """The second is told; answers that were paid for are never written twice."""
    plan, out = world.plan(tmp_path, served[1], prompts=5), tmp_path / "out"
    opened = work.open_plan(plan, settings)
    work.commit(opened, out, settings)

    class Asks(Unheard):
        def step(self, *_: object) -> None:
            with pytest.raises(ConfigError, match="another process"):
                work.ask(opened, out, Unheard())

    work.ask(opened, out, Asks())
    assert len(served[0].asked) == 20


def test_the_dossier_tells_the_plan_that_was_fixed(served: Any, settings: Settings, tmp_path: Path) -> None:
    """What the digest covers, not what the folder's copy says of it afterwards."""
    plan, out = world.plan(tmp_path, served[1], prompts=5), tmp_path / "out"
    first = audited(plan, out, settings)
    copy = json.loads((out / "plan.json").read_bytes())
    copy["fixed"]["mark"]["width"] = 4
    (out / "plan.json").write_text(json.dumps(copy), encoding="utf-8")
    assert work.judge(work.open_plan(plan, settings), out)["fixed"] == first["fixed"]


def test_busy_endpoints_are_asked_again_and_broken_answers_are_counted(
    served: Any, settings: Settings, tmp_path: Path
) -> None:
    """Retries pay from the budget; an answer that is none is a reply less, told with its reason."""
    told, url = served
    told.broken = [429, 503, b"{", b'{"choices": []}', b'{"choices": [{"text": null}]}', 400]
    found = audited(world.plan(tmp_path, url), tmp_path / "out", settings)
    suspect = found["models"][0]
    assert suspect["answered"] == 56 and sum(suspect["failed"].values()) == 4
    assert set(suspect["failed"]) == {"an answer that is no completion", "an answer without text", "HTTP 400"}
    assert len(told.asked) == 242


def test_a_changed_plan_needs_a_folder_of_its_own(served: Any, settings: Settings, tmp_path: Path) -> None:
    """Neither the plan nor a transcript of another plan is taken."""
    plan, out = world.plan(tmp_path, served[1]), tmp_path / "out"
    audited(plan, out, settings)
    plan.write_text(plan.read_text("utf-8").replace("seed = 9", "seed = 10"), encoding="utf-8")
    opened = work.open_plan(plan, settings)
    with pytest.raises(VerificationError, match="another plan"):
        work.commit(opened, out, settings)
    (out / "plan.json").unlink()
    with pytest.raises(VerificationError, match="transcripts without their plan"):
        work.commit(opened, out, settings)


@pytest.mark.parametrize(
    "bend",
    [lambda t: t.replace('"n": 3', '"n": 2', 1), lambda t: t + "3\n", lambda t: t[:-9], lambda t: "{\n" + t],
)
def test_a_damaged_transcript_is_not_judged(
    served: Any, settings: Settings, tmp_path: Path, bend: Callable[[str], str]
) -> None:
    """A doubled line, a stranger's line, a cut one, another head."""
    plan, out = world.plan(tmp_path, served[1]), tmp_path / "out"
    audited(plan, out, settings)
    path = out / "transcripts" / "1-control.jsonl"
    path.write_text(bend(path.read_text("utf-8")), encoding="utf-8")
    with pytest.raises((VerificationError, ConfigError)):
        work.judge(work.open_plan(plan, settings), out)


def test_the_endpoints_key_is_sent_and_stands_nowhere(
    served: Any, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does a marking key, in any file of the audit."""
    told, url = served
    monkeypatch.setenv("SUSPECT_KEY", "sk-canary-91")
    plan, out = world.plan(tmp_path, url, extra='key_env = "SUSPECT_KEY"\n', prompts=5), tmp_path / "out"
    found = audited(plan, out, settings)
    work.write_dossier(found, out, settings)
    assert {h["Authorization"] for h in told.headers} == {"Bearer sk-canary-91"}
    secrets = [
        b"sk-canary-91",
        *(str(w).encode() for k in work.open_plan(plan, settings).keys for w in k.key),
    ]
    for path in out.rglob("*"):
        if path.is_file():
            assert not any(secret in path.read_bytes() for secret in secrets), path
    monkeypatch.delenv("SUSPECT_KEY")
    with pytest.raises(ConfigError, match="SUSPECT_KEY is not set"):
        work.ask(work.open_plan(plan, settings), out, Unheard())


def test_without_a_log_the_dossier_says_so(served: Any, tmp_path: Path, settings: Settings) -> None:
    """Asked for a log that is not kept, nothing begins; without one, the page tells."""
    bare = settings.model_copy(
        update={"evidence": settings.evidence.model_copy(update={"keys": str(tmp_path / "none")})}
    )
    opened = work.open_plan(world.plan(tmp_path, served[1], prompts=5), bare)
    with pytest.raises(ConfigError, match="no log is kept"):
        work.commit(opened, tmp_path / "out", bare)
    assert not (tmp_path / "out").exists() and not served[0].asked
    work.commit(opened, tmp_path / "out", bare, logged=False)
    work.ask(opened, tmp_path / "out", Unheard())
    work.write_dossier(work.judge(opened, tmp_path / "out"), tmp_path / "out", bare)
    text = (tmp_path / "out" / "dossier.html").read_text("utf-8")
    assert "not logged" in text and "not signed" in text


def test_the_dossier_is_signed_and_shows_what_a_reader_needs(served: Any, tmp_path: Path) -> None:
    """Plan, exact p, random keys, controls, power, other explanations; the signature holds its bytes."""
    import base64
    import hashlib

    own = world.desk(tmp_path)
    new_key(own, "Ada", "acquirer")
    url, name = served[1], "<b>bold</b>\\u202e"
    plan, out = world.plan(tmp_path, url, suspect="suspect"), tmp_path / "out"
    plan.write_text(plan.read_text("utf-8").replace('name = "toy"', f'name = "{name}"'), encoding="utf-8")
    found = audited(plan, out, own)
    work.write_dossier(found, out, own)
    text = (out / "dossier.html").read_text("utf-8")
    for part in (
        found["plan_sha256"],
        "random keys",
        "Control models",
        "What else explains it",
        "signed by Ada",
    ):
        assert part in text
    assert "<b>bold" not in text and "\u202e" not in text and "<script" not in text
    payload = json.loads(base64.b64decode(json.loads((out / "dossier.dsse.json").read_text())["payload"]))
    assert (
        payload["subject"][0]["digest"]["sha256"]
        == hashlib.sha256((out / "dossier.json").read_bytes()).hexdigest()
    )


def test_the_command_shows_the_cost_asks_and_tells(
    served: Any, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a person uses it; saying no asks nobody."""
    told, url = served
    plan, file = world.plan(tmp_path, url), Path(settings.dye.folder).parent / "stillwatch.toml"
    monkeypatch.chdir(tmp_path)

    def run(*args: str, **given: Any) -> Any:
        return CliRunner().invoke(
            main, ["prove", "suspect", str(plan), "--settings", str(file), *args], **given
        )

    cost = run("--out", "out", "--cost")
    assert (
        cost.exit_code == 0 and "240 to 4 models" in cost.stdout and "USD" in cost.stdout and not told.asked
    )
    refused = run("--out", "out", input="n\n")
    assert refused.exit_code == 130 and not told.asked and not Path("out").exists()
    done = run("--out", "out", "--yes")
    assert done.exit_code == 0, done.output
    assert re.search(r"suspect: trained on our outputs\.", done.stdout) and "C-7" in done.stdout
    again = run("--out", "out", "--replay", "--json")
    assert json.loads(again.stdout)["campaigns"] == ["C-7"] and len(told.asked) == 240
