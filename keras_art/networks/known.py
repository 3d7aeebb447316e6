"""What is known of networks by their names alone, before Keras is imported."""

from __future__ import annotations

# Vision transformers: Dosovitskiy et al. 2021, Table 1 (B), and Touvron et al. 2021 (Ti).
VITS: dict[str, dict[str, int]] = {
    "ViTB16": {"patch_size": 16, "num_layers": 12, "num_heads": 12, "hidden_dim": 768, "mlp_dim": 3072},
    "ViTTi16": {"patch_size": 16, "num_layers": 12, "num_heads": 3, "hidden_dim": 192, "mlp_dim": 768},
}
