"""ASGI 3 applications behind the HTTP server.

application.py is the handler that runs one; exchange.py is a request and its answer,
handover.py what is streamed between the two, conversation.py a websocket, and lifespan.py how
the application begins and ends. The words that they exchange are in words.py.
"""
