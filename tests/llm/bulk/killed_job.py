"""The program that tests kill: a bulk job of plain HTTP calls, which prints its answers at the end.

python -m tests.llm.bulk.killed_job BASE_URL JOB_FILE COUNT MAX_IN_FLIGHT
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import aiohttp

from perfwright.llm import Completion, Request, Usage
from perfwright.llm.bulk import run_batch
from tests.llm.bulk.senders import asks


async def main(base_url: str, job: Path, *, count: int, max_in_flight: int) -> list[str]:
    """Run the job, and return the texts of its answers."""
    async with aiohttp.ClientSession() as session:

        async def send(request: Request) -> Completion:
            async with session.post(f"{base_url}/chat/completions", json=request.body) as response:
                response.raise_for_status()
                return Completion(await response.json(), usage=Usage())

        results = await run_batch(send, asks(count), job=job, max_in_flight=max_in_flight)
    return [result.text for result in results]


if __name__ == "__main__":
    texts = asyncio.run(
        main(sys.argv[1], Path(sys.argv[2]), count=int(sys.argv[3]), max_in_flight=int(sys.argv[4]))
    )
    print(json.dumps(texts))
