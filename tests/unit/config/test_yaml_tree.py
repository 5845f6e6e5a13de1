"""YAML that is well formed and yet refused: by configurations and manifests alike."""

from collections.abc import Callable
from pathlib import Path

import pytest

from autoscale.config import load
from autoscale.errors import BadInput
from autoscale.observe.manifests import load_manifests

LAUGHS = "\n".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True))

READERS = {"manifests": lambda path: load_manifests([path]), "configuration": lambda path: load(path, policies={})}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"a: &a [x]\n{LAUGHS}\n", "aliases make it too large"),
        ("a: 1\nb: &b [*b]\n", "an alias stands for what it is in"),
        ("a: " + "[" * 300 + "]" * 300, "more than 200 levels"),
        ("a: " + "[" * 3000 + "]" * 3000, "more than 200 levels"),
    ],
    ids=["laughs", "loop", "levels", "abyss"],
)
def test_without_end(tmp_path: Path, reader: Callable[[str], object], text: str, expected: str) -> None:
    """A few bytes that stand for more than any machine holds get a sentence, at once."""
    file = tmp_path / "f.yaml"
    file.write_text(text)
    with pytest.raises(BadInput, match=f"^{file}.*not YAML.*{expected}"):
        reader(str(file))


def test_aliases_and_merges_are_fine(tmp_path: Path) -> None:
    """What people write with anchors is read, keys that a merge brings may be given again."""
    (tmp_path / "m.yaml").write_text(
        "kind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n"
        "  - &c {name: a, resources: &r {requests: {cpu: 1}}}\n"
        "  - &d {<<: *c, name: b}\n  - {<<: *d, name: c}\n  - {name: d, resources: *r}\n"
    )
    (pod,) = load_manifests([str(tmp_path / "m.yaml")]).view.pods
    assert pod.shape.requests["cpu"] == 4000
