"""The privacy boundary: exactly the feature schema comes out, whatever goes in, and nothing raw with it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest

from stillwatch.detect import clients
from stillwatch.detect import features as module
from stillwatch.detect.clients import (
    HDR_ABSENT,
    HDR_LANGUAGE_CONFLICT,
    HDR_VERSION_CONFLICT,
    client_of,
)
from stillwatch.detect.digest import digest_text
from stillwatch.detect.features import FEATURE_SCHEMA, Featurizer, Interner, sampling_label
from stillwatch.detect.network import network_of
from tests.detect.making import KEY, START, exchanges, features, featurizer

MISSING_VALUES = {
    **{f.name: 0 for f in FEATURE_SCHEMA},
    **{
        name: -1
        for name in (
            "org",
            "channel",
            "operation",
            "country",
            "client",
            "asn",
            "client_version",
            "lang",
            "n",
            "turn",
            "max_tokens",
            "logprobs",
            "stream",
            "finish",
            "input_tokens",
            "output_tokens",
            "reasoning_tokens",
            "cached_tokens",
            "temperature",
            "top_p",
        )
    },
    **{name: None for name in ("issued", "presented", "sealed_in", "sealed_out", "chunk_out", "chunk_in")},
    "status": 200,
}


def test_only_the_required_fields() -> None:
    """An exchange of which only the required fields are known has missing values everywhere else."""
    batch = featurizer().batch(exchanges({}))
    assert batch.schema.equals(FEATURE_SCHEMA, check_metadata=True)
    row = batch.to_pylist()[0]
    known = {name: row.pop(name) for name in ("ts", "xid", "acct", "model")}
    assert known["ts"] == int(START.timestamp() * 1e6)
    assert known["xid"] == digest_text(KEY, "exchange", "e0")
    assert (known["acct"], known["model"]) == (0, 0)
    assert row == {name: value for name, value in MISSING_VALUES.items() if name in row}


def test_an_empty_batch() -> None:
    """No rows in, no rows out, the same schema."""
    batch = featurizer().batch(exchanges({}).slice(0, 0))
    assert batch.schema.equals(FEATURE_SCHEMA) and len(batch) == 0


def test_empty_strings_are_missing() -> None:
    """An exporter that writes "" for null links nobody."""
    blank = {
        name: ""
        for name in (
            "org_id",
            "credential_id",
            "end_user_id",
            "client_ip",
            "user_agent",
            "tls_fingerprint",
            "device_id",
            "system_prompt",
            "prompt",
            "completion",
            "conversation_id",
        )
    }
    row = features({**blank, "sealed_in": ["", None], "sealed_out": [""], "output_digests": [""]})[0]
    for name in ("cred", "end_user", "ip", "net", "ua", "tls", "device", "sys", "full", "conv"):
        assert row[name] == 0, name
    assert row["org"] == -1
    for name in ("issued", "presented", "sealed_in", "sealed_out"):
        assert not row[name], name


FULL = {
    "org_id": "Org-Secret",
    "credential_id": "sk-secret-credential",
    "end_user_id": "user-secret",
    "channel": "api",
    "operation": "chat",
    "client_ip": "203.0.113.77",
    "client_asn": 64500,
    "client_country": "FR",
    "user_agent": "SecretAgent/9.8.7 OpenAI/Python 1.2.3",
    "tls_fingerprint": "t13d-secret",
    "device_id": "device-secret",
    "client_headers": [("x-stainless-lang", "python"), ("x-secret", "header-secret")],
    "system_prompt": "You are a secret assistant of ours.",
    "prompt": "Tell me the secret recipe step by step, please.",
    "messages": json.dumps([{"role": "user", "content": "secret message"}]),
    "tools": json.dumps([{"type": "function", "function": {"name": "secret_tool"}}]),
    "completion": "The secret answer.",
    "reasoning": "secret thoughts",
    "sealed_in": ["sealed-secret"],
    "sealed_out": ["sealed-secret"],
    "prefix_digests": ["p1", "p2", "p3", "p4"],
    "output_digests": ["o1-secret"],
    "temperature": 0.7,
    "top_p": 0.9,
    "n": 2,
    "max_tokens": 512,
    "seed": 424242,
    "logprobs": True,
    "stream": False,
    "input_tokens": 11,
    "output_tokens": 12,
    "reasoning_tokens": 13,
    "cached_tokens": 14,
    "status": 429,
    "finish_reason": "length",
    "latency_ms": 3.5,
    "conversation_id": "conv-secret",
    "turn": 3,
}


def test_every_field_is_read_and_none_leaves() -> None:
    """All columns are numbers or lists of numbers; no byte of a text, header, address or seed is in them."""
    feat = featurizer()
    batch = feat.batch(exchanges(FULL))
    for column in batch.schema:
        kind = column.type.value_type if pa.types.is_list(column.type) else column.type
        assert pa.types.is_integer(kind) or pa.types.is_floating(kind), column.name
    row = batch.to_pylist()[0]
    for name in set(FEATURE_SCHEMA.names) - {
        "chunk_out",
        "chunk_in",
        "tail",
        "s2",
        "s3",
        "t1",
        "b0",
        "b1",
        "b2",
        "b3",
        "hdr_flags",
        "text_flags",
        "acct",
        "org",
        "model",
        "channel",
        "operation",
        "country",
        "client",
        "stream",
        "lang",
        "cues",
        "finish",
    }:
        assert row[name] not in (0, -1, None, []), name
    assert (row["asn"], row["n"], row["max_tokens"], row["status"], row["turn"]) == (64500, 2, 512, 429, 3)
    assert (row["logprobs"], row["stream"], row["seeded"], row["finish"]) == (1, 0, 1, 1)
    assert row["temperature"] == pytest.approx(0.7, abs=1e-6)
    written = orjson.dumps(row).decode() + str(feat.sampling_labels)
    for word in ("ecret", "203", "424242", "python"):
        assert word not in written
    kept = [n for names in vars(feat.names).values() for n in names.names]
    assert sorted(kept) == sorted(["a", "Org-Secret", "m", "api", "chat", "FR", "other"])


def test_what_was_seen_is_counted() -> None:
    """Fields are counted where they are present, so that an abstention can name what was never given."""
    feat = featurizer()
    feat.batch(exchanges({"prompt": "x"}, {}, {"prompt": "y", "seed": 1}))
    assert feat.seen_fields == {
        "exchange_id": 3,
        "started_at": 3,
        "account_id": 3,
        "model": 3,
        "prompt": 2,
        "seed": 1,
    }


def test_a_slice_and_a_whole_batch_agree() -> None:
    """Features do not depend on where a row stands in which batch: headers, lists and texts included."""
    rows = [
        {
            **FULL,
            "client_headers": [
                ("accept-language", f"x{i}"),
                ("x-stainless-lang", "js" if i % 2 else "python"),
            ],
            "sealed_in": [f"s{j}" for j in range(i)],
            "prompt": f"prompt number {i} of the several here",
            "exchange_id": f"x{i}",
        }
        for i in range(6)
    ]
    rows.insert(3, {"exchange_id": "bare"})
    whole = exchanges(*rows)
    one = featurizer()
    together = one.batch(whole).to_pylist()
    other = featurizer()
    apart = [row for i, n in ((0, 1), (1, 3), (4, 3)) for row in other.batch(whole.slice(i, n)).to_pylist()]
    for a, b in zip(together, apart, strict=True):
        for name in ("issued", "presented", "sealed_in", "sealed_out"):
            a[name], b[name] = a[name] or [], b[name] or []
    assert together == apart
    assert len({row["hdr"] for row in together}) == 7


# -- conversations


def chat(*turns: str, system: str | None = None) -> str:
    """Messages of a conversation that begins with the user."""
    roles = ("user", "assistant")
    said = [{"role": roles[i % 2], "content": text} for i, text in enumerate(turns)]
    return json.dumps(([{"role": "system", "content": system}] if system else []) + said)


def test_a_follow_up_presents_what_was_issued() -> None:
    """The state after an answer is the state that the next request presents; relays may rewrite the system prompt."""
    first, second, third, other = features(
        {"messages": chat("Hello there", system="A"), "completion": "Hi, what can I do? "},
        {"messages": chat("Hello there", "Hi, what can I do?", "Sing", system="B"), "completion": "La la"},
        {"messages": chat("Hello there", "Hi, what can I do?", "Sing", "La la", "More"), "completion": "La"},
        {"messages": chat("Hello there", "Hi, what can I do!", "Sing"), "completion": "La la"},
    )
    assert not first["presented"]
    assert second["presented"] == first["issued"]
    assert third["presented"] == first["issued"] + second["issued"]
    assert not set(other["presented"]) & set(first["issued"])
    assert other["issued"] != second["issued"]


def test_only_the_last_three_answers_are_presented() -> None:
    """A long history costs no more than a short one."""
    turns = [f"turn {i}" for i in range(21)]
    row = features({"messages": chat(*turns), "completion": "end"})[0]
    assert len(row["presented"]) == 3
    assert (
        row["presented"][-1]
        == features({"messages": chat(*turns[:19]), "completion": turns[19]})[0]["issued"][0]
    )


def test_content_parts_are_read_as_text() -> None:
    """A list of text parts is the text; images and numbers in it are nothing."""
    plain, parts = features(
        {"messages": chat("One\nTwo"), "completion": "x"},
        {
            "messages": json.dumps(
                [
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": "One"},
                            {"type": "image_url"},
                            5,
                            {"text": 7},
                            {"type": "text", "text": "Two"},
                        ],
                    }
                ]
            ),
            "completion": "x",
        },
    )
    assert plain["issued"] == parts["issued"]


def test_a_prompt_without_messages_is_a_conversation_of_one() -> None:
    """A completion log that has no messages is followed up by a chat log that has them."""
    alone, after = features(
        {"prompt": "Hello there", "completion": "Hi."},
        {"messages": chat("Hello there", "Hi.", "More"), "completion": "x"},
    )
    assert after["presented"] == alone["issued"]


def test_digests_in_place_of_text() -> None:
    """Prefix digests carry the chain: a follow-up presents the state that the earlier request was sent with."""
    first, second, short = features(
        {"prefix_digests": ["s", "su", "sua", "suau"], "output_digests": ["c1", "c2", "c3", "c4", "c5"]},
        {"prefix_digests": ["s", "su", "sua", "suau", "suaua", "suauau"]},
        {"prefix_digests": ["s", "su"]},
    )
    assert first["issued"][0] in second["presented"]
    assert len(first["issued"]) == 5
    assert first["issued"][1:] == [digest_text(KEY, "chain", c) for c in ("c1", "c2", "c3", "c4")]
    assert not short["issued"] and not short["presented"]


HOSTILE_JSON = [
    "",
    "{",
    "null",
    "5",
    '"text"',
    "{}",
    "[]",
    "[null]",
    '[5, true, "x", [[]]]',
    "[" * 3000 + "]" * 3000,
    '{"a":' * 600 + "1" + "}" * 600,
    '[{"role":5,"content":5}]',
    '[{"role":["user"],"content":{"text":"x"}}]',
    '[{"content":[[{"text":"x"}],null,{"text":null}]}]',
    '[{"role":"user","content":"\\u0000\\u0000"}]',
    '[{"role":"user","content":"\\ud800"}]',
    '[{"role":"assistant","content":null}]',
    '[{"function":{"name":{"a":[1]}}}]',
    '[{"function":"x"}]',
    '[{"name":null}]',
    "NaN",
    "1e999",
    "\x00",
    '[{"role":"user"}]' * 2,
]


@pytest.mark.parametrize("text", HOSTILE_JSON, ids=range(len(HOSTILE_JSON)))
def test_hostile_json(text: str) -> None:
    """Messages and tools of any kind, sound or not, give a row and never an error."""
    row = features(
        {"messages": text, "tools": text, "completion": "yes", "prompt": text, "system_prompt": text}
    )[0]
    assert isinstance(row["tools"], int)
    assert all(isinstance(v, int) and v for v in (row["issued"] or []) + (row["presented"] or []))


HOSTILE_ROWS: list[dict[str, Any]] = [
    {"user_agent": "x" * 100_000, "client_ip": "y" * 100_000, "device_id": "\x00" * 100_000},
    {
        "user_agent": "a/1.2 " * 20_000,
        "client_headers": [("x-stainless-package-version", "9" * 5000), ("k", None)],
    },
    {"user_agent": "a" * 41 + "/" + "b" * 100_000, "client_headers": []},
    {
        "client_headers": [("x-stainless-lang", "\x00"), ("x-stainless-lang", "py"), ("", "")],
        "user_agent": "\x1b[31m",
    },
    {
        "temperature": float("nan"),
        "top_p": float("inf"),
        "max_tokens": 2**63 - 1,
        "n": 2**62,
        "seed": -(2**63),
    },
    {
        "temperature": 1e300,
        "top_p": -1e300,
        "max_tokens": -(2**63),
        "n": -5,
        "turn": 2**40,
        "status": -(2**60),
    },
    {
        "client_asn": -7,
        "input_tokens": -1,
        "output_tokens": 2**62,
        "finish_reason": "\x00odd",
        "prompt": "\x00" * 9000,
    },
    {
        "sealed_in": [None, "", "a"] * 1000,
        "sealed_out": [],
        "prefix_digests": [None] * 9,
        "output_digests": [""] * 9,
    },
    {"account_id": "\x00", "org_id": "é" * 5000, "model": "m" * 9999, "channel": " ", "client_country": "??"},
]


@pytest.mark.parametrize("row", HOSTILE_ROWS, ids=range(len(HOSTILE_ROWS)))
def test_hostile_values(row: dict[str, Any]) -> None:
    """Absurd lengths, numbers and characters give a row of the schema, in company as well as alone."""
    alone: list[dict[str, Any]] = [row]
    for rows in (alone, [{}, row, FULL]):
        batch = featurizer().batch(exchanges(*rows))
        assert batch.schema.equals(FEATURE_SCHEMA)
        batch.validate(full=True)


# -- clients and networks


@pytest.mark.parametrize(
    "agent, wanted",
    [
        ("OpenAI/Python 1.54.3", ("openai/python", 1_054_003)),
        ("python-requests/2.31.0", ("python-requests", 2_031_000)),
        ("Mozilla/5.0 (X11; Linux)", ("mozilla", 5_000_000)),
        ("curl/8.5", ("curl", 8_005_000)),
        ("acme-internal-tool/3.2.1", ("other", 3_002_001)),
        ("no version here", ("other", -1)),
        ("", ("other", -1)),
        ("evil\x1b[31m/1.0", ("other", 1_000_000)),
        ("axios/1.2.99999", ("axios", 1_002_999)),
        ("LangChain v0.1.2", ("langchain", 1_002)),
    ],
)
def test_clients(agent: str, wanted: tuple[str, int]) -> None:
    """Only names on the list are shown; versions are packed so that they sort."""
    assert client_of(agent) == wanted


@pytest.mark.parametrize(
    "address, wanted",
    [
        ("203.0.113.9", "203.0.113"),
        ("::ffff:203.0.113.9", "203.0.113"),
        ("2001:db8:1:2::9", "2001:db8:1"),
        ("2001:DB8:0001::9", "2001:db8:1"),
        ("2001:db8::1", "2001:db8:0"),
        ("::1", "0:0:0"),
        ("1::", "1:0:0"),
        ("1:2:3:4:5:6:7:8", "1:2:3"),
        ("fe80::1%eth0", "fe80:0:0"),
        ("::FFFF:198.51.100.1", "198.51.100"),
        ("::2:3:4:5:6:7:8", "0:2:3"),
        ("garbage", "garbage"),
        ("a.b.c.d", "a.b.c.d"),
        ("1.2.3", "1.2.3"),
        ("not:an:address", "not:an:address"),
        ("", ""),
        ("1.2.3.4.5", "1.2.3.4.5"),
    ],
)
def test_networks(address: str, wanted: str) -> None:
    """/24 and /48, the same for every spelling of one address; garbage is a network of its own."""
    assert network_of(address) == wanted


def test_unrelated_mapped_addresses_share_no_network() -> None:
    """A front end that logs IPv4 in IPv6 dress does not put the whole world in one block."""
    rows = features(
        {"client_ip": "::ffff:198.51.100.4"},
        {"client_ip": "::ffff:203.0.113.4"},
        {"client_ip": "203.0.113.5"},
    )
    assert rows[0]["net"] != rows[1]["net"] == rows[2]["net"]


SOUND = [("x-stainless-lang", "python"), ("x-stainless-package-version", "1.2.3")]


@pytest.mark.parametrize(
    "agent, headers, wanted",
    [
        ("OpenAI/Python 1.2.3", SOUND, 0),
        ("OpenAI/Python 1.2.4", SOUND, HDR_VERSION_CONFLICT),
        ("OpenAI/JS 1.2.3", SOUND, HDR_LANGUAGE_CONFLICT),
        ("OpenAI/JS 9.9.9", SOUND, HDR_LANGUAGE_CONFLICT | HDR_VERSION_CONFLICT),
        ("OpenAI/Python 1.2.3", [("accept-language", "en")], HDR_ABSENT),
        ("OpenAI/Python 1.2.3", [], HDR_ABSENT),
        ("OpenAI/Python 1.2.3", None, 0),
        ("curl/8.5.0", [("accept-language", "en")], 0),
        (None, SOUND, 0),
        ("OpenAI/Python 1.2.3", [*SOUND, ("x-stainless-lang", "JS")], HDR_LANGUAGE_CONFLICT),
        ("OpenAI/Python 1.2.3", [("x-stainless-lang", ""), ("x-stainless-package-version", "none")],
         HDR_ABSENT | HDR_VERSION_CONFLICT),
    ],
)  # fmt: skip
def test_header_contradictions(agent: str | None, headers: list[tuple[str, str]] | None, wanted: int) -> None:
    """A user agent and the SDK headers beside it must agree; unknown headers are no contradiction."""
    around = {"user_agent": "OpenAI/Go 7.7.7", "client_headers": SOUND}
    rows = features(around, {"user_agent": agent, "client_headers": headers}, around)
    assert rows[1]["hdr_flags"] == wanted


def test_header_digests_ignore_order_and_strangers() -> None:
    """The digest is of the SDK headers as a set."""
    a, b, c = features(
        {"client_headers": SOUND},
        {"client_headers": [("x-request-id", "r1"), *reversed(SOUND)]},
        {"client_headers": SOUND[:1]},
    )
    assert a["hdr"] == b["hdr"] != c["hdr"]


def test_headers_beyond_those_that_are_kept_digest_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many values there are, one gives the same digest and the same flags."""
    rows: list[dict[str, Any]] = [
        {"user_agent": "OpenAI/Python 1.2.3", "client_headers": [*SOUND, ("accept-language", f"l{i % 7}")]}
        for i in range(20)
    ]
    rows += [{"client_headers": [("x-stainless-lang", None), ("x-stainless-os", "")]}, {"client_headers": []}]
    many = features(*rows)
    monkeypatch.setattr(clients, "MOST_KEPT", 2)
    assert features(*rows) == many
    assert len({row["hdr"] for row in many}) == 9 and many[-1]["hdr"] == 0


def test_tools_are_a_set_of_names() -> None:
    """Order and descriptions do not matter; no tool, and tools without a name, link nobody."""

    def tool(name: str, about: str = "") -> dict[str, Any]:
        return {"type": "function", "function": {"name": name, "description": about}}

    sets: list[Any] = [[tool("x"), tool("y")], [tool("y", "new"), tool("x")], [tool("x")], [], None, [{}]]
    a, b, c, none, null, nameless = features(*({"tools": json.dumps(t)} for t in sets))
    assert a["tools"] == b["tools"] != c["tools"] != 0
    assert none["tools"] == null["tools"] == nameless["tools"] == 0


def test_lists_of_tools_are_read_again_when_they_were_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few are remembered, and whatever they were asked for in between."""
    texts = [json.dumps([{"name": name}]) for name in "abcab"] + ["no json", "[]", "no json"]
    rows = [{"tools": text} for text in texts]
    wanted = [row["tools"] for row in features(*rows)]
    monkeypatch.setattr(module, "MOST_KEPT", 2)
    feat = featurizer()
    again = [feat.batch(exchanges(row)).column("tools")[0].as_py() for row in rows]
    assert again == wanted and len(feat.tool_sets) <= 2
    assert len(set(wanted)) == 5 and wanted[6] == 0


# -- sampling and names


def test_sampling_labels() -> None:
    """Equal settings have one digest with a closed-vocabulary name; nothing sent is nothing shown."""
    feat = featurizer()
    rows = (
        feat.batch(
            exchanges(
                {"temperature": 0.6, "top_p": 0.95, "max_tokens": 16384},
                {"temperature": 0.6, "top_p": 0.95, "max_tokens": 16384},
                {"temperature": 0.601, "top_p": 0.95, "max_tokens": 16384},
                {"temperature": 0.7},
                {"n": 4, "logprobs": True, "seed": 3},
                {},
                {"seed": 5},
            )
        )
        .column("sampling")
        .to_pylist()
    )
    assert rows[0] == rows[1] == rows[2] != rows[3] != rows[4] != 0
    assert rows[5] == rows[6] == 0
    names = {v: k for k, v in feat.sampling_labels.items()}
    assert [names[rows[i]] for i in (0, 3, 4)] == [
        "t0.60 p0.95 n- m16384 l-",
        "t0.70 p- n- m- l-",
        "t- p- n4 m- l1 s",
    ]


def test_absurd_sampling_has_a_label() -> None:
    """Nothing a caller sends as a number breaks the label."""
    assert sampling_label(float("nan"), -3.0, 1, 10**12, 0, 1) == "t- p- n1 m1000000000000 l0 s"


def test_interner_codes() -> None:
    """Names keep their code from batch to batch; null and empty are -1, dictionaries with nulls included."""
    names = Interner()
    assert names.codes(pa.array(["b", None, "a", "", "b"])).tolist() == [0, -1, 1, -1, 0]
    coded = pa.DictionaryArray.from_arrays(
        pa.array([0, None, 1, 2, 0], pa.int8()), pa.array(["c", "a", None])
    )
    assert names.codes(coded).tolist() == [2, -1, 1, -1, 2]
    wide = pa.DictionaryArray.from_arrays(
        pa.array([0, None, 127], pa.int8()), pa.array([f"n{i}" for i in range(128)])
    )
    got = names.codes(wide)
    assert got.dtype == np.int32
    assert [names.names[i] if i >= 0 else None for i in got] == ["n0", None, "n127"]
    assert names.codes(pa.array([], pa.string())).tolist() == []


def test_names_do_not_depend_on_threads() -> None:
    """The heavy part may run out of order; codes follow the order of the sequential part."""
    first, second = exchanges({"account_id": "x"}), exchanges({"account_id": "y", "exchange_id": "e9"})
    a, b = featurizer(), featurizer()
    plain = [a.batch(first), a.batch(second)]
    late, early = b.heavy(second), b.heavy(first)
    assert [b.finish(first, early), b.finish(second, late)] == plain


def test_times_are_microseconds() -> None:
    """Whatever the zone of the input, ts is UTC microseconds."""
    rows = features({"started_at": START}, {"started_at": START + timedelta(microseconds=1)})
    assert rows[1]["ts"] - rows[0]["ts"] == 1
    assert isinstance(featurizer(), Featurizer)
