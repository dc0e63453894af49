"""Tokens that carry their issuer's prefix, and JWTs. None of the examples has ever been a working token."""

from extproc.masking.rule import Rule

_36 = "abcdefghijklmnopqrstuvwxyz0123456789"


def rules() -> tuple[Rule, ...]:
    return (
        Rule(
            "jwt",
            "JSON web tokens, signed or encrypted: header and payload decide, the rest is swallowed",
            # A header with certificates (x5c) is longer than can wait: as long a run as this is taken without its dot.
            "\\bey[JI][A-Za-z0-9_-]{8,511}\\.[A-Za-z0-9_-]{4}|\\bey[JI][A-Za-z0-9_-]{512}",
            tail="[A-Za-z0-9_.-]",
            positives=(
                "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
                "eyJ4NWMiOlsi" + "TUlJ" * 500 + "Il19.eyJzdWIiOiIxIn0.c2ln",
                "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
                "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UifQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            ),
            negatives=("eyJust a word", "eyJhbGciOiJIUzI1NiJ9 alone"),
        ),
        Rule(
            "github-token",
            "GitHub tokens: classic, OAuth, app, refresh, fine-grained",
            "\\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22})",
            tail="[A-Za-z0-9_]",
            positives=(f"ghp_{_36}", f"token ghs_{_36}.", "github_pat_11ABCDEFG0abcdefghijkl_" + "x" * 59),
            negatives=("ghp_short", f"xghp_{_36}", "github_pat_short"),
        ),
        Rule(
            "slack-token",
            "Slack tokens and incoming webhooks",
            "\\bxox(?:[abeprs]|o-\\d)(?:\\.xox[bp])?-[A-Za-z0-9-]{10}|\\bxapp-\\d-[A-Za-z0-9-]{10}"
            "|https://hooks\\.slack\\.com/(?:services|workflows|triggers)/[A-Za-z0-9/]{10}",
            tail="[A-Za-z0-9/-]",
            positives=(
                "xoxb-123456789012-abcdefghij",
                "xapp-1-A012345-0123456789-abcdef",
                "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXX",
                "xoxe.xoxp-1-Mi0yLTEyMzQ1Njc4OTA",
            ),
            negatives=("xoxb-short", "https://hooks.slack.com/docs", "xoxo-hugs-and-kisses"),
        ),
        Rule(
            "anthropic-key",
            "Anthropic API and OAuth keys",
            "\\bsk-ant-[A-Za-z0-9_-]{16,}",
            tail="[A-Za-z0-9_-]",
            positives=("sk-ant-api03-abcdefghijklmnopqrstuvwxyz", "sk-ant-oat01-abcdefghijklmnop"),
            negatives=("sk-ant-api03", "risk-ant-api03-abcdefghijklmnopqrst"),
        ),
        Rule(
            "openai-key",
            "OpenAI API keys (user, project, service account, admin)",
            "\\bsk-(?:(?:proj|svcacct|admin|None)-)?[A-Za-z0-9_]{20}|\\bsk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{20}",
            tail="[A-Za-z0-9_-]",
            positives=(
                "sk-abcdefghijklmnopqrstT3BlbkFJabcdefghijklmnopqrst",
                "sk-proj-abc_def-ghijklmnopqrstuvwxyz0123456789",
                "sk-svcacct-abcdefghijklmnopqrstuvwxyz",
            ),
            negatives=("sk-short", "task-abcdefghijklmnopqrstuvwxyz", "sk-learn-is-a-python-package"),
        ),
    )
