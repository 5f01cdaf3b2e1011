"""Innocent explanations, each held against the case: what speaks for it, what against."""

from __future__ import annotations

from stillwatch.detect.assemble import Group
from stillwatch.detect.shape import Stream
from stillwatch.records import Evidence


def explanations(
    group: Group, stream: Stream, evidence: tuple[Evidence, ...], trusted_share: float
) -> tuple[tuple[str, str], ...]:
    """(explanation, what the data say) pairs; none is dropped because it is unlikely."""
    by = {e.trait: e for e in evidence}
    f = stream.features
    n = len(group.units)
    control = [e for e in evidence if e.control]

    def weight(*traits: str) -> str:
        found = [f"{t.replace('_', ' ')} 10^{by[t].log10_e_value:.0f}" for t in traits if t in by]
        return ", ".join(found) if found else "none of them seen"

    out = [
        (
            "One app whose customers use their own accounts",
            f"Such customers share template, client and perhaps the app's address, never cards, sign-up times or "
            f"conversations. Here: {weight('payment', 'signup_burst', 'email_domain', 'device_id')}; control "
            f"channels: {weight(*[e.trait for e in control])}.",
        ),
        (
            "One company, university or office behind one address or card",
            f"People at one place ask different things and follow up: here {f['single_turn']:.0%} of the linked "
            f"stream has no history, {f['template']:.0%} comes from linked templates. A declared organisation would "
            f"have been one unit and no evidence.",
        ),
        (
            "A reseller or relay with unrelated customers",
            f"Then the accounts are one pool but the traffic is many people's: {f['template']:.0%} of it comes "
            f"from templates that the group shares and others do not"
            + (", so most of it may well be customers'." if f["template"] < 0.5 else ", so it is not."),
        ),
        (
            "A benchmark or evaluation run",
            f"Evaluators repeat a public question set on every model from one or two accounts. Here {n} units, "
            f"usual repeats of a question {stream.repeats}, share asking for parseable answers {f['format']:.0%}.",
        ),
        (
            "A grader, labeller or translator at work on own records",
            f"Such jobs run under one customer. Here the stream is spread over {n} units that declare no common "
            f"organisation; grading share {f['grading']:.0%}.",
        ),
        (
            "Key rotation or a merger of organisations",
            f"It moves conversations once, one way, between few accounts. Control evidence here: "
            f"{weight('handoff', 'sealed_replay', 'failover')}.",
        ),
        (
            "Known good customers",
            f"{trusted_share:.0%} of the units are verified or long-standing customers.",
        ),
    ]
    return tuple(out)
