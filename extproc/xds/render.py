"""A policy as Envoy resources."""

from typing import Any

from extproc.policy.runtime import Policy
from extproc.xds.attempts import attempt_listeners
from extproc.xds.bootstrap import CDS, LDS, bootstrap
from extproc.xds.listener import listener
from extproc.xds.names import BREAKING
from extproc.xds.settings import EnvoySettings
from extproc.xds.upstream import upstream_cluster

BOOTSTRAP = "bootstrap.json"


def render(policy: Policy, settings: EnvoySettings) -> dict[str, dict[str, Any]]:
    """File name to document. Only `cds.json` depends on the policy. Pure but for asking where the system's trust
    anchors are when neither the policy nor the settings say."""
    clusters = {upstream.cluster: upstream_cluster(upstream, settings) for upstream in policy.upstreams}
    for upstream in policy.shared_upstreams:
        clusters[upstream.cluster + BREAKING] = upstream_cluster(upstream, settings, breaking=True)
    return {
        BOOTSTRAP: bootstrap(settings),
        LDS: {"version_info": "1", "resources": [listener(settings), *attempt_listeners(settings)]},
        CDS: {"version_info": policy.version, "resources": [clusters[name] for name in sorted(clusters)]},
    }
