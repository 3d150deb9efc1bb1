"""Host keys in what an instance writes to its console."""

from __future__ import annotations

import base64
import hashlib

import pytest

from jada.inventory.sources import console
from jada.inventory.sources.console import MOST, MOST_KEYS, host_keys

BEGIN, END = "-----BEGIN SSH HOST KEY KEYS-----", "-----END SSH HOST KEY KEYS-----"


def key(number: int, kind: str = "ssh-ed25519") -> str:
    """A key as ssh has it on a line."""
    name = kind.encode()
    blob = len(name).to_bytes(4, "big") + name + (32).to_bytes(4, "big") + bytes([number]) * 32
    return f"{kind} {base64.b64encode(blob).decode()}"


def fingerprint(line: str) -> str:
    digest = hashlib.sha256(base64.b64decode(line.split()[1])).digest()
    return (
        f"<14>Nov 26 10:00:00 cloud-init: 256 SHA256:{base64.b64encode(digest).decode().rstrip('=')} root@ip (ED25519)"
    )


def printed(*keys: str, fingerprints: tuple[str, ...] = (), newline: str = "\r\n") -> str:
    """The console of an instance after its first boot."""
    marks = (
        ["<14>Nov 26 10:00:00 cloud-init: -----BEGIN SSH HOST KEY FINGERPRINTS-----",
         *map(fingerprint, fingerprints),
         "<14>Nov 26 10:00:00 cloud-init: -----END SSH HOST KEY FINGERPRINTS-----"]
        if fingerprints else []
    )  # fmt: skip
    lines = ["[    0.000000] Linux version 6.1", *marks, BEGIN, *keys, END, "[   12.3] cloud-init finished", ""]
    return newline.join(lines)


A, B, ECDSA = key(1), key(2), key(3, "ecdsa-sha2-nistp256")


def pairs(*lines: str) -> list[tuple[str, str]]:
    return [(line.split()[0], line.split()[1]) for line in lines]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r\r\n"])
def test_the_keys_of_the_block_that_cloud_init_prints(newline: str) -> None:
    text = printed(f"{ECDSA} root@ip-10-0-0-1", f"{A} root@ip-10-0-0-1", fingerprints=(ECDSA, A), newline=newline)
    assert host_keys(text) == pairs(ECDSA, A)


def test_the_last_whole_block_counts() -> None:
    assert host_keys(printed(A) + printed(B)) == pairs(B)
    assert host_keys(printed(A) + f"{BEGIN}\n{B}\n") == pairs(A)
    assert host_keys(f"{B}\n{END}\n") == []


def test_a_key_that_the_kernel_wrote_into_is_none() -> None:
    spoiled = f"{A[:40]}[   12.345] random: crng init done{A[40:]}"
    assert host_keys(printed(spoiled, ECDSA)) == pairs(ECDSA)
    # Base64 of the right form, but of no key whose fingerprint was told.
    assert host_keys(printed(B, ECDSA, fingerprints=(A, ECDSA))) == pairs(ECDSA)
    assert host_keys(printed("ssh-ed25519 AAAA=AAAA", fingerprints=(A,))) == []


def test_a_block_within_a_line_is_none_for_others_may_write_there() -> None:
    """A line of syslog that is shown on the console has something before it, whoever wrote it."""
    for before in ("[   15.1] agent[123]: ", "Nov 26 10:00:00 host agent: ", " "):
        assert host_keys("".join(f"{before}{line}\n" for line in (BEGIN, A, END))) == []
    assert host_keys(f"{BEGIN}\n[   15.1] agent[123]: {A}\n{END}\n") == []


def test_no_more_is_read_than_a_console_keeps() -> None:
    many = [key(number) for number in range(20)]
    assert host_keys(printed(*many)) == pairs(*many[:MOST_KEYS])
    assert host_keys(printed(A) + "x" * MOST) == []
    assert host_keys(f"{BEGIN}\nssh-rsa {'A' * 5000}\n{END}\n") == []


@pytest.mark.parametrize(
    "text", ["", BEGIN, END, f"{BEGIN}\n{END}", f"{BEGIN}\n\x00\ufffd\n{END}", "\r" * 70000, f"{BEGIN}\n" * 3000]
)
def test_a_console_without_keys_names_none(text: str) -> None:
    assert host_keys(text) == []


@pytest.mark.parametrize(
    "written", ["\r", f"{BEGIN}\n", "-----BEGIN SSH HOST KEY FINGERPRINTS-----\n", "SHA256:", "a " * 9]
)
def test_a_console_that_is_made_to_be_slow_to_read_is_read_once_through(
    written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty hosts are asked side by side, and wait for each other. What looks back at each place would not end here."""
    monkeypatch.setattr(console, "MOST", 2**22)
    assert host_keys(written * (2**22 // len(written))) == []
