"""Where an LLMProvider's URL leads."""

from pathlib import Path

import pytest

from extproc.policy.load import load

DOCUMENT = """\
apiVersion: gatereeve.dev/v1alpha1
kind: LLMProvider
metadata: {{name: one}}
spec: {{dialects: [openai-chat], url: '{url}'}}
"""


@pytest.mark.parametrize(
    ("url", "path"),
    [
        pytest.param("https://a.example", "", id="an origin"),
        pytest.param("https://a.example/", "", id="an origin with a slash"),
        pytest.param("https://a.example/v1", "", id="a base URL as SDKs have it"),
        pytest.param("https://a.example/v1/", "", id="the same with a slash"),
        pytest.param("https://a.example/openai/v1", "/openai", id="a prefix before it"),
        pytest.param("https://a.example/proxy", "/proxy", id="a prefix alone"),
        pytest.param("https://a.example/av1", "/av1", id="a name that ends alike"),
    ],
)
def test_the_apis_own_path_is_said_once(tmp_path: Path, url: str, path: str):
    (tmp_path / "p.yaml").write_text(DOCUMENT.format(url=url))
    assert load([tmp_path]).providers["one"].upstream.path == path
