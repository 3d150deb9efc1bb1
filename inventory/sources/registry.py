"""The sources that jada knows, by their key under fleet.yml's `sources`. A new one is a file here and a line below."""

from __future__ import annotations

from functools import partial

from jada.inventory.sources import ec2, ec2_network, lightsail, lightsail_network, static
from jada.inventory.sources.source import Provider, Source
from jada.inventory.yaml_values import Value, every

SOURCES: dict[str, Provider] = {
    "ec2": Provider(
        ec2.read,
        conditions=ec2.conditions,
        network=ec2_network.network,
        host_keys=ec2.host_keys,
        keys_from="EC2's console output",
    ),
    "lightsail": Provider(
        lightsail.read,
        lightsail.access,
        lightsail.conditions,
        lightsail_network.network,
        keys_from="Lightsail's API",
    ),
    "static": Provider(static.read),
}


def read(value: Value) -> tuple[Source, ...]:
    return tuple(every(partial(_source, item) for item in value.items()))


def _source(value: Value) -> Source:
    entry = value.fields({key: provider.read for key, provider in SOURCES.items()})
    if len(entry) != 1:
        raise value.error(
            f"should have exactly one of {', '.join(SOURCES)}, not {' and '.join(entry) or 'none'}",
            "begin each source with its own dash",
        )
    source: Source = next(iter(entry.values()))
    return source
