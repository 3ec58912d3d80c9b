"""Simulated studies: scenarios, designs, power, calibration."""
