"""The floor of discovery: boto3's own paginators over these regions, side by side; prints the count of instances."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3

FILTERS = [{"Name": "instance-state-name", "Values": ["running"]}, {"Name": "tag:jada", "Values": ["agent"]}]


def count(client: Any) -> int:
    pages = client.get_paginator("describe_instances").paginate(Filters=FILTERS)
    return sum(len(reservation["Instances"]) for page in pages for reservation in page["Reservations"])


def main() -> None:
    regions = sys.argv[1:]
    session = boto3.session.Session()
    clients = [session.client("ec2", region_name=region) for region in regions]
    with ThreadPoolExecutor(len(regions)) as pool:
        sys.stdout.write(f"{sum(pool.map(count, clients))}\n")


if __name__ == "__main__":
    main()
