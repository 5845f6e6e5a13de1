"""`autoscale catalog` without a cloud: what is shipped, files, and wrong input."""

import json
from pathlib import Path

import pytest

from autoscale.catalog.document import write
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
