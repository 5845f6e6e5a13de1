"""A real control plane on loopback, without containers: built once, then ready in seconds.

    with ControlPlane(build.binaries()) as plane:
        plane.apply(Path("deploy/rbac.yaml"))
        plane.kubeconfig("autoscaler")      # a file that has only what RBAC grants that user

`build` finds or builds the binaries (it is also a command, so it is not imported here), `process` runs them so that none outlives the test run, `certificates` makes
the CA, `api` speaks to the API server, `plane` puts them together.
"""

from .api import Api, ApiError, Json
from .plane import ControlPlane
from .process import Process, free_ports
from .waiting import wait_until

__all__ = ["Api", "ApiError", "ControlPlane", "Json", "Process", "free_ports", "wait_until"]
