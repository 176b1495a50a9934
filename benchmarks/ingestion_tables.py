"""What both sides of ``ingestion.py`` send."""

PARTITIONS = 3
QUERIES = {
    "pin": "SELECT * FROM pinterest_data ORDER BY index",
    "geo": "SELECT * FROM geolocation_data ORDER BY ind",
    "user": "SELECT * FROM user_data ORDER BY ind",
}
