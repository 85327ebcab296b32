# SPDX-License-Identifier: BSD-3-Clause
"""Durations and times."""
import datetime
import re

import hbatch

_AGO = re.compile(r"(?:now)?([+-]\S+)\Z")


def parse_fsd(fsd_string):
    """Seconds of a duration of RFC 23; inf: "infinity"."""
    text = str(fsd_string).strip()
    if text.lower() in ("inf", "infinity"):
        return float("inf")
    try:
        return hbatch.parse_duration(text)
    except ValueError:
        raise ValueError(f"Invalid duration: {fsd_string!r}") from None


def fsd(secs):
    """A duration as text: "1.5h"."""
    if secs == float("inf"):
        return "inf"
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if secs >= size:
            return f"{secs / size:.4g}{unit}"
    return f"{secs:.4g}s"


def parse_datetime(string, now=None):
    """A datetime of "now", "+1h", "-30m", "2026-05-01 12:00", "14:30" or seconds since the epoch."""
    now = now or datetime.datetime.now()
    text = string.strip()
    if text == "now":
        return now
    match = _AGO.match(text)
    if match:
        seconds = parse_fsd(match[1][1:])
        try:
            return now + datetime.timedelta(seconds=seconds if match[1][0] == "+" else -seconds)
        except OverflowError:
            raise ValueError(f'Invalid datetime: "{string}"') from None
    try:
        return datetime.datetime.fromtimestamp(float(text))
    except (ValueError, OverflowError, OSError):
        pass
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        pass
    for form in ("%H:%M", "%H:%M:%S"):
        try:
            clock = datetime.datetime.strptime(text, form)
        except ValueError:
            continue
        when = now.replace(hour=clock.hour, minute=clock.minute, second=clock.second, microsecond=0)
        return when if when >= now else when + datetime.timedelta(days=1)
    raise ValueError(f'Invalid datetime: "{string}"')
