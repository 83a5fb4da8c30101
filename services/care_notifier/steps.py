"""What every event of one care message says."""

from typing import Any

from schemas.care import CareStep


def step_of(said: CareStep) -> dict[str, Any]:
    """The fields that all events of the care message of this one share."""
    return {name: getattr(said, name) for name in CareStep.__struct_fields__}
