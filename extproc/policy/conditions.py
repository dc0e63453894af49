"""CEL conditions: text to a function from facts to True, False, or None (could not be evaluated). The only file that
knows the CEL engine.

Variables are flat dotted names with types, so that a misspelt one fails when the policy is loaded. A condition must be
boolean; of its results only the boolean true holds. Evaluation errors come back from the engine as values (or, for
text it cannot take, as RuntimeError): both are None here, and their texts, which quote facts, go nowhere.
"""

from collections.abc import Mapping
from enum import IntEnum
from functools import cache
from typing import Any

from cel_expr_python import cel

from extproc.policy.complaints import similar

LONGEST = 4096  # characters
_DEEPEST = 256  # levels of a claim or argument: more than any body or token that is read at all
UNLIMITED = 2**63 - 1  # call.maxTokens of a call that names no limit: so `call.maxTokens <= 1000` does not hold


class Scope(IntEnum):
    """Which variables a condition may use; each scope includes the ones before it."""

    IDENTITY = 0  # who calls
    PLACE = 1  # and where: the request, the plane, the MCP server
    CALL = 2  # and what exactly
    TARGET = 3  # and what is known once it is allowed


_STRING, _STRINGS = cel.Type.STRING, cel.Type.List(cel.Type.STRING)
_ANYTHING = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)

# name: type, scope, meaning. The documentation is made from this table.
VARIABLES: dict[str, tuple[Any, Scope, str]] = {
    "identity.subject": (_STRING, Scope.IDENTITY, "The caller's stable id."),
    "identity.groups": (_STRINGS, Scope.IDENTITY, "The caller's groups."),
    "identity.email": (_STRING, Scope.IDENTITY, 'The e-mail address, "" if unknown.'),
    "identity.tenant": (_STRING, Scope.IDENTITY, 'The tenant, "" if unknown.'),
    "identity.issuer": (_STRING, Scope.IDENTITY, "The token's issuer."),
    "identity.provider": (_STRING, Scope.IDENTITY, "Name of the IdentityProvider that vouched for the caller."),
    "identity.claims": (_ANYTHING, Scope.IDENTITY, "Every claim of the token."),
    "request.path": (_STRING, Scope.PLACE, "The HTTP path as the client sent it."),
    "request.source": (_STRING, Scope.PLACE, "The client's address as the proxy saw it."),
    "request.provider": (
        _STRING,
        Scope.PLACE,
        'The provider whose host was asked for, by its name in the catalogue; "" for the gateway\'s own.',
    ),
    "request.headers": (cel.Type.Map(_STRING, _STRING), Scope.PLACE, "Request headers, lower-case names."),
    "call.plane": (_STRING, Scope.PLACE, '"llm" or "mcp".'),
    "call.server": (_STRING, Scope.PLACE, 'The MCPServer\'s name; "" for LLM calls.'),
    "call.dialect": (_STRING, Scope.CALL, 'The API of an LLM call, for example "openai-chat".'),
    "call.operation": (_STRING, Scope.CALL, '"chat", "count_tokens" or "list_models".'),
    "call.model": (_STRING, Scope.CALL, "The Model's name, also when an alias was asked for."),
    "call.stream": (cel.Type.BOOL, Scope.CALL, "Whether the answer is asked for as a stream."),
    "call.tools": (_STRINGS, Scope.CALL, "Names of the tools offered to the model that the client runs."),
    "call.serverTools": (_STRINGS, Scope.CALL, "Types of the tools that the provider runs, such as web_search."),
    "call.maxTokens": (cel.Type.INT, Scope.CALL, "The output limit asked for; the largest integer if none."),
    "call.size": (cel.Type.INT, Scope.CALL, "The size of the request's body in bytes."),
    "call.dataClass": (
        _STRING,
        Scope.TARGET,
        'The class of the call\'s data, for a Model\'s targets: "public", "internal", "confidential" or "restricted".',
    ),
    "call.method": (_STRING, Scope.CALL, "The JSON-RPC method of an MCP call."),
    "call.name": (_STRING, Scope.CALL, "Tool, prompt or resource URI of an MCP call."),
    "call.arguments": (_ANYTHING, Scope.CALL, "The arguments of a tool or prompt."),
}


class ConditionError(Exception):
    """A condition that does not compile: what is wrong, and where in its text (1-based; 0: everywhere)."""

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column


class CompiledCondition:
    """Callable as `runtime.Condition`. `scope` is the narrowest that holds every variable it uses."""

    __slots__ = ("_expression", "_free", "_names", "scope", "source")

    def __init__(self, source: str, expression: Any, scope: Scope) -> None:
        self.source = source
        self.scope = scope
        self._expression = expression
        # Handing over fewer facts is cheaper. A name inside a string literal only hands over one too many.
        self._names = tuple(name for name in VARIABLES if name in "".join(source.split()))
        self._free = tuple(name for name in self._names if VARIABLES[name][0] is _ANYTHING)

    def __call__(self, facts: Mapping[str, Any]) -> bool | None:
        """`facts` has every variable of the condition's scope. Costs 2 to 8 microseconds."""
        try:
            for name in self._free:
                if not _takable(facts[name]):
                    return None
            value = self._expression.eval(data={name: facts[name] for name in self._names})
            return bool(value.value()) if value.type() == cel.Type.BOOL else None
        except (RuntimeError, KeyError):
            return None

    def __repr__(self) -> str:
        return f"CompiledCondition({self.source!r})"


def _takable(value: Any) -> bool:
    """Whether the engine may be handed this JSON value. It raises for most that it cannot take; an integer of more than
    4,300 digits, or nesting that exhausts its stack, ends the process."""
    level = [value]
    for _ in range(_DEEPEST):
        below: list[Any] = []
        for node in level:
            kind = type(node)
            if kind is int:
                if not -(2**63) <= node < 2**63:
                    return False
            elif kind is dict:
                below += node.values()
            elif kind is list:
                below += node
        if not below:
            return True
        level = below
    return False


@cache
def _environment(scope: Scope) -> Any:
    return cel.NewEnv(variables={name: kind for name, (kind, least, _) in VARIABLES.items() if least <= scope})


def compile_condition(source: str, widest: Scope) -> CompiledCondition:
    """Raises `ConditionError`. `widest` says which variables exist where the condition stands."""
    if len(source) > LONGEST:
        raise ConditionError(f"is longer than {LONGEST} characters; split it over several policies")
    try:
        expression = _environment(widest).compile(source)
    except RuntimeError as error:
        raise _explained(str(error), widest) from None
    if expression.return_type() != cel.Type.BOOL:
        kind = expression.return_type().name()
        of = "may be of any type" if kind == "DYN" else f"is {kind}"
        raise ConditionError(f"{of}, not true or false; compare it with something, for example == true")
    for scope in Scope:
        if scope >= widest:
            break
        try:
            return CompiledCondition(source, _environment(scope).compile(source), scope)
        except RuntimeError:
            continue
    return CompiledCondition(source, expression, widest)


def _explained(text: str, widest: Scope) -> ConditionError:
    """The engine's report (`ERROR: <input>:1:9: what`, then the line and a caret) as one sentence with its place."""
    first = text.split("\n", 1)[0].removesuffix("[INVALID_ARGUMENT]").strip()
    _, found, rest = first.partition("<input>:")
    parts = rest.split(":", 2)
    if not found or len(parts) != 3 or not (parts[0].isdigit() and parts[1].isdigit()):
        return ConditionError("cannot be read: it is nested too deeply or too complex; make it simpler")
    line, column, message = int(parts[0]), int(parts[1]), parts[2].strip()
    if message.startswith("undeclared reference to '"):
        return ConditionError(_undeclared(message.split("'")[1], widest), line, column)
    message = message.split(" expecting {")[0].removeprefix("Syntax error: ")
    if "'<EOF>'" in message:
        message = "ends too early; complete it"
    return ConditionError(message, line, column)


def _undeclared(name: str, widest: Scope) -> str:
    known = [variable for variable, (_, scope, _) in VARIABLES.items() if scope <= widest]
    if name in VARIABLES and VARIABLES[name][1] is Scope.TARGET:
        return f"{name} is not known here, only once the call is allowed: use it in `when` of a Model's target"
    if name in VARIABLES:
        return f"{name} is not known here; a subject's condition is about the caller: use identity.* only"
    if name in ("identity", "call", "request"):
        fields = ", ".join(variable for variable in known if variable.startswith(f"{name}."))
        return f"{name} alone is not a value; write one of {fields}" if fields else f"{name}.* is not known here"
    return f"there is no {name}{similar(name, known) or '; the variables are ' + ', '.join(known)}"
