"""Hooks, operators, sensors and triggers of the Pinterest data pipeline; import from its modules."""
