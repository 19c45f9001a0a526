"""Recovery of a pipeline after a kill, so that no row is loaded a second time."""
