"""Objects of S3 against an emulator whose answers get lost, and that has others write at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from jada import JadaError
from jada.inventory.cloud import objects
from jada.inventory.cloud.objects import Objects
from tests.protocol.conftest import Emulator

FLEET = "[{static: {hosts: {s: {address: 192.0.2.1}}}}]"


def test_an_object_is_written_once_replaced_and_removed(bucket: Objects) -> None:
    assert bucket.read("one") is None
    first = bucket.create("one", b"1")
    assert first
    assert bucket.create("one", b"2") is None
    stored = bucket.read("one")
    assert stored == objects.Stored(b"1", first)
    second = bucket.replace("one", b"2", first)
    assert second
    assert bucket.replace("one", b"3", first) is None
    assert not bucket.remove("one", first)
    assert bucket.remove("one", second)
    assert bucket.read("one") is None
    assert bucket.replace("one", b"3", second) is None
    assert bucket.remove("one", second)


def test_keys_come_in_order_without_the_prefix_and_others(bucket: Objects) -> None:
    for key in ("log/b", "log/a", "other"):
        bucket.create(key, key.encode())
    Objects(bucket.aws, bucket.bucket, "").create("elsewhere", b"")
    assert [key for key, _ in bucket.etags("log/")] == ["log/a", "log/b"]
    assert [key for key, _ in bucket.etags("log/", after="log/a")] == ["log/b"]
    assert dict(bucket.etags())["other"] == getattr(bucket.read("other"), "etag", "")


@pytest.mark.parametrize("fault", [{"lost": True}, {"code": "ConditionalRequestConflict", "status": 409}])
def test_a_write_whose_answer_is_lost_or_that_meets_another_is_made_once(
    bucket: Objects, aws: Emulator, fault: dict[str, object]
) -> None:
    def is_hurt(operation: str) -> None:
        aws.fails({operation: {"*": {**fault, "times": 1}}})

    is_hurt("PutObject")
    first = bucket.create("one", b"1")
    assert first
    is_hurt("PutObject")
    second = bucket.replace("one", b"2", first)
    assert second
    assert second != first
    is_hurt("DeleteObject")
    assert bucket.remove("one", second)
    assert bucket.read("one") is None


def test_of_many_who_write_at_once_one_has_written(bucket: Objects) -> None:
    with ThreadPoolExecutor(8) as pool:
        etags = [etag for etag in pool.map(lambda n: bucket.create("one", b"%d" % n), range(24)) if etag]
        assert len(etags) == 1
        etags = [etag for etag in pool.map(lambda n: bucket.replace("one", b"r%d" % n, etags[0]), range(24)) if etag]
        assert len(etags) == 1


def test_a_conflict_that_does_not_end_is_told(bucket: Objects, aws: Emulator) -> None:
    aws.fails({"PutObject": {"*": {"code": "ConditionalRequestConflict", "status": 409}}})
    with pytest.raises(JadaError, match=r"s3:PutObject failed \(ConditionalRequestConflict"):
        bucket.create("one", b"1")


def test_a_denial_names_the_permission_as_iam_does(bucket: Objects, aws: Emulator) -> None:
    aws.fails({"ListObjectsV2": {"*": {"code": "AccessDenied", "status": 403}}})
    with pytest.raises(JadaError, match="lack the permission s3:ListBucket"):
        list(bucket.etags())
    with pytest.raises(JadaError, match="NoSuchBucket"):
        Objects(bucket.aws, "jada-none-of-ours", "").read("one")


def test_an_object_that_is_too_large_is_not_read(bucket: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.create("one", b"12345")
    monkeypatch.setattr(objects, "LARGEST", 4)
    with pytest.raises(JadaError, match="more than 4 bytes"):
        bucket.read("one")
