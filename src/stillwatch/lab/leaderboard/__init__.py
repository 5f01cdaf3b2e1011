"""The outcome of a suite: one table for programs, one self-contained page for people."""

from __future__ import annotations

from stillwatch.lab.leaderboard.page import render_page
from stillwatch.lab.leaderboard.table import leaderboard

__all__ = ["leaderboard", "render_page"]
