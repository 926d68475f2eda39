"""`python -m core` is `placet`."""

from core.cli import main

main()
