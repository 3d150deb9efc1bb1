"""fleet.yml's `aws`: the credentials to ask AWS with."""

from __future__ import annotations

from jada import Aws
from jada.inventory.yaml_readers import path
from jada.inventory.yaml_values import Value


def read(value: Value) -> Aws:
    return Aws(**value.fields({"profile": Value.text, "config_file": path}))
