"""Everything a first try needs and no company has at hand: an identity provider, an LLM, an MCP server, a policy.

For demonstrations and tests, on loopback. Nothing here is imported by what governs traffic.
"""
