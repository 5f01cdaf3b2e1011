"""A pool: the relay with unrelated customers and no extraction of its own. Truth kind ``pool``.

It is still one controller over many accounts (resale against the terms), but nothing is distilled, so it
must come out as a pool.
"""

from __future__ import annotations

FAMILY = None
