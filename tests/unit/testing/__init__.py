"""Tests of the emulator without sockets."""
