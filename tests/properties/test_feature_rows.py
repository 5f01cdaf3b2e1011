"""Any exchange that Arrow can hold becomes a feature row of the schema."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.detect.features import FEATURE_SCHEMA
from stillwatch.detect.network import network_of
from tests.detect.making import exchanges, featurizer

TEXT = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
INT = st.none() | st.integers(-(2**63), 2**63 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "text", "type", "function", "name", "user"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
).map(json.dumps)
ROW = st.fixed_dictionaries(
    {},
    optional={
        **{
            n: TEXT
            for n in (
                "org_id",
                "client_ip",
                "user_agent",
                "device_id",
                "system_prompt",
                "prompt",
                "completion",
                "finish_reason",
                "conversation_id",
            )
        },
        **{
            n: st.none() | JSON | st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
            for n in ("messages", "tools")
        },
        **{
            n: INT
            for n in (
                "client_asn",
                "n",
                "max_tokens",
                "seed",
                "input_tokens",
                "output_tokens",
                "status",
                "turn",
            )
        },
        **{n: st.none() | st.floats() for n in ("temperature", "top_p")},
        **{
            n: st.none() | st.lists(TEXT, max_size=5)
            for n in ("sealed_in", "sealed_out", "prefix_digests", "output_digests")
        },
        "client_headers": st.none()
        | st.lists(
            st.tuples(st.sampled_from(["x-stainless-lang", "x-stainless-package-version", "k"]), TEXT),
            max_size=3,
        ),
        "logprobs": st.none() | st.booleans(),
    },
)


@settings(max_examples=80)
@given(st.lists(ROW, min_size=1, max_size=4))
def test_any_exchange_becomes_a_row(rows: list[dict[str, Any]]) -> None:
    """The schema holds, lists hold no zero, and each row is what it would be alone."""
    together = featurizer().batch(exchanges(*rows))
    assert together.schema.equals(FEATURE_SCHEMA)
    together.validate(full=True)
    for i, row in enumerate(together.to_pylist()):
        assert 0 not in (row["issued"] or []) + (row["presented"] or []) + (row["sealed_in"] or [])
        alone = featurizer().batch(exchanges(*rows).slice(i, 1)).to_pylist()[0]
        for name in (
            "net",
            "hdr",
            "hdr_flags",
            "tools",
            "cues",
            "head",
            "full",
            "sampling",
            "max_tokens",
            "sys",
        ):
            assert alone[name] == row[name], name
        assert (alone["issued"] or []) == (row["issued"] or [])


@settings(max_examples=100)
@given(st.ip_addresses(v=6))
def test_a_network_does_not_depend_on_spelling(address: Any) -> None:
    """Short and long form of one IPv6 address lie in one block of 48 bits."""
    if address.ipv4_mapped is None:
        wanted = ":".join(f"{int(part, 16):x}" for part in address.exploded.split(":")[:3])
        assert {network_of(str(address)), network_of(address.exploded), network_of(str(address).upper())} == {
            wanted
        }
