"""What an application can say of its sessions, and ask about them."""
