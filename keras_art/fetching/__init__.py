"""The network outside: downloads, archives, IIIF."""
