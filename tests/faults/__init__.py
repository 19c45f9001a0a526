"""The fault matrix: named cases over real sockets. Each file is a family; each docstring states a promise.

`docs/faults.py` generates the page of the documentation from these docstrings.
"""
