"""What holds for every test."""

import os

from hypothesis import settings

# Speed is judged in benchmarks, never in timed tests: a busy machine must not fail a property. CI has Hypothesis' own
# profile, which draws the same examples every time.
if "CI" not in os.environ:
    settings.register_profile("untimed", deadline=None)
    settings.load_profile("untimed")
