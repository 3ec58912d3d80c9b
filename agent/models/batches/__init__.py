"""Questions to providers' batch services: at half the price, answered within a day."""
