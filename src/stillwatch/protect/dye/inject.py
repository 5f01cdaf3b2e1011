"""A request body on its way to the engine: what a client says about marks goes, the policy's key comes.

Examples
--------
>>> inject({"model": "m", "watermarking": False}, None)
({'model': 'm'}, ('watermarking',))
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stillwatch.protect.dye.issue import Dye
from stillwatch.protect.harden import hardened
from stillwatch.records import Terms

OPT_OUTS = Terms(strip=("watermark",))


def inject(body: Mapping[str, Any], dye: Dye | None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body without a client's words on marks, with the key where the engine takes it by request.

    Returns the names of what was taken out; they hold no value. The body given is left as it is.
    """
    out, changed = hardened(body, OPT_OUTS)
    if dye is not None:
        out.update(dye.request())
    return out, changed
