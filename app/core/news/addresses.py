"""Which addresses news may be sent to: what people may enter, and what a name may resolve to."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

LONGEST_ADDRESS = 2_000
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_IPV6_THAT_CARRIES_IPV4 = (ipaddress.IPv6Network("2001::/32"), ipaddress.IPv6Network("2002::/16"))
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class AddressRules:
    """What the operator's settings allow besides https to public addresses."""

    allow_private: bool
    allow_http: bool


def checked_address(text: str, rules: AddressRules) -> str:
    """The host of an address that may be stored. Raises ValueError, whose message is fit for people.

    A host that is a name is not looked up: what it resolves to is checked each time that something is sent to it.
    """
    if not text.isascii() or not text.isprintable() or " " in text or len(text) > LONGEST_ADDRESS:
        raise ValueError(
            f"An address has at most {LONGEST_ADDRESS} plain characters and no spaces; "
            "write a host with other letters as xn--…"
        )
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in ("https", "http") or not host or port == 0:
        raise ValueError("Enter an address that begins with https://.")
    if parts.scheme == "http" and not rules.allow_http:
        raise ValueError("Only https:// is allowed: over http anybody on the way could read and change the news.")
    if parts.username is not None or parts.password is not None:
        raise ValueError("No user name or password in the address, please: the signature says who sends.")
    if parts.fragment:
        raise ValueError("Leave out what stands behind the #: it is never sent.")
    if not rules.allow_private and not _may_be_public(host):
        raise ValueError("This address is private: only addresses on the internet are allowed.")
    return host


def is_public(address: str) -> bool:
    """Whether this IP address is one of the internet, for everybody.

    Not so: private, loopback, link-local, multicast, unspecified, reserved and shared ones (100.64.0.0/10), and those
    of IPv6 that stand for one of IPv4 which is not.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv4Address):
        return ip.is_global and not ip.is_multicast and not ip.is_reserved
    if ip.ipv4_mapped is not None:
        return is_public(str(ip.ipv4_mapped))
    if ip in _NAT64:
        return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    return ip.is_global and ip in _GLOBAL_UNICAST and not any(ip in each for each in _IPV6_THAT_CARRIES_IPV4)


def _may_be_public(host: str) -> bool:
    """What is surely private is refused when it is entered, and not only when something is sent."""
    if host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        return is_public(host)
    except ValueError:
        return True
