"""The subcommands of `sdv2-live`, one module each: `add_parser(subparsers)` declares it, `run(args)` does it."""
