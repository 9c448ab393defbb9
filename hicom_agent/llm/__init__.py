"""Language models that answer from evidence, and what keeps them to it."""
