"""What the arguments of a tool call may be: checks that canonicalise first, the tool's own schema, caps.

Pure. Knows values and their names, no policy, no server, no message.
"""
