"""Entry point of ``python -m personas``."""

from personas.cli import main

if __name__ == "__main__":
    main()
