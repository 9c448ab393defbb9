"""Public benchmarks: their files read, their questions asked, their scores computed."""
