"""The cloud side of the pipeline: templates, policies, the proxy's image, the bundle, the deploy plan, and capacity."""
