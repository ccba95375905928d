"""How much memory a show takes, told before anything is loaded; see `sdv2-live plan`."""
