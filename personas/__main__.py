"""Entry point of ``python -m personas``. Knows nothing but where the commands are."""

from personas.cli import main

if __name__ == "__main__":
    main()
