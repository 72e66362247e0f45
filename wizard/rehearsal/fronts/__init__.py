"""What listens on ports 80 and 443."""
