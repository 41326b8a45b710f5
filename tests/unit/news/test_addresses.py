"""Which addresses may be entered, and which a name may resolve to."""

import pytest

from app.core.news.addresses import AddressRules, checked_address, is_public

STRICT = AddressRules(allow_private=False, allow_http=False)
LENIENT = AddressRules(allow_private=True, allow_http=True)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254"),
        "0.0.0.0",  # noqa: S104 - nothing listens
        *("0.1.2.3", "100.64.0.1", "100.127.255.255", "192.0.2.1", "198.18.0.1", "224.0.0.1", "239.1.1.1"),
        *("240.0.0.1", "255.255.255.255", "192.0.0.1", "203.0.113.9"),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "fec0::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::10.0.0.1"),
        *("64:ff9b:1::10.0.0.1", "2002:7f00:1::", "2002:0a00:0001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"),
    ],
)
def test_what_is_not_of_the_internet_is_not_public(address: str):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["93.184.216.34", "8.8.8.8", "100.63.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"],
)
def test_what_is_of_the_internet_is_public(address: str):
    assert is_public(address)


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("https://hooks.slack.com/services/T0/B0/x?y=1", "hooks.slack.com"),
        ("https://Example.org:8443", "example.org"),
        ("https://93.184.216.34/x", "93.184.216.34"),
        ("https://[2606:4700::1111]/x", "2606:4700::1111"),
    ],
)
def test_an_address_on_the_internet_may_be_entered(address: str, host: str):
    assert checked_address(address, STRICT) == host


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://example.org/x", "Only https://"),
        ("ftp://example.org/x", "begins with https://"),
        ("example.org/x", "begins with https://"),
        ("https:///x", "begins with https://"),
        ("https://example.org:0/x", "begins with https://"),
        ("https://example.org:99999/x", "begins with https://"),
        ("https://[::1", "begins with https://"),
        ("javascript:alert(1)", "begins with https://"),
        ("", "begins with https://"),
        ("https://user:pw@example.org/x", "No user name"),
        ("https://example.org/x#y", "behind the #"),
        ("https://exämple.org/x", "xn--"),
        ("https://example.org/a b", "no spaces"),
        ("https://example.org/\n", "no spaces"),
        (f"https://example.org/{'x' * 2_000}", "at most"),
        ("https://localhost/x", "private"),
        ("https://api.localhost/x", "private"),
        ("https://127.0.0.1/x", "private"),
        ("https://[::ffff:10.0.0.1]/x", "private"),
        ("https://169.254.169.254/latest/meta-data", "private"),
    ],
)
def test_any_other_is_refused_in_words(address: str, words: str):
    with pytest.raises(ValueError, match=words):
        checked_address(address, STRICT)


@pytest.mark.parametrize("address", ["http://10.0.0.1:8080/x", "http://localhost/x", "https://[::1]/x"])
def test_settings_allow_what_is_private_and_plain(address: str):
    assert checked_address(address, LENIENT)
