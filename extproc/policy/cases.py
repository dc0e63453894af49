"""Calls and identities as people write them down: in policy tests, for `explain`, or copied out of an audit record."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import Field, ValidationError, model_validator

from extproc.errors import PolicyError, Problem
from extproc.exchange.model import JsonObject, LlmCall, McpCall
from extproc.exchange.refusal import Reason
from extproc.identity.model import Identity
from extproc.policy.decide import decide_llm, decide_mcp
from extproc.policy.decision import Decision, Obligations, Verdict
from extproc.policy.documents import DataClassName, Declared, DialectName
from extproc.policy.fields import Text
from extproc.policy.nodes import dotted
from extproc.policy.runtime import Policy
from extproc.policy.sensitivity import DataClass, named
from extproc.policy.tool_calls import refusal, scopes_lacking


class IdentityCase(Declared):
    """Who calls."""

    subject: Text = Field(description="The caller's stable id.")
    groups: tuple[str, ...] = Field(default=(), description="The caller's groups.")
    email: str = Field(default="", description="The e-mail address.")
    tenant: str = Field(default="", description="The tenant.")
    provider: str = Field(default="", description="Name of the IdentityProvider; default: the one that fits.")
    issuer: str = Field(default="", description="The token's issuer; default: the provider's.")
    data_class: str = Field(
        default="", description="What the token says of the data; a word that is no class counts as restricted."
    )
    claims: dict[str, Any] = Field(default={}, description="Claims of the token that conditions read.")

    def identity(self, policy: Policy) -> Identity:
        """The caller, with provider and issuer filled in from the policy where only one is possible."""
        known = [issuer for group in policy.issuers.values() for issuer in group]
        fitting = [
            issuer
            for issuer in known
            if self.provider in ("", issuer.name) and self.issuer in ("", issuer.issuer)
        ]  # fmt: skip
        only = fitting[0] if len(fitting) == 1 else None
        return Identity(
            self.provider or (only.name if only else ""),
            self.issuer or (only.issuer if only else ""),
            self.subject,
            self.groups,
            self.email,
            self.tenant,
            data_class=self.data_class,
            claims=_plain(self.claims),
        )


class LlmCase(Declared):
    """A call to an LLM."""

    dialect: DialectName = Field(default="openai-chat", description="The API that is called.")
    operation: Text = Field(default="chat", description="What is asked of it: chat or count_tokens.")
    model: Text = Field(description="The model's name as the client sends it.")
    stream: bool = Field(default=False, description="Whether a streamed answer is asked for.")
    tools: tuple[str, ...] = Field(default=(), description="Names of the tools offered to the model.")
    server_tools: tuple[str, ...] = Field(default=(), description="Types of the tools that the provider runs.")
    max_tokens: int | None = Field(default=None, description="The output limit asked for.")
    size: int = Field(default=0, ge=0, description="The size of the request's body in bytes.")
    exposed: DataClassName = Field(
        default="public", description="Class of the data that the caller has used of MCP servers before."
    )
    text: tuple[str, ...] = Field(default=(), description="What stands in the user's messages, for detectors.")
    messages: tuple[dict[str, Any], ...] | None = Field(
        default=None, description="In place of text: the request's messages, as the client sends them."
    )

    @model_validator(mode="after")
    def _said_once(self) -> "LlmCase":
        if self.text and self.messages is not None:
            raise ValueError("has text and messages; keep one of them")
        return self

    def body(self) -> dict[str, Any]:
        """The request's document, as far as the case tells it."""
        if self.messages is not None:
            return {"messages": _plain(self.messages)}
        return {"messages": [{"role": "user", "content": text} for text in self.text]} if self.text else {}


class McpCase(Declared):
    """A message to an MCP server."""

    server: Text = Field(description="Name of the MCPServer.")
    method: str = Field(default="tools/call", description="The JSON-RPC method.")
    name: str = Field(default="", description="Tool, prompt or resource URI; of a completion, what it is for.")
    arguments: dict[str, Any] = Field(default={}, description="Arguments of the tool or prompt.")
    definition: dict[str, Any] | None = Field(
        default=None,
        description="The tool as its server lists it (description, inputSchema, annotations); default: as it was "
        "approved, if the server's pins or manifest say how.",
    )

    @model_validator(mode="after")
    def _defines_it(self) -> "McpCase":
        if self.definition is not None and self.definition.get("name", self.name) != self.name:
            raise ValueError("has the definition of another tool; give it the name that is called, or leave it out")
        return self


class CallCase(Declared):
    """What is called: exactly one of the fields."""

    llm: LlmCase | None = Field(default=None, description="A call to an LLM.")
    mcp: McpCase | None = Field(default=None, description="A message to an MCP server.")

    @model_validator(mode="after")
    def _exactly_one(self) -> "CallCase":
        if (self.llm is None) == (self.mcp is None):
            raise ValueError("must have exactly one of llm, mcp")
        return self


class RequestCase(Declared):
    """What conditions can read of the HTTP request."""

    path: str = Field(default="", description="The path.")
    source: str = Field(default="", description="The client's address.")
    provider: str = Field(default="", description="Name in the catalogue of the provider whose host is asked.")
    headers: dict[str, str] = Field(default={}, description="Headers, lower-case names.")


@dataclass(frozen=True, slots=True)
class Asked:
    """One question to a policy. `exposed`: the class of what the caller has used of MCP servers before. `definition`:
    of the tool that is called, None if nobody has seen it. `recorded`: it is out of an audit record, which has neither
    claims nor arguments."""

    identity: Identity
    call: LlmCall | McpCall
    request: Mapping[str, Any]
    exposed: DataClass = DataClass.PUBLIC
    definition: JsonObject | None = None
    recorded: bool = False

    @property
    def tool(self) -> str:
        """The tool that is called, "" if none is."""
        return self.call.name if isinstance(self.call, McpCall) and self.call.method == "tools/call" else ""


def asked(policy: Policy, identity: IdentityCase, call: CallCase, request: RequestCase | None = None) -> Asked:
    """The question that a written-down case asks of this policy."""
    seen = (request or RequestCase()).model_dump()
    if call.mcp is not None:
        return Asked(identity.identity(policy), _call(call), seen, definition=_definition(policy, call.mcp))
    assert call.llm is not None
    return Asked(identity.identity(policy), _call(call), seen | {"size": call.llm.size}, named(call.llm.exposed))


def _call(call: CallCase) -> LlmCall | McpCall:
    if call.llm is not None:
        llm = call.llm
        return LlmCall(
            llm.dialect,
            llm.operation,
            llm.model,
            llm.stream,
            llm.tools,
            llm.server_tools,
            llm.max_tokens,
            doc=llm.body(),
        )
    assert call.mcp is not None
    mcp = call.mcp
    kind = "notification" if mcp.method.startswith("notifications/") else "request" if mcp.method else "stream"
    doc: dict[str, Any] = {}
    if mcp.method == "completion/complete":
        ref = (
            {"type": "ref/resource", "uri": mcp.name} if "://" in mcp.name else {"type": "ref/prompt", "name": mcp.name}
        )
        doc = {"params": {"ref": ref}}
    return McpCall(mcp.server, kind, mcp.method, mcp.name, arguments=_plain(mcp.arguments), doc=doc)


def _definition(policy: Policy, case: McpCase) -> JsonObject | None:
    """What is known of the tool: what the case says, else what was approved."""
    if case.method != "tools/call":
        return None
    if case.definition is not None:
        return {"name": case.name, **_plain(case.definition)}
    server = policy.servers.get(case.server)
    approval = server.rules.approval if server is not None else None
    pin = approval.pins.tools.get(case.name) if approval is not None else None
    return pin.definition if pin is not None else None


def _plain(value: Any) -> Any:
    """Lists as JSON has them: documents hold tuples, which conditions do not know."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


def decide(policy: Policy, question: Asked) -> Decision:
    """The decision of either plane, as the gateway makes it: of a tool's call also what its scopes, its approval and
    its arguments say. A server that is not declared is unknown to everyone. No clock: nothing has expired."""
    call = question.call
    if isinstance(call, LlmCall):
        return decide_llm(policy, question.identity, call, question.request, question.exposed)
    server = policy.servers.get(call.server)
    if server is None:
        return Decision(Verdict.DENY, Reason.SERVER_UNKNOWN)
    decision = decide_mcp(policy, question.identity, server, call, question.request, lambda _tool: question.definition)
    if not decision.allowed:
        return decision
    lacking = () if question.recorded else scopes_lacking(server, question.tool, question.identity.claims)
    if lacking:
        said = f"Your token lacks the scope {' '.join(lacking)}. Log in again and grant it."
        return _refused(decision, Reason.INSUFFICIENT_SCOPE, said)
    if not question.tool:
        return decision
    # What a record does not have is not held against it.
    judged = replace(call, arguments={}) if question.recorded else call
    guarded = refusal(server, judged, None if question.recorded else question.definition, 0.0)
    return decision if guarded is None else _refused(decision, guarded.reason, guarded.message)


def _refused(decision: Decision, reason: Reason, message: str) -> Decision:
    """An allowed call that does not go on. Its rule stays the one that allows it, as in the audit."""
    return replace(decision, verdict=Verdict.DENY, reason=reason, message=message, obligations=Obligations())


def from_record(policy: Policy, record: Mapping[str, Any]) -> Asked:
    """A question out of JSON: either {identity, call, request?} as in a policy test, or an audit record with subject,
    groups, tenant, email, issuer, provider, plane, dialect, operation, model, data_class, server, method, name.

    Raises `PolicyError` that names the fields which are wrong. An audit record has no claims, arguments, headers or
    texts: conditions that need them cannot be evaluated again, and say so. The class that was found then is taken as
    what the caller had seen.
    """
    written = record if "call" in record else _recorded(record)
    problems = [
        Problem("record", 0, name, "is missing; give identity and call, or an audit record")
        for name in ("identity", "call")
        if name not in written
    ]
    if problems:
        raise PolicyError(problems)
    try:
        identity = IdentityCase.model_validate(_tuples(written["identity"]))
        call = CallCase.model_validate(_tuples(written["call"]))
        request = RequestCase.model_validate(_tuples(written.get("request") or {}))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise PolicyError([Problem("record", 0, dotted(tuple(e["loc"])), str(e["msg"])) for e in found]) from None
    return replace(asked(policy, identity, call, request), recorded=written is not record)


def _recorded(record: Mapping[str, Any]) -> dict[str, Any]:
    def some(*names: str) -> dict[str, Any]:
        return {name: record[name] for name in names if record.get(name) not in (None, "")}

    plane = record.get("plane") or ("mcp" if record.get("server") else "llm")
    identity = some("subject", "groups", "tenant", "email", "issuer", "provider")
    call = (
        some("server", "method", "name") if plane == "mcp" else some("dialect", "operation", "model", "stream", "tools")
    )
    if plane == "mcp":
        call.setdefault("method", "")
    else:
        if record.get("server_tools"):
            call["serverTools"] = record["server_tools"]
        if record.get("data_class"):
            call["exposed"] = record["data_class"]
        size = record.get("bytes")
        if isinstance(size, dict) and size.get("request"):
            call["size"] = size["request"]
    request = some("path", "source") | ({"provider": provider} if (provider := record.get("asked_provider")) else {})
    return {"identity": identity, "call": {plane: call}, "request": request}


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _tuples(item) for name, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value
