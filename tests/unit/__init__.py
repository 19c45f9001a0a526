"""Tests of single modules, without sockets."""
