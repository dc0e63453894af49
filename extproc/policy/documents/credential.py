"""The declared shape of what the gateway authenticates with at an upstream."""

from pydantic import Field, model_validator

from extproc.policy.documents.base import Declared, one_of
from extproc.policy.documents.oauth import Exchange, UserToken
from extproc.policy.fields import DnsName, HeaderFormat, HeaderName, Text, Url


class SecretFrom(Declared):
    """Where a secret is read from: exactly one of the fields."""

    file: Text | None = Field(
        default=None, description="A file, relative to the document's folder; re-read when it changes."
    )
    env: Text | None = Field(default=None, description="An environment variable of the gateway.")
    value: Text | None = Field(default=None, repr=False, description="The secret itself; for demonstrations only.")

    @model_validator(mode="after")
    def _exactly_one(self) -> "SecretFrom":
        one_of(self, ("file", "env", "value"))
        return self


class AwsCredential(Declared):
    """Requests are signed with AWS keys (Signature Version 4). Needs gatereeve[aws]."""

    region: DnsName | None = Field(default=None, description="Region to sign for; default: the one in the host.")
    service: DnsName | None = Field(default=None, description="Name to sign for; default: by the host, else bedrock.")
    profile: Text | None = Field(default=None, description="Section of the shared AWS files.")
    instance: bool = Field(default=False, description="true: the role of the machine may be used as well.")


class GcpCredential(Declared):
    """Google's access tokens. Needs gatereeve[gcp]."""

    file: Text | None = Field(
        default=None,
        description="Service-account key or workload identity configuration (JSON), relative to the document's folder; "
        "default: the one that GOOGLE_APPLICATION_CREDENTIALS names.",
    )
    instance: bool = Field(default=False, description="true: ask the metadata server instead.")
    scope: Text = Field(
        default="https://www.googleapis.com/auth/cloud-platform", description="The scope that is asked for."
    )

    @model_validator(mode="after")
    def _one_source(self) -> "GcpCredential":
        if self.instance and self.file is not None:
            raise ValueError("has file and instance; keep one of them")
        return self


class AzureSecret(Declared):
    """Where the secret of an application is read from: exactly one of the fields."""

    file: Text | None = Field(default=None, description="A file, relative to the document's folder.")
    env: Text | None = Field(default=None, description="An environment variable of the gateway.")

    @model_validator(mode="after")
    def _exactly_one(self) -> "AzureSecret":
        one_of(self, ("file", "env"))
        return self


class AzureCredential(Declared):
    """Entra ID's access tokens: exactly one of secret, tokenFile and instance."""

    tenant: Text | None = Field(
        default=None, description="Tenant id; default with tokenFile: AZURE_TENANT_ID of the gateway."
    )
    client_id: Text | None = Field(
        default=None,
        description="The application's id, or that of a managed identity; default with tokenFile: AZURE_CLIENT_ID.",
    )
    secret: AzureSecret | None = Field(default=None, description="The application's secret.")
    token_file: Text | None = Field(
        default=None, description="A federated token (workload identity), relative to the document's folder."
    )
    instance: bool = Field(default=False, description="true: the managed identity of the machine.")
    scope: Text = Field(
        default="https://cognitiveservices.azure.com/.default", description="The scope that is asked for."
    )
    authority: Url = Field(default="https://login.microsoftonline.com", description="Where tokens are asked for.")

    @model_validator(mode="after")
    def _one_source(self) -> "AzureCredential":
        given = [
            n for n, v in (("secret", self.secret), ("tokenFile", self.token_file), ("instance", self.instance)) if v
        ]
        if len(given) != 1:
            raise ValueError(
                f"has {' and '.join(given)}; keep exactly one of secret, tokenFile, instance"
                if given
                else "says not how; give one of secret, tokenFile, instance"
            )
        if self.secret is not None and (self.tenant is None or self.client_id is None):
            raise ValueError("needs tenant and clientId with secret")
        return self


class Credential(Declared):
    """What the gateway authenticates with at an upstream, in the client's place: one of from, aws, gcp, azure, or for
    each caller of an MCPServer userToken or exchange."""

    header: HeaderName | None = Field(
        default=None,
        description="Header that carries it; default authorization, or the own header of the one API that is spoken.",
    )
    format: HeaderFormat | None = Field(
        default=None,
        description="The header's value, {} for the secret; default 'Bearer {}' for authorization, else '{}'.",
    )
    source: SecretFrom | None = Field(default=None, alias="from", description="Where the secret is read from.")
    aws: AwsCredential | None = Field(default=None, description="Sign with AWS keys.")
    gcp: GcpCredential | None = Field(default=None, description="Google's access tokens.")
    azure: AzureCredential | None = Field(default=None, description="Entra ID's access tokens.")
    user_token: UserToken | None = Field(default=None, description="A stored token of each caller's own.")
    exchange: Exchange | None = Field(default=None, description="The caller's token, exchanged for another.")

    @property
    def of_caller(self) -> str:
        """The field that makes it another for each caller, "" if none does."""
        return "userToken" if self.user_token is not None else "exchange" if self.exchange is not None else ""

    @model_validator(mode="after")
    def _exactly_one(self) -> "Credential":
        given = [
            name
            for name, part in (
                ("from", self.source),
                ("aws", self.aws),
                ("gcp", self.gcp),
                ("azure", self.azure),
                ("userToken", self.user_token),
                ("exchange", self.exchange),
            )
            if part is not None
        ]
        if len(given) != 1:
            raise ValueError(
                f"has {' and '.join(given)}; keep exactly one of from, aws, gcp, azure, userToken, exchange"
                if given
                else "says not where from; give one of from, aws, gcp, azure, userToken, exchange"
            )
        if self.source is None and self.user_token is None and (self.header is not None or self.format is not None):
            raise ValueError(f"has header or format, which are for `from`; {given[0]} has its own; remove them")
        return self
