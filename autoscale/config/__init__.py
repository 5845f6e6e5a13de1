"""Configuration: one YAML file to frozen `Settings`. Every error names the file, the line and the key.

`values` reads what carries a unit, `document` reads YAML and remembers lines, `schema` holds the pydantic models,
`options` makes such a model from a policy's own fields, `load` puts them together. Pydantic is imported by `load` only
when it is called, so that `autoscale --help` does not pay for it.
"""

from __future__ import annotations

from autoscale.config.load import find, load
from autoscale.config.problems import BadConfig
from autoscale.config.settings import Settings

__all__ = ["BadConfig", "Settings", "find", "load"]
