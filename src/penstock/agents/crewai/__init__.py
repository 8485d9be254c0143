"""CrewAI: crews and flows as flows of ours.

A run of one executes the framework on a thread of its own. What the framework tells on its
event bus becomes `agent.*` events of the run; its tasks and methods are steps, so that a run
which goes on after a crash does none of them again; what it asks of people becomes a lock.
"""
