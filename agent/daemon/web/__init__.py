"""A daemon's page: its status, its controls, and who may use them."""
