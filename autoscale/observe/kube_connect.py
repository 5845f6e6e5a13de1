"""Finding the cluster and signing in to it, with the `kubernetes` package's own rules: kubeconfig, exec plugins, pods."""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3
import yaml

from autoscale.errors import ClusterError, Unreachable
from autoscale.observe.kube_http import Http

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECTIONS = 32  # three watches, and the actuator's writes side by side
_DEFAULT = "~/.kube/config"


def connect(kubeconfig: str | None, context: str | None) -> Http:
    """A way to the cluster that has been tried once.

    In this order: the kubeconfig given, `$KUBECONFIG` or `~/.kube/config`, the service account of the pod we run in.
    Raises Unreachable, which says what was tried.
    """
    # The package takes half a second to import, which commands that need no cluster should not pay.
    import kubernetes.client
    import kubernetes.config
    from kubernetes.client.rest import RESTClientObject

    configuration = kubernetes.client.Configuration()
    configuration.connection_pool_maxsize = CONNECTIONS
    configuration.socket_options = _keep_alive()
    where = _load(kubernetes.config, configuration, kubeconfig, context)
    if not configuration.host.startswith(("https://", "http://")):
        raise Unreachable(f"{where}: expected a server like https://host:6443, found {configuration.host!r}")
    pool: urllib3.PoolManager = RESTClientObject(configuration).pool_manager

    def headers() -> Mapping[str, str]:
        try:
            with _Said():  # the server's no tells more
                setting = configuration.auth_settings().get("BearerToken")
        except Exception as error:  # the hook runs whatever program the kubeconfig names
            raise Unreachable(f"{where}: could not refresh the credentials: {error}") from error
        return {"Authorization": setting["value"]} if setting and setting["value"] else {}

    http = Http(pool, configuration.host, headers)
    try:
        http.get("/api/v1/nodes", {"limit": 1}, attempts=1)
    except ClusterError as error:
        http.close()
        raise Unreachable(f"{where}: {error}") from error
    return http


def _load(config: Any, configuration: Any, kubeconfig: str | None, context: str | None) -> str:
    """Fill the configuration in; what it was filled from, for messages."""
    named = kubeconfig or os.environ.get("KUBECONFIG") or _DEFAULT
    paths = [Path(part).expanduser() for part in named.split(os.pathsep) if part]
    if any(path.exists() and not path.is_dir() for path in paths):
        where = f"kubeconfig {named}" + (f", context {context}" if context else "")
        said = _Said()
        try:
            with said:
                config.load_kube_config(config_file=named, context=context, client_configuration=configuration)
        except config.ConfigException as error:
            raise Unreachable(f"{where}: {_sentence(error)}") from error
        except (OSError, yaml.YAMLError, ValueError) as error:
            raise Unreachable(f"{where}: it can't be read as a kubeconfig ({_sentence(error)})") from error
        except (TypeError, KeyError, AttributeError) as error:
            raise Unreachable(f"{where}: it is not a kubeconfig, which has clusters, users and contexts") from error
        if said.text:  # a program that signs in failed, and the package would go on as nobody
            raise Unreachable(f"{where}: could not sign in, {said.text}")
        return where
    if kubeconfig:
        there = any(path.is_dir() for path in paths)
        raise Unreachable(f"kubeconfig {kubeconfig}: {'it is a directory' if there else 'there is no such file'}")
    if context:
        raise Unreachable(f"context {context}: there is no kubeconfig at {named} to find it in")
    try:
        config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException as error:
        raise Unreachable(
            f"no cluster to talk to: there is no kubeconfig at {named}, and no service account, as this is not a pod "
            f"of a cluster ({_sentence(error)}); name one with --kubeconfig or $KUBECONFIG"
        ) from error
    return "the pod's service account"


class _Said(logging.Handler):
    """What the package logs where it should raise, kept from standard error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the first."""
        self.text = self.text or " ".join(record.getMessage().split())

    def __enter__(self) -> None:
        logging.getLogger().addHandler(self)

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self)


def _sentence(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _keep_alive() -> list[tuple[int, int, int]]:
    """A connection whose other side vanished is given up after 20 + 4 * 5 s, though a watch may be silent for long."""
    options = [*urllib3.connection.HTTPConnection.default_socket_options, (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    for name, value in (("TCP_KEEPIDLE", 20), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, name):
            options.append((socket.IPPROTO_TCP, getattr(socket, name), value))
    return [option for option in options if len(option) == 3]
