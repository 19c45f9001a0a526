"""Helpers that know nothing about exports."""
