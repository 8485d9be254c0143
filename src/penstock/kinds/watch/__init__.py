"""The trigger that changes of files set off."""
