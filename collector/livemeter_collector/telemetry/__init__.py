"""What the collector tells about itself: metrics for Prometheus, whether it lives, whether it is ready."""
