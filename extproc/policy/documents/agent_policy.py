"""The declared shape of an AgentPolicy: who may do what."""

from typing import Literal

from pydantic import Field, model_validator

from extproc.policy.documents.base import DataClassName, Declared, Patterns
from extproc.policy.fields import DnsName, Pattern, Text


class Subject(Declared):
    """A kind of caller. All given fields must match; in each, any one value is enough. `*` stands for any text."""

    subjects: Patterns = Field(default=(), description="Subject ids.")
    groups: Patterns = Field(default=(), description="Groups; one of the caller's groups must match.")
    emails: Patterns = Field(default=(), description="E-mail addresses, for example *@example.com.")
    tenants: Patterns = Field(default=(), description="Tenants.")
    providers: tuple[DnsName, ...] = Field(
        default=(), description="IdentityProviders that must have vouched for the caller."
    )
    when: Text | None = Field(default=None, description="A CEL condition over identity.* that must hold as well.")

    @model_validator(mode="after")
    def _says_something(self) -> "Subject":
        if not (self.subjects or self.groups or self.emails or self.tenants or self.providers or self.when):
            raise ValueError('is empty; to mean every verified caller write subjects: ["*"]')
        return self


class AllowDeny(Declared):
    """Names that are allowed and names that are denied; deny wins. `*` stands for any text."""

    allow: Patterns = Field(default=(), description="Allowed names.")
    deny: Patterns = Field(
        default=(), description="Denied names, for everyone this policy selects, whatever others allow."
    )


class ToolHints(Declared):
    """What a tool's own annotations must say, if the server is trusted for them. A tool that says nothing counts as
    MCP has it: not read-only, and destructive."""

    read_only: Literal[True] | None = Field(default=None, description="true: only tools that change nothing.")
    destructive: Literal[False] | None = Field(
        default=None, description="false: only tools that destroy nothing; read-only ones among them."
    )
    open_world: Literal[False] | None = Field(
        default=None, description="false: only tools that reach nothing outside the server's own domain."
    )

    @model_validator(mode="after")
    def _says_something(self) -> "ToolHints":
        if not self.model_fields_set:
            raise ValueError("is empty; write for example readOnly: true")
        return self


class AllowDenyTools(AllowDeny):
    """Tools by name, and of those allowed only the ones whose annotations fit."""

    hints: ToolHints | None = Field(default=None, description="What the annotations of an allowed tool must say.")


class DenyOnly(Declared):
    """Names that are denied."""

    deny: Patterns = Field(default=(), description="Denied names, for example logging/*.")


class McpGrant(Declared):
    """What may be done on one MCP server."""

    server: Pattern = Field(description="Name of an MCPServer; `*` stands for any text.")
    tools: AllowDenyTools = Field(
        default=AllowDenyTools(), description="Tools that may be called; others are hidden from tools/list."
    )
    prompts: AllowDeny = Field(default=AllowDeny(), description="Prompts that may be used.")
    resources: AllowDeny = Field(default=AllowDeny(), description="Resource URIs that may be read.")
    methods: DenyOnly = Field(default=DenyOnly(), description="JSON-RPC methods that may not be used at all.")


class RoleSpec(Declared):
    """What may be done, under a name that AgentPolicies refer to."""

    description: str = Field(default="", description="For readers.")
    models: AllowDeny = Field(default=AllowDeny(), description="Models, by name or alias.")
    mcp: tuple[McpGrant, ...] = Field(default=(), description="MCP servers and what may be done there.")


class Detect(Declared):
    """Requests are searched with the rules of a MaskProfile; a match makes the call's data at least of this class."""

    profile: DnsName = Field(description="Name of a MaskProfile.")
    data_class: DataClassName = Field(description="The class of a call that holds a match.")


class AgentPolicySpec(Declared):
    """Who may do what."""

    mode: Literal["enforce", "observe"] = Field(
        default="enforce",
        description="observe: refuses nothing, records what it would have decided; who is selected by observing "
        "policies only may do everything.",
    )
    subjects: tuple[Subject, ...] = Field(min_length=1, description="Whom it selects: any of these entries.")
    roles: tuple[DnsName, ...] = Field(default=(), description="Roles whose lists are added to this policy's own.")
    models: AllowDeny = Field(default=AllowDeny(), description="Models, by name or alias.")
    mcp: tuple[McpGrant, ...] = Field(default=(), description="MCP servers and what may be done there.")
    when: Text | None = Field(
        default=None,
        description="A CEL condition over identity.*, call.*, request.*; unless it holds, nothing is allowed by this.",
    )
    masking: DnsName | None = Field(default=None, description="The MaskProfile for answers to what this policy allows.")
    data_class: DataClassName | None = Field(
        default=None, description="Class of the data in the LLM calls it allows; default internal."
    )
    detect: tuple[Detect, ...] = Field(default=(), description="What raises the class of a call that holds it.")
    show_model: bool = Field(
        default=False, description="true: the header x-gatereeve-model tells clients which target served the call."
    )
