"""The pure session machine: frames and clock readings in, facts out. It may touch nothing else."""
