"""What a decision costs among 1,000 and 10,000 documents, and how long a large folder takes to load.

Run: python -m tests.bench.bench_policy. Microseconds per call, the best of several rounds, interleaved so that both
sizes see the same machine. Every document differs; the caller is selected by the last two of them.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from extproc.exchange.model import LlmCall, McpCall
from extproc.identity.model import Identity
from extproc.policy.decide import decide_llm, decide_mcp, visible
from extproc.policy.load import load
from extproc.policy.runtime import Policy

BUDGET = 15.0  # microseconds per decision
RATIO = 1.2  # 10,000 documents against 1,000
_HEAD = "---\napiVersion: gatereeve.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n"
_REQUEST = {"path": "/v1/chat/completions", "source": "10.0.0.1", "headers": {"user-agent": "bench", "x-team": "a"}}


def documents(count: int) -> str:
    """`count` documents: one in ten a Model, one in ten an MCPServer, the rest AgentPolicies."""
    parts = [_HEAD.format(kind="LLMProvider", name="up") + "  dialects: [openai-chat]\n  url: https://up.example\n"]
    for number in range(count - 1):
        name = f"{number:05d}"
        if number % 10 == 0:
            text = f"  aliases: [alias-{name}]\n  targets: [{{provider: up, model: up-{name}}}]\n"
            parts.append(_HEAD.format(kind="Model", name=f"model-{name}") + text)
        elif number % 10 == 1:
            parts.append(_HEAD.format(kind="MCPServer", name=f"server-{name}") + "  url: https://mcp.example/mcp\n")
        else:
            near = number // 10 * 10
            text = (
                f"  subjects:\n  - groups: [team-{name}]\n"
                f'  models:\n    allow: [model-{near:05d}, "gpt-*"]\n'
                f'  mcp:\n  - server: server-{near + 1:05d}\n    tools: {{allow: ["read_*", find], deny: [drop]}}\n'
            )
            if number % 10 == 9:
                text += '  when: identity.tenant == "acme" && call.stream == false\n'
            parts.append(_HEAD.format(kind="AgentPolicy", name=f"policy-{name}") + text)
    return "".join(parts)


def loaded(count: int) -> tuple[Policy, float]:
    """The policy of `count` documents, and the seconds its loading took."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "policy.yaml").write_text(documents(count))
        begin = time.perf_counter()
        policy = load(folder)
        return policy, time.perf_counter() - begin


def calls(policy: Policy, count: int) -> dict[str, Callable[[], object]]:
    """What is measured, by name. The last policy has a condition, the one before it none."""
    near = (count - 2) // 10 * 10
    plain, conditional = f"team-{near + 8 - 10:05d}", f"team-{near + 9 - 10:05d}"
    model, server = f"alias-{near - 10:05d}", policy.servers[f"server-{near + 1 - 10:05d}"]
    one = Identity("corp", "https://corp.example", "user-1", ("everyone", "staff", plain), "u@acme.example", "acme")
    two = Identity(
        "corp", "https://corp.example", "user-2", ("everyone", "staff", conditional), "u@acme.example", "acme"
    )
    llm = LlmCall("openai-chat", "chat", model)
    tool = McpCall(server.name, "request", "tools/call", "read_note", 1)
    assert decide_llm(policy, one, llm, _REQUEST).allowed
    assert decide_llm(policy, two, llm, _REQUEST).allowed
    assert decide_mcp(policy, one, server, tool, _REQUEST).allowed
    assert not decide_mcp(policy, one, server, McpCall(server.name, "request", "tools/call", "x"), _REQUEST).allowed
    shown = visible(policy, one, server)
    return {
        "LLM call": lambda: decide_llm(policy, one, llm, _REQUEST),
        "LLM call under a condition": lambda: decide_llm(policy, two, llm, _REQUEST),
        "MCP tool call": lambda: decide_mcp(policy, one, server, tool, _REQUEST),
        "one name in a list": lambda: shown("tool", "read_note"),
    }


def figures(rounds: int = 7, times: int = 5_000) -> dict[str, tuple[float, float]]:
    """Microseconds with 1,000 and with 10,000 documents, by name."""
    sizes = {count: calls(loaded(count)[0], count) for count in (1_000, 10_000)}
    best: dict[str, dict[int, float]] = {name: {} for name in sizes[1_000]}
    for _ in range(rounds):
        for name, found in best.items():
            for count, measured in sizes.items():
                call = measured[name]
                begin = time.perf_counter()
                for _ in range(times):
                    call()
                cost = (time.perf_counter() - begin) / times * 1e6
                found[count] = min(found.get(count, cost), cost)
    return {name: (found[1_000], found[10_000]) for name, found in best.items()}


def rows() -> Iterator[tuple[str, float, float | None]]:
    """(name, microseconds, budget) for `make bench`; at 10,000 documents the budget is that of the ratio."""
    for name, (few, many) in figures(5, 2_000).items():
        yield f"{name}, 1,000 documents", few, BUDGET
        yield f"{name}, 10,000 documents", many, min(BUDGET, RATIO * few)


def main() -> None:
    for name, (few, many) in figures().items():
        print(f"{name:<30} 1,000: {few:6.2f} us   10,000: {many:6.2f} us   x {many / few:.2f}")
    for count in (1_000, 5_000):
        print(f"load {count:,} documents: {loaded(count)[1]:.2f} s")


if __name__ == "__main__":
    main()
