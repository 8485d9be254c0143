"""Event streams: a run's events on their way to clients, as they happen.

filter.py says which events, transcript.py makes them bytes, once for all who follow a run,
pulse.py keeps the quiet ones alive, and following.py is one client's place in a stream; sse.py,
sockets.py and pages.py are the three forms in which clients get them.
"""
