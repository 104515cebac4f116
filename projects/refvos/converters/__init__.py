"""Convert published checkpoints: key mappings and their strict check."""
