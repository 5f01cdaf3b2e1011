"""Live signals: scored on a request as it comes, with no batch run. One file, one id, one section of docs/policy.md.

A score is 0 to 1 and rises with suspicion; it is no probability. A signal says nothing when it has nothing to go
by. Prompt signals never do more than observe on their own: the policy refuses to load otherwise.
"""

from stillwatch.protect.signals.grant_scope import SIGNAL as _grant_scope
from stillwatch.protect.signals.jailbreak import SIGNAL as _jailbreak
from stillwatch.protect.signals.logit_harvest import SIGNAL as _logit_harvest
from stillwatch.protect.signals.reasoning_elicitation import SIGNAL as _reasoning_elicitation
from stillwatch.protect.signals.sealed_replay import SIGNAL as _sealed_replay
from stillwatch.protect.signals.signal import LiveSignal, View
from stillwatch.protect.signals.system_prompt_extraction import SIGNAL as _system_prompt_extraction

SIGNALS: dict[str, LiveSignal] = {
    s.id: s
    for s in (
        _sealed_replay, _logit_harvest, _grant_scope, _reasoning_elicitation, _jailbreak, _system_prompt_extraction,
    )
}  # fmt: skip
PROMPT_SIGNALS = frozenset(s.id for s in SIGNALS.values() if s.prompt)

__all__ = ["PROMPT_SIGNALS", "SIGNALS", "LiveSignal", "View"]
