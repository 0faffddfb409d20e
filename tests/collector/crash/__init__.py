"""What must hold when things die: processes, disks, the store, and the answers on their way."""
