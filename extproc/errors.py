"""The error tree. Each error says whose fault it is; only a closed set of texts may reach a caller.

    GatereeveError
    ├── BadRequest            the client sent something that cannot be judged: refused, never guessed
    ├── Uninspectable         the upstream answered something that cannot be read, so it may not pass
    ├── PolicyError           documents that do not compile; carries every problem, each with its place
    ├── RuleError             a masking rule that fails its own examples, or cannot be bounded
    ├── CredentialUnavailable the secret a provider needs cannot be had now
    └── StartupError          the process cannot start; the message names the remedy

A refusal is *not* an error: it is a value (`exchange.refusal.Refusal`). `BadRequest` and `Uninspectable` exist so
that a decoder can stop deep inside a document; the session turns them into refusals at one place.
"""

from dataclasses import dataclass


class GatereeveError(Exception):
    """Base of everything raised on purpose."""


class BadRequest(GatereeveError):
    """The request cannot be judged as it is.

    `reason` is a member value of `exchange.refusal.Reason`; `message` is shown to the caller and therefore never
    quotes what was sent. `status` is the HTTP status.
    """

    def __init__(self, reason: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.status = status


class Uninspectable(GatereeveError):
    """An upstream answer that cannot be read and so may not pass. `message` is a sentence that never quotes the answer;
    `reason` is a member value of `exchange.refusal.Reason`."""

    def __init__(self, message: str, reason: str = "answer-unreadable") -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong in a policy folder: `file:line: path: message`, line 1-based (0: the whole file)."""

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.path}: {self.message}" if self.path else f"{where}: {self.message}"


class PolicyError(GatereeveError):
    """Policy documents that do not compile. `problems` holds all of them, in file order, never just the first."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(f"{len(problems)} problem(s) in the policy")
        self.problems = sorted(problems)


class RuleError(GatereeveError):
    """A masking rule that cannot be trusted: its examples fail, or its pattern cannot be bounded."""


class CredentialUnavailable(GatereeveError):
    """A provider's secret cannot be had now. The message names the source, never the value."""


class StartupError(GatereeveError):
    """The process cannot start. The message says what to do about it."""
