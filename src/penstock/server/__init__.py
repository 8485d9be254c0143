"""An HTTP/1.1 server on asyncio and llhttp, without a framework between socket and handler.

server.py listens, and sees connections come and go; connection.py is one of them: reading.py
makes requests of its bytes, the handler answers, and writing.py makes bytes of that. What the
two say to each other is in messages.py, and how much one client may ask in limits.py.
"""
