"""Objects of S3 under one prefix, each written only if nobody else has written it meanwhile.

"How to prevent object overwrites with conditional writes" in the S3 user guide: 412 says that the condition does not
hold, 409 that another writes at this moment and it is to be tried again, 404 that what was to be replaced is gone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from jada import JadaError
from jada.inventory.cloud.client import client
from jada.inventory.cloud.profile import Aws

T = TypeVar("T")

# Bytes of an object that are read: ten times those of a release of 10,000 hosts.
LARGEST = 64 << 20
# How often a write is tried against others', and the seconds before the second time; they double.
TRIES, PAUSE = 8, 0.1

GONE, CONFLICT, LOST = {"NoSuchKey", "404"}, "ConditionalRequestConflict", "PreconditionFailed"


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as it was read; `etag` is of these bytes."""

    body: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of a bucket whose keys begin with `prefix`, which ends in a slash or is "". Methods raise JadaError.

    A write whose answer was lost is tried again, and meets itself: bytes that are there already count as written. So no
    two writers may write the same; a random id among the bytes sees to that.
    """

    aws: Aws
    bucket: str
    prefix: str

    def read(self, key: str) -> Stored | None:
        """The object, None where there is none."""

        def get(s3: Any) -> Stored | None:
            answer = s3.get_object(**self._named(key))
            body = answer["Body"].read(LARGEST + 1)
            if len(body) > LARGEST:
                raise JadaError(f"s3://{self.bucket}/{self.prefix}{key} has more than {LARGEST} bytes")
            return Stored(body, answer["ETag"])

        return self._call(get, if_gone=None, if_lost=None)

    def create(self, key: str, body: bytes) -> str | None:
        """Writes a new object: its ETag, or None where there is another."""
        return self._write(key, body, IfNoneMatch="*")

    def replace(self, key: str, body: bytes, etag: str) -> str | None:
        """Writes in place of the object that has this ETag: the new one, or None where it is there no more."""
        return self._write(key, body, IfMatch=etag)

    def remove(self, key: str, etag: str) -> bool:
        """Takes away the object that has this ETag. False where another stands in its place."""

        def delete(s3: Any) -> bool:
            s3.delete_object(**self._named(key), IfMatch=etag)
            return True

        return self._call(delete, if_gone=True, if_lost=False)

    def etags(self, folder: str = "", after: str = "") -> Iterator[tuple[str, str]]:
        """The keys that begin with `folder` and come after `after`, in the order of their bytes, with their ETags."""
        with client(self.aws, "s3") as s3:
            pages = s3.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self.prefix + folder, StartAfter=f"{self.prefix}{after}" if after else ""
            )
            for page in pages:
                for entry in page.get("Contents", ()):
                    yield entry["Key"].removeprefix(self.prefix), entry["ETag"]

    def _write(self, key: str, body: bytes, **condition: str) -> str | None:
        def put(s3: Any) -> str | None:
            return str(s3.put_object(**self._named(key), Body=body, **condition)["ETag"])

        etag = self._call(put, if_gone=None, if_lost=None)
        if etag is not None:
            return etag
        found = self.read(key)
        return found.etag if found and found.body == body else None

    def _call(self, call: Callable[[Any], T], if_gone: T, if_lost: T) -> T:
        """The result of a call, tried again while another writes the same object."""
        with client(self.aws, "s3") as s3:
            for attempt in range(TRIES):
                try:
                    return call(s3)
                except ClientError as error:
                    code = error.response.get("Error", {}).get("Code", "")
                    if code in GONE:
                        return if_gone
                    if code == LOST:
                        return if_lost
                    if code != CONFLICT or attempt == TRIES - 1:
                        raise
                time.sleep(PAUSE * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    def _named(self, key: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": self.prefix + key}
