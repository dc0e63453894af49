"""Gatereeve: one policy for what AI agents send to LLM providers and MCP servers.

Data flows one way: wire, session, exchange, policy (and masking), mutation. Each folder says in its
``__init__`` what it does and what it never does; `lint-imports` holds it to that.
"""

__version__ = "0.1.0"
