"""Policy to Envoy: pure functions from a compiled policy and settings to Envoy resources, and their files.

Nothing here talks to Envoy, reads a secret or decides about a request. Upstream secrets never enter these files: the
processor injects them per request.
"""

from extproc.xds.files import write
from extproc.xds.render import render
from extproc.xds.settings import EnvoySettings

__all__ = ["EnvoySettings", "render", "write"]
