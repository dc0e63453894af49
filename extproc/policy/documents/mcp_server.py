"""The declared shape of an MCPServer."""

from pydantic import Field

from extproc.policy.documents.base import DataClassName, Declared
from extproc.policy.documents.credential import Credential
from extproc.policy.documents.oauth import OAuthSpec
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
    oauth: OAuthSpec | None = Field(default=None, description="Makes it a protected resource that clients log in to.")
