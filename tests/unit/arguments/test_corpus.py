"""The corpus of attacks and harmless look-alikes: every attack is caught, and hardly anything else.

Entries live in tests/corpus/arguments/*.yaml: `check`, `value`, `trick` ("" for harmless), `note`, optional `options`.
"""

from collections import Counter
from pathlib import Path

import pytest
import yaml

from extproc.arguments.checks import CHECKS

FOLDER = Path(__file__).parents[2] / "corpus" / "arguments"
ENTRIES = [
    (file.stem, number, entry)
    for file in sorted(FOLDER.glob("*.yaml"))
    for number, entry in enumerate(yaml.load(file.read_text("utf-8"), yaml.CSafeLoader))
]
ATTACKS = [row for row in ENTRIES if row[2]["trick"]]
NAMES = sorted({entry["check"] for _, _, entry in ENTRIES})
FEWEST = {"path": 110, "url": 90}  # attacks and, separately, harmless entries


def verdict(entry: dict) -> str:
    return CHECKS[entry["check"]](**entry.get("options", {}))(entry["value"])


@pytest.mark.parametrize(
    "entry",
    [pytest.param(entry, id=f"{stem}-{number}-{entry['trick']}") for stem, number, entry in ATTACKS],
)
@pytest.mark.promise("arguments.corpus")
def test_an_attack_is_caught_with_a_sentence_that_does_not_quote_it(entry):
    message = verdict(entry)
    assert message.endswith("."), entry
    assert len(entry["value"]) < 12 or entry["value"] not in message


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.promise("arguments.corpus")
def test_at_most_one_in_a_hundred_harmless_values_is_refused(name, record_property, capsys):
    caught = Counter()
    false: list[str] = []
    for _, _, entry in ENTRIES:
        if entry["check"] == name:
            kind = "attack" if entry["trick"] else "harmless"
            caught[kind] += 1
            refused = verdict(entry)
            caught["caught"] += bool(refused and entry["trick"])
            if refused and not entry["trick"]:
                false.append(entry["value"])
    record_property(name, f"caught {caught['caught']}/{caught['attack']}, false {len(false)}/{caught['harmless']}")
    with capsys.disabled():
        print(
            f"\n{name}: caught {caught['caught']} of {caught['attack']} attacks, "
            f"refused {len(false)} of {caught['harmless']} harmless values"
        )
    assert len(false) * 100 <= caught["harmless"], false
    assert min(caught["attack"], caught["harmless"]) >= FEWEST.get(name, 1)


def test_no_entry_stands_twice_and_each_says_what_it_is():
    seen = Counter((entry["check"], entry["value"], str(entry.get("options"))) for _, _, entry in ENTRIES)
    assert [row for row, count in seen.items() if count > 1] == []
    for _, _, entry in ENTRIES:
        assert set(entry) - {"options"} == {"check", "value", "trick", "note"}, entry
        assert isinstance(entry["value"], str), entry
        assert entry["note"], entry
