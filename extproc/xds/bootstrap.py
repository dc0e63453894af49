"""The static part Envoy is started with: who it is, its admin socket, its limits, and where the rest is read from."""

from typing import Any

from extproc.xds.attempts import attempt_clusters
from extproc.xds.names import typed
from extproc.xds.processor import processor_cluster
from extproc.xds.settings import EnvoySettings

CDS = "cds.json"
LDS = "lds.json"


def bootstrap(settings: EnvoySettings) -> dict[str, Any]:
    """The bootstrap document. The admin interface can stop Envoy and show its configuration, hence a Unix socket in a
    private folder, never a port."""

    def watched(name: str) -> dict[str, Any]:
        source = {"path": f"{settings.folder}/{name}", "watched_directory": {"path": settings.folder}}
        return {"resource_api_version": "V3", "path_config_source": source}

    downstream = "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"
    return {
        # Envoy aborts at its first on-demand secret without these two.
        "node": {"id": settings.node, "cluster": settings.node},
        "admin": {"address": {"pipe": {"path": settings.admin_socket, "mode": 0o600}}},
        "layered_runtime": {"layers": [{"name": "admin", "admin_layer": {}}]},
        "overload_manager": {
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": typed(downstream, max_active_downstream_connections=settings.max_connections),
                }
            ]
        },
        "stats_config": {"stats_matcher": {"inclusion_list": {"patterns": [{"prefix": p} for p in _STATS]}}},
        "dynamic_resources": {"cds_config": watched(CDS), "lds_config": watched(LDS)},
        "bootstrap_extensions": [
            {
                "name": "envoy.bootstrap.internal_listener",
                "typed_config": typed("envoy.extensions.bootstrap.internal_listener.v3.InternalListener"),
            }
        ],
        "static_resources": {"clusters": [processor_cluster(settings), *attempt_clusters(settings)]},
    }


# Per-cluster statistics grow with the policy; these are the ones that are read.
_STATS = ("http.gateway.", "listener", "cluster.", "cluster_manager.", "server.", "overload.")
