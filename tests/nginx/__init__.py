"""Downloads from nginx, a server that nobody here wrote, through connections that break."""
