"""The fault matrix: named cases over real sockets, a family a file, each with its promise in its docstring.

`docs/faults.py` makes the page of the docs from them.
"""
