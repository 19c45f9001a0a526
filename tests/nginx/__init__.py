"""Downloads from nginx through a proxy that interrupts connections."""
