"""What must not pass, however the text is cut.

    masker = StreamMasker(rules())        # or rules("card", "email")
    for piece in pieces:
        send(masker.feed(piece))
    send(masker.flush())

For every way of cutting a text, the output is the same as for the whole text, and nothing that is part of a match
leaves early. Rules are compiled once into a `RuleSet` (milliseconds); a `MaskFilter` and its streams are then made per
exchange (a microsecond).

Pure. Knows text, not JSON, SSE or HTTP.
"""

from extproc.errors import RuleError
from extproc.masking.catalogue import rules
from extproc.masking.rule import ACTIONS, Rule, literal_rule
from extproc.masking.ruleset import RuleSet
from extproc.masking.stream import MaskFilter, StreamMasker

__all__ = ["ACTIONS", "MaskFilter", "Rule", "RuleError", "RuleSet", "StreamMasker", "literal_rule", "rules"]
