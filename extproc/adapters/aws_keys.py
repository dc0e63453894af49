"""Warm AWS keys for signing: from the environment, shared files, web identity (IRSA) or pod identity.

botocore's resolver finds and refreshes them, always in a thread: temporary keys from fifteen minutes before they
expire, others by looking again, so that a rotated file is seen. What signs on the request path only ever looks at the
last keys that were found. An expired key is not used, and no key is part of a repr, a log line or a status.

Of botocore's sources those are left out that run a program or ask a person, and the instance's own role, which a
gateway would otherwise take from its node without anybody having said so.
"""

import threading
from importlib import import_module
from typing import Any

import structlog

from extproc.adapters import sigv4
from extproc.errors import CredentialUnavailable, StartupError
from extproc.session.ports import Injected, Outgoing
from extproc.session.secret import SHORTEST

_UNASKED = ("custom-process", "sso", "login", "ec2-credentials-file", "boto-config")
_INSTANCE = "iam-role"
_log = structlog.get_logger("gatereeve.aws_keys")


class AwsKeys:
    """The keys of one identity. `profile` names a section of the shared files, "" the usual one; `instance` allows the
    role of the machine. Until `load` has been called in a thread, there are none."""

    def __init__(self, name: str, *, profile: str = "", instance: bool = False) -> None:
        self.name = name
        self._profile = profile
        self._left_out = _UNASKED if instance else (*_UNASKED, _INSTANCE)
        self._loading = threading.Lock()
        self._found: Any = None  # botocore's credentials, which know when they expire
        self._keys: sigv4.Keys | None = None
        self._problem = "not looked for yet"

    def __repr__(self) -> str:
        return f"AwsKeys({self.name!r})"

    @property
    def ready(self) -> bool:
        return self._keys is not None and not self._expired()

    @property
    def problem(self) -> str:
        """What is wrong, "" if nothing. There can be a problem while the last good keys are still used."""
        if self._problem or self._keys is None:
            return self._problem
        return "they have expired" if self._expired() else ""

    def inject(self, request: Outgoing, region: str, service: str) -> Injected | None:
        """The signature's headers, see `sigv4.sign`; None when there are no keys now. Never blocks. AWS quotes what was
        signed when it refuses a signature, and the session token is part of that: it is the secret."""
        keys = self._keys
        if keys is None or self._expired():
            return None
        try:
            headers = sigv4.sign(keys, request.method, request.url, request.headers, request.body, region, service)
        except (StartupError, ValueError):  # botocore was taken away, or the URL cannot be read
            return None
        token = keys.token or ""
        return Injected(headers, token.encode("latin-1", "replace") if len(token) >= SHORTEST else b"")

    def load(self) -> None:
        """Find the keys, or refresh them ahead of time. Blocks for as long as disk and network do, so it belongs into
        a thread. Never raises: `problem` tells."""
        with self._loading:
            before = self._problem
            try:
                self._load()
                self._problem = ""
            except (StartupError, CredentialUnavailable) as error:
                self._problem = str(error)
            except Exception as error:  # noqa: BLE001  (botocore raises what its transports, parsers and files raise;
                # the message may quote a token endpoint's answer, so that only the kind of the error is told)
                self._problem = f"they cannot be fetched ({type(error).__name__})"
        if self._problem and self._problem != before:
            _log.warning("aws keys unavailable", name=self.name, problem=self._problem)
        elif before and not self._problem:
            _log.info("aws keys found", name=self.name)

    def _load(self) -> None:
        found = self._found
        if found is None or not hasattr(found, "refresh_needed"):
            found = self._resolve()
            if found is None:  # taken away on purpose: what was found there before is not used any longer
                self._keys = self._found = None
                raise CredentialUnavailable("none in the environment, the shared files, web identity or pod identity")
        frozen = found.get_frozen_credentials()  # this is what refreshes
        keys = sigv4.Keys(frozen.access_key, frozen.secret_key, frozen.token)
        # In this order: `_expired` must never judge old keys by a new expiry for longer than this line takes.
        self._keys, self._found = keys, found

    def _resolve(self) -> Any:
        try:
            session = import_module("botocore.session").Session(profile=self._profile or None)
            # Waiting for STS is bounded, and trying again is the caller's business.
            session.set_default_client_config(
                import_module("botocore.config").Config(
                    connect_timeout=5, read_timeout=5, retries={"total_max_attempts": 1}
                )
            )
            resolver = import_module("botocore.credentials").create_credential_resolver(session)
        except ModuleNotFoundError:
            raise StartupError("botocore is not installed: install gatereeve[aws]") from None
        for method in self._left_out:
            resolver.remove(method)
        return resolver.load_credentials()

    def _expired(self) -> bool:
        found = self._found
        return hasattr(found, "refresh_needed") and bool(found.refresh_needed(refresh_in=0))
