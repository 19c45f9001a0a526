"""The types that type checkers infer for the public names; `api.py` is checked and never run."""
