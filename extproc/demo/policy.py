"""The demo's policy, written as the files a user would write, to be read, copied and changed."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from extproc.demo import llm, mcp
from extproc.demo.idp import AUDIENCE


@dataclass(frozen=True, slots=True)
class DemoPorts:
    """Where the three demo servers listen on loopback."""

    llm: int = 10001
    mcp: int = 10002
    idp: int = 10003


# provider to (dialects, url, environment variable, extra lines of the credential, prefix of its models' names)
REAL = {
    "openai": ("[openai-chat, openai-responses]", "https://api.openai.com", "OPENAI_API_KEY", "", "gpt-"),
    "anthropic": (
        "[anthropic-messages]",
        "https://api.anthropic.com",
        "ANTHROPIC_API_KEY",
        "\n    header: x-api-key\n    format: '{}'",
        "claude-",
    ),
}

_IDENTITY = """\
# Whose tokens are believed. Replace it by your company's identity provider.
apiVersion: gatereeve.dev/v1alpha1
kind: IdentityProvider
metadata: {{name: demo}}
spec:
  issuer: http://127.0.0.1:{idp}
  audiences: [{audience}]
  keys: {{discovery: true}}
  algorithms: [ES256]
  refetchInterval: 1s
"""

_PROVIDER = """\
---
apiVersion: gatereeve.dev/v1alpha1
kind: LLMProvider
metadata: {{name: {name}}}
spec:
  dialects: {dialects}
  url: {url}
  credential:
    from: {source}{extra}
"""

_MODEL = """\
---
apiVersion: gatereeve.dev/v1alpha1
kind: Model
metadata: {{name: {name}}}
spec:
  targets:
    - {target}
"""

_MCP = """\
# An MCP server, at /mcp/demo.
apiVersion: gatereeve.dev/v1alpha1
kind: MCPServer
metadata: {{name: demo}}
spec:
  url: http://127.0.0.1:{mcp}/mcp
  credential:
    from: {{value: {key}}}
"""

_AGENTS = """\
# Who may do what. What no policy allows is denied: nobody may call delete_note.
apiVersion: gatereeve.dev/v1alpha1
kind: AgentPolicy
metadata: {name: engineering}
spec:
  subjects:
    - groups: [engineering]
  models:
    allow: [gpt-4, gpt-4o-mini, claude-sonnet]
  mcp:
    - server: demo
      tools: {allow: [read_note, find_customer]}
      prompts: {allow: ["*"]}
      resources: {allow: ["*"]}
  masking: default
---
apiVersion: gatereeve.dev/v1alpha1
kind: AgentPolicy
metadata: {name: interns}
spec:
  subjects:
    - groups: [interns]
  models:
    allow: [gpt-4o-mini]
  mcp:
    - server: demo
      tools: {allow: [read_note]}
  masking: default
"""

_MASKING = """\
# What is masked in answers: every built-in rule.
apiVersion: gatereeve.dev/v1alpha1
kind: MaskProfile
metadata: {name: default}
spec:
  rules: ["*"]
"""

# client's name: name at the demo LLM, name at the real provider
_MODELS = {
    "gpt-4": ("demo-large", "gpt-4.1"),
    "gpt-4o-mini": ("gpt-4o-mini", "gpt-4o-mini"),
    "claude-sonnet": ("claude-sonnet", "claude-sonnet-4-5"),
}


def documents(ports: DemoPorts, providers: Sequence[str] = ()) -> dict[str, str]:
    """File name to YAML. Each of `providers` ("openai", "anthropic") serves its own family of models from the real
    host, with the key from its usual environment variable; the rest stays with the demo LLM. KeyError for others."""
    served = _PROVIDER.format(
        name="demo",
        dialects="[openai-chat, openai-responses, anthropic-messages]",
        url=f"http://127.0.0.1:{ports.llm}",
        source=f"{{value: {llm.KEY}}}",
        extra="\n    header: authorization\n    format: Bearer {}",
    )
    real: dict[str, str] = {}  # family of models to the provider that serves it
    for provider in providers:
        dialects, url, variable, extra, family = REAL[provider]
        real[family] = provider
        served += _PROVIDER.format(
            name=provider, dialects=dialects, url=url, source=f"{{env: {variable}}}", extra=extra
        )
    models = ""
    for name, (at_demo, at_real) in _MODELS.items():
        provider = next((real[family] for family in real if name.startswith(family)), "")
        model = at_real if provider else at_demo
        target = f"{{provider: {provider or 'demo'}" + ("}" if model == name else f", model: {model}}}")
        models += _MODEL.format(name=name, target=target)
    return {
        "identity.yaml": _IDENTITY.format(idp=ports.idp, audience=AUDIENCE),
        "models.yaml": "# Who serves models, and the names clients ask for.\n" + served + models,
        "mcp.yaml": _MCP.format(mcp=ports.mcp, key=mcp.KEY),
        "agents.yaml": _AGENTS,
        "masking.yaml": _MASKING,
    }


def write_policy(folder: Path, ports: DemoPorts, providers: Sequence[str] | str = ()) -> list[Path]:
    """Writes the documents into `folder` (made when missing, 0700). A file that was edited since an earlier start is
    kept as it is, and so are other files in it. `providers` is one name or several. Returns the paths written."""
    names = providers.split() if isinstance(providers, str) else providers
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    memory = folder / _WRITTEN
    before = json.loads(memory.read_text()) if memory.exists() else {}
    written, now = [], {}
    for name, text in documents(ports, names).items():
        path = folder / name
        if path.exists() and name in before and _digest(path.read_text(encoding="utf-8")) != before[name]:
            now[name] = before[name]
            continue
        path.write_text(text, encoding="utf-8")
        now[name] = _digest(text)
        written.append(path)
    memory.write_text(json.dumps(now))
    return written


_WRITTEN = ".written.json"  # what we wrote last, so that what a person changed is known and kept


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
