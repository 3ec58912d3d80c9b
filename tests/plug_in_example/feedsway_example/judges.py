"""A judge that likes a video whose caption shares a long word with the persona's traits."""

import re

from agent.models.custom_model import CustomModel, Question

WORD = re.compile(r"[a-z]{4,}")


class CaptionReader(CustomModel):
    """Reads captions alone, and no picture."""

    def likes(self, question: Question) -> float:
        """Return 0.9 for a caption with a word of the traits, 0.1 for another."""
        traits = set(WORD.findall(" ".join(question.prompt.traits).lower()))
        return 0.9 if traits & set(WORD.findall((question.caption or "").lower())) else 0.1
