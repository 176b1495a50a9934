"""The rest that clients of jobs touch: clusters, workspace objects, permissions, the current user."""

from typing import Any

from starlette.requests import Request

from sandbox.servers.databricks.clusters import Cluster
from sandbox.servers.databricks.errors import ApiError, invalid
from sandbox.servers.databricks.model import now_ms
from sandbox.servers.databricks.requests import arguments, services
from sandbox.servers.databricks.views import CREATOR
from sandbox.servers.databricks.workspace import normal

Answer = dict[str, Any]
SPARK_VERSIONS = [{"key": "18.x-scala2.13", "name": "18 LTS (includes Apache Spark 4.1, Scala 2.13)"}]


def cluster_json(cluster: Cluster) -> Answer:
    return {
        **cluster.spec,
        "cluster_id": cluster.cluster_id,
        "cluster_name": cluster.name,
        "cluster_source": "JOB",
        "creator_user_name": CREATOR,
        "state": cluster.state,
        "state_message": cluster.message,
        "start_time": cluster.start_time,
    }


def find_cluster(request: Request, given: Answer) -> Cluster:
    return services(request).clusters.find({"existing_cluster_id": given.get("cluster_id") or "(none given)"})


async def spark_versions(request: Request) -> Answer:  # noqa: ARG001 - every endpoint has this shape
    return {"versions": SPARK_VERSIONS}


async def get_cluster(request: Request) -> Answer:
    return cluster_json(find_cluster(request, await arguments(request)))


async def list_clusters(request: Request) -> Answer:
    return {"clusters": [cluster_json(cluster) for cluster in services(request).clusters.by_id.values()]}


async def start_cluster(request: Request) -> Answer:
    cluster = find_cluster(request, await arguments(request))
    await services(request).clusters.driver_of(cluster)
    return {}


async def delete_cluster(request: Request) -> Answer:
    """Terminate a cluster; what runs on it fails, as on the service."""
    cluster = find_cluster(request, await arguments(request))
    await services(request).clusters.terminate(cluster, "it was terminated by a user")
    return {}


async def restart_cluster(request: Request) -> Answer:
    await delete_cluster(request)
    return await start_cluster(request)


async def warm_cluster(request: Request) -> Answer:
    """The sandbox's own: start a cluster and its SparkSession before anybody waits for it."""
    given = await arguments(request)
    if not given.get("new_cluster"):
        raise invalid("Missing required field: new_cluster")
    cluster = await services(request).clusters.warm(given["new_cluster"])
    return {"cluster_id": cluster.cluster_id}


def workspace_object(request: Request, path: str) -> Answer:
    workspace = services(request).config.workspace
    file = workspace.locate(path)
    if file is None:
        raise ApiError("RESOURCE_DOES_NOT_EXIST", f"Path ({path}) doesn't exist.")
    kind = workspace.object_type(file)
    shown: Answer = {"path": workspace.path_of(file), "object_type": kind, "object_id": file.stat().st_ino}
    shown |= {"resource_id": str(shown["object_id"]), "modified_at": file.stat().st_mtime_ns // 1_000_000}
    return shown | ({"language": "PYTHON", "created_at": now_ms()} if kind == "NOTEBOOK" else {})


async def get_status(request: Request) -> Answer:
    given = await arguments(request)
    return workspace_object(request, str(given.get("path") or "/"))


async def list_workspace(request: Request) -> Answer:
    given = await arguments(request)
    path = str(given.get("path") or "/")
    workspace = services(request).config.workspace
    folder = workspace.locate(path)
    if folder is None:
        workspace_object(request, path)
    if folder is None or not folder.is_dir():
        return {"objects": [workspace_object(request, path)]}
    names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith((".", "__")))
    return {"objects": [workspace_object(request, f"{normal(path)}/{name}") for name in names]}


async def permissions(request: Request) -> Answer:
    """Refuse permissions: the sandbox has one user, who may do everything."""
    raise invalid(f"The sandbox serves no permissions: {request.url.path} would have no effect.")


async def me(request: Request) -> Answer:  # noqa: ARG001 - every endpoint has this shape
    return {"id": "1", "userName": CREATOR, "displayName": "sandbox", "active": True}


ROUTES = {
    ("GET", "clusters/spark-versions"): spark_versions,
    ("GET", "clusters/get"): get_cluster,
    ("GET", "clusters/list"): list_clusters,
    ("POST", "clusters/start"): start_cluster,
    ("POST", "clusters/restart"): restart_cluster,
    ("POST", "clusters/delete"): delete_cluster,
    ("POST", "sandbox/clusters/warm"): warm_cluster,
    ("GET", "workspace/get-status"): get_status,
    ("GET", "workspace/list"): list_workspace,
    ("GET", "permissions/jobs/{job_id:int}"): permissions,
    ("PATCH", "permissions/jobs/{job_id:int}"): permissions,
    ("PUT", "permissions/jobs/{job_id:int}"): permissions,
    ("GET", "preview/scim/v2/Me"): me,
}
