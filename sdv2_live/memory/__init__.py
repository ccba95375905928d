"""An estimate of the memory a show takes, made before anything is loaded; see `sdv2-live plan`."""
