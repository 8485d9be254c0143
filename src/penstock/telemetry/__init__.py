"""Logs, metrics, traces and health: what those learn who look after a running Penstock.

Each is an `Observer` of the engine, which knows nothing of this package. `Telemetry` puts them
together; nothing of it is imported before it is asked for.
"""
