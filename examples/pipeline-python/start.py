"""Starts the pipeline and waits for its report: `python start.py SOURCE STORAGE`."""

import asyncio
import json
import os
import sys
from uuid import uuid4

from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from workflows import Order, Pipeline


async def main(source: str, storage: str) -> None:
    client = await Client.connect(**ClientConfig.load_client_connect_config())
    handle = await client.start_workflow(
        Pipeline.run,
        Order(source=source, storage=storage, parts=8),
        id=f"pipeline-{uuid4()}",
        task_queue="pipeline-python",
    )
    print(f"started {handle.id}", file=sys.stderr, flush=True)
    print(json.dumps(await handle.result(), indent=2))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: start.py SOURCE STORAGE")
    asyncio.run(main(*sys.argv[1:]))
    # A thread of the SDK can abort the process while Python shuts down, so it does not:
    # https://github.com/temporalio/sdk-python/issues/300
    sys.stdout.flush()
    os._exit(0)
