"""Definitions of MCP tools: their digest, what changed, who signed them, whom they imitate.

Pure. Knows no server and no file.
"""
