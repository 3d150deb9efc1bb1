"""Messages to an SNS topic."""

from __future__ import annotations

from jada import Aws
from jada.inventory.cloud.session import open_clients

# SNS takes a subject of one line of up to 100 characters of ASCII.
SUBJECT = 100


def publish(aws: Aws, topic: str, subject: str, text: str) -> None:
    """Sends a message to the topic of an ARN. Raises JadaError.

    It may run in a thread that gevent knows nothing of, so its clients are its own.
    """
    region = topic.split(":")[3]
    plain = " ".join(subject.encode("ascii", "replace").decode().split())[:SUBJECT]
    with open_clients(aws).client("sns", region) as sns:
        sns.publish(TopicArn=topic, Subject=plain, Message=text)
