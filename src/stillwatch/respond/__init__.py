"""Where people decide: cases, plans, appeals, grants, and the record of who did what.

Services are functions that take a :class:`~stillwatch.respond.work.Work` first: a transaction, a person, a moment.
They ask for a permission, change rows at the version they were read at, and note what they did. Nothing here looks at
the clock or opens a socket.
"""

from stillwatch.respond.errors import Conflict, NotAllowed, NotFound, NotNow, Unfit
from stillwatch.respond.work import PROGRAM, Work, work

__all__ = ["PROGRAM", "Conflict", "NotAllowed", "NotFound", "NotNow", "Unfit", "Work", "work"]
