"""The declared shape of an MCPServer."""

from typing import Literal

from pydantic import Field, model_validator

from extproc.policy.documents.base import DataClassName, Declared
from extproc.policy.documents.credential import Credential
from extproc.policy.documents.oauth import OAuthSpec
from extproc.policy.documents.tool_rules import (
    ArgumentsSpec,
    ManifestSpec,
    PinsSpec,
    ResultsSpec,
    ScreeningSpec,
    ToolSpec,
)
from extproc.policy.fields import Duration, HostName, Text, Url


class MCPServerSpec(Declared):
    """An MCP server behind the gateway, at /mcp/<name> and at its hosts."""

    url: Url = Field(description="Its Streamable HTTP endpoint.")
    hosts: tuple[HostName, ...] = Field(default=(), description="Host names of the gateway that mean this server.")
    trusted: bool = Field(
        default=False, description="true: its tools' annotations (readOnlyHint and the like) are believed."
    )
    data_class: DataClassName | None = Field(
        default=None, description="Class of the data it gives out: LLM calls of who has used it count as at least that."
    )
    remember_for: Duration = Field(default="1h", description="How long such use counts.")
    ca_file: Text | None = Field(
        default=None, description="Trust anchors for TLS (PEM), relative to the document's folder."
    )
    credential: Credential | None = Field(
        default=None, description="What the gateway authenticates with; none sends nothing."
    )
    arguments: ArgumentsSpec = Field(default=ArgumentsSpec(), description="What arguments of calls are held against.")
    tools: tuple[ToolSpec, ...] = Field(default=(), description="What is different for some of its tools.")
    pins: PinsSpec | None = Field(default=None, description="Approved definitions of its tools.")
    manifest: ManifestSpec | None = Field(default=None, description="A signed list of its tools.")
    screening: ScreeningSpec = Field(default=ScreeningSpec(), description="Screening of what it says.")
    results: ResultsSpec = Field(default=ResultsSpec(), description="How much a result may be.")
    may_ask: tuple[Literal["sampling", "elicitation", "roots"], ...] = Field(
        default=("sampling", "elicitation", "roots"),
        description="What the server may ask of clients. It is told that they can do nothing else.",
    )
    record_arguments: bool = Field(
        default=True, description="false: the audit does not tell the arguments of calls, not even masked."
    )
    oauth: OAuthSpec | None = Field(default=None, description="Makes it a protected resource that clients log in to.")

    @model_validator(mode="after")
    def _one_list(self) -> "MCPServerSpec":
        if self.pins is not None and self.manifest is not None:
            raise ValueError("has pins and manifest; keep one of them, since both say which tools are approved")
        return self
