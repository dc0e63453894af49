"""Headers of a client's that mean something to one vendor only, and therefore do not go to another when a call is
translated: they would switch things on that nobody judged, be refused, or tell one vendor about another's account.

Credentials and whatever tells who the caller is are not the matter here: the session removes these from every request.
"""

from functools import lru_cache

_OPENAI = ("openai-chat", "openai-responses", "openai-completions", "openai-embeddings")
_AZURE = ("azure-openai-chat", "azure-openai-completions", "azure-openai-embeddings")
_GOOGLE = ("gemini", "vertex-gemini", "vertex-claude")
_BEDROCK = ("bedrock-converse", "bedrock-invoke")
# How a vendor's headers begin, and the dialects that vendor speaks.
_FAMILIES: dict[str, tuple[str, ...]] = {
    "openai-": _OPENAI + _AZURE,
    "x-openai-": _OPENAI + _AZURE,
    "x-codex-": _OPENAI + _AZURE,
    "chatgpt-": _OPENAI,
    "azureml-": _AZURE,
    "x-ms-": _AZURE,
    "anthropic-": ("anthropic-messages",),  # elsewhere Claude is asked in the body, or the translation sets the header
    "x-anthropic-": ("anthropic-messages",),
    "x-claude-": ("anthropic-messages",),
    "x-goog-": _GOOGLE,
    "x-gemini-": _GOOGLE,
    "x-vertex-": _GOOGLE,
    "x-amzn-": _BEDROCK,
    "x-amz-": (),  # AWS refuses those that are not signed, and the signature is ours
    "x-stainless-": (),  # about the client's SDK, which speaks another API than the upstream hears
}
# Whose account is meant: the upstream's credential is the gateway's, so the client's choice is not its own.
_ACCOUNTS = frozenset({"openai-organization", "openai-project", "anthropic-workspace-id", "x-goog-user-project"})


@lru_cache(maxsize=1024)
def foreign(name: str, target: str) -> bool:
    """Whether the client's header `name` (in lower case) must not go to an upstream that is spoken to in the dialect
    `target`, for a call that came in another."""
    if name in _ACCOUNTS:
        return True
    return any(name.startswith(family) and target not in spoken for family, spoken in _FAMILIES.items())
