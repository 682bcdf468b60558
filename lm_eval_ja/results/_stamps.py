"""Dates in the names of result files, by which readers tell which is the newest."""

from datetime import datetime, timedelta


def stamp_after(old: str) -> str:
    """The present date in the form of the harness's file names, later than ``old`` even if the clock was set back.

    >>> stamp_after("2999-12-31T23-59-59.999999")
    '3000-01-01T00-00-00.000000'
    """
    now = datetime.now().isoformat().replace(":", "-")  # noqa: DTZ005  # as in the harness's own file names
    if now > old:
        return now
    day, _, time = old.partition("T")
    try:
        moment = datetime.fromisoformat(f"{day}T{time.replace('-', ':')}") + timedelta(microseconds=1)
    except (ValueError, OverflowError):  # a name of the user's own
        return now
    return moment.isoformat(timespec="microseconds").replace(":", "-")
