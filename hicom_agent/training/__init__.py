"""Stages of training: conversations and footage in, a checkpoint in the release's layout out."""
