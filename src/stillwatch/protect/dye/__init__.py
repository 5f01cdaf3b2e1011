"""The dye desk: marking keys for campaigns, committed before use, and a ledger of what was served under each.

A *dye* is the marking key of one campaign, so that a student trained on what the campaign was served can be traced to
it. Read :mod:`stillwatch.protect.dye.desk` first.
"""

from stillwatch.protect.dye.desk import Desk, Journal, Log
from stillwatch.protect.dye.inject import inject
from stillwatch.protect.dye.issue import Dye, Issue, Subject, check_opening
from stillwatch.protect.dye.master import Master
from stillwatch.protect.dye.schemes import SCHEMES, Scheme, scheme_of
from stillwatch.protect.dye.served import Served

__all__ = [
    "SCHEMES",
    "Desk",
    "Dye",
    "Issue",
    "Journal",
    "Log",
    "Master",
    "Scheme",
    "Served",
    "Subject",
    "check_opening",
    "inject",
    "scheme_of",
]
