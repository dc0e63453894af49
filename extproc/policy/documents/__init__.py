"""The declared shape of every policy document, as people write it. Says nothing about what documents mean together
(`references`), and nothing here is ever on the request path (`compile` makes the runtime).

Strict: an unknown field, a number where a text belongs, a missing field are problems, never guessed around. Field
names are camelCase in YAML, as in Kubernetes. Each field's description is what the reference documentation says.
"""

from extproc.policy.documents.agent_policy import (
    AgentPolicySpec,
    AllowDeny,
    AllowDenyTools,
    DenyOnly,
    Detect,
    McpGrant,
    RoleSpec,
    Subject,
    ToolHints,
)
from extproc.policy.documents.base import (
    API_VERSION,
    DataClassName,
    Declared,
    DialectName,
    Metadata,
    Patterns,
)
from extproc.policy.documents.credential import (
    AwsCredential,
    AzureCredential,
    AzureSecret,
    Credential,
    GcpCredential,
    SecretFrom,
)
from extproc.policy.documents.identity_provider import (
    Algorithm,
    Claims,
    IdentityProviderSpec,
    Keys,
    KeySet,
)
from extproc.policy.documents.llm import (
    FailoverSpec,
    LLMProviderSpec,
    ModelSpec,
    ModelTarget,
    PriceSpec,
)
from extproc.policy.documents.mask_profile import (
    Action,
    MaskLiterals,
    MaskPattern,
    MaskProfileSpec,
    RuleUse,
)
from extproc.policy.documents.mcp_server import MCPServerSpec
from extproc.policy.documents.oauth import (
    ClientSecret,
    Exchange,
    OAuthSpec,
    ToolScopes,
    UserToken,
)

__all__ = [
    "API_VERSION",
    "LATER",
    "SPECS",
    "Action",
    "AgentPolicySpec",
    "Algorithm",
    "AllowDeny",
    "AllowDenyTools",
    "AwsCredential",
    "AzureCredential",
    "AzureSecret",
    "Claims",
    "ClientSecret",
    "Credential",
    "DataClassName",
    "Declared",
    "DenyOnly",
    "Detect",
    "DialectName",
    "Exchange",
    "FailoverSpec",
    "GcpCredential",
    "IdentityProviderSpec",
    "KeySet",
    "Keys",
    "LLMProviderSpec",
    "MCPServerSpec",
    "MaskLiterals",
    "MaskPattern",
    "MaskProfileSpec",
    "McpGrant",
    "Metadata",
    "ModelSpec",
    "ModelTarget",
    "OAuthSpec",
    "Patterns",
    "PriceSpec",
    "RoleSpec",
    "RuleUse",
    "SecretFrom",
    "Subject",
    "ToolHints",
    "ToolScopes",
    "UserToken",
]

SPECS: dict[str, type[Declared]] = {
    "IdentityProvider": IdentityProviderSpec,
    "LLMProvider": LLMProviderSpec,
    "Model": ModelSpec,
    "MCPServer": MCPServerSpec,
    "Role": RoleSpec,
    "AgentPolicy": AgentPolicySpec,
    "MaskProfile": MaskProfileSpec,
}
LATER = {"EgressPolicy": "EgressPolicy is not yet supported; remove the document, egress is not governed by it yet"}
