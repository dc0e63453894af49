"""Anthropic's betas (its header anthropic-beta) where Claude runs on another vendor's platform.

Bedrock and Vertex answer 400 to every beta that they do not know, and clients of Anthropic's own API send such ones
with every request. So only those are passed on that Bedrock is publicly reported to take; some models take fewer, which
is theirs to say. The rest is dropped by name.
"""

from extproc.exchange.translation.loss import Loss

HEADER = "anthropic-beta"
_TAKEN = frozenset(
    {
        "compact-2026-01-12",
        "computer-use-2024-10-22",
        "computer-use-2025-01-24",
        "computer-use-2025-11-24",
        "context-1m-2025-08-07",
        "context-management-2025-06-27",
        "dev-full-thinking-2025-05-14",
        "effort-2025-11-24",
        "interleaved-thinking-2025-05-14",
        "output-128k-2025-02-19",
        "token-efficient-tools-2025-02-19",
        "tool-examples-2025-10-29",
        "tool-search-tool-2025-10-19",
    }
)


def taken(betas: tuple[str, ...], loss: Loss) -> list[str]:
    """Those of `betas` that other platforms know, each once and in order."""
    found = [beta for beta in dict.fromkeys(betas) if beta in _TAKEN]
    for beta in betas:
        if beta not in _TAKEN:
            loss.drop(f"{HEADER}={beta}")
    return found


def dropped(betas: tuple[str, ...], loss: Loss) -> None:
    """For upstreams that are not Claude."""
    if betas:
        loss.drop(HEADER)
