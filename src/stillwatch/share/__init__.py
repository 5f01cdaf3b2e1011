"""Tells others what was seen, on the field's own standards, and lets nothing out that is not on their list.

A campaign becomes STIX 2.1 objects (`bundle`), the outbound gate drops what an audience may not have and refuses what
nobody may have (`gate`), people release it (`release`). Everything here is a function of its arguments: no clock, no
network, no random numbers of its own.
"""

from stillwatch.share.bundle import build, in_bundle
from stillwatch.share.gate import screen
from stillwatch.share.misp import to_misp
from stillwatch.share.release import check_release, people_needed, to_sign

__all__ = ["build", "check_release", "in_bundle", "people_needed", "screen", "to_misp", "to_sign"]
