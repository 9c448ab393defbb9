"""What an agent may call, one small file each."""
