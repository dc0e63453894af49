"""Streams are translated as they come: what an event says is told when the event is there, not later."""

import base64
import json
import re

import pytest

from tests.property.test_translation_every_cut import STREAMS, TRANSLATED, events, reply

FIRST, SECOND = "H\u00e4", 'l"lo\n\U0001f511'


def says(frame: bytes, text: str) -> bool:
    """Whether a frame of any API carries this text."""
    inner = re.search(rb'"bytes": ?"([^"]+)"', frame)
    body = base64.b64decode(inner[1]) if inner else frame
    return any(
        json.dumps(text, ensure_ascii=plain).strip('"').encode() in body for plain in (True, False)
    )  # fmt: skip


@pytest.mark.parametrize("pair", TRANSLATED, ids="-to-".join)
@pytest.mark.promise("translation.flows")
def test_each_text_is_told_with_the_event_that_brought_it(pair):
    before, _, _ = STREAMS[pair[1]]()
    running = reply(pair)
    wanted = [FIRST, SECOND]
    for frame in before:
        told = json.dumps(events(running.feed(frame)))
        if wanted and says(frame, wanted[0]):
            assert json.dumps(wanted.pop(0)).strip('"') in told
        for later in wanted:
            assert json.dumps(later).strip('"') not in told
    assert wanted == [], "both were there to be told"
