"""The host: a service around one runtime, with which clients launch flows and follow their runs.

host.py puts it together; shelf.py holds the flows that it serves, access.py says who may do
what, and api/ is what clients can ask for: one file for each family of operations. The form of an
operation is in api/operation.py, and how one is answered in api/endpoint.py.
"""
