"""The exports that the emulator serves."""
