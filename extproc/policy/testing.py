"""Policy tests: documents of kind PolicyTest that say what a policy must decide. Pure; the command line prints.

apiVersion: gatereeve.dev/v1alpha1
kind: PolicyTest
metadata: {name: engineering}
spec:
  cases:
  - name: engineers may use gpt-4
    identity: {subject: user-1, groups: [engineering]}
    call: {llm: {dialect: openai-chat, model: gpt-4}}
    expect: {verdict: allow, upstream: openai, targets: [openai/gpt-4.1, claude/claude-sonnet-4-5]}
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from extproc.errors import PolicyError, Problem
from extproc.exchange.refusal import Reason
from extproc.policy.cases import CallCase, IdentityCase, RequestCase, asked, decide
from extproc.policy.complaints import similar
from extproc.policy.decision import Decision
from extproc.policy.documents import DataClassName, Declared
from extproc.policy.envelope import TEST_KIND, Document, open_document
from extproc.policy.fields import Text
from extproc.policy.load import read_sources
from extproc.policy.runtime import Policy
from extproc.policy.sensitivity import word

_REASONS = tuple(reason.value for reason in Reason)
# Refusals of calls that policies allow and no target can take.
_UNROUTED = (
    Reason.DIALECT_UNSUPPORTED,
    Reason.PROVIDER_NOT_APPROVED,
    Reason.PROVIDER_NOT_CLEARED,
    Reason.NO_TARGET,
)


class Expected(Declared):
    """What must be decided. Fields that are left out are not compared."""

    verdict: Literal["allow", "deny", "hold"] = Field(description="The verdict.")
    reason: Text | None = Field(default=None, description="The reason, for example model-not-allowed.")
    rule: str | None = Field(
        default=None, description='The document that decides, as AgentPolicy/interns; "" for none.'
    )
    model: Text | None = Field(default=None, description="The model's name as the upstream sees it.")
    upstream: Text | None = Field(default=None, description="Name of the LLMProvider or MCPServer it goes to.")
    targets: tuple[Text, ...] | None = Field(
        default=None,
        description="Every target that may be tried, as provider/model, in the order they are tried. Between targets "
        "that share an order, it is the order for this caller and these messages.",
    )
    data_class: DataClassName | None = Field(default=None, description="The class of the call's data.")
    masking: str | None = Field(default=None, description='Name of the masking; "" for none; several joined by +.')
    observed: str | None = Field(default=None, description='What observing policies would change; "" for nothing.')

    @field_validator("reason")
    @classmethod
    def _known(cls, reason: str | None) -> str | None:
        if reason is not None and reason not in _REASONS:
            raise ValueError(f"there is no such reason{similar(reason, _REASONS) or '; docs/policy.md lists them'}")
        return reason


class Case(Declared):
    """One question to the policy and its expected answer."""

    name: Text = Field(description="What is tested, as a sentence.")
    identity: IdentityCase = Field(description="Who calls.")
    call: CallCase = Field(description="What is called.")
    request: RequestCase | None = Field(default=None, description="The HTTP request, for conditions that read it.")
    expect: Expected = Field(description="What must be decided.")


class PolicyTestSpec(Declared):
    """Questions to the policy and the answers it must give."""

    cases: tuple[Case, ...] = Field(min_length=1, description="The cases; each is run by itself.")


@dataclass(frozen=True, slots=True)
class Result:
    """One case that was run. `diff` is empty when it passed, else lines of a unified diff without line ends."""

    test: str
    case: str
    place: str  # file:line
    diff: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.diff


@dataclass(frozen=True, slots=True)
class Report:
    """What became of the tests. A folder without tests passes and says so."""

    results: tuple[Result, ...]

    @property
    def passed(self) -> bool:
        return all(result.passed for result in self.results)

    @property
    def text(self) -> str:
        """The failures as diffs, then a line of totals."""
        lines: list[str] = []
        failed = [result for result in self.results if not result.passed]
        for result in failed:
            lines += [f"FAILED {result.place} {result.test}: {result.case}", *result.diff, ""]
        count = len(self.results)
        if not count:
            return f"no policy tests found; write documents of kind {TEST_KIND}"
        lines.append(
            f"{count - len(failed)} of {count} policy tests passed" + (f", {len(failed)} FAILED" if failed else "")
        )
        return "\n".join(lines)


def run(policy: Policy, paths: Sequence[str | Path] | str | Path) -> Report:
    """Runs every PolicyTest under these paths. Raises `PolicyError` when one of them is not well written."""
    sources = read_sources(paths)
    problems: list[Problem] = list(sources.problems)
    tests: list[Document] = []
    for raw in sources.tests:
        opened = open_document(raw, {TEST_KIND: PolicyTestSpec})
        if isinstance(opened, Document):
            tests.append(opened)
        else:
            problems += opened
    if problems:
        raise PolicyError(problems)
    return Report(tuple(result for test in tests for result in _results(policy, test)))


def _results(policy: Policy, test: Document) -> list[Result]:
    assert isinstance(test.spec, PolicyTestSpec)
    results = []
    for number, case in enumerate(test.spec.cases):
        line = test.raw.line_of(("spec", "cases", number))
        decision = decide(policy, asked(policy, case.identity, case.call, case.request))
        diff = _diff(case.expect, decision)
        results.append(Result(test.name, case.name, f"{test.raw.file}:{line}", diff))
    return results


def _diff(expected: Expected, decision: Decision) -> tuple[str, ...]:
    asked_for = expected.model_dump(by_alias=True, exclude_none=True)
    if "targets" in asked_for:
        asked_for["targets"] = ", ".join(asked_for["targets"])
    found = described(decision)
    wanted, decided = [], []
    for name, actual in found.items():
        want = asked_for.get(name)
        if want is not None:
            wanted.append(f"{name}: {want}")
            decided.append(f"{name}: {actual.split(' (')[0] if name == 'rule' and ' (' not in want else actual}")
    if wanted == decided:
        return ()
    # What was not asked about still helps to see why: the same on both sides.
    rest = [f"{name}: {value}" for name, value in found.items() if value and name not in asked_for]
    return tuple(unified_diff(wanted + rest, decided + rest, "expected", "decided", lineterm="", n=11))


def described(decision: Decision) -> dict[str, str]:
    """A decision as the fields that tests and explanations name, "" for what it has not."""
    obligations = decision.obligations
    # A call has a class once it was allowed, whether or not any target could take it.
    classed = obligations.legs or decision.reason in _UNROUTED
    return {
        "verdict": decision.verdict.value,
        "reason": decision.reason.value,
        "rule": decision.rule,
        "model": obligations.model,
        "upstream": obligations.upstream.name.split("/", 1)[-1] if obligations.upstream else "",
        "targets": ", ".join(f"{leg.target.provider.name}/{leg.target.model}" for leg in obligations.legs),
        "dataClass": word(obligations.data_class) if classed else "",
        "masking": obligations.masking.name if obligations.masking else "",
        "observed": decision.observed,
        "message": decision.message,
    }
