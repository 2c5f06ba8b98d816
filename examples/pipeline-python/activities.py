"""Moves files between the source, the storage and our own disk; none of them passes through Temporal."""

import json
import urllib.error
import urllib.request
from typing import Any, Optional

from temporalio import activity
from temporalio.exceptions import ApplicationError


@activity.defn
def fetch_source(source: str, snapshot: str) -> None:
    """Copies the source, so that what it is later does not matter."""
    _put(snapshot, _request("GET", source))


@activity.defn
def split(snapshot: str, parts: list[str]) -> None:
    """Deals the lines of a file out to the parts."""
    lines = [line for line in _request("GET", snapshot).splitlines() if line]
    for n, url in enumerate(parts):
        _put(url, b"\n".join(lines[n :: len(parts)]) + b"\n")


@activity.defn
def publish(report: dict[str, Any], url: str) -> None:
    _put(url, json.dumps(report).encode())


@activity.defn
def remove(urls: list[str]) -> None:
    """Removing what is gone already is fine."""
    for url in urls:
        _request("DELETE", url, also_fine=[404])


def _put(url: str, body: bytes) -> None:
    _request("PUT", url, body)


def _request(
    method: str, url: str, body: Optional[bytes] = None, also_fine: Optional[list[int]] = None
) -> bytes:
    """An answer that trying again cannot change is not tried again."""
    request = urllib.request.Request(url, data=body, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.read()
    except urllib.error.HTTPError as error:
        if also_fine and error.code in also_fine:
            return b""
        message = f"{method} {url}: {error.code} {error.read().decode(errors='replace')}"
        raise ApplicationError(
            message, type="StorageRefused", non_retryable=error.code < 500
        ) from None
