"""What the parts' outputs come to."""

from typing import Any


def merge(outputs: list[str]) -> dict[str, Any]:
    """Outputs have lines of `station,count,sum,min,max`, the last three in tenths of a degree."""
    totals: dict[str, tuple[int, int, int, int]] = {}
    for line in "".join(outputs).splitlines():
        station, *numbers = line.split(",")
        count, total, low, high = map(int, numbers)
        if station in totals:
            count_before, total_before, low_before, high_before = totals[station]
            count, total = count + count_before, total + total_before
            low, high = min(low, low_before), max(high, high_before)
        totals[station] = (count, total, low, high)
    return {
        "readings": sum(count for count, *_ in totals.values()),
        "stations": {
            station: {
                "count": count,
                "min": low / 10,
                "mean": total / count / 10,
                "max": high / 10,
            }
            for station, (count, total, low, high) in sorted(totals.items())
        },
    }
