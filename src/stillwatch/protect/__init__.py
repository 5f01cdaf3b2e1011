"""Policy as data, live signals, and one pure function from facts to a decision.

Read :func:`stillwatch.protect.decide.decide` first. Nothing here opens a socket, reads a clock or looks at
settings; ``wiring/policy.py`` does, and offers gateways the whole as one ``Gate``.
"""

from stillwatch.protect.decide import decide, fault
from stillwatch.protect.harden import hardened
from stillwatch.protect.policy import Policy, parse_policy
from stillwatch.protect.risk import RiskTable

__all__ = ["Policy", "RiskTable", "decide", "fault", "hardened", "parse_policy"]
