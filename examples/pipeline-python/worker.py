"""The pipeline's own worker. It needs neither yagna nor a key: the job runs on `golem-temporal worker`."""

import asyncio
import signal
from concurrent.futures import ThreadPoolExecutor

import activities
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.worker import Worker
from workflows import Pipeline


async def main() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    client = await Client.connect(**ClientConfig.load_client_connect_config())
    with ThreadPoolExecutor(max_workers=10) as executor:
        async with Worker(
            client,
            task_queue="pipeline-python",
            workflows=[Pipeline],
            activities=[
                activities.fetch_source,
                activities.split,
                activities.publish,
                activities.remove,
            ],
            activity_executor=executor,
        ):
            print("worker ready", flush=True)
            await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
