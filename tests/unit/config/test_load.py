"""Configuration files: what they come to, and every error with file, line and key."""

from pathlib import Path
from textwrap import dedent

import pytest

from autoscale import wiring
from autoscale.config import BadConfig, Settings
from autoscale.errors import BadInput
from autoscale.model.settings import DecideSettings, LoopSettings
from autoscale.model.units import Part
from policies.budget import Budget
from policies.cooldown import Cooldown
from policies.disruption import Budget as NodesAtOnce
from policies.disruption import Disruption
from policies.expire import Expire
from policies.idle import Idle
from policies.limits import Ceiling, Limits
from policies.quotas import Quotas
from policies.repair import Repair
from policies.schedule import Window
from policies.spot_mix import Selector, SpotMix

HEAD = "apiVersion: gpu-autoscale.dev/v1alpha1\nkind: Autoscaler\n"


def load(folder: Path, text: str) -> Settings:
    """Load a file with this text, as `autoscaler.yaml`."""
    path = folder / "autoscaler.yaml"
    path.write_text(dedent(text))
    return wiring.settings(str(path))


def problems(folder: Path, text: str) -> list[str]:
    """Give every error of a file, with its path left out."""
    with pytest.raises(BadInput) as caught:
        load(folder, text)
    found = caught.value.problems if isinstance(caught.value, BadConfig) else (caught.value,)
    return [str(each).removeprefix(f"{folder}/") for each in found]


def test_nothing_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a file the defaults hold, and every provider with credentials is tried; quotas and budgets of disruption hold always."""
    monkeypatch.delenv("AUTOSCALE_CONFIG", raising=False)
    assert wiring.settings(None) == Settings(digest=wiring.settings(None).digest, policies=(Disruption(), Quotas()))


def test_the_environment_names_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """$AUTOSCALE_CONFIG is read when nothing else is said."""
    (tmp_path / "a.yaml").write_text(HEAD + "cluster: from-environment\n")
    monkeypatch.setenv("AUTOSCALE_CONFIG", str(tmp_path / "a.yaml"))
    assert wiring.settings(None).cluster == "from-environment"


def test_all_of_it(tmp_path: Path) -> None:
    """Every key has its place in the settings, and policies come in the order of the file."""
    settings = load(
        tmp_path,
        """\
        apiVersion: gpu-autoscale.dev/v1alpha1
        kind: Autoscaler
        cluster: prod-eu
        providers:
          aws: {region: us-east-1}
        batch: {idle: 500ms, max: 5s}
        objective: {costPerNode: 0.05 USD/h}
        reservation: {provisionTimeout: 10m, holdTimeout: 90s, daemonTimeout: 30s}
        solver: {timeLimit: 2s}
        pods: gpu
        policies:
          - limits: {nodes: 400, resources: {nvidia.com/gpu: 512}, groups: {"l4-*": {nodes: 20}}}
          - budget: {hard: 1500 USD/h, soft: 1200 USD/h}
          - spot-mix: {for: {namespaces: [serve-*], labels: {tier: web}}, maxSpot: 60%, maxPerOffering: 25%}
          - idle: {after: 5m, groups: {"h100-*": 30m, keep: never}}
          - cooldown: {afterStockOut: 2m, afterGrow: 30s}
        """,
    )
    assert settings == Settings(
        source=str(tmp_path / "autoscaler.yaml"),
        digest=settings.digest,
        providers={"aws": {"region": "us-east-1"}},
        provider_lines={"aws": 5},
        solver_time_limit_s=2.0,
        loop=LoopSettings(quiet_s=0.5, batch_max_s=5.0),
        decide=DecideSettings(
            cluster="prod-eu",
            node_cost_microusd_per_hour=50_000,
            provision_timeout_s=600,
            hold_timeout_s=90,
            daemon_timeout_s=30,
            idle_after_s=300,
            backoff_first_s=120,
            gpu_pods_only=True,
        ),
        policies=(
            Limits(nodes=400, resources={"nvidia.com/gpu": 512}, groups={"l4-*": Ceiling(nodes=20)}),
            Budget(hard_microusd_per_hour=1_500_000_000, soft_microusd_per_hour=1_200_000_000),
            SpotMix(
                selector=Selector(namespaces=("serve-*",), labels={"tier": "web"}),
                max_spot_ppm=600_000,
                max_per_offering_ppm=250_000,
            ),
            Idle(after_s=300, groups={"h100-*": 1800, "keep": None}),
            Cooldown(after_stock_out_s=120, after_grow_s=30),
            Disruption(),
            Quotas(),
        ),
    )


def test_where_claims_are_kept(tmp_path: Path) -> None:
    """On pods unless a ConfigMap is named; then pods are never written to."""
    found = [
        load(tmp_path, f"{HEAD}cluster: x\n{reservation}")
        for reservation in ("", "reservation: {claims: pods}", "reservation: {claims: gpu-autoscale/my.claims}")
    ]
    assert [(each.claims, each.decide.changes_pods) for each in found] == [
        ("", True),
        ("", True),
        ("gpu-autoscale/my.claims", False),
    ]
    for wrong in ("claims", "a/b/c", "A/b", "7", "/b"):
        assert problems(tmp_path, f"{HEAD}cluster: x\nreservation: {{claims: '{wrong}'}}") == [
            f'autoscaler.yaml:4: reservation.claims: wrong value, expected pods, or a ConfigMap as NAMESPACE/NAME, found "{wrong}"'
        ]


def test_disruption_as_a_file_has_it(tmp_path: Path) -> None:
    """Lists of budgets and windows, counts and shares; what is configured takes the place of the defaults."""
    text = """        policies:
          - disruption:
              budgets:
                - {nodes: 10%}
                - {nodes: 0, reasons: [Drifted], groups: ["h100-*"], schedule: "0 9 * * mon-fri", duration: 8h, timezone: Europe/Berlin}
              windows: [{schedule: "0 22 * * *", duration: 6h}]
              perHour: 20%
              perDay: 30
              terminationGracePeriod: 1h
              terminationGracePeriodOf: {"train-*": never}
              dryRun: true
          - expire: {after: 7d, drifted: true}
          - repair: {conditions: {Broken: 5m}, atOnce: 2, keepFor: 1h}
        """
    busy = NodesAtOnce(
        nodes=Part(0),
        reasons=("Drifted",),
        groups=("h100-*",),
        schedule="0 9 * * mon-fri",
        duration_s=28_800,
        timezone="Europe/Berlin",
    )
    assert load(tmp_path, HEAD + dedent(text)).policies == (
        Disruption(
            budgets=(NodesAtOnce(nodes=Part(ppm=100_000)), busy),
            windows=(Window(schedule="0 22 * * *", duration_s=21_600),),
            per_hour=Part(ppm=200_000),
            per_day=Part(30),
            grace_s=3600,
            groups={"train-*": None},
            dry_run=True,
        ),
        Expire(after_s=604_800, drifted=True),
        Repair(conditions={"Broken": 300}, at_once=Part(2), keep_s=3600),
        Quotas(),
    )


def test_what_is_wrong_with_budgets(tmp_path: Path) -> None:
    """Each with its line; a budget within a list is named by its place."""
    text = """        policies:
          - disruption: {budgets: [{nodes: -1}, {node: 1}]}
          - disruption: {budgets: [{nodes: 1, schedule: "0 9 * * *"}]}
          - disruption: {windows: [{schedule: "every day", duration: 1h}]}
        """
    assert problems(tmp_path, HEAD + dedent(text)) == [
        (
            "autoscaler.yaml:4: policies[0].disruption.budgets[0].nodes: wrong value, expected a whole number such as 5, or a "
            "share such as 10%, found -1"
        ),
        "autoscaler.yaml:4: policies[0].disruption.budgets[1]: nodes is missing",
        "autoscaler.yaml:4: policies[0].disruption.budgets[1].node: unknown key, expected 'nodes'",
        "autoscaler.yaml:5: policies[1].disruption: a budget with half a schedule, expected schedule and duration, or neither",
        (
            "autoscaler.yaml:6: policies[2].disruption: not a schedule, expected five fields of cron such as 0 9 * * mon-fri, "
            "found 'every day': 2 fields"
        ),
    ]


def test_the_digest_is_of_what_is_said(tmp_path: Path) -> None:
    """Comments and the order of keys make no difference; a value does."""
    one = load(tmp_path, HEAD + "cluster: a\npods: gpu\n")
    two = load(tmp_path, HEAD + "# the same\npods: gpu\ncluster: a\n")
    other = load(tmp_path, HEAD + "cluster: b\npods: gpu\n")
    assert one.digest == two.digest != other.digest


def test_every_error_at_once(tmp_path: Path) -> None:
    """Each names file, line and key, what was expected and what was found; unknown keys name the nearest known."""
    text = """\
        apiVersion: gpu-autoscale.dev/v1
        kind: Autoscaler
        clusterr: prod
        pods: some
        batch: {idle: 10, maximum: 3s}
        objective: []
        policies:
          - limits: {gpus: 1, nodes: many}
          - limit: {}
          - limits: {groups: {"l4-*": {node: 3}}}
          - budget: {}
          - spot-mix: {for: {namespace: [a]}, maxSpot: 60}
          - {idle: {}, cooldown: {}}
          - [idle]
        """
    assert problems(tmp_path, text) == [
        (
            "autoscaler.yaml:1: apiVersion: wrong value, expected 'gpu-autoscale.dev/v1alpha1', "
            'found "gpu-autoscale.dev/v1"'
        ),
        "autoscaler.yaml:3: clusterr: unknown key, expected 'cluster'",
        "autoscaler.yaml:4: pods: wrong value, expected 'all' or 'gpu', found \"some\"",
        (
            "autoscaler.yaml:5: batch.idle: wrong value, expected a duration with its unit such as 500ms, 10s, 5m or 1h30m, "
            "found 10"
        ),
        "autoscaler.yaml:5: batch.maximum: unknown key, expected 'max'",
        "autoscaler.yaml:6: objective: wrong value, expected a mapping of keys, found []",
        'autoscaler.yaml:8: policies[0].limits.nodes: wrong value, expected a whole number, 0 or more, found "many"',
        "autoscaler.yaml:8: policies[0].limits.gpus: unknown key, expected 'groups'",
        "autoscaler.yaml:9: policies[1].limit: unknown policy 'limit', expected 'limits'",
        "autoscaler.yaml:10: policies[2].limits.groups.l4-*.node: unknown key, expected 'nodes'",
        "autoscaler.yaml:11: policies[3].budget: no budget, expected hard, soft or both",
        "autoscaler.yaml:12: policies[4].spot-mix.for.namespace: unknown key, expected 'namespaces'",
        "autoscaler.yaml:12: policies[4].spot-mix.maxSpot: wrong value, expected a share such as 60%, found 60",
        "autoscaler.yaml:13: policies[5]: not one policy, expected one key, found idle, cooldown",
        'autoscaler.yaml:14: policies[6]: wrong value, expected a mapping of keys, found ["idle"]',
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "autoscaler.yaml: apiVersion is missing"),
        ("- a\n- b\n", "autoscaler.yaml: not a configuration, expected a mapping of keys, found a list"),
        ("a: [1\nb: 2\n", "autoscaler.yaml:2: not YAML, expected ',' or ']', but got ':'"),
        (HEAD + "pods: all\npods: gpu\n", "autoscaler.yaml:4: pods is given twice, first on line 3"),
        (
            HEAD + "providers: {awss: {}}\n",
            "autoscaler.yaml:3: providers: unknown provider 'awss', expected 'aws'",
        ),
        (
            HEAD + "batch: {idle: 20s, max: 10s}\n",
            "autoscaler.yaml:3: batch.idle: longer than batch.max, expected at most 10s, found 20s",
        ),
        (
            "cluster: !!python/object:os.system x\n",
            "autoscaler.yaml:1: not YAML, could not determine a constructor for the tag 'tag:yaml.org,2002:python/object:os.system'",
        ),
    ],
)  # fmt: skip
def test_one_error(tmp_path: Path, text: str, expected: str) -> None:
    """The first error of a file that is wrong in one way."""
    assert problems(tmp_path, text)[0] == expected


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Missing, a directory, or no text: one sentence with the path."""
    with pytest.raises(BadInput, match=f"^{tmp_path}/none.yaml: no such configuration file$"):
        wiring.settings(str(tmp_path / "none.yaml"))
    with pytest.raises(BadInput, match=f"^{tmp_path}: a directory, expected a configuration file$"):
        wiring.settings(str(tmp_path))
    (tmp_path / "x").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match=f"^{tmp_path}/x: not text in UTF-8$"):
        wiring.settings(str(tmp_path / "x"))


def test_several_errors_as_one_sentence(tmp_path: Path) -> None:
    """Commands show the first and say how many more there are."""
    with pytest.raises(BadConfig) as caught:
        load(tmp_path, "kind: Autoscaler\nclusterr: a\npods: x\n")
    assert str(caught.value) == (
        f"{tmp_path}/autoscaler.yaml: apiVersion is missing (and 2 more errors; `autoscale validate` lists all)"
    )
