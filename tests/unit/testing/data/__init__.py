"""Tests of the data that the emulator serves."""
