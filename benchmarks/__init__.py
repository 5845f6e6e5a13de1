"""Measures the engine against its peers on common problem files. Run it as `python -m benchmarks`.

`problems` makes the files, `ours`, `karpenter_peer`, `cluster_autoscaler` and `one_each` answer them, `check` judges
every answer by its own reading of the file, `report` and `svg` write what was measured to docs/benchmarks.md.
"""
