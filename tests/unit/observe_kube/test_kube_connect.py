"""Finding a cluster, and one clear sentence when there is none."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from autoscale.errors import Unreachable
from autoscale.observe.kube import KubeCluster
from autoscale.sim.cluster import EmbeddedCluster

CONFIG = """
apiVersion: v1
kind: Config
clusters: [{name: a, cluster: {server: "SERVER"}}]
users: [{name: u, user: {token: secret}}]
contexts: [{name: c, context: {cluster: a, user: u}}]
current-context: c
"""


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "there is no such file"),
        ("", "empty"),
        ("a: [", "can't be read as a kubeconfig"),
        ("just words", "not a kubeconfig"),
        ("[1, 2]", "not a kubeconfig"),
        (CONFIG.replace("current-context: c", ""), "current-context"),
        (CONFIG.replace("SERVER", "http://nowhere.invalid"), "Failed to resolve 'nowhere.invalid'"),
        (CONFIG.replace("SERVER", "nonsense"), "expected a server like https://host:6443, found 'nonsense'"),
    ],
)
def test_a_bad_kubeconfig_is_named_with_what_is_wrong(tmp_path: Path, text: str | None, said: str) -> None:
    """Whatever is wrong with the file, the sentence names the file and the trouble."""
    path = tmp_path / "config"
    if text is not None:
        path.write_text(text)
    with pytest.raises(Unreachable) as error:
        KubeCluster.connect(str(path), None)
    assert str(error.value).startswith(f"kubeconfig {path}")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_context_is_named(embedded: EmbeddedCluster) -> None:
    """The context that is not in the file is in the sentence."""
    with pytest.raises(Unreachable, match=r"context elsewhere: .*Expected object with name elsewhere"):
        KubeCluster.connect(embedded.kubeconfig_path, "elsewhere")


def test_a_server_that_does_not_answer_is_unreachable(tmp_path: Path) -> None:
    """The sentence says where nobody answered, and why."""
    path = tmp_path / "config"
    url = f"http://127.0.0.1:{free_port()}"
    path.write_text(CONFIG.replace("SERVER", url))
    with pytest.raises(Unreachable, match=f"no answer from the API server at {url}: .*Connection refused"):
        KubeCluster.connect(str(path), None)


class _Portal(BaseHTTPRequestHandler):
    """A web page where an API server should be."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", "20")
        self.end_headers()
        self.wfile.write(b"<html>\nSign in</html>"[:20])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@pytest.mark.parametrize("status", [200, 302, 418])
def test_a_web_page_is_no_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """Whatever answers in place of an API server, it ends as Unreachable, in one line."""
    monkeypatch.setattr(_Portal, "status", status)
    path = tmp_path / "config"
    with HTTPServer(("127.0.0.1", 0), _Portal) as server:
        path.write_text(CONFIG.replace("SERVER", f"http://127.0.0.1:{server.server_address[1]}"))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            with pytest.raises(Unreachable) as error, KubeCluster.connect(str(path), None, watch=False) as cluster:
                cluster.observe()
        finally:
            server.shutdown()
            thread.join()
    assert "\n" not in str(error.value)


def test_without_anything_it_says_what_was_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No kubeconfig and no service account: both are in the sentence."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(Unreachable, match=r"no kubeconfig at .*/none, and no service account"):
        KubeCluster.connect(None, None)


def test_the_environment_names_a_kubeconfig(embedded: EmbeddedCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """$KUBECONFIG counts when nothing is given."""
    monkeypatch.setenv("KUBECONFIG", embedded.kubeconfig_path)
    with KubeCluster.connect(None, None) as cluster:
        assert cluster.observe().nodes == ()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["no-such-plugin"], "could not sign in, .*No such file or directory: 'no-such-plugin'"),
        (["sh", "-c", "echo expired, sign in again >&2; exit 3"], "could not sign in, .*expired, sign in again"),
        (["echo", "nonsense"], "could not sign in, "),
    ],
)
def test_a_plugin_that_fails_is_told(
    embedded: EmbeddedCluster, tmp_path: Path, capfd: pytest.CaptureFixture[str], command: list[str], said: str
) -> None:
    """The package logs it and goes on as nobody; we stop, and nothing but the error is written."""
    config = json.loads(Path(embedded.kubeconfig_path).read_text())
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": command[0], "args": command[1:]}
    config["users"][0]["user"] = {"exec": plugin}
    path = tmp_path / "config"
    path.write_text(json.dumps(config))
    with pytest.raises(Unreachable, match=f"^kubeconfig {path}: {said}"):
        KubeCluster.connect(str(path), None)
    assert capfd.readouterr().err == ""


def test_a_password_in_an_address_is_not_told(embedded: EmbeddedCluster, tmp_path: Path) -> None:
    """An error names the server without it."""
    config = json.loads(Path(embedded.kubeconfig_path).read_text())
    config["clusters"][0]["cluster"]["server"] = "http://me:secret@127.0.0.1:9"
    path = tmp_path / "config"
    path.write_text(json.dumps(config))
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9") as error:
        KubeCluster.connect(str(path), None)
    assert "secret" not in str(error.value)
