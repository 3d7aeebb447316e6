"""The folder of runs: its format, its locks, and the one room that reads and checks its files."""
