"""Which methods a client's message may have in which era of MCP. What is in neither table is no method of MCP.

Knows nothing of policy: whether somebody may use a method is judged elsewhere.
"""

NOTIFICATIONS = frozenset(
    {
        "notifications/initialized",
        "notifications/cancelled",
        "notifications/progress",
        "notifications/roots/list_changed",
        "notifications/tasks/status",  # of the client's own tasks (2025-11-25)
    }
)
# 2026-07-28 took these away; `tasks/list` and `tasks/result` are not in its extension for tasks.
REMOVED = frozenset(
    {
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "tasks/list",
        "tasks/result",
    }
)
REQUESTS = REMOVED | {
    "server/discover",
    "tools/list",
    "tools/call",
    "prompts/list",
    "prompts/get",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "completion/complete",
    "subscriptions/listen",
    "tasks/get",
    "tasks/update",
    "tasks/cancel",
}


def exists(method: str, era: str) -> bool:
    """Whether clients of this era have the method. Servers of both eras share one URL, so what came later is left to
    them in the handshake era; what is gone in the modern one, though, is gone: it has no defined meaning there."""
    if era == "modern" and method in REMOVED:
        return False
    return method in REQUESTS or method in NOTIFICATIONS
