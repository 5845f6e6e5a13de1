"""The overlay file: what it says, and every error with its line."""

from pathlib import Path

import pytest

from autoscale.catalog.overlay_file import load_overlay
from autoscale.config import BadConfig
from autoscale.errors import BadInput
from autoscale.model.overlay import Adjustment, Commitment, Interruption, Overlay, Selector

HEAD = "apiVersion: gpu-autoscale.dev/v1alpha1\nkind: Overlay\nrules:\n"
PAID = HEAD.replace("rules", "commitments")
EXAMPLE = Path(__file__).parents[3] / "examples" / "overlay.yaml"


def load(tmp_path: Path, text: str) -> Overlay:
    """The overlay of that text."""
    file = tmp_path / "o.yaml"
    file.write_text(text)
    return load_overlay(str(file), providers=("aws", "gcp"))[0]


def test_every_word_of_it(tmp_path: Path) -> None:
    """A rule that says everything, and one that is named by its line."""
    overlay = load(
        tmp_path,
        HEAD
        + """
- name: all
  for: {provider: aws, region: us-*, zone: [a, b], type: p5.*, capacityType: [on-demand, reserved]}
  price: 31.5 USD/h
  nodeCharge: $0.05/h
  interruption: {hourlyRate: 2%, byScore: {1: 10%, 9: 0.5%}, cost: 1 USD, lostWork: 20m}
  gpuSharing: {replicas: 4}
  resources: {example.com/fpga: 2, memory: 1Gi}
- for: {capacityType: spot}
  discount: 12.5%
  mig: {1g.10gb: 7, 2g.20gb: 1}
commitments:
- {name: owned, for: {type: p5.*}, nodes: 4}
- {name: plan, spend: 40 USD/h, discount: 28%}
""",
    )
    assert overlay.commitments == (
        Commitment("owned", Selector(types=("p5.*",)), nodes=4),
        Commitment("plan", Selector(), spend_microusd_per_hour=40_000_000, discount_ppm=280_000),
    )
    assert overlay.adjustments == (
        Adjustment(
            name="all",
            selector=Selector(("aws",), ("us-*",), ("a", "b"), ("p5.*",), ("on-demand", "reserved")),
            price_microusd_per_hour=31_500_000,
            node_charge_microusd_per_hour=50_000,
            interruption=Interruption(20_000, ((9, 5_000), (1, 100_000)), 1_000_000, 1200),
            replicas=4,
            resources={"example.com/fpga": 2, "memory": 2**30},
        ),
        Adjustment(
            name="rule on line 12",
            selector=Selector(capacity_types=("spot",)),
            discount_ppm=125_000,
            mig={"nvidia.com/mig-1g.10gb": 7, "nvidia.com/mig-2g.20gb": 1},
        ),
    )


def test_the_example_is_one(tmp_path: Path) -> None:
    """And what a file says decides its digest, not how it is written."""
    overlay, digest = load_overlay(str(EXAMPLE), providers=("aws", "gcp"))
    assert len(overlay.adjustments) == 6
    copy = tmp_path / "copy.yaml"
    copy.write_text(EXAMPLE.read_text() + "# a remark\n")
    assert load_overlay(str(copy), providers=("aws", "gcp"))[1] == digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: Overlay\nrules: [{discount: 1%}]\n", "o.yaml: apiVersion is missing"),
        ("- a\n", "o.yaml: not an overlay, expected a mapping of keys, found a list"),
        (HEAD, "o.yaml:3: rules: wrong value, expected a list, found nothing"),
        (HEAD + "  []\n", "o.yaml: it says nothing, expected rules, commitments or both"),
        (PAID + "- {name: a}\n", "o.yaml:4: commitments[0]: not one size, expected nodes or spend"),
        (PAID + "- {name: a, nodes: 1, spend: 1 USD/h}\n", "o.yaml:4: commitments[0]: not one size, expected nodes or"),
        (PAID + "- {name: a, nodes: 1, discount: 5%}\n", "o.yaml:4: commitments[0].discount: a discount without spend"),
        (PAID + "- {nodes: 1}\n", "o.yaml:4: commitments[0]: name is missing"),
        (PAID + "- {name: a, nodes: 1}\n- {name: a, nodes: 2}\n", "o.yaml:5: commitments[1].name: a is given twice"),
        (
            PAID + "- {name: a, nodes: -1}\n",
            "o.yaml:4: commitments[0].nodes: wrong value, expected a whole number, 0 or",
        ),
        (
            PAID + "- {name: a, nodes: 1, for: {provider: azure}}\n",
            "o.yaml:4: commitments[0].for.provider: no provider like 'azure', expected aws, gcp",
        ),
        (HEAD + "- {}\n", "o.yaml:4: rules[0]: the rule says nothing, expected price, discount, nodeCharge"),
        (HEAD + "- discont: 1%\n", "o.yaml:4: rules[0].discont: unknown key, expected 'discount'"),
        (HEAD + "- discount: 120%\n", "o.yaml:4: rules[0].discount: wrong value, expected a share of at most 100%"),
        (
            HEAD + "- price: 5\n",
            "o.yaml:4: rules[0].price: wrong value, expected US$ per hour such as 1500 USD/h, found 5",
        ),
        (HEAD + "- price: 5 USD/h\n  discount: 5%\n", "o.yaml:5: rules[0].discount: both price and discount"),
        (HEAD + "- mig: {1g.5gb: 7}\n  gpuSharing: {replicas: 2}\n", "o.yaml:4: rules[0].mig: both mig and gpuSharing"),
        (HEAD + "- mig: {nvidia.com/mig-1g.5gb: 7}\n", "o.yaml:4: rules[0].mig: wrong value, expected profiles"),
        (
            HEAD + "- gpuSharing: {replicas: 1}\n",
            "o.yaml:4: rules[0].gpuSharing.replicas: wrong value, expected a whole",
        ),
        (
            HEAD + "- discount: 1%\n  for: {provider: azure}\n",
            "o.yaml:5: rules[0].for.provider: no provider like 'azure', expected aws, gcp",
        ),
        (
            HEAD + "- discount: 1%\n  for: {capacityType: sport}\n",
            "o.yaml:5: rules[0].for.capacityType: wrong value, expected on-demand, spot, reserved, flex-start, or a list of them",
        ),
        (HEAD + "- discount: 1%\n  for: {typ: x}\n", "o.yaml:5: rules[0].for.typ: unknown key, expected 'type'"),
        (HEAD + "- interruption: {cost: 1 USD}\n", "o.yaml:4: rules[0].interruption: no rate, expected hourlyRate"),
        (
            HEAD + "- interruption: {hourlyRate: 1%}\n",
            "o.yaml:4: rules[0].interruption: an interruption that costs nothing, expected cost, lostWork or both",
        ),
        (
            HEAD + "- interruption: {hourlyRate: 1%, cost: 1 USD/h}\n",
            "o.yaml:4: rules[0].interruption.cost: wrong value, expected US$ such as 12 USD, found",
        ),
        (
            HEAD + "- interruption: {byScore: {11: 1%}, cost: 1 USD}\n",
            "o.yaml:4: rules[0].interruption.byScore: wrong value, expected rates by least score of 1 to 10",
        ),
        (HEAD + "- discount: 1%\n  discount: 2%\n", "o.yaml:5: rules[0].discount is given twice, first on line 4"),
    ],
)
def test_an_error_names_its_line(tmp_path: Path, text: str, said: str) -> None:
    """What, where, expected, found."""
    with pytest.raises(BadInput) as error:
        load(tmp_path, text)
    assert str(error.value).startswith(f"{tmp_path}/{said}")


def test_all_errors_are_told(tmp_path: Path) -> None:
    """Not one after the other."""
    with pytest.raises(BadConfig) as error:
        load(tmp_path, HEAD + "- price: 1\n- discount: 2\n")
    assert len(error.value.problems) == 2
    with pytest.raises(BadConfig) as error:
        load(tmp_path, HEAD + "- {}\n- {}\n")
    assert len(error.value.problems) == 2
