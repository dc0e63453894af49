"""Text that talks to the model instead of telling it something: found, scored, taken out.

Pure. Knows text alone. What a score leads to (strip, flag, refuse) is the caller's choice.
"""

from extproc.screening.clean import strip
from extproc.screening.judge import screen
from extproc.screening.model import FLAG, REFUSE, Kind, Screened, Signal

__all__ = ["FLAG", "REFUSE", "Kind", "Screened", "Signal", "screen", "strip"]
