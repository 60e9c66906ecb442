"""`python -m chaser_contract` is `chaser-contract`."""

from chaser_contract.cli import main

if __name__ == "__main__":
    main()
