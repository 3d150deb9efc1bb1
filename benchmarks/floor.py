"""One exec on many hosts with asyncssh: the floor that Python can have.

    benchmarks/.venv/bin/python benchmarks/floor.py AT_ONCE WORD <job.json

stdin: {"hosts": [[address, port], …], "user", "key", "known_hosts", "command", "script", "packed"}: the command reads
the script. Fails unless WORD is in every answer, which is unpacked for that if it is packed as a look is.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import sys
from typing import Any

import asyncssh


async def main(at_once: int, word: str, job: dict[str, Any]) -> None:
    slots = asyncio.Semaphore(at_once)
    # Read once, not for each host: a floor has no needless work.
    options = asyncssh.SSHClientConnectionOptions(
        username=job["user"], client_keys=[job["key"]], known_hosts=job["known_hosts"], config=None, agent_path=None
    )

    async def run(address: str, port: int) -> str:
        async with slots, asyncssh.connect(address, port, options=options) as connection:
            answer = str((await connection.run(job["command"], input=job["script"], check=True)).stdout)
            return gzip.decompress(base64.b64decode(answer)).decode("latin-1") if job["packed"] else answer

    answers = await asyncio.gather(*(run(address, port) for address, port in job["hosts"]))
    missing = sum(word not in answer for answer in answers)
    if missing:
        sys.exit(f"{missing} of {len(answers)} hosts did not answer {word}")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], json.load(sys.stdin)))
