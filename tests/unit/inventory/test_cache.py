"""The inventory that is kept: it gives back what AWS listed, for this fleet.yml, for a week, and to nobody else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jada import Aws, Host, HostError, JadaError
from jada.inventory import cache
from jada.inventory.cache import Inventory
from jada.inventory.discover import Searched
from jada.inventory.fleet.config import Fleet
from jada.inventory.sources.ec2 import Ec2Source
from jada.inventory.sources.static import StaticHost, StaticSource

ROLE = "arn:aws:iam::222222222222:role/jada"
EC2 = Ec2Source(("us-east-1", "eu-west-1"), role_arn=ROLE)
STATIC = StaticSource((StaticHost("s", "192.0.2.9"),))
FLEET = Fleet("f", Path("/fleet.yml"), (EC2, STATIC), (), Aws("prod"))
WEB = Host(
    "web-1", "10.0.0.1", "ec2", id="i-1", region="us-east-1", port=0, tags={"a": "b"}, account="222222222222",
    instance="i-1", zone="us-east-1a", aws=Aws("prod", role_arn=ROLE),
)  # fmt: skip
FOUND = (
    Searched(EC2, "us-east-1", [WEB]), Searched(EC2, "eu-west-1", []), Searched(STATIC, "", STATIC.find(Aws(), "")),
)  # fmt: skip
AT = 1_000_000.5


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one file, once it is written."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    cache.write(FLEET, Inventory(AT, FOUND))
    (file,) = (tmp_path / "jada/inventory").iterdir()
    return file


def test_what_is_kept_is_what_was_found_and_private(file: Path) -> None:
    kept = cache.read(FLEET, AT + 60)
    assert kept.at == AT
    assert [(each.region, list(each.hosts)) for each in kept.found] == [
        ("us-east-1", [WEB]), ("eu-west-1", []), ("", STATIC.find(Aws(), "")),
    ]  # fmt: skip
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    # What fleet.yml says itself is not kept in a second place.
    assert "192.0.2.9" not in file.read_text()


@pytest.mark.parametrize(
    "fleet",
    [
        replace(FLEET, sources=(replace(EC2, regions=("us-east-1",)), STATIC)),
        replace(FLEET, sources=(replace(EC2, tags={"a": ("c",)}), STATIC)),
        replace(FLEET, aws=Aws("other")),
    ],
)
def test_a_changed_section_makes_it_of_no_use(fleet: Fleet) -> None:
    with pytest.raises(JadaError, match=r"the `sources` or `aws` of fleet.yml have changed since"):
        cache.read(fleet, AT)


def test_another_fleet_yml_has_none() -> None:
    with pytest.raises(JadaError, match=r"this machine has none of this fleet.yml yet") as caught:
        cache.read(replace(FLEET, path=Path("/other.yml")), AT)
    assert "jada hosts" in caught.value.hint


@pytest.mark.parametrize("now", [AT + 7 * 86400 + 1, AT - 1])
def test_it_is_used_for_a_week(now: float) -> None:
    cache.read(FLEET, AT + 7 * 86400)
    with pytest.raises(JadaError, match="older than 7 days, or of another time"):
        cache.read(FLEET, now)


def changed(key: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda form: form["regions"][0]["hosts"][0].update({key: value})


@pytest.mark.parametrize(
    "spoil",
    [
        changed("address", 1), changed("port", "22"), changed("port", True), changed("tags", {"a": 1}),
        changed("trouble", ""), lambda form: form["regions"][0].update(source=1),
        lambda form: form["regions"][0].update(source=9), lambda form: form["regions"][0].update(region=None),
        lambda form: form.update(at="now"), lambda form: form.update(schema="jada.inventory/2"),
        lambda form: form.update(regions=None), lambda form: form.clear(),
    ],
)  # fmt: skip
def test_a_file_of_another_form_is_of_no_use(file: Path, spoil: Callable[[dict[str, Any]], object]) -> None:
    form = json.loads(file.read_text())
    spoil(form)
    file.write_text(json.dumps(form))
    with pytest.raises(JadaError, match="the file can't be used"):
        cache.read(FLEET, AT)


def test_a_file_that_others_may_have_written_is_of_no_use(file: Path, tmp_path: Path) -> None:
    file.chmod(0o620)
    with pytest.raises(JadaError, match="the file can't be used"):
        cache.read(FLEET, AT)
    file.chmod(0o600)
    cache.read(FLEET, AT)
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(JadaError, match="the file can't be used"):
        cache.read(FLEET, AT)


def test_only_regions_that_could_not_be_searched_are_filled() -> None:
    fresh = replace(WEB, address="10.0.0.2")
    error = HostError("no answer")
    kept = cache.read(FLEET, AT)
    one = [Searched(EC2, "us-east-1", [fresh]), Searched(EC2, "eu-west-1", error), FOUND[2]]
    assert [list(each.hosts) for each in cache.filled(one, kept)] == [[fresh], [], STATIC.find(Aws(), "")]
    whole = [Searched(EC2, "", error), FOUND[2]]
    assert [list(each.hosts) for each in cache.filled(whole, kept)] == [[WEB], [], STATIC.find(Aws(), "")]
