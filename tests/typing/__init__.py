"""What type checkers make of the public names; checked by `nox -s typing`, run by nobody."""
