"""The documentation's table of dialects and pairs, made from the tests that passed: `make pairs`.

    GATEREEVE_PAIRS=rows.jsonl pytest tests/envoy/test_envoy_pairs_*.py; python -m tests.envoy.pairs_table rows.jsonl

A feature stands in the table only if a test proved it through the real Envoy, with the vendor's own SDK or (Ollama,
Cohere) its own API on one side and a strict fake of the provider on the other, and no test of it failed.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "pairs.md"

_HEAD = """# Dialects and pairs

Made by `make pairs` from the tests that passed; nothing here is written by hand. Each entry is one or more tests
through the real Envoy: an unchanged SDK on one side, a strict fake of the provider on the other, which checks body,
credential, signature and that no foreign header arrives. What becomes of each field is told in
[translation.md](translation.md).
"""


def table(rows: list[dict[str, object]]) -> str:
    """The page. `rows` have source, target, feature and passed."""
    held: dict[tuple[str, str], dict[str, bool]] = defaultdict(dict)
    for row in rows:
        features = held[str(row["source"]), str(row["target"])]
        feature = str(row["feature"])
        features[feature] = features.get(feature, True) and bool(row["passed"])
    lines = [_HEAD]
    for title, same in (("Served in the client's own API", True), ("Translated", False)):
        pairs = {pair: features for pair, features in held.items() if (pair[0] == pair[1]) is same}
        lines += [f"## {title}", "", "| Client | Provider | Proved |", "|---|---|---|"]
        for (source, target), features in sorted(pairs.items()):
            proved = ", ".join(sorted(name for name, passed in features.items() if passed))
            lines.append(f"| `{source}` | `{target}` | {proved} |")
        lines.append("")
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    rows = [json.loads(line) for line in Path(argv[1]).read_text(encoding="utf-8").splitlines()]
    failed = sorted({f"{r['source']} -> {r['target']}: {r['feature']}" for r in rows if not r["passed"]})
    PAGE.write_text(table(rows), encoding="utf-8")
    print(f"{PAGE}: {len(rows)} rows", *(f"failed: {name}" for name in failed), sep="\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
