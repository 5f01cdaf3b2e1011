"""Networks of addresses, many at once."""

import ipaddress

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detect.digest import digest_text
from stillwatch.detect.network import digest_networks, network_of
from tests.detect.making import KEY

ADDRESSES = (
    st.ip_addresses().map(str)
    | st.ip_addresses(v=4).map(lambda a: str(ipaddress.IPv6Address(f"::ffff:{a}")))
    | st.text("0123456789.:af \u0663%", max_size=20)
)


@given(st.lists(st.none() | ADDRESSES, max_size=8), st.integers(0, 2))
def test_networks_are_digested_as_one_by_one(addresses: list[str | None], skip: int) -> None:
    """Whatever stands in the column, each digest is that of the address's own network."""
    got = digest_networks(pa.array(addresses, pa.string()).slice(skip), KEY)
    wanted = [digest_text(KEY, "net", network_of(a)) if a else 0 for a in addresses[skip:]]
    assert np.array_equal(got, np.array(wanted, np.int64))
