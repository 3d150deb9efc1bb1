"""The EC2 instance that a machine says it is (files/look/instance.sh), and the scripts that then run there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from jada.tasks import FILES
from jada.tasks.transaction import only_on

ONE, OTHER = "i-0af01c0123456789a", "i-0bf01c0123456789b"


def printed(folder: Path, script: str) -> str:
    """The output of the script where the files that tell of the machine are in the folder."""
    places = f"ASSET_TAG={folder}/tag CLOUD_INIT={folder}/cloud IN_CONTAINER={folder}/container"
    text = (FILES / "look" / "instance.sh").read_text() + f"{places}\n{script}"
    return subprocess.run(["sh"], input=text, capture_output=True, text=True, check=False, env={}).stdout


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, ""),
        ({"tag": f"{ONE}\n"}, ONE),
        ({"tag": ONE}, ONE),
        ({"cloud": f"{ONE}\n"}, ONE),
        ({"tag": "Not Specified\n", "cloud": f"{ONE}\n"}, ONE),
        ({"tag": f"{ONE}\n", "cloud": f"{OTHER}\n"}, ONE),
        ({"tag": "", "cloud": "iid-datasource-none\n"}, ""),
        ({"tag": "7704-8520-3401-9291-1577-9834-54"}, ""),
        ({"tag": f"{ONE}\n", "container": "docker\n"}, ""),
    ],
)
def test_the_instance_is_known_by_its_tag_or_by_cloud_init_and_not_in_a_container(
    tmp_path: Path, files: dict[str, str], expected: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    # As a look calls it.
    assert printed(tmp_path, 'set -f; IFS="\n"; find_instance && printf "%s." "$instance"') == f"{expected}."


@pytest.mark.parametrize(("instance", "runs"), [(ONE, True), (OTHER, False), ("", True)])
def test_what_is_meant_for_one_instance_runs_on_no_other(tmp_path: Path, instance: str, runs: bool) -> None:
    (tmp_path / "tag").write_text(instance)
    output = printed(tmp_path, f"only_on {ONE}; echo changed")
    assert output == (
        "changed\n" if runs else f"error=this machine is {OTHER}, and {ONE} was meant; nothing was touched\n"
    )


def test_where_no_instance_is_meant_nothing_is_asked() -> None:
    assert only_on("", "echo changed") == "echo changed"
    assert only_on(ONE, "echo changed\n").endswith(f"\nonly_on {ONE}\necho changed\n")
