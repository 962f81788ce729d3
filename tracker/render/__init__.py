"""How operations look: pure functions of their state. Nothing here reads a clock, a terminal or the network."""
