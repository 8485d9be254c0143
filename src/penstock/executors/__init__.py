"""Executors: where runs are executed other than on the runtime's own loop."""
