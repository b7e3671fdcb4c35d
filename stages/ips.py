"""IP addresses that belong to somebody: global ones, and no version numbers.

The ranges are those of the IANA registries of special-purpose addresses, written down here because Python's
`ipaddress` changes with its version.
"""

import re
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network

from stages.passages import Place

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_V4 = re.compile(
    rf"(?<![0-9A-Za-z_.+-])(?:{_OCTET}\.){{3}}{_OCTET}(?![0-9A-Za-z_-])(?!\.[0-9])(?!/(?:[0-9]|1[0-9]|2[0-4])(?![0-9]))"
)
_V6 = re.compile(r"(?<![0-9A-Za-z:.])[23][0-9a-f]{3}:[0-9a-f:]{2,34}(?![0-9A-Za-z:])", re.IGNORECASE)
_NOT_HOSTS = tuple(
    map(
        IPv4Network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
            *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3"),
        ),
    )
)
_DOCUMENTED = tuple(map(IPv6Network, ("2001:db8::/32", "3fff::/20")))
# What says that it is an address, and what says that it is the version of something.
_ADDRESS = re.compile(
    r"(?<![a-z])(?:ip|ips|ipv4|address|adresse|host|server|ping|inet|dns|port|proxy|адрес|адреса|ип)(?![a-z])|地址|アドレス|주소",
    re.IGNORECASE,
)
_VERSION = re.compile(
    r"(?:(?<![a-z])(?:v|ver|vers|version|versión|versione|versão|release|rev|revision|build|update|firmware|"
    r"driver|patch|section|chapter|oid|§|версия|версии)|[a-z]/|版|バージョン|버전)[\s.:]{0,3}$",
    re.IGNORECASE,
)
_PLAIN_DIGITS = 8  # with as many it is an address without further evidence
_NEAR = 32  # characters


def ips(passage: str) -> Iterator[Place]:
    """Global unicast addresses; a short IPv4 address needs a word or another address before it."""
    last = -_NEAR  # where the last one ended
    for found in _V4.finditer(passage):
        before = passage[max(found.start() - _NEAR, 0) : found.start()]
        listed = found.start() - last < _NEAR
        evident = listed or len(found[0]) - 3 >= _PLAIN_DIGITS or _ADDRESS.search(before)
        if evident and not _VERSION.search(before) and _is_host(found[0]):
            last = found.end()
            yield Place("v4", *found.span())
    for found in _V6.finditer(passage):
        written = re.sub("(?<!:):$", "", found[0])  # the colon of a sentence
        if _is_global(written):
            yield Place("v6", found.start(), found.start() + len(written))


def _is_host(written: str) -> bool:
    address = IPv4Address(written)
    return not any(address in network for network in _NOT_HOSTS)


def _is_global(written: str) -> bool:
    try:
        address = IPv6Address(written)
    except AddressValueError:
        return False
    return not any(address in network for network in _DOCUMENTED)
