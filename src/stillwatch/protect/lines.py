"""Where a rule and its keys stand in a policy file, so that an error can name the line.

The TOML reader of the standard library gives values without places. This only looks for heads of tables and
keys at the beginning of a line, outside strings of several lines; what it does not find is put at the head.

Examples
--------
>>> places('version = "1"\\n[[rule]]\\nid = "a"\\n[rule.when]\\nhint = ["act"]\\n')
[{'': 1, 'version': 1}, {'': 2, 'id': 3, 'when': 4, 'when.hint': 5}]
"""

from __future__ import annotations

import re

_HEAD = re.compile(r"\s*\[\[\s*rule\s*\]\]")
_LONE = re.compile(r"\s*\[\s*rule\s*\]")
_PART = re.compile(r"\s*\[\s*rule\s*\.\s*([\w.-]+)\s*\]")
_OTHER = re.compile(r"\s*\[")
_KEY = re.compile(r"\s*([\w-]+|\"[^\"]*\")(?:\s*\.\s*([\w-]+))?\s*=")
_LONG = re.compile(r"\"\"\"|'''")


def places(text: str) -> list[dict[str, int]]:
    """Line numbers by key: first those of the file's head, then one mapping per rule; ``""`` is its first line."""
    found: list[dict[str, int]] = [{"": 1}]
    prefix, inside = "", ""
    for number, line in enumerate(text.splitlines(), 1):
        quotes = _LONG.findall(line)
        if inside:
            if inside in quotes:
                inside = ""
            continue
        inside = quotes[0] if len(quotes) % 2 else ""
        if _HEAD.match(line):
            found.append({"": number})
            prefix = ""
        elif _LONE.match(line):
            found[0].setdefault("rule", number)
        elif part := _PART.match(line):
            prefix = part[1] + "."
            found[-1].setdefault(part[1], number)
        elif key := _KEY.match(line):
            name = key[1].strip('"')
            found[-1].setdefault(prefix + name, number)
            if key[2]:
                found[-1].setdefault(f"{prefix}{name}.{key[2]}", number)
        elif _OTHER.match(line) and not line.lstrip().startswith(("[[", '["')):
            prefix = ""
    return found
