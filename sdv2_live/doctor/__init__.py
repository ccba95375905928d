"""Is this machine ready for a show? One probe for each thing that can be wrong; see `sdv2-live doctor`."""
