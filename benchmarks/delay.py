"""A wide area on one machine: TCP proxies that hold every byte back for 40 ms each way.

    python benchmarks/delay.py ONE_WAY_SECONDS <endpoints.json

stdin: a JSON list of [listen address, listen port, target address, target port]. Prints "ready" when all listen.
The kernels this runs on have no netem. The handshake costs what it would: the target sees the connection one and a
half round trips after the client asked for it (SYN, SYN-ACK, ACK).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import sys
from asyncio import StreamReader, StreamWriter

CHUNK = 65536


async def pump(reader: StreamReader, writer: StreamWriter, delay: float) -> None:
    """Hands on what comes in, each chunk `delay` seconds after it came, however many are on their way."""
    loop = asyncio.get_running_loop()
    on_its_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def arrive() -> None:
        while True:
            due, data = await on_its_way.get()
            await asyncio.sleep(due - loop.time())
            if not data:
                break
            writer.write(data)
            await writer.drain()
        writer.write_eof()

    arriving = asyncio.create_task(arrive())
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(CHUNK):
            on_its_way.put_nowait((loop.time() + delay, data))
    on_its_way.put_nowait((loop.time() + delay, b""))
    with contextlib.suppress(OSError):
        await arriving


async def serve(delay: float, endpoints: list[tuple[str, int, str, int]]) -> None:
    async def connect(address: str, port: int, reader: StreamReader, writer: StreamWriter) -> None:
        await asyncio.sleep(3 * delay)
        far_reader, far_writer = await asyncio.open_connection(address, port)
        await asyncio.gather(pump(reader, far_writer, delay), pump(far_reader, writer, delay))
        for stream in (writer, far_writer):
            stream.close()

    for listen, listen_port, address, port in endpoints:
        await asyncio.start_server(functools.partial(connect, address, port), listen, listen_port, backlog=100)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]), json.load(sys.stdin)))
