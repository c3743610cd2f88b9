"""Each module here is a plugin: `hear(samples, rate)` gives what it has to say of a recording."""
