"""A Cloud Billing export against what was recorded: read the one, ask the other, explain the gap."""
