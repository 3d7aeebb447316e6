"""Runs: what a study is made of, what it costs, and carrying it out."""
