"""URLs: whether a tool that fetches one could be sent where it must not go (server-side request forgery).

    Url()("http://2852039166/latest/meta-data/")  -> "The URL's host is spelled ..."

A URL that two readers (WHATWG's, RFC 3986's, and the common lenient ones) take for two hosts is refused, so that the
host which is judged is the host which is asked. URLs inside the URL are judged too, because a redirector fetches them.
Resolves nothing; an address behind a public name is for the network to refuse.
"""

from collections.abc import Iterable
from itertools import pairwise

from extproc.arguments.folding import CONTROL, readings
from extproc.arguments.hosts import Host, read_host
from extproc.arguments.places import words

LONGEST = 65_536  # characters; browsers and servers stop between 8 KiB and 64 KiB
_NESTED = 16  # URLs inside one URL that are judged; more are refused

LONG = "The URL is longer than servers take; send a shorter one."
CONTROLS = "The URL holds control characters or blanks at its ends; send it without them."
SCHEME = "The URL's scheme is not one this tool may use; send an https URL."
FORM = "The URL is not absolute in the plain form https://host/path; send it so."
USER = "The URL has user information or an '@' before its path; send it without."
CONFUSED = "The URL can be read with two different hosts; send it in the plain form https://host/path."
UNCLEAR = "The URL's host is spelled in a way that readers take differently; send its plain name or address."
PRIVATE = "The URL's host is on a private network; this tool may only use public ones."
RESERVED = "The URL's host is this machine, a reserved address or a name that stands for one; send a public host."
METADATA = "The URL's host is a cloud's metadata service, which gives out credentials; no tool may use it."
HOST = "The URL's host is not one this tool may use; send one that is allowed."
PORT = "The URL's port is one of another protocol than HTTP; send one that serves HTTP."
NESTED = "The URL holds another URL that this tool may not use; send one without it."

_SAFE = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/?&,:+()!*';[]|$"
_SCHEME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789+-.")
# Ports of protocols that can be spoken to through HTTP, or of HTTP that rules a machine: the Fetch standard's list,
# data stores, queues, shells, and the control ports of containers and clusters.
PORTS = frozenset(
    map(
        int,
        words(
            """
        0 1 7 9 11 13 15 17 19 20 21 22 23 25 37 42 43 53 67 68 69 77 79 87 95 101 102 103 104 109 110 111 113 115 117
        119 123 135 137 138 139 143 161 162 179 389 427 445 465 500 512 513 514 515 526 530 531 532 540 548 554 556
        563 587 601 623 631 636 873 902 989 990 993 995 1080 1099 1433 1434 1521 1719 1720 1723 1883 2049 2082 2181
        2222 2375 2376 2377 2379 2380 2483 2484 3128 3268 3269 3299 3306 3389 3632 3659 4045 4190 4369 4444 4848
        5060 5061 5432 5433 5555 5671 5672 5900 5901 5984 5985 5986 6000 6379 6380 6443 6566 6665 6666 6667 6668 6669
        6679 6697 7001 7199 7473 7474 7687 8009 8020 8086 8125 8200 8300 8301 8302 8400 8500 8600 9042 9092
        9100 9160 9200 9300 9418 10000 10050 10051 10080 10250 10255 10256 11211 15672 15692 16379 25565 26379 26257
        27017 27018 27019 28015 28017 29015 50000 50030 50060 50070 61616
        """
        ),
    )
)
# Schemes that read files, run code or speak other protocols: refused inside a URL as well.
_DANGEROUS = words(
    """
    file gopher dict ldap ldaps ldapi jar data javascript vbscript blob ftp ftps sftp tftp smb cifs nfs netdoc phar php
    expect view-source telnet ssh2 rtsp imap imaps pop3 smtp smtps redis mongodb mysql postgres postgresql memcached
    amqp unix zip glob ogg rar about chrome resource local_file mailbox rlogin tn3270 scp rtmp mssql oracle docker tcp
    udp
    """
)
_WEB = words("http https ws wss git ssh svn git+https git+ssh svn+ssh webdav dav h2c feed view")
# Names of parameters whose value servers follow.
_FOLLOWED = words(
    """
    url uri u link href src source dest destination target to next continue return returnurl return_url return_to
    returnto redirect redirect_uri redirect_url redirecturi redirecturl redir rurl goto go out image image_url imageurl
    img imgurl feed feed_url proxy fetch callback callback_url callbackurl webhook webhook_url host hostname domain
    endpoint server site forward origin upstream backend load open remote_url download download_url file_url avatar_url
    logo_url page_url html_url jwks_uri issuer location window iframe reference rss xml wsdl schema_url api_url base_url
    """
)


class Url:
    """The check of one URL. Called with a value it answers "" or a sentence; never raises on any string.

    `schemes`: those allowed, in lower case. `hosts`: if any, only these: exact names or addresses, or `*.name` for what
    is below it; a host that is named exactly may be a private one or this machine. `allow_private`: private networks
    (RFC 1918, unique local, names such as *.internal) are fine; loopback, link-local and metadata still are not.
    `ports`: if given, only these. Raises ValueError for an option that cannot be one.
    """

    __slots__ = ("_below", "_exact", "_listed", "_ports", "_private", "_quick", "_schemes")

    def __init__(
        self,
        schemes: Iterable[str] = ("https", "http"),
        hosts: Iterable[str] = (),
        allow_private: bool = False,
        ports: Iterable[int] | None = None,
    ) -> None:
        self._schemes = frozenset(schemes)
        if not self._schemes or not all(scheme and _SCHEME.issuperset(scheme) for scheme in self._schemes):
            raise ValueError("schemes must be names in lower case, without ':'")
        exact: set[str] = set()
        below: list[str] = []
        for host in hosts:
            read = read_host(host.removeprefix("*."))
            if not read.exact:
                raise ValueError("a host must be a plain name, *.name or an address, without scheme and port")
            if host[:2] == "*.":
                below.append("." + read.name)
            else:
                exact.add(read.name)
        self._exact, self._below = frozenset(exact), tuple(below)
        self._listed = bool(exact or below)
        self._private = allow_private
        self._ports = None if ports is None else frozenset(ports)
        self._quick = "https" in self._schemes and not self._listed and self._ports is None

    def __call__(self, value: str) -> str:
        if self._quick and value[:8] == "https://" and not value.strip(_SAFE):
            host, _, rest = value[8:].partition("/")
            if (
                ":" not in rest
                and "//" not in rest
                and len(value) <= LONGEST
                and read_host(host) == (host, "public", True)
            ):
                return ""
        if len(value) > LONGEST:
            return LONG
        if value != value.strip() or (not value.isprintable() and not CONTROL.isdisjoint(value)):
            return CONTROLS
        scheme, rest = _scheme(value)
        if scheme and scheme not in self._schemes:
            return SCHEME
        if rest[:2] != "//" or rest[2:3] in ("", "/", "\\") or (not scheme and value[:1] in "/\\"):
            return FORM
        authority = _authority(rest[2:])
        tail = rest[2 + len(authority) :]
        if tail[:1] == "\\" or (tail[:1] in ("?", "#") and _misread(tail)):
            return CONFUSED
        return self._place(authority) or self._inside(tail)

    def _place(self, authority: str) -> str:
        if "@" in authority:
            return USER
        host, port = _split(authority)
        read = read_host(host)
        if not read.exact:
            return UNCLEAR
        if port is None:
            return FORM
        if port and (int(port) not in self._ports if self._ports is not None else int(port) in PORTS):
            return PORT
        return self._host(read)

    def _host(self, host: Host) -> str:
        if host.name in self._exact:
            return ""
        listed = host.name.endswith(self._below) if self._below else False
        if host.kind == "metadata":
            return METADATA
        if host.kind == "reserved":
            return RESERVED
        if host.kind == "private" and not (self._private or listed):
            return PRIVATE
        return HOST if self._listed and not listed else ""

    def _inside(self, tail: str) -> str:
        """What is wrong with what follows the host: URLs that somebody behind it may fetch, and broken lines."""
        if not ("=" in tail or ":/" in tail or "//" in tail or "%" in tail or "\\" in tail) and tail.isascii():
            return ""
        coded = "%" in tail or "\\" in tail or ";" in tail or "&#" in tail or not tail.isascii()
        found = readings(tail, strict=False) if coded else (tail,)
        if found is None:
            return NESTED
        for reading in found:
            if "\0" in reading or not {"\r", "\n"}.isdisjoint(reading.partition("?")[0]):
                return CONTROLS
            if (":" in reading or "\\" in reading) and self._links(reading):
                return NESTED
            if "=" in reading and self._followed(reading):
                return NESTED
        return ""

    def _links(self, reading: str) -> bool:
        """Whether one of the URLs inside, wherever it stands, is of a dangerous kind or leads to a host not public."""
        if "\\" in reading and self._links(reading.replace("\\", "")):
            return True  # who skips a backslash may find another host than who takes it for a slash
        pieces = reading.replace("\\", "/").split(":/", _NESTED + 1)
        if len(pieces) > _NESTED + 1:
            return True
        for before, after in pairwise(pieces):
            scheme = _ending(before)
            if scheme in _DANGEROUS:
                return True
            web = scheme in _WEB
            if web or after[:1] == "/":
                read = read_host(_split(_bare(after.lstrip("/")))[0])
                named = read.kind in ("metadata", "reserved") or (read.kind == "private" and "." in read.name)
                if (web or named) and not self._harmless(read):
                    return True
        return False

    def _followed(self, reading: str) -> bool:
        """Whether a parameter that servers follow, with a scheme or without, leads where the tool must not go."""
        for pair in reading.replace("?", "&").replace("#", "&").replace(";", "&").split("&"):
            name, equals, value = pair.partition("=")
            if not equals or name.rstrip("]").rpartition("[")[2].lower() not in _FOLLOWED:
                continue
            value = value.strip()
            scheme, rest = _scheme(value)
            if scheme in _DANGEROUS:
                return True
            rest = rest.replace("\\", "/")
            slashes = rest[:2] == "//" and value[:1] in ("/", "\\")
            read = read_host(_split(_bare(rest.lstrip("/")))[0])
            if slashes or scheme in ("http", "https"):
                if not self._harmless(read) or (self._listed and self._host(read)):
                    return True
            elif _deliberate(rest.lstrip("/"), read) and not self._harmless(read):
                return True
        return False

    def _harmless(self, host: Host) -> bool:
        if host.name in self._exact:
            return True
        return host.exact and (host.kind == "public" or (host.kind == "private" and self._private))


def _scheme(value: str) -> tuple[str, str]:
    """The scheme in lower case, and the rest; a host with a port or a path alone gets "" and the slashes it lacks."""
    head, colon, rest = value.partition(":")
    low = head.lower()
    if colon and low[:1].isalpha() and _SCHEME.issuperset(low):
        port = _authority(rest)
        if not (port.isdigit() and rest[:1] != "/") or low in _DANGEROUS or low in ("http", "https"):
            return low, rest
    return "", "//" + value if value[:1] not in ("/", "\\") else value


def _authority(rest: str) -> str:
    for end in "/?#\\":
        rest = rest.partition(end)[0]
    return rest


def _bare(rest: str) -> str:
    """The host and port of a URL inside a URL, without user information."""
    authority = _authority(rest)
    for end in "&\"'<>) ,;":
        authority = authority.partition(end)[0]
    return authority.rpartition("@")[2]


def _split(authority: str) -> tuple[str, str | None]:
    """Host and port; None for a port that is none. An IPv6 host keeps its brackets."""
    if authority[:1] == "[":
        host, bracket, port = authority.partition("]")
        host += bracket
        if port and port[0] != ":":
            return "", None
        colon, port = port[:1], port[1:]
    else:
        host, colon, port = authority.partition(":")
    if not colon:
        return host, ""
    fine = port.isascii() and port.isdigit() and len(port) <= 5 and port[0] != "0" and int(port) < 65_536
    return host, port if fine else None


def _misread(tail: str) -> bool:
    """Whether an old parser, which looks for '@' first, would find another host behind a '?' or '#'."""
    return "@" in tail.partition("/")[0] and (tail[0] == "#" or tail[1:2] == "@")


def _ending(before: str) -> str:
    """The scheme at the end of what stands before a `://`."""
    low = before[-32:].lower()
    cut = len(low)
    while cut and low[cut - 1] in _SCHEME:
        cut -= 1
    return low[cut:]


def _deliberate(rest: str, host: Host) -> bool:
    """Whether a value without a scheme is meant as a host: an address in full or in disguise, or a telling name."""
    text = _split(_bare(rest))[0]
    if host.kind in ("public", "unclear"):
        return False
    if host.name[:1] == "[" or host.name.replace(".", "").isdigit():
        return host.exact or text.count(".") == 3 or len(text) >= 9 or text[:2].lower() == "0x" or text[:4] == "127."
    return host.kind in ("metadata", "reserved") or "." in text
