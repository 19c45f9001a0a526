"""Tests of the emulator's request and response handling."""
