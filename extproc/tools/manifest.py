"""A publisher's word on the tools of its server: a signed list of their digests.

A compact JWS (RFC 7515) of type `mcp-tools+jws`:

    header   {"alg": "EdDSA", "kid": "...", "typ": "mcp-tools+jws"}
    payload  {"iss": "https://vendor.example", "iat": 1790000000, "exp": 1800000000, "server": "crm",
              "tools": [{"name": "find_customer", "digest": "sha256:...", "definition": {...}}, ...]}

`exp` and the definitions may be left out. It proves who published the list, not that the tools are harmless; and a
list that was signed before stays valid until its `exp`, or its publisher's key is taken away. Reads no clock: times are
arguments, in seconds since 1970.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NoReturn

from cryptography.exceptions import InvalidSignature
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from extproc.errors import GatereeveError
from extproc.exchange.model import JsonObject
from extproc.tools.definition import DefinitionError, Digests, canonical, digest, name_of
from extproc.tools.pins import MAX_TOOLS, Pin, Pins, is_digest, pin
from extproc.tools.signing_keys import ALGORITHMS, SigningKey, VerifyingKey
from extproc.tools.visible import visible

TYPE = "mcp-tools+jws"
MAX_MANIFEST = 64 * 1024 * 1024  # characters
LEEWAY = 60.0  # seconds that two clocks may differ

_MAX_HEADER = 4096  # characters
_MAX_TRIES = 16  # keys tried where the manifest names none
_HEADER = frozenset({"alg", "kid", "typ"})
_PAYLOAD = frozenset({"iss", "iat", "exp", "server", "tools"})

_SIGNERS: Mapping[str, Any] = {
    "EdDSA": OKPAlgorithm(),
    "ES256": ECAlgorithm(ECAlgorithm.SHA256),
    "RS256": RSAAlgorithm(RSAAlgorithm.SHA256),
}
assert tuple(_SIGNERS) == ALGORITHMS

Standing = Literal["signed", "unknown", "changed"]


class ManifestError(GatereeveError):
    """A manifest that is not believed. The message says why and never quotes it, but for names of tools."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest whose signature was good. `expires` is None if it says no end; `kid` names the key that verified."""

    issuer: str
    server: str
    issued: int
    expires: int | None
    tools: Mapping[str, Pin] = field(repr=False)
    algorithm: str = ""
    kid: str = ""
    _digests: Digests = field(init=False, repr=False, compare=False, default_factory=Digests)

    def check(self, tool: JsonObject) -> Standing:
        """Whether the publisher signed exactly this definition."""
        signed = self.tools.get(name_of(tool))
        if signed is None:
            return "unknown"
        return "signed" if self._digests.of(tool) == signed.digest else "changed"

    def pins(self) -> Pins:
        """The signed tools as pins, for whoever approves what the publisher says."""
        return Pins(self.server, self.tools)


@dataclass(frozen=True, slots=True)
class Difference:
    """A tool that is not as it was signed: "changed", "unknown" (offered, not signed), "missing" (signed, not
    offered), or "repeated" (offered twice)."""

    name: str
    kind: Literal["changed", "unknown", "missing", "repeated"]


def sign(
    key: SigningKey,
    server: str,
    tools: Iterable[JsonObject],
    *,
    issuer: str,
    now: float,
    expires: float | None = None,
    definitions: bool = True,
) -> str:
    """The manifest of these tools. `definitions` puts them in, so that who verifies can say what changed. Raises
    `DefinitionError` for tools that cannot be signed, as `pins.pin`, and `ManifestError` for a manifest that nobody
    would believe."""
    if not issuer or not server:
        raise ManifestError("A manifest names its issuer and the server whose tools it lists.")
    if expires is not None and expires <= now:
        raise ManifestError("The manifest would have expired already.")
    listed: list[JsonObject] = []
    for name, found in pin(server, tools).tools.items():
        entry: JsonObject = {"name": name, "digest": found.digest}
        if definitions:
            entry["definition"] = found.definition
        listed.append(entry)
    payload: JsonObject = {"iss": issuer, "iat": int(now), "server": server, "tools": listed}
    if expires is not None:
        payload["exp"] = int(expires)
    header = {"alg": key.algorithm, "typ": TYPE} | ({"kid": key.kid} if key.kid else {})
    signed = b".".join((_base64(canonical(header)), _base64(canonical(payload))))
    text = b".".join((signed, _base64(_SIGNERS[key.algorithm].sign(signed, key.private)))).decode("ascii")
    if len(text) > MAX_MANIFEST:
        raise ManifestError(f"The manifest would have more than {MAX_MANIFEST} characters. Leave the definitions out.")
    return text


def verify(
    text: str, keys: Sequence[VerifyingKey], *, now: float, server: str = "", issuer: str = "", leeway: float = LEEWAY
) -> Manifest:
    """The manifest in `text`, if one of `keys` signed it and it is its time. `server` and `issuer`, where given, must
    be what it says. Raises `ManifestError`. A blank line at the end, as files have, is no part of it."""
    text = text.strip(" \r\n")
    if len(text) > MAX_MANIFEST:
        raise ManifestError(f"The manifest has more than {MAX_MANIFEST} characters.")
    parts = text.split(".")
    if len(parts) != 3 or len(parts[0]) > _MAX_HEADER or not text.isascii():
        raise ManifestError("The manifest is no compact JWS: it must be three parts with dots between them.")
    algorithm, kid = _header(_object(parts[0], "header"))
    signature = _bytes(parts[2], "signature")
    key = _signer(keys, algorithm, kid, f"{parts[0]}.{parts[1]}".encode("ascii"), signature)
    manifest = _payload(_object(parts[1], "payload"), algorithm, key.kid)
    if manifest.issued > now + leeway:
        raise ManifestError('The manifest is of the future ("iat"): a clock is wrong, or it is made up.')
    if manifest.expires is not None and manifest.expires <= now - leeway:
        raise ManifestError("The manifest has expired: ask its publisher for a new one.")
    if server and manifest.server != server:
        raise ManifestError(f'The manifest is of another server: "{visible(manifest.server, 200)}".')
    if issuer and manifest.issuer != issuer:
        raise ManifestError(f'The manifest is of another issuer: "{visible(manifest.issuer, 200)}".')
    return manifest


def differences(manifest: Manifest, tools: Iterable[JsonObject]) -> tuple[Difference, ...]:
    """Where the tools that a server offers are not those that were signed, first as offered, then what is missing."""
    found: list[Difference] = []
    offered: set[str] = set()
    for tool in tools:
        name = name_of(tool)
        if name in offered:
            found.append(Difference(name, "repeated"))
        offered.add(name)
        standing = manifest.check(tool)
        if standing != "signed":
            found.append(Difference(name, standing))
    found += [Difference(name, "missing") for name in manifest.tools if name not in offered]
    return tuple(found)


def _header(header: JsonObject) -> tuple[str, str]:
    """Algorithm and key name. A parameter that we do not understand may change what the signature means, and one that
    brings a key along (`jwk`, `jku`, `x5c`) would make the manifest its own witness."""
    if not header.keys() <= _HEADER:
        raise ManifestError("The manifest's header has parameters other than alg, kid and typ.")
    algorithm, kid = header.get("alg"), header.get("kid", "")
    if header.get("typ") != TYPE:
        raise ManifestError(f'The JWS is no manifest of tools: its type must be "{TYPE}".')
    if not isinstance(algorithm, str) or algorithm not in _SIGNERS:
        raise ManifestError(f"The manifest's algorithm is not accepted. Accepted are {', '.join(ALGORITHMS)}.")
    if not isinstance(kid, str):
        raise ManifestError("The manifest's kid is no text.")
    return algorithm, kid


def _signer(keys: Sequence[VerifyingKey], algorithm: str, kid: str, signed: bytes, signature: bytes) -> VerifyingKey:
    """The key that made the signature. A key without a name (PEM) may be any."""
    fitting = [key for key in keys if key.algorithm == algorithm and (not kid or key.kid in ("", kid))]
    if not fitting:
        raise ManifestError("None of the keys is the one that the manifest says it was signed with.")
    for key in fitting[:_MAX_TRIES]:
        try:
            if _SIGNERS[algorithm].verify(signed, key.public, signature):
                return key
        except (InvalidSignature, ValueError):
            continue
    raise ManifestError("The signature is not good: the manifest was changed, or signed with another key.")


def _payload(payload: JsonObject, algorithm: str, kid: str) -> Manifest:
    if not payload.keys() <= _PAYLOAD:
        raise ManifestError("The manifest has members other than iss, iat, exp, server and tools.")
    issuer, server, tools = payload.get("iss"), payload.get("server"), payload.get("tools")
    issued, expires = payload.get("iat"), payload.get("exp")
    if not isinstance(issuer, str) or not issuer or not isinstance(server, str) or not server:
        raise ManifestError("The manifest does not name its issuer (iss) and its server.")
    if type(issued) is not int or (type(expires) is not int and ("exp" in payload)):
        raise ManifestError("The manifest's times (iat, exp) are no whole seconds.")
    if not isinstance(tools, list) or len(tools) > MAX_TOOLS:
        raise ManifestError(f"The manifest has no list of at most {MAX_TOOLS} tools.")
    pins: dict[str, Pin] = {}
    for number, entry in enumerate(tools):
        name = name_of(entry)
        if not name or not entry.keys() <= {"name", "digest", "definition"} or not is_digest(entry.get("digest")):
            raise ManifestError(f"tools[{number}] of the manifest is not a name with its digest.")
        if name in pins:
            raise ManifestError(f'The manifest lists "{visible(name, 80)}" twice.')
        pins[name] = Pin(entry["digest"], _definition(name, entry))
    return Manifest(issuer, server, issued, expires, MappingProxyType(pins), algorithm, kid)


def _definition(name: str, entry: JsonObject) -> JsonObject | None:
    what = entry.get("definition")
    if what is None:
        return None
    try:
        good = name_of(what) == name and digest(what) == entry["digest"]
    except DefinitionError:
        good = False
    if not good:
        raise ManifestError(f'The definition of "{visible(name, 80)}" in the manifest is not the one of its digest.')
    return dict(what)


def _object(part: str, name: str) -> JsonObject:
    try:
        value = json.loads(_bytes(part, name).decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise ManifestError(f"The manifest's {name} is not JSON that is read in one way only.") from None
    if not isinstance(value, dict):
        raise ManifestError(f"The manifest's {name} is no JSON object.")
    return value


def _bytes(part: str, name: str) -> bytes:
    """Base64url in its one spelling: others would let a signed manifest be written in several ways."""
    try:
        raw = part.encode("ascii")
        data = base64.urlsafe_b64decode(raw + b"=" * (-len(raw) % 4))
    except binascii.Error:
        data, raw = b"", b"?"
    if _base64(data) != raw:
        raise ManifestError(f"The manifest's {name} is not base64url.")
    return data


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _unique(pairs: list[tuple[str, Any]]) -> JsonObject:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name twice")
    return value


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)
