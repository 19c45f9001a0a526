"""Tests of the emulator's servers over real sockets."""
