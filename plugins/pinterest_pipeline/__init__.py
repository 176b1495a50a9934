"""Operators, hooks, sensors and triggers of the Pinterest data pipeline. Import from its modules; nothing is re-exported."""
