"""Triggers that the time sets off."""
