"""Instruction-description pairs made from footage by a chat model, as HICom-248K was."""
