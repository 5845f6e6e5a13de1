"""What an environment or a profile may have wrong is a fault in one sentence, like all that the cloud refuses."""

from pathlib import Path

import pytest

from autoscale.model.supply import FaultKind
from providers.aws import provider_from_settings


def faults(monkeypatch: pytest.MonkeyPatch, **environment: str) -> list[tuple[FaultKind, str]]:
    """What observing says in an environment without credentials of its own."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "us-east-1", **environment}.items():
        monkeypatch.setenv(name, value)
    provider = provider_from_settings({"region": "us-east-1"}, cluster="a", now_s=lambda: 0)
    return [(fault.kind, fault.message) for fault in provider.observe().faults]


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("/no/such/program", "No such file"),
        ("echo key=SECRET", "Expecting value"),
        ("sh -c 'echo sign in >&2; exit 3'", "sign in"),
    ],
)
def test_a_credential_process_that_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str, said: str
) -> None:
    """It is absent, writes nonsense or fails: no credentials, why, and nothing of what it wrote."""
    (tmp_path / "config").write_text(f"[profile p]\ncredential_process = {program}\n")
    ((kind, message),) = faults(monkeypatch, AWS_CONFIG_FILE=str(tmp_path / "config"), AWS_PROFILE="p")
    assert kind is FaultKind.DENIED
    assert "no AWS credentials" in message
    assert said in message
    assert "SECRET" not in message


def test_an_address_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_ENDPOINT_URL is anybody's to set."""
    found = faults(monkeypatch, AWS_ENDPOINT_URL="nope", AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b")
    assert [message for _, message in found] == [
        "autoscaling:DescribeAutoScalingGroups: Invalid endpoint configuration: Invalid endpoint: nope"
    ]
