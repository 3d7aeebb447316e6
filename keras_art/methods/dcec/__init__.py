"""Deep convolutional embedded clustering (DCEC): pictures grouped by how they look, and what to make of the groups."""
