"""From one LLM dialect to another: a client speaks its own, the upstream another one, and neither is told.

One file per ordered pair. A pair reads the client's request into a `conversation`, writes that as the upstream's
body, and lets a reader of the upstream's answer drive an `assembly` that writes the client's. What the pairs share
stands in those nouns; pairs never import each other.

Nothing is masked here (the upstream's dialect has masked the answer before it comes), nothing is looked up, and
nothing is lost in silence: what has no equivalent is dropped by name or refused (`loss`).
"""
