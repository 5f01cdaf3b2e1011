"""Every ending has a line and an exit status, and none shows a traceback unasked."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path

import pytest

from stillwatch.errors import ConfigError, DetectorError, SourceError
from tests.cli.stub import a_campaign, a_result


@pytest.mark.parametrize(
    ("hints", "status"),
    [
        ((), 0),
        (("none", "watch"), 0),
        (("none", "review"), 10),
        (("act",), 10),
    ],
)
def test_the_status_follows_the_strongest_hint(run, stub, hints, status) -> None:
    """0 for nothing at review or above, 10 for something."""
    stub.answers["scan"] = a_result(hints)
    assert run("scan", "logs").exit_code == status
    assert run("scan", "logs", "--json").exit_code == status
    assert run("scan", "logs", "-q").exit_code == status


def test_an_expected_error_is_two_lines(run, stub) -> None:
    """`error:` and `hint:` on standard error, status 2, nothing on standard output."""
    stub.answers["scan"] = ConfigError("no digest key", hint="make one")
    result = run("scan", "logs")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "error: no digest key\nhint: make one\n"


def test_an_error_without_a_hint_is_one_line(run, stub) -> None:
    """No empty hint."""
    stub.answers["scan"] = SourceError("a.jsonl:3", "not JSON")
    assert run("scan", "logs").stderr == "error: a.jsonl:3: not JSON\n"


def test_a_failed_detector_is_an_internal_failure(run, stub) -> None:
    """The error's own status wins."""
    stub.answers["scan"] = DetectorError("template", "went wrong")
    assert run("scan", "logs").exit_code == 1


def test_an_internal_failure_is_short_and_quotes_no_input(run, stub) -> None:
    """The message of an unforeseen failure may hold a customer's words, so only its kind is shown."""
    stub.answers["scan"] = RuntimeError("could not cast 'my secret prompt' to INT64")
    result = run("scan", "logs")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: internal failure: RuntimeError")
    assert "--debug" in result.stderr
    assert "secret" not in result.output
    assert "Traceback" not in result.output


def test_debug_shows_the_traceback(run, stub) -> None:
    """For the person who can mend it."""
    stub.answers["scan"] = RuntimeError("boom")
    result = run("scan", "logs", "--debug")
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert "boom" in result.stderr


def test_a_full_disk_is_said_in_words(run, stub) -> None:
    """What the system says about a file helps, and quotes nothing."""
    stub.answers["scan"] = OSError(28, "No space left on device", "report")
    assert "no space left on device (report)" in run("scan", "logs").stderr


def test_interrupting_is_clean(run, stub) -> None:
    """130, one line, no traceback."""
    stub.answers["scan"] = KeyboardInterrupt()
    result = run("scan", "logs")
    assert result.exit_code == 130
    assert "interrupted" in result.stderr
    assert "Traceback" not in result.stderr


def _swallowed(told) -> None:
    """A library that loses the first Ctrl-C; the work goes on."""
    with contextlib.suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    told.step("the next phase")


def _turned(told) -> None:
    """A library that makes an error of its own of it."""
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt as error:
        raise RuntimeError("query interrupted") from error


def _twice(told) -> None:
    """Lost, and then only asked about by the bar that moves."""
    with contextlib.suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    told.advance(1.0)


@pytest.mark.parametrize("library", [_swallowed, _turned, _twice])
@pytest.mark.parametrize("flags", [(), ("-q",)])
def test_an_interrupt_that_a_library_loses_is_not_lost(run, stub, library, flags) -> None:
    """130 and one line, whatever became of the signal on its way."""
    stub.progress = library
    result = run("scan", "logs", *flags)
    assert result.exit_code == 130
    assert "interrupted: nothing was written" in result.stderr
    assert "internal failure" not in result.stderr
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_of_its_own_is_no_interrupt(run, stub) -> None:
    """An earlier run's Ctrl-C does not colour a later failure."""
    stub.answers["scan"] = KeyboardInterrupt()
    run("scan", "logs")
    stub.answers["scan"] = RuntimeError("boom")
    assert run("scan", "logs").exit_code == 1


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (("scna", "logs"), "did you mean scan?"),
        (("scan", "logs", "--acounts", "a"), "did you mean --accounts?"),
        (("lab", "generat", "x"), "did you mean generate?"),
        (("completion", "bsh"), "`stillwatch completion --help` shows what it takes"),
        (("scan",), "`stillwatch scan --help` shows what it takes"),
        (("scan", "logs", "--check-null", "--settings"), "stillwatch scan --help"),
    ],
)
def test_a_slip_of_the_finger_gets_a_hint(run, stub, args, hint) -> None:
    """Wrong verbs, options and values: status 2 and what was probably meant."""
    result = run(*args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")
    assert hint in result.stderr
    assert not stub.calls


def test_no_verb_at_all_shows_the_help(run) -> None:
    """On standard error, since nothing was asked for."""
    result = run()
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage: stillwatch" in result.stderr


def test_bad_settings_stop_the_start(run, stub) -> None:
    """An unknown setting in ./stillwatch.toml is refused before anything is read."""
    Path("stillwatch.toml").write_text("[detect]\nkapa = 2\n")
    result = run("scan", "logs")
    assert result.exit_code == 2
    assert "did you mean detect.kappa?" in result.stderr
    assert not stub.calls


ESCAPES = "x\x1b]0;owned\x07\x1b[2J\u202egnp\u2066\x9b31m\r\n[bold]y[/bold]"


def harmless(text: str) -> bool:
    """No control, no bidirectional override, in what reached the terminal."""
    return not any(char in text for char in "\x1b\x07\x9b\r\u202e\u2066")


def test_hostile_text_in_an_error_is_shown_not_obeyed(run, stub) -> None:
    """A file name can hold anything."""
    stub.answers["scan"] = SourceError(ESCAPES, "not JSON", hint=ESCAPES)
    result = run("scan", "logs")
    assert harmless(result.output)
    assert "\\x1b]0;owned" in result.stderr
    assert result.stderr.count("\n") == 2
    assert harmless(run(ESCAPES).output)
    assert harmless(run("scan", "x", f"--{ESCAPES}").output)


def test_hostile_text_in_a_summary_is_shown_not_obeyed(run, stub) -> None:
    """Ids and reasons come from logs; markup in them is text."""
    from stillwatch.records import Abstention

    stub.answers["scan"] = a_result(
        ("act",),
        (a_campaign(campaign_id=ESCAPES),),
        (Abstention(ESCAPES, ESCAPES, (ESCAPES,)),),
        formats={ESCAPES: 3},
        null_check={"note": ESCAPES},
    )
    stub.progress = lambda told: (told.step(ESCAPES, 3), told.advance(1), told.note(ESCAPES))
    result = run("scan", "logs", "--out", ESCAPES)
    assert harmless(result.output)
    assert "[bold]y[/bold]" in result.stdout
    assert harmless(run("scan", "logs", "--json").output)


def test_hostile_text_in_an_explanation_is_shown_not_obeyed(run, stub, tmp_path) -> None:
    """As plain text and as a rich renderable."""
    from rich.text import Text

    for answer in (ESCAPES, Text(ESCAPES)):
        stub.answers["explain"] = answer
        assert harmless(run("explain", str(tmp_path), "C-1").output)


def test_leads_beside_standard_input_are_refused_before_the_scan(run, stub) -> None:
    """Standard input cannot be read a second time; nobody waits for a scan to be told so."""
    Path("leads.sqlite").touch()
    result = run("scan", "-", "--leads", "leads.sqlite", "--out", "o")
    assert (result.exit_code, stub.calls) == (2, [])
    assert "name files, not standard input" in result.stderr


def test_what_the_window_left_out_is_told(run, stub) -> None:
    """Nothing between `--since` and `--until` is not the same as nothing in the log."""
    stub.answers["scan"] = a_result((), window={"outside": 500, "files_not_opened": 0})
    told = run("scan", "logs").stdout
    assert "outside the window  500" in told and "files of other days" not in told
    stub.answers["scan"] = a_result(())
    assert "outside the window" not in run("scan", "logs").stdout
