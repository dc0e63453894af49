"""Hosts: which machine a host in a URL stands for, in every notation, and whose network that is.

    read_host("0x7f.1") -> Host("127.0.0.1", "reserved", exact=False)

Resolves nothing: a public name whose address is a private one is the resolver's and the network's to refuse. What this
can say is that a name or address is not public by its spelling, or that readers would differ about it.
"""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Literal, NamedTuple

from extproc.arguments.folding import fold
from extproc.arguments.places import words

Kind = Literal["public", "private", "reserved", "metadata", "unclear"]


class Host(NamedTuple):
    """A host as it was read. `exact`: whether it was spelled in the one way that no two readers take for two hosts."""

    name: str  # lower case, punycode, no last dot; addresses in their canonical form; "" when unclear
    kind: Kind
    exact: bool = True


UNCLEAR = Host("", "unclear", False)
LONGEST = 255  # characters of a DNS name with its last dot, RFC 1035 2.3.4

_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-_."
_PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))
# IANA's special-purpose registry (RFC 6890 and later), less the private ranges above.
_RESERVED = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24",
            "192.52.193.0/24", "192.88.99.0/24", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24",
            "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        ),
    )
)  # fmt: skip
_UNICAST = IPv6Network("2000::/3")
_UNIQUE_LOCAL = IPv6Network("fc00::/7")
# Teredo, ORCHID and the rest of 2001::/23, documentation, 6to4: parts of 2000::/3 that are tunnels or nobody's.
_TUNNELS = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "2620:4f:8000::/48")))
# Where clouds tell a machine its own credentials: AWS, GCP, Azure, Alibaba, Oracle, Tencent, ECS tasks, Scaleway.
_METADATA = words(
    """
    169.254.169.254 169.254.169.253 169.254.169.250 169.254.170.2 169.254.170.23 169.254.0.23 169.254.42.42
    100.100.100.200 168.63.129.16 192.0.0.192 fd00:ec2::254 fd00:ec2::23 fd20:ce::254 fd00:42::42 fd00:c1::a9fe:a9fe
    fe80::a9fe:a9fe
    """
)
_METADATA_NAMES = (
    "metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal",
    "metadata.azure.internal", "metadata.azure.com", "metadata.packet.net", "metadata.platformequinix.com",
    "metadata.tencentyun.com", "metadata.oraclecloud.com", "rancher-metadata", "metadata.aliyun.internal",
    "metadata.nova.internal", "api.metadata.cloud.ibm.com", "metadata.scw.cloud", "metadata.internal",
)  # fmt: skip
_METADATA_SUFFIXES = tuple("." + name for name in _METADATA_NAMES)
# Names of networks that are not the Internet: RFC 6762, RFC 8375, ICANN's reserved strings, Kubernetes, Docker.
_PRIVATE_SUFFIXES = (
    ".internal", ".local", ".lan", ".home", ".home.arpa", ".corp", ".intranet", ".private", ".localdomain", ".svc",
    ".consul", ".docker", ".host", ".workgroup", ".domain", ".priv",
)  # fmt: skip
# Names that stand for this machine, for whatever address they spell, or for two addresses in turn (DNS rebinding).
_RESERVED_NAMES = (
    "localhost", "localhost4", "localhost6", "ip6-localhost", "ip6-loopback", "nip.io", "sslip.io", "xip.io",
    "xip.name", "traefik.me", "localtest.me", "lvh.me", "vcap.me", "lacolhost.com", "fbi.com.localhost", "fuf.me",
    "smackaho.st", "yoogle.com", "localh.st", "local.gd", "1u.ms", "rbndr.us", "rebind.network", "rebind.it",
    "ip.alxb.dev", "nip.direct", "backname.io", "getfirebug.local", "127-0-0-1.org.uk", "spoofed.burpcollaborator.net",
    "onion", "invalid", "test", "arpa", "i2p", "alt",
)  # fmt: skip
_RESERVED_SUFFIXES = tuple("." + name for name in _RESERVED_NAMES)
_RESERVED_SET = frozenset(_RESERVED_NAMES) | {"localhost.localdomain"}
_METADATA_SET = frozenset(_METADATA_NAMES)


def read_host(text: str) -> Host:
    """The host of a URL, as it stands there (IPv6 in its brackets). Never raises."""
    return _read(text) if len(text) <= LONGEST else UNCLEAR


@lru_cache(maxsize=4096)
def _read(text: str) -> Host:
    """Remembered, because agents ask few hosts often. What is remembered is bounded in number and in length."""
    if text[:1] == "[":
        return _six(text)
    name = text.lower()
    if not name.isascii():
        name = _ascii(name)
    name = name.removesuffix(".")
    if not name or name.strip(_LETTERS):
        return UNCLEAR
    labels = name.split(".")
    if not all(labels) or max(map(len, labels)) > 63:
        return UNCLEAR
    if "-" in name and any(label[0] == "-" or label[-1] == "-" for label in labels):
        return UNCLEAR
    last = labels[-1]
    if last.isdigit() or last[:2] == "0x":
        return _four(labels, exact=text == name)
    if "xn--" in name and not all(map(_honest, labels)):
        return UNCLEAR
    return Host(name, _kind(name, labels))


def _ascii(name: str) -> str:
    """An international name in punycode; "" when readers differ about it: compatibility forms, look-alike dots,
    invisible characters, the four characters in which IDNA 2003 and 2008 disagree, digits that some parsers take for
    numbers."""
    try:
        if fold(name) != name or not {"\xdf", "\u03c2"}.isdisjoint(name):
            return ""
        if any(label.isdecimal() and not label.isascii() for label in name.split(".")):
            return ""
        return name.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return ""


def _honest(label: str) -> bool:
    """Whether a punycode label says what only punycode can say."""
    if label[:4] != "xn--":
        return True
    try:
        plain = label[4:].encode().decode("punycode")
    except UnicodeError:
        return False
    return plain.isprintable() and not plain.isascii() and fold(plain) == plain == plain.lower()


def _kind(name: str, labels: list[str]) -> Kind:
    if name in _METADATA_SET or name.endswith(_METADATA_SUFFIXES):
        return "metadata"
    if name in _RESERVED_SET or name.endswith(_RESERVED_SUFFIXES) or _embeds(name):
        return "reserved"
    return "private" if len(labels) == 1 or name.endswith(_PRIVATE_SUFFIXES) or ".svc." in name else "public"


def _embeds(name: str) -> bool:
    """Whether a name spells an address that is not public, as wildcard DNS services read it: 10-0-0-1.example.com."""
    parts = name.replace("-", ".").replace("_", ".").split(".")
    run = 0
    for number, part in enumerate(parts):
        run = run + 1 if part.isdigit() and len(part) <= 3 and int(part) < 256 else 0
        if run >= 4:
            address = IPv4Address(".".join(str(int(part)) for part in parts[number - 3 : number + 1]))
            if _kind_of_four(address) != "public":
                return True
    return False


def _four(labels: list[str], *, exact: bool) -> Host:
    """An IPv4 address as inet_aton and WHATWG read it: up to four numbers, decimal, octal or hexadecimal."""
    if len(labels) > 4 or max(map(len, labels)) > 20:
        return UNCLEAR
    numbers: list[int] = []
    for label in labels:
        digits, base = (label[2:] or "0", 16) if label[:2] == "0x" else (label, 8 if label[:1] == "0" else 10)
        if not digits.isalnum():
            return UNCLEAR
        try:
            numbers.append(int(digits, base))
        except ValueError:
            return UNCLEAR
    *firsts, last = numbers
    if any(number > 255 for number in firsts) or last >= 256 ** (5 - len(numbers)):
        return UNCLEAR
    value = last + sum(number << (24 - 8 * place) for place, number in enumerate(firsts))
    address = IPv4Address(value)
    return Host(str(address), _kind_of_four(address), exact and str(address) == ".".join(labels))


def _kind_of_four(address: IPv4Address) -> Kind:
    if str(address) in _METADATA:
        return "metadata"
    if any(address in network for network in _RESERVED):
        return "reserved"
    return "private" if any(address in network for network in _PRIVATE) else "public"


def _six(text: str) -> Host:
    """An IPv6 address in brackets, without a zone. What carries an IPv4 address inside is reserved: mapped, compatible,
    translated, NAT64 and the tunnels, because it says another host to who unpacks it."""
    inner = text[1:-1]
    if text[-1:] != "]" or "%" in inner or len(inner) > 45:
        return UNCLEAR
    try:
        address = IPv6Address(inner)
    except ValueError:
        return UNCLEAR
    name = f"[{address.compressed}]"
    if address.compressed in _METADATA:
        return Host(name, "metadata")
    if address in _UNIQUE_LOCAL:
        return Host(name, "private")
    isatap = (int(address) >> 32) & 0xFDFFFFFF == 0x5EFE
    public = address in _UNICAST and not isatap and not any(address in network for network in _TUNNELS)
    return Host(name, "public" if public else "reserved")
