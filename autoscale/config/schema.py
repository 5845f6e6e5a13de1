"""The pydantic models of the configuration file. Imported only when a configuration is read."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from autoscale.config import values
from autoscale.model.units import duration_ms


def reads(function: Any) -> BeforeValidator:
    """A validator from one of `values`' readers: its ValueError says what was expected."""

    def validate(value: object) -> object:
        try:
            return function(value)
        except ValueError as error:
            raise PydanticCustomError("expected", "{expected}", {"expected": str(error)}) from error

    return BeforeValidator(validate)


DurationMs = Annotated[int, reads(duration_ms)]
DurationS = Annotated[int, reads(values.duration_s)]
DurationOrNeverS = Annotated[int | None, reads(values.duration_or_never_s)]
Money = Annotated[int, reads(values.money_microusd_per_hour)]
Share = Annotated[int, reads(values.share_ppm)]
CountOrShare = Annotated[Any, reads(values.part)]
Flag = Annotated[bool, Field(strict=True)]
Count = Annotated[int, reads(values.count)]
Priority = Annotated[int, reads(values.priority)]
Word = Annotated[str, reads(values.word)]
ClaimsPlace = Annotated[str, reads(values.claims_place)]


class Section(BaseModel):
    """A mapping in the file: camel case keys, unknown ones refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, validate_by_alias=True)


class Batch(Section):
    """How the loop gathers events before it decides."""

    idle: DurationMs = 1000
    max: DurationMs = 10_000


class Objective(Section):
    """What counts as cost beside the prices."""

    cost_per_node: Money = 0


class Reservation(Section):
    """How long the steps from a purchase to bound pods may take."""

    provision_timeout: DurationS = 900
    hold_timeout: DurationS = 120
    daemon_timeout: DurationS = 60
    claims: ClaimsPlace = "pods"


class Scheduling(Section):
    """Whose pods are planned for, as far as schedulers and priorities say."""

    scheduler_names: list[Word] = Field(default=["default-scheduler"], min_length=1)
    expendable_below: Priority = -10


class Preferences(Section):
    """What pods only wish for."""

    max_extra_cost: Share = 0


class Solver(Section):
    """The search."""

    time_limit: DurationMs = 1000


class CatalogFiles(Section):
    """Prices: where they are kept, what is laid over them, how often the clouds are asked."""

    cache: Word = ""
    overlay: Word = ""
    refresh: DurationOrNeverS = None


class File(Section):
    """The whole file."""

    api_version: Literal["gpu-autoscale.dev/v1alpha1"]
    kind: Literal["Autoscaler"]
    cluster: Word = ""
    providers: dict[Word, dict[str, Any] | None] | None = None
    batch: Batch = Field(default_factory=Batch)
    objective: Objective = Field(default_factory=Objective)
    reservation: Reservation = Field(default_factory=Reservation)
    scheduling: Scheduling = Field(default_factory=Scheduling)
    preferences: Preferences = Field(default_factory=Preferences)
    solver: Solver = Field(default_factory=Solver)
    pods: Literal["all", "gpu"] = "all"
    catalog: CatalogFiles = Field(default_factory=CatalogFiles)
    policies: list[dict[Word, Any]] = Field(default_factory=list)
