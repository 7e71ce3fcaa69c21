"""What MAKOTO's functions share: tenants, logs and answers."""
