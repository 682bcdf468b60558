"""The measurements of ``benchmarks/run.py``: each module has ``rows(place)``, which yields the rows of one part."""
