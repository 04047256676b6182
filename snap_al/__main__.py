"""`python -m snap_al` is `snap-al`."""

from snap_al.cli.main import main

main()
