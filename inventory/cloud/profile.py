"""fleet.yml's `aws`: the credentials to ask AWS with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jada.inventory.yaml_readers import path
from jada.inventory.yaml_values import Value


@dataclass(frozen=True, slots=True)
class Aws:
    """Credentials as boto3 finds them: by a profile, and the config file that holds it instead of ~/.aws/config."""

    profile: str = ""
    config_file: Path | None = None


def read(value: Value) -> Aws:
    return Aws(**value.fields({"profile": Value.text, "config_file": path}))
