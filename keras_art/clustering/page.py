def draw(store, configs, target): pass
