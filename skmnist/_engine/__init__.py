"""All that touches torch and skorch."""
