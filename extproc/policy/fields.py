"""The scalar fields of policy documents: durations, names, URLs, host names. Never reads files, knows no kind.

Every validator raises `ValueError` with a sentence that says what is wrong and what to write instead; no message
quotes a value that may be a secret.
"""

from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LABEL = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_TOKEN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")
_MODEL = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/@-")
_RESERVED_HEADERS = ("host", "content-length", "content-type", "connection", "transfer-encoding", "te", "upgrade")


def seconds(text: str) -> float:
    """The length of a duration as it is written in documents: numbers with units, "1h30m". Raises ValueError."""
    total, number, position = 0.0, "", 0
    while position < len(text):
        if text[position] in "0123456789.":
            number += text[position]
            position += 1
            continue
        unit = "ms" if text.startswith("ms", position) else text[position]
        if unit not in _UNITS or not number.strip(".") or number.count(".") > 1:
            break
        total += float(number) * _UNITS[unit]
        number, position = "", position + len(unit)
    if number or position < len(text) or not text or total > 366 * _UNITS["d"]:
        raise ValueError("is not a duration; write a number with a unit (ms, s, m, h or d), for example 30s or 1h30m")
    return total


def _duration(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f"is a number without a unit; write {value:g}s for seconds")  # noqa: TRY004 pydantic's way
    if isinstance(value, str):
        seconds(value)
    return value


def _positive(value: str) -> str:
    if seconds(value) <= 0:
        raise ValueError("must be longer than 0; leave the field out for its default")
    return value


def is_label(text: str) -> bool:
    """An RFC 1123 label: what Kubernetes and DNS take between dots."""
    return 0 < len(text) <= 63 and set(text) <= _LABEL and text[0] != "-" and text[-1] != "-"


def dns_name(value: str) -> str:
    if len(value) > 253 or not all(is_label(part) for part in value.split(".")):
        raise ValueError("is not a DNS name; write lower-case letters, digits and '-', parts joined by '.'")
    return value


def model_name(value: str) -> str:
    if "*" in value:
        raise ValueError("holds a wildcard; name one model here, wildcards belong in an AgentPolicy")
    if not value or len(value) > 256 or not set(value) <= _MODEL or not value[0].isalnum():
        raise ValueError("is not a model name; write letters, digits and . _ : / @ -, beginning with a letter or digit")
    return value


def split_url(value: str) -> SplitResult:
    """A URL taken apart. Raises ValueError unless it is http(s) with a host, and nothing that could hide a secret."""
    if not value.isascii() or not value.isprintable() or " " in value or "\\" in value:
        raise ValueError("holds spaces or characters that do not belong in a URL; percent-encode them")
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ValueError("is not a URL; write it like https://api.example.com/v1") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is not an http(s) URL; write it like https://api.example.com/v1")
    if "@" in parts.netloc:
        raise ValueError("holds a user or password; remove them and use `credential`")
    if "?" in value or "#" in value:
        raise ValueError("holds a query or fragment; remove everything from '?' or '#' on")
    if port == 0:
        raise ValueError("has the port 0; write the port the server listens on")
    if ":" not in parts.hostname:
        try:
            dns_name(parts.hostname)
        except ValueError:
            raise ValueError("has a host that is no DNS name or address; correct it") from None
    return parts


def _url(value: str) -> str:
    split_url(value)
    return value


def _host(value: str) -> str:
    if value.startswith(("http://", "https://")):
        raise ValueError("is a URL; write the host name only, without scheme")
    if ":" in value or "/" in value:
        raise ValueError("holds a port or path; write the host name only")
    if "*" in value:
        raise ValueError("holds a wildcard; list each host by name")
    return dns_name(value.lower())


def _header(value: str) -> str:
    name = value.lower()
    if not name or not set(name) <= _TOKEN:
        raise ValueError("is not a header name; write letters, digits, '-' and '_', for example x-api-key")
    if name in _RESERVED_HEADERS or name.startswith(("x-gatereeve-", "x-envoy-")):
        raise ValueError("is a header that the gateway itself sets; choose the one the upstream reads its key from")
    return name


def _format(value: str) -> str:
    if value.count("{}") != 1 or not value.isprintable() or not value.isascii():
        raise ValueError("must hold {} exactly once, where the secret goes, for example 'Bearer {}'")
    return value


def _pattern(value: str) -> str:
    if not value or value != value.strip() or not value.isprintable():
        raise ValueError("is empty or has spaces at its edges; write a name, or a pattern with '*' such as 'read_*'")
    return value


def _currency(value: str) -> str:
    if len(value) != 3 or not value.isascii() or not value.isalpha() or not value.isupper():
        raise ValueError("is not a currency; write its three capital letters, for example USD or EUR")
    return value


Currency = Annotated[str, AfterValidator(_currency), Field(examples=["USD", "EUR"])]
Duration = Annotated[str, BeforeValidator(_duration), AfterValidator(_positive), Field(examples=["30s", "5m", "1h30m"])]
DurationOrZero = Annotated[str, BeforeValidator(_duration), Field(examples=["0s", "30s"])]
DnsName = Annotated[str, AfterValidator(dns_name), Field(max_length=253)]
ModelName = Annotated[str, AfterValidator(model_name)]
Url = Annotated[str, AfterValidator(_url)]
HostName = Annotated[str, AfterValidator(_host)]
HeaderName = Annotated[str, AfterValidator(_header)]
HeaderFormat = Annotated[str, AfterValidator(_format)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Text = Annotated[str, Field(min_length=1)]
