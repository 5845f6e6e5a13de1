"""docs/reasons.md and the codes are the same list."""

import re
from pathlib import Path

from autoscale.model.workload import Code

DOC = Path(__file__).parents[2] / "docs" / "reasons.md"


def test_every_code_is_documented_and_no_other() -> None:
    """Each code has one row that says what it means and what helps."""
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \|$", DOC.read_text(), re.MULTILINE)
    assert sorted(code for code, _, _ in rows) == sorted(code.value for code in Code)
