"""The demo: downloads from an emulator that injects faults."""
