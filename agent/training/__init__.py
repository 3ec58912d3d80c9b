"""Preference alignment at a ladder of sizes: how few pairs are enough.

Trains with TRL's DPO and PEFT's LoRA, which come with the extra ``align``. Refuses to know where
the pairs come from, and what the scores mean (``analysis.alignment.learning_curve``).
"""
