"""One control plane: a fresh etcd, the API server with RBAC and tokens, the scheduler and the controller-manager."""

import base64
import json
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import urllib3

from .api import Api, Json
from .certificates import make_certificates
from .process import Process, free_ports

ADMIN, SCHEDULER = "admin", "system:kube-scheduler"
_CONTROLLER_MANAGER = "controller-manager"

# What tests need, and not the rest, which costs CPU on every start. Add to it when a test needs more.
CONTROLLERS = (
    "daemonset-controller",
    "deployment-controller",
    "disruption-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "job-controller",
    "namespace-controller",
    "node-lifecycle-controller",
    "pod-garbage-collector-controller",
    "replicaset-controller",
    "statefulset-controller",
    "taint-eviction-controller",
)


class ControlPlane:
    """A context manager; everything that it starts and writes is gone when it ends.

    `users` maps each further user to its groups; they may do what RBAC grants them, and `autoscaler` is always there.
    `node_grace_s` is how long a node may be silent before the node controller calls it unreachable; a day by default,
    so that nobody has to send heartbeats. `keep` keeps the folder with logs and data for a look afterwards.
    """

    def __init__(
        self,
        binaries: Path,
        *,
        users: Mapping[str, Sequence[str]] | None = None,
        scheduler: bool = True,
        controller_manager: bool = True,
        controllers: Sequence[str] = CONTROLLERS,
        node_grace_s: int = 86_400,
        keep: bool = False,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="control-plane-"))
        self._binaries = binaries
        self._keep = keep
        self._with_scheduler, self._with_controller_manager = scheduler, controller_manager
        self._controllers, self._node_grace_s = controllers, node_grace_s
        self._groups: dict[str, tuple[str, ...]] = {"autoscaler": ()}
        self._groups |= {user: tuple(groups) for user, groups in (users or {}).items()}
        self._groups |= {ADMIN: ("system:masters",), SCHEDULER: (), _CONTROLLER_MANAGER: ("system:masters",)}
        self._tokens = {user: secrets.token_hex(16) for user in self._groups}
        self._etcd_port, self._etcd_peer_port, self._port, *self._other_ports = free_ports(5)
        self.url = f"https://127.0.0.1:{self._port}"
        self._certificates = make_certificates(self.folder)
        self.ca = self._certificates.ca
        self._processes: dict[str, Process] = {}
        self._apis: dict[str, Api] = {}

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is not None:
            error.add_note(self.logs())
        self._stop()

    def token(self, user: str = ADMIN) -> str:
        """Give the bearer token of a user."""
        return self._tokens[user]

    def kubeconfig(self, user: str = ADMIN) -> Path:
        """Give a kubeconfig file, complete in itself, with which its holder is that user."""
        path = self.folder / f"{user.replace(':', '-')}.kubeconfig"
        if not path.exists():
            authority = base64.b64encode(self.ca.read_bytes()).decode()
            config = {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [
                    {"name": "test", "cluster": {"server": self.url, "certificate-authority-data": authority}}
                ],
                "users": [{"name": user, "user": {"token": self._tokens[user]}}],
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
                "current-context": "test",
            }
            path.write_text(json.dumps(config))  # JSON is YAML
        return path

    def api(self, user: str = ADMIN) -> Api:
        """Give the client that speaks as that user."""
        if user not in self._apis:
            self._apis[user] = Api(self.url, ca=self.ca, token=self._tokens[user])
        return self._apis[user]

    def apply(self, manifest: Path | str | Json) -> list[Json]:
        """Create or update the objects of a manifest (a file, YAML text or one object) as the admin."""
        return self.api().apply(manifest)

    def grant(self, cluster_role: str, *, user: str = "autoscaler") -> None:
        """Bind a user to a ClusterRole in the whole cluster."""
        self.apply(
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": f"{user}-{cluster_role}"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": cluster_role},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
            }
        )

    def start_apiserver(self) -> None:
        """Start the API server and wait until it is ready; same address, tokens and data as before."""
        self._run("kube-apiserver", self._apiserver_flags())
        self._wait("kube-apiserver", lambda: _answers(f"{self.url}/readyz", self.ca, self._tokens[ADMIN]))

    def stop_apiserver(self) -> None:
        """End the API server as a crash would; etcd keeps the data and the others keep trying."""
        self._processes.pop("kube-apiserver").kill()

    def logs(self, lines: int = 15) -> str:
        """Give the end of every component's log."""
        return "\n".join(process.tail(lines) for process in self._processes.values())

    def _start(self) -> None:
        etcd = f"http://127.0.0.1:{self._etcd_port}"
        peer = f"http://127.0.0.1:{self._etcd_peer_port}"
        flags = ["--unsafe-no-fsync", f"--data-dir={self.folder / 'etcd'}", "--name=test", "--log-level=warn"]
        flags += [f"--listen-client-urls={etcd}", f"--advertise-client-urls={etcd}", f"--listen-peer-urls={peer}"]
        flags += [f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=test={peer}"]
        self._run("etcd", flags)
        self._wait("etcd", lambda: _answers(f"{etcd}/health"))
        lines = [f'{self._tokens[u]},{u},{u},"{",".join(groups)}"\n' for u, groups in self._groups.items()]
        (self.folder / "tokens.csv").write_text("".join(lines))
        self.start_apiserver()
        started = []
        if self._with_scheduler:
            started.append(("kube-scheduler", self._other_ports[0]))
            self._run("kube-scheduler", self._client_flags(SCHEDULER, self._other_ports[0]))
        if self._with_controller_manager:
            started.append(("kube-controller-manager", self._other_ports[1]))
            self._run("kube-controller-manager", self._controller_manager_flags(self._other_ports[1]))
        for name, port in started:
            self._wait(name, partial(_answers, f"https://127.0.0.1:{port}/healthz", self.ca))

    def _apiserver_flags(self) -> list[str]:
        # The admission plugin marks every new node not-ready, which the node controller takes back: both or none.
        off = "ServiceAccount" if self._with_controller_manager else "ServiceAccount,TaintNodesByCondition"
        return [
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self._port}",
            f"--tls-cert-file={self._certificates.server}",
            f"--tls-private-key-file={self._certificates.server_key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self._certificates.service_account_key}",
            f"--service-account-signing-key-file={self._certificates.service_account_key}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/24",
            f"--disable-admission-plugins={off}",
            "--endpoint-reconciler-type=none",
            "--allow-privileged",
            "--profiling=false",
        ]

    def _controller_manager_flags(self, port: int) -> list[str]:
        return [
            *self._client_flags(_CONTROLLER_MANAGER, port),
            f"--controllers={','.join(self._controllers)}",
            f"--node-monitor-grace-period={self._node_grace_s}s",
            "--concurrent-gc-syncs=5",
        ]

    def _client_flags(self, user: str, port: int) -> list[str]:
        return [
            f"--kubeconfig={self.kubeconfig(user)}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--tls-cert-file={self._certificates.server}",
            f"--tls-private-key-file={self._certificates.server_key}",
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
            "--profiling=false",
        ]

    def _run(self, name: str, flags: Sequence[str]) -> None:
        log = self.folder / f"{name}.log"
        self._processes[name] = Process(name, [self._binaries / name, *flags], log=log)

    def _wait(self, name: str, ready: Callable[[], bool], *, within_s: float = 60.0) -> None:
        deadline = time.monotonic() + within_s
        while not ready():
            self._processes[name].check_alive()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} is not ready after {within_s:g} s; {self._processes[name].tail()}")
            time.sleep(0.05)

    def _stop(self) -> None:
        for api in self._apis.values():
            api.close()
        for process in reversed(self._processes.values()):
            process.kill()
        if not self._keep:
            shutil.rmtree(self.folder, ignore_errors=True)


def _answers(url: str, ca: Path | None = None, token: str | None = None) -> bool:
    """Say whether a health address answers 200."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with urllib3.PoolManager(ca_certs=str(ca) if ca else None, retries=False, timeout=2.0) as pool:
        try:
            return pool.request("GET", url, headers=headers).status == 200
        except urllib3.exceptions.HTTPError:
            return False
