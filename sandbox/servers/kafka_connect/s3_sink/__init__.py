"""The S3 sink of the sandbox: a Kafka Connect plugin in Java, in the place of Confluent's, which no registry has.

It takes the connector configuration that Confluent's plugin takes in the cloud (``include/kafka``), writes objects of
the same names and lines, and refuses by name what it cannot do. At least once: an offset is committed when everything
before it is in the lake; a record that was read twice is the same line in an object that may have another name.

A record without a value (a tombstone) is a line whose ``payload`` is null, because the HoistField transform wraps it
before it gets here, so that it is counted and quarantined like every other post that cannot be used. Bytes that are no
UTF-8 arrive as U+FFFD: the converter replaced them.
"""
