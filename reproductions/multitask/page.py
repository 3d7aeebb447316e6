"""x."""
def draw(store, configs): return "nothing"
