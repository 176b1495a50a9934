"""The project's own data set: posts of a made-up Pinterest, the same bytes for the same seed on every machine.

Only ``random()`` and ``getrandbits()`` of :class:`random.Random` are used, and of floating-point arithmetic only what
IEEE 754 rounds exactly (no ``pow``, no ``log``): nothing here depends on a platform, a locale or today's date.
"""
