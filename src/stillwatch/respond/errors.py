"""What can go wrong between people: somebody was quicker, may not, or means something that is not there."""

from __future__ import annotations

from stillwatch.errors import StillwatchError


class Conflict(StillwatchError):
    """Somebody else changed it in between; nothing was written."""

    def __init__(self, what: str, *, had: int, now: int | None) -> None:
        super().__init__(
            f"{what} was changed by somebody else (you had version {had}, it is now {now}); nothing was written",
            hint="look at it again, then repeat your change",
        )
        self.had, self.now = had, now


class NotAllowed(StillwatchError):
    """The person's roles do not allow it, or a second person is needed."""


class NotFound(StillwatchError):
    """There is no such thing."""

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(f"there is no {what}", hint=hint)


class NotNow(StillwatchError):
    """It cannot be done in the state it is in."""


class Unfit(StillwatchError):
    """Something handed in that cannot be taken: too long, empty, of a kind that is not known."""
