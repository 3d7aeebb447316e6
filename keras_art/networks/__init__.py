"""Models: backbones, heads, losses, and what a trained network looks at."""
