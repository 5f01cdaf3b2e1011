"""Run in an environment of its own, which has pySigma: convert a folder of rules to SQL and run it over events.

Usage: run_sigma.py RULES EVENTS. Prints JSON: for each rule the places of the events that raised it. Conversion and SQL
are pySigma's and its SQLite backend's; nothing of ours is loaded.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection


def table(path: Path, fields: list[str]) -> sqlite3.Connection:
    """The events in a table with a column for every field."""
    found = sqlite3.connect(":memory:")
    columns = ", ".join(f'"{name}" COLLATE NOCASE' for name in fields)
    found.execute(f"CREATE TABLE events ({columns})")
    marks = ", ".join("?" for _ in fields)
    with path.open(encoding="ascii") as lines:
        rows = (json.loads(line) for line in lines)
        insert = f"INSERT INTO events VALUES ({marks})"  # noqa: S608  question marks alone
        found.executemany(insert, ([row.get(n) for n in fields] for row in rows))
    return found


def raised(connection: sqlite3.Connection, rule: Path) -> list[int]:
    """Places of the events that raise a rule, from 1."""
    rules = SigmaCollection.from_yaml(rule.read_text("utf-8"))
    backend: Any = sqliteBackend(table="events", timestamp_field="timestamp")
    query = backend.convert(rules)[-1]
    if query.startswith("SELECT * FROM"):
        query = query.replace("SELECT *", "SELECT rowid", 1)
        return [row[0] for row in connection.execute(query)]
    cursor = connection.execute(query)
    names = [column[0] for column in cursor.description]
    place = names.index("event_ids")
    return sorted({int(str(id).rpartition(":")[2]) for row in cursor for id in json.loads(row[place])})


def main() -> None:
    """Print what each rule raised."""
    rules, events, *fields = sys.argv[1:]
    connection = table(Path(events), fields)
    json.dump({rule.stem: raised(connection, rule) for rule in sorted(Path(rules).glob("*.yml"))}, sys.stdout)


if __name__ == "__main__":
    main()
