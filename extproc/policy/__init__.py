"""Who may do what: declared documents, the frozen runtime they compile to, and `decide`.

Pure: the only I/O is reading a policy folder (`load`), and that happens off the request path. A reload makes a whole
new `Policy`; an exchange keeps the one it began with.
"""
