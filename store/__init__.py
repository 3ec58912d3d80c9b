"""What was seen, kept: ledgers, frames, re-judgements, encoders and the index over them."""
