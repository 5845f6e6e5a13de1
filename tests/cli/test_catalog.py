"""`autoscale catalog` without a cloud: what is shipped, files, and wrong input."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from autoscale.catalog.document import write
from autoscale.catalog.store import Store
from providers.aws.specifications import shipped

from .conftest import Run


def test_show_lists_the_cheapest_gpu_first(run: Run) -> None:
    """Zones of one price in one row, with where the prices come from and how old they are."""
    said = run("catalog", "show", "--provider", "aws", "--gpu", "h100", "--capacity-type", "on-demand")
    assert (said.returncode, said.stderr) == (0, "")
    head, empty, columns, *rows = said.stdout.splitlines()
    assert head.startswith("aws us-east-1   171 types, 1,051 prices   shipped with this version, of 2026-07-20, ")
    assert head.endswith(" d old")
    assert empty == ""
    assert " ".join(columns.split()) == "TYPE GPU EACH VCPU MEMORY BOUGHT US$/H US$/GPU-H ZONES"
    assert [" ".join(row.split()) for row in rows] == [
        "p5.48xlarge 8 x H100 80 GiB 192 2048 GiB on-demand 55.0400 6.8800 us-east-1a b c d e f",
        "p5.4xlarge 1 x H100 80 GiB 16 256 GiB on-demand 6.8800 6.8800 us-east-1a b c d e f",
    ]


def test_show_as_json_has_everything(run: Run) -> None:
    """One item an offering, with its facts, moment and zone ID; and the prices not believed."""
    words = ("--provider", "aws", "--type", "g5.xlarge", "--zone", "us-east-1a", "--capacity-type", "spot")
    (item,) = json.loads(run("catalog", "show", *words, "-o", "json").stdout)["items"]
    assert item["offerings"] == [
        {
            "type": "g5.xlarge",
            "zone": "us-east-1a",
            "zoneId": "use1-az1",
            "capacityType": "spot",
            "usdPerHour": 0.4328,
            "listedUsdPerHour": 0.4328,
            "interruptionUsdPerHour": 0.0,
            "overlayRules": [],
            "usdPerGpuHour": 0.4328,
            "at": "2026-07-20T00:00:00Z",
            "vcpus": 4,
            "memoryMib": 16384,
            "architecture": "amd64",
            "accelerator": "A10G",
            "accelerators": 1,
            "acceleratorMemoryMib": 22888,
            "efaInterfaces": 0,
            "spotPlacementScore": None,
        }
    ]
    assert {key: item[key] for key in ("provider", "region", "source", "at", "refused")} == {
        "provider": "aws",
        "region": "us-east-1",
        "source": "shipped",
        "at": "2026-07-20T00:00:00Z",
        "refused": [],
    }


def test_prices_that_are_not_believed_are_listed(run: Run) -> None:
    """Those that are asked about, each with its reason; `validate` has all of them."""
    said = run("catalog", "show", "--provider", "gcp", "--type", "a3-highgpu-1g", "--zone", "us-central1-a")
    assert said.returncode == 2  # nothing of it has a price
    said = run("catalog", "validate", "--provider", "gcp")
    assert said.returncode == 0
    assert "  52 prices not believed\n" in said.stdout
    wrong = "a3-highgpu-1g on-demand, us-central1-a, us-central1-b, us-central1-c: 5.383270 USD, on-demand 4.20076 US$ an hour"
    assert wrong in " ".join(said.stdout.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "--gpu", "h1000"), "--gpu: no gpu like 'h1000', expected H100, "),
        (("show", "--zone", "us-east-1z"), "--zone: no zone like 'us-east-1z', expected us-east-1"),
        (("show", "--type", "g9.large"), "--type: no type like 'g9.large', expected "),
        (("show", "--provider", "azure"), "providers: unknown provider 'azure', expected "),
        (
            ("show", "--provider", "kwok"),
            "--provider: there are no prices to be read for provider 'kwok', expected aws, gcp",
        ),
        (
            ("show", "--region", "eu-west-1"),
            "--region: there are no prices of eu-west-1, run autoscale catalog refresh",
        ),
        (("diff", "one.json"), "give two files, or none; see `autoscale catalog diff --help`"),
        (("diff", "a.json", "b.json", "--shipped"), "--provider, --region and --shipped mean nothing for two files"),
        (("diff", "a.json", "b.json"), "a.json: there is no such file"),
        (("validate", "no.json"), "no.json: there is no such file"),
        (("refresh", "--provider", "aws"), "aws: ec2:DescribeAvailabilityZones: no AWS credentials"),
        (("refresh", "--provider", "aws", "--region", "../x"), "../x: no name of a region, expected small letters"),
        (("sing",), "no such command 'sing'; see `autoscale catalog --help`"),
    ],
)
def test_wrong_input_is_one_sentence(run: Run, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    """Exit status 2, nothing on standard output, nothing on disk."""
    found = run("catalog", *words)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith(f"autoscale: {said}")
    assert found.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_two_files_are_compared(run: Run, tmp_path: Path) -> None:
    """Types and prices: new, gone, changed."""
    text = write(shipped())
    (tmp_path / "old.json").write_text(text)
    spot = '"type":"g5.xlarge","zone":"us-east-1a","capacityType":"spot","usdPerHour":'
    text = text.replace(f"{spot}0.4328", f"{spot}0.5")
    text = text.replace('"name":"g5.xlarge","vcpus":4', '"name":"g5.xlarge","vcpus":5')
    (tmp_path / "new.json").write_text("\n".join(line for line in text.splitlines() if '"trn1.2xlarge"' not in line))
    said = run("catalog", "diff", "old.json", "new.json", "--detailed-exitcode")
    assert (said.returncode, said.stderr) == (2, "")
    assert said.stdout.splitlines() == [
        "- old.json",
        "+ new.json",
        "",
        "  - type trn1.2xlarge",
        "  ~ type g5.xlarge: vcpus 4 -> 5",
        "  ~ g5.xlarge/us-east-1a/spot: $ 0.4328 -> $ 0.5000 (+15.5 %)",
        "  - trn1.2xlarge/us-east-1e/on-demand: $ 1.3438",
        "  - trn1.2xlarge/us-east-1e/spot: $ 0.1551",
        "  - trn1.2xlarge/us-east-1f/on-demand: $ 1.3438",
        "  - trn1.2xlarge/us-east-1f/spot: $ 0.1915",
        "",
        "  0 new, 5 gone, 2 changed",
    ]
    same = run("catalog", "diff", "old.json", "old.json", "--detailed-exitcode")
    assert (same.returncode, same.stdout) == (0, "- old.json\n+ old.json\n\n  no difference\n")


def test_a_broken_cache_is_said_and_the_shipped_prices_are_used(run: Run, tmp_path: Path) -> None:
    """The engine does the same, and no command stops for it."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "aws-us-east-1.json").write_text("{")
    (tmp_path / "a.yaml").write_text(
        "apiVersion: gpu-autoscale.dev/v1alpha1\nkind: Autoscaler\nproviders: {aws: {}}\ncatalog: {cache: cache}\n"
    )
    said = run("catalog", "show", "--config", "a.yaml", "--gpu", "v100")
    assert said.returncode == 0
    assert "shipped with this version" in said.stdout
    assert said.stderr == (
        "autoscale: cache/aws-us-east-1.json line 1: the JSON ends too early; the shipped prices are used "
        "-> autoscale catalog refresh\n"
    )


OVERLAY = """apiVersion: gpu-autoscale.dev/v1alpha1
kind: Overlay
rules:
  - name: contract
    for: {type: p5.48xlarge, capacityType: on-demand}
    price: 16 USD/h
  - name: taken away
    for: {capacityType: spot}
    interruption: {hourlyRate: 10%, cost: 20 USD}
  - name: shared
    for: {type: "g4dn.*"}
    gpuSharing: {replicas: 4, resource: nvidia.com/gpu.shared}
"""
SHARING = """apiVersion: v1
kind: Pod
metadata: {name: small, namespace: ml}
spec:
  containers: [{name: a, resources: {limits: {nvidia.com/gpu.shared: 3}, requests: {cpu: 1}}}]
"""


def test_an_overlay_is_seen_in_prices_and_plans(run: Run, tmp_path: Path) -> None:
    """What is listed, what is paid, what the risk is; and the plan counts all of it, and finds shared GPUs."""
    (tmp_path / "o.yaml").write_text(OVERLAY)
    words = ("--gpu", "h100", "--zone", "us-east-1b", "--type", "p5.48xlarge", "--overlay", "o.yaml")
    said = run("catalog", "show", "--provider", "aws", *words)
    assert (said.returncode, said.stderr) == (0, "")
    assert [" ".join(line.split()) for line in said.stdout.splitlines()[2:]] == [
        "TYPE GPU EACH VCPU MEMORY BOUGHT LISTED US$/H US$/GPU-H +RISK/H ZONES",
        "p5.48xlarge 8 x H100 80 GiB 192 2048 GiB on-demand 55.0400 16.0000 2.0000 - us-east-1b",
        "p5.48xlarge 8 x H100 80 GiB 192 2048 GiB spot 18.7340 18.7340 2.3418 2.0000 us-east-1b",
    ]
    (tmp_path / "pod.yaml").write_text(SHARING)
    assert "stays pending" in run("plan", "-f", "pod.yaml").stdout
    plan = run("plan", "-f", "pod.yaml", "--overlay", "o.yaml").stdout
    assert "g4dn.xlarge/us-east-1a/on-demand" in plan  # spot is cheaper by less than its risk
    assert "interruptions" not in plan
    assert "3 gpu.shared" in plan


def test_what_interruptions_cost_is_said(run: Run, tmp_path: Path) -> None:
    """It is part of what the plan compares, and on no invoice."""
    (tmp_path / "o.yaml").write_text(OVERLAY.replace("20 USD", "1 USD"))
    (tmp_path / "pod.yaml").write_text(SHARING)
    plan = run("plan", "-f", "pod.yaml", "--overlay", "o.yaml").stdout
    assert "0 -> 1  $ 0.213 each" in plan
    assert "  cost           $ 0.31/h more" in plan
    assert "  interruptions  $ 0.10/h of that is what they are expected to cost" in plan


def test_an_overlay_is_checked(run: Run, tmp_path: Path) -> None:
    """Rule by rule, with how many offerings each is about; a rule about nothing is marked; every error has its line."""
    (tmp_path / "o.yaml").write_text(OVERLAY.replace("p5.48xlarge", "p9.48xlarge"))
    said = run("catalog", "validate", "o.yaml")
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.splitlines()[:3] == [
        "o.yaml: valid   3 rules",
        "  ! contract: costs $ 16/h",
        "      0 offerings of aws us-east-1 and gcp us-central1",
    ]
    (tmp_path / "o.yaml").write_text(OVERLAY.replace("16 USD/h", "16").replace("10%", "10"))
    for words in (("catalog", "validate", "o.yaml"), ("catalog", "show", "--overlay", "o.yaml")):
        said = run(*words)
        assert (said.returncode, said.stdout) == (2, "")
        first = "o.yaml:6: rules[0].price: wrong value, expected US$ per hour such as 1500 USD/h, found 16"
        assert said.stderr.startswith(f"autoscale: {first}")
        assert said.stderr.count("\n") == (2 if "validate" in words else 1)
    assert (
        run("plan", "-f", "o.yaml", "--overlay", "none.yaml").stderr == "autoscale: none.yaml: no such overlay file\n"
    )


def test_an_offline_plan_says_whose_prices_it_rests_on(run: Run, tmp_path: Path) -> None:
    """Those of the cache, with their day; or those of another region, and what to do about it."""
    head = "apiVersion: gpu-autoscale.dev/v1alpha1\nkind: Autoscaler\n"
    (tmp_path / "a.yaml").write_text(head + "providers: {aws: {region: eu-west-1}}\ncatalog: {cache: c}\n")
    (tmp_path / "pod.yaml").write_text(SHARING.replace("gpu.shared: 3", "gpu: 1"))
    words = ("plan", "-f", "pod.yaml", "--config", "a.yaml", "--groups", "catalog", "-o", "json")
    before = json.loads(run(*words).stdout)
    assert before["offline"] == "it was made from manifests and the bundled catalogue"
    assert [(note["text"], note["hint"]) for note in before["notes"]] == [
        ("there are no prices of eu-west-1, offerings and prices of us-east-1 stand in", "autoscale catalog refresh")
    ]
    kept = replace(shipped(), region="eu-west-1", source="a test", at_s=1_790_000_000)
    Store(str(tmp_path / "c")).keep(kept)
    after = json.loads(run(*words).stdout)
    assert after["offline"] == "it was made from manifests and prices of aws eu-west-1 of 2026-09-21"
    assert after["notes"] == []
