"""Any other log: a TOML file that says where each field of the contract lies.

>>> import tomllib
>>> ours = from_settings(tomllib.loads('''
... time_unit = "ms"
... [fields]
... exchange_id = "rid"
... started_at = "time"
... account_id = "tenant.id"
... model = ["served", "/request/model"]
... [constants]
... channel = "api"
... '''))
>>> next(iter(ours.rows({"rid": "1", "time": 1795493462984, "tenant": {"id": "t"}, "served": "m"})))["account_id"]
't'
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError
from stillwatch.ingest.answers import response_fields
from stillwatch.ingest.bodies import request_fields
from stillwatch.ingest.client import address, keep_headers
from stillwatch.ingest.format import Answer, Format
from stillwatch.ingest.jsontext import as_object, parsed
from stillwatch.ingest.refusal import Row
from stillwatch.ingest.times import UNITS, from_epoch, to_time
from stillwatch.records import EXCHANGE_REQUIRED, EXCHANGE_SCHEMA

Finder = Callable[[dict[str, Any]], Any]
_TOP = frozenset({"title", "time_unit", "fields", "constants", "headers", "bodies"})
_BODIES = frozenset({"request", "response"})
_HINT = "see docs/ingest.md, section Mapping"


def load_mapping(path: Path) -> Format:
    """Read a mapping file.

    Raises:
        ConfigError: when it cannot be read, names a field the contract does not have, or leaves one out.
    """
    try:
        settings = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: the mapping cannot be read", hint="check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the mapping is not valid TOML: {error}", hint=_HINT) from error
    return from_settings(settings, name=str(path))


def from_settings(settings: dict[str, Any], name: str = "mapping") -> Format:
    """A format from a mapping that is already read.

    Raises:
        ConfigError: as `load_mapping`.
    """
    _refuse_unknown(name, "", settings, _TOP)
    parts = {part: settings.get(part, {}) for part in ("fields", "constants", "headers", "bodies")}
    for part, table in parts.items():
        if not isinstance(table, dict):
            raise ConfigError(f"{name}: [{part}] is not a table", hint=_HINT)
    known = frozenset(EXCHANGE_SCHEMA.names) - {"client_headers"}
    _refuse_unknown(name, "fields.", parts["fields"], known)
    _refuse_unknown(name, "constants.", parts["constants"], known)
    _refuse_unknown(name, "bodies.", parts["bodies"], _BODIES)
    unit = settings.get("time_unit")
    if unit is not None and unit not in UNITS:
        raise ConfigError(f"{name}: time_unit is none of s, ms, us, ns", hint=_HINT)
    given = set(parts["fields"]) | set(parts["constants"]) | ({"model"} if parts["bodies"] else set())
    if missing := sorted(EXCHANGE_REQUIRED - given):
        raise ConfigError(f"{name}: no place given for {', '.join(missing)}", hint=_HINT)
    for field, value in parts["constants"].items():
        if not isinstance(value, (str, int, float, bool)):
            raise ConfigError(f"{name}: constants.{field} is not a single value", hint=_HINT)
    finders = {
        part: {key: _finder(f"{name}: {part}.{key}", where) for key, where in parts[part].items()}
        for part in ("fields", "headers", "bodies")
    }

    def rows(record: dict[str, Any]) -> Iterator[Answer]:
        yield _row(record, finders, parts["constants"], unit)

    title = settings.get("title")
    return Format("mapping", title if isinstance(title, str) else f"mapped by {name}", lambda head: 0.0, rows)


def _refuse_unknown(name: str, where: str, given: dict[str, Any], known: frozenset[str]) -> None:
    for key in given:
        if key not in known:
            close = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(sorted(known))}"
            raise ConfigError(f"{name}: unknown key {where}{key}", hint=hint)


def _finder(where: str, path: Any) -> Finder:
    """A dotted path, a JSON pointer, or a list of either of which the first that finds something counts."""
    paths = path if isinstance(path, list) else [path]
    if not paths or not all(isinstance(each, str) and each for each in paths):
        raise ConfigError(f"{where} is not a path or a list of paths", hint=_HINT)
    routes = [_steps(each) for each in paths]

    def find(record: dict[str, Any]) -> Any:
        for steps in routes:
            value: Any = record
            for step in steps:
                value = _below(value, step)
            if value is not None and value != "":
                return value
        return None

    return find


def _steps(path: str) -> list[str]:
    if path.startswith("/"):
        return [step.replace("~1", "/").replace("~0", "~") for step in path[1:].split("/")]
    return path.split(".")


def _below(value: Any, step: str) -> Any:
    value = parsed(value)
    if isinstance(value, dict):
        return value.get(step)
    if isinstance(value, list) and re.fullmatch(r"-?\d{1,9}", step):
        return value[int(step)] if -len(value) <= int(step) < len(value) else None
    return None


def _row(
    record: dict[str, Any], finders: dict[str, dict[str, Finder]], constants: Row, unit: str | None
) -> Row:
    row: Row = {}
    bodies = finders["bodies"]
    if "request" in bodies:
        row |= request_fields(as_object(bodies["request"](record)))
    if "response" in bodies:
        answer = response_fields(parsed(bodies["response"](record)))
        row |= {name: value for name, value in answer.items() if value is not None}
    row |= constants
    for name, find in finders["fields"].items():
        if (value := find(record)) is not None:
            row[name] = value
    if unit is not None and (started := row.get("started_at")) is not None:
        row["started_at"] = from_epoch(started, unit) or to_time(started)
    if "client_ip" in row:
        row["client_ip"] = address(row["client_ip"])
    headers = dict(as_object(finders["headers"]["*"](record))) if "*" in finders["headers"] else {}
    for header, find in finders["headers"].items():
        if header != "*" and (value := find(record)) is not None:
            headers[header] = value
    row["client_headers"] = keep_headers(headers)
    return row
