"""The product as a user meets it: commands, a real browser, a real playground."""
