"""The estimates: I_avg, one run, contrasts of arms, persona matrices, studies, judges."""
