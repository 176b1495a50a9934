"""The pipeline's way to Amazon MWAA: build the bundle, check it as MWAA would load it, upload it. No part of it."""
