"""fleet.yml as `jada init` writes it: the answers as YAML, within the comments of the file that is shipped. Pure.

It is the reverse of inventory/fleet/config.py for the keys that init asks about: what it reads of this text is the same
fleet again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from jada import Aws, Service
from jada.inventory.fleet.config import Fleet
from jada.inventory.fleet.shipped import schema_file, shipped_file
from jada.inventory.fleet.ssh import Ssh
from jada.inventory.roles import Role
from jada.inventory.sources.ec2 import Ec2Source
from jada.inventory.sources.lightsail import LightsailSource
from jada.inventory.sources.regions import ALL
from jada.inventory.sources.source import Source
from jada.inventory.sources.static import StaticHost, StaticSource

# A key of the shipped file, commented out or not, at the beginning of a line; and an entry of its sources.
_KEY = re.compile(r"(?:# )?([a-z_]+):(?: |$)")
_ENTRY = re.compile(r"  (?:# )?- ")
# Words that mean nothing else to any reader of YAML.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._/@-]*|~/[A-Za-z0-9._/-]+")
_WORDS = ("y", "n", "yes", "no", "on", "off", "true", "false", "null")
_ESCAPES = {'"': '\\"', "\\": "\\\\"}


def fleet_yml(fleet: Fleet) -> str:
    """The whole file: the shipped one, with what the fleet says in the place of its examples."""
    shipped = shipped_file().read_text(encoding="utf-8")
    answers = {key: lines for key, lines in _answers(fleet).items() if lines}
    blocks = [f"# yaml-language-server: $schema={schema_file()}"]
    for block in shipped.strip().split("\n\n"):
        prose, yaml = _parted(block.splitlines())
        keys = [match[1] for line in yaml if (match := _KEY.match(line))]
        if (prose or yaml) and _ENTRY.match((prose or yaml)[0]):
            # Another source of the shipped file.
            continue
        lines = next((answers[key] for key in keys if key in answers), yaml)
        blocks.append("\n".join([*prose, *lines]))
    return "\n\n".join(blocks) + "\n"


def scalar(text: str) -> str:
    """A text as YAML reads it again, in quotes where it could be taken for something else."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return '"' + "".join(_ESCAPES.get(char) or _escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    return char if char.isprintable() else f"\\U{ord(char):08x}"


def _parted(lines: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """The comment before a key, and the lines from that key on."""
    first = next((at for at, line in enumerate(lines) if not line.startswith("#") or _KEY.match(line)), len(lines))
    return lines[:first], lines[first:]


def _answers(fleet: Fleet) -> dict[str, list[str]]:
    """The lines of each key that the fleet says other than by default."""
    return {
        "fleet": [f"fleet: {scalar(fleet.name)}"],
        "aws": _aws(fleet.aws),
        "sources": ["sources:", *(line for source in fleet.sources for line in _source(source))],
        "roles": ["roles:", *map(_role, fleet.roles)],
        "ssh": _ssh(fleet.ssh),
        **_service(fleet.service),
    }


def _aws(aws: Aws) -> list[str]:
    return ["aws:", f"  profile: {scalar(aws.profile)}"] if aws.profile else []


def _source(source: Source) -> Iterator[str]:
    if isinstance(source, StaticSource):
        yield from ("  - static:", "      hosts:", *map(_host, source.hosts))
    if isinstance(source, Ec2Source | LightsailSource):
        usual = type(source)(source.regions)
        yield f"  - {source.provider}:"
        yield f"      regions: {ALL[0] if source.regions == ALL else _list(source.regions)}"
        if isinstance(source, LightsailSource) and source.names != usual.names:  # type: ignore[union-attr]
            yield f"      names: {_texts(source.names)}"
        if source.tags:
            yield f"      tags: {_mapping((key, _texts(values)) for key, values in source.tags.items())}"
        if source.address != usual.address:
            yield f"      address: {source.address}"


def _host(host: StaticHost) -> str:
    fields = {
        "address": scalar(host.address),
        **({"user": scalar(host.user)} if host.user else {}),
        **({"port": str(host.port)} if host.port else {}),
    }
    return f"        {scalar(host.name)}: {_mapping(fields.items())}"


def _role(role: Role) -> str:
    fields: Mapping[str, str] = {
        **({"model": scalar(role.model)} if role.model else {}),
        **({"tags": _mapping((key, _texts(values)) for key, values in role.tags.items())} if role.tags else {}),
        **({"names": _list(role.names)} if role.names else {}),
    }
    return f"  {scalar(role.name)}: {_mapping(fields.items())}"


def _ssh(ssh: Ssh) -> list[str]:
    fields = {"user": ssh.user, "key": str(ssh.key or "")}
    lines = [f"  {key}: {scalar(value)}" for key, value in fields.items() if value]
    return ["ssh:", *lines] if lines else []


def _service(service: Service) -> dict[str, list[str]]:
    usual, check = Service(), service.model_check
    fields = [(key, scalar(value)) for key, value in (("url", check.url), ("command", check.command)) if value]
    return {
        "service": [f"service: {scalar(service.unit)}"] if service.unit != usual.unit else [],
        "settings": [f"settings: {scalar(service.settings)}"] if service.settings != usual.settings else [],
        "model_check": [f"model_check: {_mapping(fields)}"] if fields else [],
    }


def _texts(texts: Sequence[str]) -> str:
    """One text, or a list of several."""
    return scalar(texts[0]) if len(texts) == 1 else _list(texts)


def _list(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(scalar, texts))}]"


def _mapping(fields: Iterable[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{scalar(key)}: {value}" for key, value in fields) + "}"
