"""Commands that run while `sync --follow` downloads."""
