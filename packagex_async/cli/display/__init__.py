"""The output of the command line: tables, progress and summaries."""
