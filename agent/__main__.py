"""``python -m agent``: the command line of everything that acts."""

from agent.cli import cli

if __name__ == "__main__":
    cli()
