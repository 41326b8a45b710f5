import pytest

from app.web.auth import network_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", "unknown"),
        (None, "unknown"),
        ("unix:", "unknown"),
        ("192.0.2.1:80", "unknown"),
    ],
)
def test_failures_are_counted_by_ipv4_address_or_ipv6_network(address: str | None, network: str) -> None:
    assert network_of(address) == network
