"""``python -m store``: what is kept, from the command line."""

from store.cli.main import main

if __name__ == "__main__":
    main(prog_name="python -m store")
