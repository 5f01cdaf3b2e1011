"""Modules that need a package which is not here are not collected for their examples; their tests skip or run it."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("inspect_ai") else ["src/stillwatch/prove/audit/tasks.py"]
