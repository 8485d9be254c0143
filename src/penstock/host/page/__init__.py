"""The page of a host: flows with their forms, runs as they go, and an inbox of open locks.

It is HTML made on the host, with templates/ and a stylesheet; the one script (static/live.js)
only saves people from reloading. Whatever it shows or does, it asks the same operations for as
programs do.
"""
